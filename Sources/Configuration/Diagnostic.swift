// What parsing has to say, and where in the file it says it.

public struct Diagnostic: Equatable, Sendable {
  public enum Severity: Int, Equatable, Sendable, Comparable {
    /// Only shown by `check --verbose`.
    case note
    case warning
    /// The configuration is not used.
    case error
    public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }
  }
  public var severity: Severity
  public var file: String
  /// One-based; 0 when the whole file is meant.
  public var line: Int
  /// One-based, in bytes from the start of the line; 0 when the whole line is meant.
  public var column: Int
  /// Bytes underlined, at least 1 when a column is given.
  public var length: Int
  public var message: String
  /// The source line, for the caret display; empty when there is none.
  public var sourceLine: String

  public init(
    _ severity: Severity, file: String, line: Int, column: Int, length: Int = 1,
    message: String, sourceLine: String = ""
  ) {
    self.severity = severity
    self.file = file
    self.line = line
    self.column = column
    self.length = length
    self.message = message
    self.sourceLine = sourceLine
  }
}

/// A parsed file set: the configuration when there was no error, and everything found.
public struct ParseResult: Sendable {
  /// nil exactly when `diagnostics` holds an error.
  public var configuration: ProxyConfiguration?
  public var diagnostics: [Diagnostic]
  public init(configuration: ProxyConfiguration?, diagnostics: [Diagnostic]) {
    self.configuration = configuration
    self.diagnostics = diagnostics
  }
}
