// How a diagnostic looks on a terminal: place, message, source line, caret.

extension Diagnostic.Severity: CustomStringConvertible {
  public var description: String {
    switch self {
    case .note: "note"
    case .warning: "warning"
    case .error: "error"
    }
  }
}

extension Diagnostic {
  /// `file:line:column: error: message`, then the source line and a caret under the place.
  /// Long lines are cut to a window around it; control characters other than tabs are shown
  /// as `?` so that a file cannot steer the terminal.
  public func rendered(color: Bool = false) -> String {
    var place = file
    if line > 0 { place += ":\(line)" }
    if line > 0, column > 0 { place += ":\(column)" }
    let head =
      color
      ? "\u{1b}[1m\(place): \u{1b}[\(severityColor)m\(severity):\u{1b}[0m\u{1b}[1m "
        + "\(Diagnostic.printable(message))\u{1b}[0m"
      : "\(place): \(severity): \(Diagnostic.printable(message))"
    guard line > 0, !sourceLine.isEmpty else { return head }
    let bytes = Array(sourceLine.utf8)
    let at = column > 0 ? min(column - 1, bytes.count) : 0
    // A window of 160 bytes keeps a megabyte-long line readable.
    let start = at > 120 ? at - 80 : 0
    let end = min(bytes.count, start + 160)
    let shown = Diagnostic.printable(String(decoding: bytes[start..<end], as: UTF8.self))
    guard column > 0 else { return head + "\n  " + shown }
    let before = String(decoding: bytes[start..<at], as: UTF8.self)
    // Tabs stay tabs so that the caret lines up whatever the terminal's tab width.
    let padding = String(before.map { $0 == "\t" ? "\t" : " " })
    let under = String(
      decoding: bytes[at..<min(end, at + max(0, min(length, bytes.count - at)))], as: UTF8.self)
    let caret = "^" + String(repeating: "~", count: max(0, under.count - 1))
    let mark = color ? "\u{1b}[32m\(caret)\u{1b}[0m" : caret
    return head + "\n  " + shown + "\n  " + padding + mark
  }

  private var severityColor: Int {
    switch severity {
    case .note: 36
    case .warning: 35
    case .error: 31
    }
  }

  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          let hidden = scalar.value < 32 && scalar != "\t" || (127..<160).contains(scalar.value)
          return hidden ? "?" : scalar
        }))
  }
}
