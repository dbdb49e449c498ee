// The entrance to the HAProxy dialect: text in, checked model and diagnostics out, and back.

/// Reads and prints the language of haproxy.cfg, as far as `mode tcp` goes. Follows the 2.6
/// line of HAProxy where versions differ (configuration manual, all of sections 2 to 5).
public enum HAProxyDialect {
  /// Most errors listed for one file set; a file of another kind would give one a line.
  static let maximumDiagnostics = 1000

  /// Parses files in order, as HAProxy does with repeated `-f`. Never traps; the configuration
  /// is nil exactly when a diagnostic is an error. `environment` is what `"$NAME"` refers to.
  public static func parse(
    files: [(path: String, bytes: [UInt8])],
    environment: [String: String] = processEnvironment()
  ) -> ParseResult {
    let parser = HAProxyParser(environment: environment)
    for file in files { parser.read(path: file.path, bytes: file.bytes) }
    return parser.finish()
  }

  /// Canonical text: explicit values, no `defaults` sections. Parses back to an equal model.
  public static func print(_ configuration: ProxyConfiguration) -> String {
    var printer = HAProxyPrinter()
    printer.print(configuration)
    return printer.text
  }

  /// Whether the text looks like a haproxy.cfg: its first word opens a section of that
  /// language on a line of its own.
  public static func recognises(_ bytes: [UInt8]) -> Bool {
    for line in bytes.prefix(1 << 20).split(separator: 10) {
      let words = line.split(whereSeparator: { (9...13).contains($0) || $0 == 32 })
      guard let first = words.first, first.first != UInt8(ascii: "#") else { continue }
      let word = String(decoding: first, as: UTF8.self)
      if word.hasPrefix("."), HAProxyConditionals.directives.contains(word) { return true }
      // `name {` and `name:` are keepalived's and YAML's way to open a block.
      let braced = words.contains { $0.elementsEqual([UInt8(ascii: "{")]) }
      return !braced && HAProxyParser.sectionNames.contains(word)
    }
    return false
  }
}
