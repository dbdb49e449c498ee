// The entrance to the keepalived dialect: text in, checked model and diagnostics out, and back.

/// Reads and prints the language of keepalived.conf as far as VRRP goes: everything but the
/// `virtual_server` half (keepalived.conf(5)). As keepalived does, it runs on over most
/// mistakes; each of them is a warning. What would stop keepalived, or would leave the
/// virtual IP on two nodes, is an error.
public enum KeepalivedDialect {
  /// Parses files in order, as one text. Never traps; the configuration is nil exactly when a
  /// diagnostic is an error. Included files are read through `options`.
  public static func parse(
    files: [(path: String, bytes: [UInt8])],
    options: KeepalivedOptions = KeepalivedOptions()
  ) -> FailoverParseResult {
    let reader = KeepalivedReader(options: options)
    for file in files { reader.read(path: file.path, bytes: file.bytes, depth: 0) }
    let parser = KeepalivedParser(reader: reader)
    parser.readTopLevel()
    return parser.finish()
  }

  /// Canonical text: every value explicit, defaults of `global_defs` put into the instances.
  /// Parses back to an equal model, without a warning.
  public static func print(_ configuration: FailoverConfiguration) -> String {
    var printer = KeepalivedPrinter()
    printer.print(configuration)
    return printer.text
  }

  /// Every keyword of the tables, sorted; for tests and fuzzing.
  package static var everyKeyword: [String] {
    Set(KeepalivedBlock.allCases.flatMap { KeepalivedKeywords.table(of: $0).keys }).sorted()
  }

  /// Whether the text looks like a keepalived.conf: the first thing that is not a `#` comment
  /// is a `!` comment, a definition, a conditional line, or a word of that language's top level.
  public static func recognises(_ bytes: [UInt8]) -> Bool {
    for line in bytes.prefix(1 << 20).split(separator: 10) {
      let trimmed = line.drop { $0 <= 32 }
      guard let first = trimmed.first, first != UInt8(ascii: "#") else { continue }
      switch first {
      case UInt8(ascii: "!"): return true
      case UInt8(ascii: "$"): return trimmed.contains(UInt8(ascii: "="))
      case UInt8(ascii: "@"), UInt8(ascii: "~"): return true
      default: break
      }
      let word = trimmed.prefix { $0 > 32 && $0 != UInt8(ascii: "{") }
      let text = String(decoding: word, as: UTF8.self)
      return KeepalivedReader.includeWords.contains(text)
        || KeepalivedKeywords.table(of: .top)[text] != nil
    }
    return false
  }
}

/// What the language can ask of the world around the file.
public struct KeepalivedOptions: Sendable {
  /// What `@name` and `@^name` are compared with (keepalived's `-i`).
  public var configurationID: String
  /// `${_INSTANCE}`.
  public var instance: String
  /// `${_ENV NAME}`.
  public var environment: [String: String]
  /// Opens an included file.
  public var readFile: @Sendable (_ path: String) throws(ConfigurationFileError) -> [UInt8]
  /// The files that a pattern with `*`, `?`, `[…]` or `{a,b}` names, sorted.
  public var expand: @Sendable (_ pattern: String) -> [String]
  /// `${_RANDOM a b}`.
  public var random: @Sendable (ClosedRange<Int>) -> Int

  /// The host's own values, and files from the disk.
  public init(
    configurationID: String? = nil, environment: [String: String]? = nil,
    readFile: (@Sendable (String) throws(ConfigurationFileError) -> [UInt8])? = nil,
    expand: (@Sendable (String) -> [String])? = nil
  ) {
    let host = KeepalivedHost.shortName()
    self.configurationID = configurationID ?? host
    self.instance = host
    self.environment = environment ?? HAProxyDialect.processEnvironment()
    self.readFile = readFile ?? KeepalivedHost.readFile
    self.expand = expand ?? KeepalivedHost.expand
    self.random = { Int.random(in: $0) }
  }
}

/// A parsed file set: the configuration when there was no error, and everything found.
public struct FailoverParseResult: Sendable {
  /// nil exactly when `diagnostics` holds an error.
  public var configuration: FailoverConfiguration?
  public var diagnostics: [Diagnostic]
  public init(configuration: FailoverConfiguration?, diagnostics: [Diagnostic]) {
    self.configuration = configuration
    self.diagnostics = diagnostics
  }
}
