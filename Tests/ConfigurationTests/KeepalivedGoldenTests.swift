// Whole files: Fixtures/keepalived/<case>/keepalived.conf against expected.txt, which holds the
// diagnostics as rendered and the canonical text. UPDATE_GOLDEN=1 rewrites the expectation.

import Foundation
import Testing

@testable import Configuration

enum KeepalivedFixtures {
  static let root = Fixtures.tests.appendingPathComponent("Fixtures/keepalived")
  static let cases = names(root)
  static let exampleCases = names(Fixtures.examples)

  static func names(_ directory: URL) -> [String] {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return found.filter {
      let file = directory.appendingPathComponent("\($0)/keepalived.conf").path
      return FileManager.default.fileExists(atPath: file)
    }.sorted()
  }

  static let files: [URL] =
    cases.map { root.appendingPathComponent("\($0)/keepalived.conf") }
    + exampleCases.map { Fixtures.examples.appendingPathComponent("\($0)/keepalived.conf") }

  /// The host is always `node-a`; included files are found beside the including one.
  static func options(folder: URL? = nil) -> KeepalivedOptions {
    let base = folder.map { $0.path + "/" } ?? ""
    var options = KeepalivedOptions(
      configurationID: "node-a", environment: ["HOME": "/root"],
      readFile: { (path: String) throws(ConfigurationFileError) in
        try ConfigurationFiles.read(base + path, atMost: 1 << 20)
      },
      expand: { pattern in
        KeepalivedHost.expand(base + pattern).map { String($0.dropFirst(base.count)) }
      })
    options.instance = "node-a"
    options.random = { $0.lowerBound }
    return options
  }
}

func parseFailover(_ text: String) -> FailoverParseResult {
  KeepalivedDialect.parse(
    files: [("k.conf", Array(text.utf8))], options: KeepalivedFixtures.options())
}

extension FailoverParseResult {
  var errors: [String] { diagnostics.filter { $0.severity == .error }.map(\.message) }
  var warnings: [String] { diagnostics.filter { $0.severity == .warning }.map(\.message) }
}

@Suite struct KeepalivedGoldenTests {
  @Test(arguments: KeepalivedFixtures.cases) func golden(_ name: String) throws {
    let folder = KeepalivedFixtures.root.appendingPathComponent(name)
    let source = try Fixtures.bytes(folder.appendingPathComponent("keepalived.conf"))
    let result = KeepalivedDialect.parse(
      files: [("keepalived.conf", source)], options: KeepalivedFixtures.options(folder: folder))
    var text = result.diagnostics.map { $0.rendered() + "\n" }.joined()
    text += "----\n"
    text += result.configuration.map(KeepalivedDialect.print) ?? "refused\n"
    let expectation = folder.appendingPathComponent("expected.txt")
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
      try Data(text.utf8).write(to: expectation)
    }
    let expected = String(decoding: try Data(contentsOf: expectation), as: UTF8.self)
    #expect(text == expected)
  }

  @Test(arguments: KeepalivedFixtures.files) func printedTextParsesToTheSameModel(
    _ file: URL
  ) throws {
    let result = KeepalivedDialect.parse(
      files: [("keepalived.conf", try Fixtures.bytes(file))],
      options: KeepalivedFixtures.options(folder: file.deletingLastPathComponent()))
    #expect((result.configuration == nil) == !result.errors.isEmpty)
    guard let configuration = result.configuration else { return }
    let text = KeepalivedDialect.print(configuration)
    let again = parseFailover(text)
    #expect(again.diagnostics.map { $0.rendered() } == [])
    #expect(again.configuration == configuration)
    #expect(again.configuration.map(KeepalivedDialect.print) == text)
  }

  @Test(arguments: KeepalivedFixtures.exampleCases) func examples(_ name: String) throws {
    let file = Fixtures.examples.appendingPathComponent("\(name)/keepalived.conf")
    let bytes = try Fixtures.bytes(file)
    let result = KeepalivedDialect.parse(
      files: [(file.path, bytes)], options: KeepalivedFixtures.options())
    #expect(result.errors == [])
    // Only the interval of version 2, which the examples keep as people have it.
    #expect(result.warnings.count == 1)
    #expect(result.warnings.first?.contains("whole seconds") == true)
    #expect(KeepalivedDialect.recognises(bytes))
    #expect(!HAProxyDialect.recognises(bytes))
  }

  @Test func theReferenceIsUnderstood() throws {
    let file = Fixtures.examples.appendingPathComponent("kubernetes-back/keepalived.conf")
    let result = KeepalivedDialect.parse(
      files: [(file.path, try Fixtures.bytes(file))], options: KeepalivedFixtures.options())
    let router = try #require(result.configuration?.routers.first)
    #expect(result.configuration?.global.routerID == "kubernetes-back")
    #expect(router.name == "VI_1")
    #expect(router.interface == "eth0")
    #expect(router.id == 51)
    #expect(router.priority == 150)
    #expect(router.version == .v2)
    #expect(router.family == .v4)
    #expect(router.prefersMaster)
    #expect(router.advertisementInterval == .seconds(1))
    #expect(router.password == Array("42Secure".utf8))
    #expect(router.addresses == [VirtualAddress(.v4(0x0a00_00b3), prefixLength: 26)])
    #expect(router.announcement == Announcement())
    #expect(router.preemption == .immediate)
    #expect(router.accepts)
    let warning = try #require(result.warnings.first)
    #expect(warning.contains("after 3.41 s"))
    #expect(warning.contains("1.71 s"))
  }
}
