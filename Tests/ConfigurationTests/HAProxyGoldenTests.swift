// Whole files: Fixtures/haproxy/<case>/haproxy.cfg against expected.txt, which holds the
// diagnostics as rendered and the canonical text. UPDATE_GOLDEN=1 rewrites the expectation.

import Foundation
import Testing

@testable import Configuration

enum Fixtures {
  static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  static let root = tests.appendingPathComponent("Fixtures/haproxy")
  static let examples = tests.deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Examples")
  static let environment = ["HOME": "/root", "HOST": "10.9.8.7", "PORT": "8443"]

  static let cases: [String] = names(root)

  static func names(_ directory: URL) -> [String] {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return found.filter {
      let file = directory.appendingPathComponent("\($0)/haproxy.cfg").path
      return FileManager.default.fileExists(atPath: file)
    }.sorted()
  }

  /// Every haproxy.cfg of the repository that this module is tested with.
  static let files: [URL] =
    cases.map { root.appendingPathComponent("\($0)/haproxy.cfg") }
    + names(examples).map { examples.appendingPathComponent("\($0)/haproxy.cfg") }

  static func bytes(_ url: URL) throws -> [UInt8] {
    try ConfigurationFiles.load(paths: [url.path])[0].bytes
  }
}

func parse(_ text: String, environment: [String: String] = Fixtures.environment) -> ParseResult {
  HAProxyDialect.parse(files: [("f.cfg", Array(text.utf8))], environment: environment)
}

extension ParseResult {
  var errors: [String] { diagnostics.filter { $0.severity == .error }.map(\.message) }
  var warnings: [String] { diagnostics.filter { $0.severity == .warning }.map(\.message) }
}

@Suite struct HAProxyGoldenTests {
  @Test(arguments: Fixtures.cases) func golden(_ name: String) throws {
    let folder = Fixtures.root.appendingPathComponent(name)
    let source = try Fixtures.bytes(folder.appendingPathComponent("haproxy.cfg"))
    let result = HAProxyDialect.parse(
      files: [("haproxy.cfg", source)], environment: Fixtures.environment)
    var text = result.diagnostics.map { $0.rendered() + "\n" }.joined()
    text += "----\n"
    text += result.configuration.map(HAProxyDialect.print) ?? "refused\n"
    let expectation = folder.appendingPathComponent("expected.txt")
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
      try Data(text.utf8).write(to: expectation)
    }
    let expected = String(decoding: try Data(contentsOf: expectation), as: UTF8.self)
    #expect(text == expected)
  }

  @Test(arguments: Fixtures.files) func printedTextParsesToTheSameModel(_ file: URL) throws {
    let result = HAProxyDialect.parse(
      files: [(file.path, try Fixtures.bytes(file))], environment: Fixtures.environment)
    #expect((result.configuration == nil) == !result.errors.isEmpty)
    guard let configuration = result.configuration else { return }
    let text = HAProxyDialect.print(configuration)
    let again = parse(text, environment: [:])
    #expect(again.errors == [])
    #expect(again.configuration == configuration)
    #expect(again.configuration.map(HAProxyDialect.print) == text)
  }

  @Test(arguments: Fixtures.names(Fixtures.examples)) func examplesHaveNoWarnings(
    _ name: String
  ) throws {
    let file = Fixtures.examples.appendingPathComponent("\(name)/haproxy.cfg")
    let bytes = try Fixtures.bytes(file)
    let result = HAProxyDialect.parse(files: [(file.path, bytes)], environment: [:])
    #expect(result.errors == [])
    #expect(result.warnings == [])
    #expect(HAProxyDialect.recognises(bytes))
  }
}
