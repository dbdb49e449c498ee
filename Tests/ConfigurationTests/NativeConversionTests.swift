// Converting: what a fixture says is carried or named, and the result is clean.

import Foundation
import Testing

@testable import Configuration

@Suite struct NativeConversionTests {
  static let keepalivedFiles: [URL] = {
    let root = Fixtures.tests.appendingPathComponent("Fixtures/keepalived")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
    let examples = ["kubernetes-back", "kubernetes-front"].map {
      Fixtures.examples.appendingPathComponent("\($0)/keepalived.conf")
    }
    return names.sorted().map { root.appendingPathComponent("\($0)/keepalived.conf") } + examples
  }()

  private func parsed(_ conversion: NativeConversion, _ node: String?) -> NativeParseResult {
    let text = NativeDialect.print(conversion.document)
    let options = NativeOptions(hostName: "", node: node)
    return NativeDialect.parse(files: [("fairlead.yaml", Array(text.utf8))], options: options)
  }

  /// Stored properties that differ, places aside.
  private func differing<Value>(_ a: Value, _ b: Value) -> [String] {
    zip(Mirror(reflecting: a).children, Mirror(reflecting: b).children).compactMap { a, b in
      guard let label = a.label, label != "origin", label != "isListen" else { return nil }
      return describe(a.value) == describe(b.value) ? nil : label
    }
  }

  private func describe(_ value: Any) -> String {
    let mirror = Mirror(reflecting: value)
    if value is Origin { return "" }
    if mirror.children.isEmpty { return String(describing: value) }
    let parts = mirror.children.filter { $0.label != "origin" }.map { describe($0.value) }
    return "\(mirror.subjectType)(" + parts.joined(separator: ",") + ")"
  }

  @Test func thereAreFixtures() {
    #expect(NativeConversionTests.keepalivedFiles.count > 10 && Fixtures.files.count > 10)
  }

