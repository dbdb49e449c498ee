// Which fixtures do not convert, and why; and what becomes of the proxies of several nodes.

import Foundation
import Testing

@testable import Configuration

@Suite struct ConversionOutcomeTests {
  /// A sentence of what refuses the file.
  static let refused = [
    "haproxy/missing-lf": "Missing LF on last line",
    "haproxy/mistakes": "",
    "haproxy/rhel-default": "only 'mode tcp' is supported",
    "keepalived/includes": "no file matches",
    "keepalived/leftovers": "'net_namespace' is not supported",
    "keepalived/refused": "has no 'interface'",
  ]
  /// Only defaults, and a brace that swallows the only router.
  static let empty = ["haproxy/debian-default", "keepalived/missing-brace"]

  static let files = Fixtures.files + NativeConversionTests.keepalivedFiles

  @Test(arguments: files) func outcomeIsKnown(_ file: URL) throws {
    let name = file.pathComponents.suffix(3).dropLast().joined(separator: "/")
    let source = [(path: file.path, bytes: try Fixtures.bytes(file))]
    var conversion: NativeConversion?
    var diagnostics: [Diagnostic] = []
    if file.lastPathComponent == "haproxy.cfg" {
      let result = HAProxyDialect.parse(files: source, environment: Fixtures.environment)
      diagnostics = result.diagnostics
      conversion = result.configuration.map { NativeConversion(proxy: $0, nodes: []) }
    } else {
      let result = KeepalivedDialect.parse(files: source)
      diagnostics = result.diagnostics
      conversion = result.configuration.map {
        NativeConversion(proxy: nil, nodes: [(file.path, $0)])
      }
    }
    guard let conversion else {
      let sentence = try #require(ConversionOutcomeTests.refused[name], "\(name) is refused")
      let errors = diagnostics.filter { $0.severity == .error }.map(\.message)
      #expect(!errors.isEmpty && (sentence.isEmpty || errors.contains { $0.contains(sentence) }))
      return
    }
    #expect(ConversionOutcomeTests.refused[name] == nil, "\(name) is not refused")
    let isEmpty = conversion.document == NativeDocument()
    #expect(isEmpty == ConversionOutcomeTests.empty.contains(name))
    if isEmpty { #expect(conversion.notes.contains { $0.hasPrefix("nothing to convert") }) }
    #expect(!conversion.notes.contains { $0.contains("needs a hand") }, "\(conversion.notes)")
  }

  private func proxy(_ text: String, _ file: String) throws -> ProxyConfiguration {
    let result = HAProxyDialect.parse(files: [(file, Array(text.utf8))])
    return try #require(result.configuration)
  }

  @Test func differencesHaveBothPlaces() throws {
    let text = """
      defaults
        mode tcp
        timeout client 1m
        timeout server 1m
        timeout connect 1s
      listen api
        bind 10.0.0.1:6443
        server one 10.0.0.11:6443
        server two 10.0.0.12:6443

      """
    let first = try proxy(text, "a/h")
    #expect(first.differences(from: try proxy(text, "b/h"), file: "a/h", otherFile: "b/h") == [])
    let other = text.replacingOccurrences(of: "0.12:6443", with: "0.13:6443 weight 5")
      .replacingOccurrences(of: "bind 10.0.0.1:", with: "bind 10.0.0.2:")
    let told = first.differences(from: try proxy(other, "b/h"), file: "a/h", otherFile: "b/h")
    #expect(told.count == 3, "\(told)")
    #expect(told.contains { $0.hasPrefix("a/h:7: frontend api: its binds differ from b/h:7") })
    #expect(
      told.contains("a/h:9: server api/two: weight differs from b/h:9 (1, there 5)"), "\(told)")
    let short = text.replacingOccurrences(of: "  server two 10.0.0.12:6443\n", with: "")
    let missing = first.differences(from: try proxy(short, "b/h"), file: "a/h", otherFile: "b/h")
    #expect(missing == ["a/h:9: server of api two is not in b/h"])
  }
}
