// keepalived.conf texts: parsing returns, the configuration is nil exactly when there is an
// error, and what was accepted prints to text that is read back as the same model and printed
// the same.

import Configuration
import FuzzInputs

enum KeepalivedMode {
  @Sendable static func run(count: Int, seed: UInt64) -> Bool {
    var texts = KeepalivedTexts(seed: seed, keywords: KeepalivedDialect.everyKeyword)
    let options = KeepalivedMode.options
    let clock = ContinuousClock()
    let start = clock.now
    var accepted = 0
    var clean = 0
    var bytes = 0
    for number in 0..<count {
      let own = seed &+ UInt64(truncatingIfNeeded: number)
      texts.reseed(own)
      let text = texts.next()
      bytes += text.count
      let result = KeepalivedDialect.parse(files: [("f.conf", text)], options: options)
      if result.configuration != nil {
        accepted += 1
        if result.diagnostics.isEmpty { clean += 1 }
      }
      if let problem = broken(result, options) {
        print("seed \(own): \(problem)\n\(String(decoding: text, as: UTF8.self))")
        return false
      }
    }
    let time = clock.now - start
    print("keepalived-conf: \(count) inputs, \(bytes) bytes, \(time)")
    print("  accepted without a word: \(clean)")
    print("  accepted with notes or warnings: \(accepted - clean)")
    print("  refused: \(count - accepted)")
    return true
  }

  /// The promise that does not hold, or nil.
  static func broken(_ result: FailoverParseResult, _ options: KeepalivedOptions) -> String? {
    let hasError = result.diagnostics.contains { $0.severity == .error }
    guard hasError == (result.configuration == nil) else {
      return "error without nil, or nil alone"
    }
    guard let configuration = result.configuration else { return nil }
    let text = KeepalivedDialect.print(configuration)
    let again = KeepalivedDialect.parse(files: [("printed", Array(text.utf8))], options: options)
    guard let other = again.configuration, other == configuration else {
      let said = again.diagnostics.map { $0.rendered() }.joined(separator: "\n")
      return "printed text is read differently:\n\(said)\n\(text)"
    }
    guard KeepalivedDialect.print(other) == text else { return "printed differently:\n\(text)" }
    return nil
  }

  /// No file of the machine is touched.
  static var options: KeepalivedOptions {
    let included: [String: String] = [
      "./self.conf": "include self.conf\n$A=${A}${A}\n",
      "./a.conf": "global_defs {\n  router_id a\n}\n", "./b.conf": "$B=10.0.0.7\ninclude *.conf\n",
    ]
    return KeepalivedOptions(
      configurationID: "one", environment: ["HOME": "/root"],
      readFile: { (path: String) throws(ConfigurationFileError) in
        guard let text = included[path] else {
          throw ConfigurationFileError(path: path, reason: "not there")
        }
        return Array(text.utf8)
      }, expand: { $0 == "./*.conf" ? ["./a.conf", "./b.conf"] : [] })
  }
}