  @Test(arguments: keepalivedFiles) func virtualRoutersAreCarriedOrNamed(_ file: URL) throws {
    let source = KeepalivedDialect.parse(files: [(file.path, try Fixtures.bytes(file))])
    guard let wanted = source.configuration else { return }
    let conversion = NativeConversion(proxy: nil, nodes: [(file.path, wanted)])
    let notes = conversion.notes
    guard let name = conversion.document.nodes.first?.name else {
      for router in wanted.routers { #expect(notes.contains { $0.contains(router.name) }) }
      return
    }
    let result = parsed(conversion, name)
    let errors = result.diagnostics.filter { $0.severity == .error }
    #expect(errors == [], "\(errors.map(\.message))")
    let got = result.failover?.routers ?? []
    for router in wanted.routers {
      let made = got.first { $0.name == router.name }
      guard let made else {
        #expect(notes.contains { $0.contains(router.name) && $0.contains("not carried") })
        continue
      }
      // Two that a native file sets for every router: their defaults differ and harm nobody.
      let given: Set = ["prefersMaster", "sendsAdvertOnHigherPriority"]
      for label in differing(router, made) where !given.contains(label) {
        #expect(
          notes.contains { $0.contains(router.name) && ($0.contains(label) || label == "name") },
          "\(router.name).\(label) is lost: \(notes)")
      }
    }
    let failover = result.failover ?? FailoverConfiguration()
    expectCarried(wanted.scripts, failover.scripts, \.name, notes)
    expectCarried(wanted.files, failover.files, \.name, notes)
    expectCarried(wanted.processes, failover.processes, \.name, notes)
    expectCarried(wanted.groups, failover.groups, \.name, notes)
    let globals = differing(wanted.global, failover.global).filter { $0 != "routerID" }
    for label in globals { #expect(notes.contains { $0.contains(label) }, "\(label) is lost") }
  }

  private func expectCarried<Thing>(
    _ wanted: [Thing], _ got: [Thing], _ name: KeyPath<Thing, String>, _ notes: [String]
  ) {
    for thing in wanted {
      let called = thing[keyPath: name]
      let made = got.first { $0[keyPath: name] == called }
      let isWhole = made.map { differing(thing, $0).isEmpty } ?? false
      #expect(isWhole || notes.contains { $0.contains(called) }, "\(called) is lost: \(notes)")
    }
  }

  /// What people run: nothing of it may be lost, and nothing may be told as lost.
  @Test(arguments: [
    "definitions", "k0s-cplb", "kubeadm", "kubespray", "reference", "sync-group",
    "kubernetes-back", "kubernetes-front",
  ])
  func whatPeopleRunIsCarriedWhole(_ name: String) throws {
    let file = try #require(
      NativeConversionTests.keepalivedFiles.first { $0.path.contains("/\(name)/") })
    let source = KeepalivedDialect.parse(files: [(file.path, try Fixtures.bytes(file))])
    let wanted = try #require(source.configuration)
    let notes = NativeConversion(proxy: nil, nodes: [(file.path, wanted)]).notes
    let expected = ["only node ", "its file was not given"]
    for note in notes { #expect(expected.contains { note.contains($0) }, "\(note)") }
  }

  /// Everything that leads somewhere is carried, and nothing but the rest is named.
  @Test(arguments: Fixtures.files) func proxiesAreCarried(_ file: URL) throws {
    let source = HAProxyDialect.parse(
      files: [(file.path, try Fixtures.bytes(file))], environment: Fixtures.environment)
    guard let original = source.configuration else { return }
    let conversion = NativeConversion(proxy: original, nodes: [])
    var wanted = original.plain
    var named: [String] = []
    if original.global.user != nil || original.global.chroot != nil { named.append("user, group") }
    wanted.backends.removeAll { backend in
      if backend.servers.isEmpty { named.append("backend \(backend.name) is not carried") }
      return backend.servers.isEmpty
    }
    let known = wanted.backends.map(\.name)
    wanted.frontends.removeAll { frontend in
      let leads = frontend.defaultBackend.map { known.contains($0) } ?? false
      if !leads { named.append("frontend \(frontend.name) is not carried") }
      return !leads
    }
    if wanted.frontends.isEmpty { named.append("nothing to convert") }
    #expect(conversion.notes.count == named.count, "\(conversion.notes)")
    for (note, name) in zip(conversion.notes, named) { #expect(note.contains(name)) }
    guard !wanted.frontends.isEmpty else { return }
    let result = parsed(conversion, nil)
    #expect(result.diagnostics == [])
    #expect(result.proxy?.plain == wanted)
  }

  /// What is told from equal is equal in what it does.
  @Test func onlyWhatHasNoEffectIsPlain() throws {
    func plain(_ check: String, _ server: String) throws -> Backend {
      let text = """
        backend b
          mode tcp
          option httpchk
          \(check)
          server a 10.0.0.1:1 check \(server)

        """
      let result = HAProxyDialect.parse(files: [("h", Array(text.utf8))], environment: [:])
      return try #require(result.configuration?.plain.backends.first)
    }
    let rule = "http-check connect ssl"
    let option = try plain("", "check-ssl verify none")
    #expect(try plain(rule, "verify none") == option)
    #expect(try plain(rule + " alpn h2", "verify none") != option)
    #expect(try plain(rule, "verify required ca-file /a") != option)
    let named = try plain(rule, "check-ssl verify none check-sni a")
    #expect(named.check != option.check, "the rule sends no name, and a check of the server does")
    #expect(try plain(rule, "verify none check-send-proxy").check != option.check)
  }

  @Test func unknownRulesAreNamedWhereTheyStand() {
    let text = """
      frontends: [{listen: 80}]
      servers: ["10.0.0.1:1"]
      check:
        type: tcp
        rules:
          - 'send "a\\r\\n"'
          - expct string b
          - expect rstring (

      """
    let options = NativeOptions(hostName: "")
    func said(_ text: String) -> [String] {
      NativeDialect.parse(files: [("f", Array(text.utf8))], options: options).diagnostics
        .map { "\($0.line):\($0.column) \($0.message)" }
    }
    let found = said(text)
    #expect(found.count == 2, "\(found)")
    #expect(
      found.first?.hasPrefix("7:7 check.rules[1]: 'tcp-check' only supports") == true, "\(found)")
    #expect(found.last?.hasPrefix("8:7 check.rules[2]: regular expression") == true)
    let http = said(text.replacingOccurrences(of: "type: tcp", with: "type: http"))
    #expect(http.first?.hasPrefix("6:7 check.rules[0]: ") == true, "\(http)")
  }
}

/// One node's file is given, with two virtual routers.
@Suite struct ConvertedPeersTests {
  private func converted(_ peers: [String]) throws -> NativeConversion {
    let routers = peers.enumerated().map { index, peer in
      """
      vrrp_instance VI_\(index) {
        interface eth0
        virtual_router_id \(51 + index)
        priority 120
        unicast_src_ip 10.0.0.131
        unicast_peer {
          \(peer)
        }
        virtual_ipaddress {
          10.0.0.\(179 + index)/26
        }
      }
      """
    }
    let text = "global_defs {\n  router_id lb-1\n}\n" + routers.joined(separator: "\n")
    let source = KeepalivedDialect.parse(files: [("k", Array(text.utf8))])
    let configuration = try #require(source.configuration)
    return NativeConversion(proxy: nil, nodes: [("k", configuration)], names: ["left"])
  }

  @Test func peerOfBothRoutersIsANodeOfBoth() throws {
    let document = try converted(["10.0.0.132", "10.0.0.132"]).document
    #expect(document.nodes.map(\.name) == ["left", "peer-2"])
    #expect(
      document.virtualAddresses.map { $0.nodes?.map(\.node) ?? [] }
        == [["left", "peer-2"], ["left", "peer-2"]])
  }

  @Test func peersOfEachRouterStayItsOwn() throws {
    let document = try converted(["10.0.0.132", "10.0.0.133"]).document
    #expect(document.nodes.map(\.name) == ["left", "peer-2", "peer-3"])
    #expect(
      document.virtualAddresses.map { $0.nodes?.map(\.node) ?? [] }
        == [["left", "peer-2"], ["left", "peer-3"]])
  }

  @Test func healthMovesConvertedAddressesNoMoreThanBefore() throws {
    let document = try converted(["10.0.0.132"]).document
    #expect(document.virtualAddresses.map(\.followsProxy) == [false])
    #expect(NativeDialect.print(document).contains("followsProxy: false"))
  }
}
