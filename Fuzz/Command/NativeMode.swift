// fairlead.yaml texts: parsing returns, there is no document exactly when there is an error, and
// what was accepted prints to text that is read back as the same configuration.

import Configuration
import FuzzInputs

enum NativeMode {
  static let options = NativeOptions(
    hostName: "lb-1",
    addresses: [.init(interface: "eth0", address: .v4(0x0a00_0083), prefixLength: 26)])

  @Sendable static func run(count: Int, seed: UInt64) -> Bool {
    let start = ContinuousClock().now
    var accepted = 0
    var bytes = 0
    for number in 0..<count {
      let own = seed &+ UInt64(truncatingIfNeeded: number)
      var texts = NativeTexts(seed: own)
      let text = texts.next()
      bytes += text.count
      let result = parse(text)
      for diagnostic in result.diagnostics { _ = diagnostic.rendered() }
      if result.document != nil { accepted += 1 }
      if let problem = broken(result) {
        print("seed \(own): \(problem)\n\(String(decoding: text, as: UTF8.self))")
        return false
      }
    }
    print("native: \(count) inputs, \(bytes) bytes, \(ContinuousClock().now - start)")
    print("  accepted: \(accepted)\n  refused: \(count - accepted)")
    return true
  }

  private static func parse(_ bytes: [UInt8]) -> NativeParseResult {
    NativeDialect.parse(files: [("f.yaml", bytes)], options: options)
  }

  /// The promise that does not hold, or nil.
  private static func broken(_ result: NativeParseResult) -> String? {
    let hasError = result.diagnostics.contains { $0.severity == .error }
    guard hasError == (result.document == nil) else { return "error without nil, or nil alone" }
    guard let document = result.document else { return nil }
    let text = NativeDialect.print(document)
    let again = parse(Array(text.utf8))
    guard again.document != nil, again.proxy == result.proxy, again.failover == result.failover,
      again.document?.http.settings == document.http.settings
    else {
      let said = again.diagnostics.map { $0.rendered() }.joined(separator: "\n")
      return "printed text is read differently:\n\(said)\n\(text)"
    }
    return nil
  }
}
