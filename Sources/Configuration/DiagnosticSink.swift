// How a parser collects what it has to say, whatever the dialect.

/// Diagnostics as they come, up to a limit.
protocol DiagnosticSink: AnyObject {
  static var maximumDiagnostics: Int { get }
  var diagnostics: [Diagnostic] { get set }
  /// Errors found, listed or not.
  var errorCount: Int { get set }
  /// Diagnostics beyond the limit.
  var dropped: Int { get set }
}

extension DiagnosticSink {
  func report(_ severity: Diagnostic.Severity, at place: Place, _ message: String) {
    if severity == .error { errorCount += 1 }
    // The first error is always kept, so that "nil means an error is listed" holds.
    guard
      diagnostics.count < Self.maximumDiagnostics || (severity == .error && errorCount == 1)
    else {
      dropped += 1
      return
    }
    let shown = message.utf8.count > 2000 ? String(message.prefix(1000)) + "…" : message
    diagnostics.append(
      Diagnostic(
        severity, file: place.source.file, line: place.source.number, column: place.column,
        length: place.length, message: shown, sourceLine: place.source.text))
  }
}
