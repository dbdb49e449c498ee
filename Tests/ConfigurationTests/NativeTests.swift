// The native file: golden models, sentences with their places, conversion, and hostile bytes.

import Foundation
import Testing

@testable import Configuration

private let machine = NativeOptions(
  hostName: "lb-2.example.org",
  addresses: [
    .init(interface: "eth0", address: .v4(0x0a00_0084), prefixLength: 26),
    .init(interface: "lo", address: .v4(0x7f00_0001), prefixLength: 8),
  ])

private func native(_ text: String, _ options: NativeOptions = machine) -> NativeParseResult {
  NativeDialect.parse(files: [("f.yaml", Array(text.utf8))], options: options)
}

private let header = """
  nodes:
    lb-1: 10.0.0.131
    lb-2: 10.0.0.132

  """

/// One server of these words.
private func served(_ server: String) -> String {
  "frontends: [{listen: 80}]\nservers:\n- {\(server)}\n"
}

private let failoverOnly = header + "virtualAddresses: [10.0.0.179/26]\n"

@Suite struct NativeTests {
  static let root = Fixtures.tests.appendingPathComponent("Fixtures/native")
  static let cases =
    ((try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []).sorted()

  @Test(arguments: cases) func golden(_ name: String) throws {
    let folder = NativeTests.root.appendingPathComponent(name)
    let source = try Fixtures.bytes(folder.appendingPathComponent("fairlead.yaml"))
    let result = NativeDialect.parse(files: [("fairlead.yaml", source)], options: machine)
    var text = result.diagnostics.map { $0.rendered() + "\n" }.joined()
    text += "---- \(result.node ?? "no node")\n"
    text += result.proxy.map(HAProxyDialect.print) ?? "no proxy\n"
    text += "----\n"
    text += result.failover.map(KeepalivedDialect.print) ?? "no failover\n"
    let expectation = folder.appendingPathComponent("expected.txt")
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
      try Data(text.utf8).write(to: expectation)
    }
    #expect(text == String(decoding: try Data(contentsOf: expectation), as: UTF8.self))
    guard let document = result.document else { return }
    let again = native(NativeDialect.print(document))
    #expect(again.diagnostics.filter { $0.severity == .error } == [])
    #expect(again.proxy == result.proxy)
    #expect(again.failover == result.failover)
  }

  @Test func exampleConfiguresTheReferenceDeployment() throws {
    let bytes = try Fixtures.bytes(Fixtures.examples.appendingPathComponent("fairlead.yaml"))
    #expect(NativeDialect.recognises(bytes))
    #expect(!HAProxyDialect.recognises(bytes) && !KeepalivedDialect.recognises(bytes))
    let result = NativeDialect.parse(files: [("fairlead.yaml", bytes)], options: machine)
    #expect(result.diagnostics == [])
    let router = try #require(result.failover?.routers.first)
    #expect(result.node == "lb-2" && router.interface == "eth0" && router.priority == 190)
    #expect(router.peers == [UnicastPeer(.v4(0x0a00_0083)), UnicastPeer(.v4(0x0a00_0085))])
    #expect(router.version == .v3 && router.advertisementInterval == .milliseconds(100))
    #expect(result.proxy?.backends.first?.servers.count == 3)
    #expect(bytes.split(separator: 10).count <= 10, "ten lines are the promise")
  }

  @Test func nodeFindsItselfByNameAddressOrOption() {
    func node(_ options: NativeOptions) -> String? { native(failoverOnly, options).node }
    let local = NativeOptions.LocalAddress(
      interface: "ens3", address: .v4(0x0a00_0083), prefixLength: 26)
    #expect(node(NativeOptions(hostName: "elsewhere", addresses: [local])) == "lb-1")
    #expect(node(machine) == "lb-2")
    let both = NativeOptions(hostName: "lb-2", addresses: [local], node: "lb-1")
    #expect(node(both) == "lb-1")
    let lost = native(failoverOnly, NativeOptions(hostName: "elsewhere"))
    #expect(lost.failover == nil && lost.node == nil)
    #expect(lost.diagnostics.first?.message.contains("lb-1 (10.0.0.131), lb-2") == true)
  }

  @Test func fileIsCheckedAwayFromItsNodes() throws {
    let elsewhere = NativeOptions(hostName: "ci", isOnlyChecked: true)
    let all = native(failoverOnly, elsewhere)
    #expect(all.diagnostics.map(\.severity) == [.note] && all.failover == nil && all.node == nil)
    #expect(all.everyNode.map(\.node) == ["lb-1", "lb-2"])
    #expect(all.everyNode.map { $0.failover.routers[0].priority } == [200, 190])
    #expect(all.everyNode[1].failover.routers[0].interface == "interface-of-lb-2")
    var one = elsewhere
    one.node = "lb-2"
    let named = native(failoverOnly, one)
    #expect(named.diagnostics.map(\.severity) == [.note] && named.everyNode.isEmpty)
    #expect(named.failover?.routers.first?.priority == 190)
    // The node itself could mend it.
    let itself = native(failoverOnly, NativeOptions(hostName: "lb-2", isOnlyChecked: true))
    #expect(itself.diagnostics.map(\.severity) == [.warning] && itself.failover != nil)
    for options in [NativeOptions(hostName: "ci"), NativeOptions(hostName: "ci", node: "lb-2")] {
      let run = native(failoverOnly, options)
      #expect(run.diagnostics.map(\.severity) == [.error] && run.failover == nil)
    }
  }

  @Test func nodeWithoutAddressIsNamedWithoutParentheses() {
    let text = "nodes: {a: {interface: eth0}, b: 10.0.0.2}\nvirtualAddresses: [10.0.0.179/26]\n"
    let lost = native(text, NativeOptions(hostName: "elsewhere"))
    #expect(lost.diagnostics.first?.message.contains("the nodes are a, b (10.0.0.2)") == true)
  }

  @Test func passwordIsWarnedOfWhereItStands() {
    let text = header + "virtualAddresses:\n  - {address: 10.0.0.9/24, password: x, interval: 2s}\n"
    let said = native(text).diagnostics
    #expect(said.map(\.severity) == [.warning] && said.first?.line == 5 && said.first?.column == 38)
    #expect(said.first?.message.contains("more than 6s") == true)
    #expect(native(failoverOnly).diagnostics == [])
  }

  @Test func starterIsReadBack() {
    let made = NativeDialect.starter(
      virtualAddresses: ["10.0.0.179/26"], nodes: [("lb-1", "10.0.0.131")],
      servers: [(nil, "127.0.0.1:7442"), ("b", "[::1]:6443")], listen: "6443", schema: "/s.json")
    #expect(made.diagnostics.allSatisfy { $0.severity == .note })
    #expect(made.text.hasPrefix("# yaml-language-server: $schema=/s.json\nnodes:\n"))
    #expect(NativeDialect.recognises(Array(made.text.utf8)))
    let again = native(made.text, NativeOptions(hostName: "", isOnlyChecked: true))
    let servers = again.proxy?.backends.first?.servers
    #expect(servers?.map(\.name) == ["127.0.0.1:7442", "b"])
    #expect(NativeDialect.schemaLine("a b\n").isEmpty, "it would not be one comment")
  }

  @Test func versionFollowsThePassword() throws {
    let open = try #require(native(failoverOnly).failover?.routers.first)
    #expect(open.version == .v3 && open.advertisementInterval == .milliseconds(100))
    #expect(open.id == 179)
    let text = header + "virtualAddresses:\n  - {address: 10.0.0.0/26, password: 42Secure}\n"
    let closed = try #require(native(text).failover?.routers.first)
    #expect(closed.version == .v2 && closed.advertisementInterval == .seconds(1))
    #expect(closed.password == Array("42Secure".utf8))
    #expect(closed.id == 255, "a router id of 0 does not exist")
  }

  @Test(arguments: [
    ("frontends:\n  - lisen: 80\n", "2:5 frontends[0].lisen: unknown key; did you mean 'listen'?"),
    (
      "frontends: [{listen: 80}]\nservers:\n  - 10.0.0.1:80\n  - {address: 10.0.0.1}\n",
      "4:15 servers[1].address: the port is missing, such as 10.0.0.1:6443"
    ),
    ("frontends: [{listen: 80, idleTimeout: 30}]\n", "1:39 frontends[0].idleTimeout: a time needs"),
    ("nodes: &x [*x]\n", "1:8 YAML anchors and aliases are not accepted"),
    ("a: [\n", "2:1 a value is missing here"),
    ("servers: [10.0.0.1:80]\n", "1:10 servers: 'frontends' is missing"),
    (
      header + "virtualAddresses:\n  - {address: 10.0.0.9/24, password: x, interval: 500ms}\n",
      "5:51 virtualAddresses[0].interval: VRRP version 2 (with a password) carries"
    ),
    (
      header + "virtualAddresses: [10.0.0.9/24, 10.0.1.9/24]\n",
      "4:33 virtualAddresses[1]: '10.0.0.9' and '10.0.1.9' have the same router id 9"
    ),
    (
      "frontends: [{listen: 80, backend: a}]\n",
      "1:35 frontends[0].backend: there is no backend 'a'"
    ),
    ("frontends: [{listen: unix@/x}]\n", "1:13 frontends[0]: 'name' is missing"),
    ("frontends: [{listen: 10.0.0.1:9-1}]\n", "1:22 frontends[0].listen: invalid port range"),
    (
      "frontends: [{listen: {address: 80, mode: 999}}]\n", "1:42 frontends[0].listen.mode: expected"
    ),
    ("frontends: [{listen: {name: x}}]\n", "1:22 frontends[0].listen: 'address' is missing"),
    (
      "frontends: [{listen: 80, log: {format: x}}]\n",
      "1:40 frontends[0].log.format: expected tcplog"
    ),
    ("frontends: [{listen: 80, log: {format: '%zz'}}]\n", "1:40 frontends[0].log.format: no such"),
    ("resolvers: {dns: {retries: 2}}\nfrontends: []\n", "1:13 resolvers.dns: whom to ask?"),
    (
      "resolvers: {dns: {nameservers: a}}\nfrontends: []\n", "1:32 resolvers.dns.nameservers: expec"
    ),
    (served("address: 'a:1', resolvers: dn"), "3:1 servers: server kubernetes-apiserver/a:1 asks"),
    (
      served("address: 10.0.0.1:1, track: b"), "3:1 servers: server kubernetes-apiserver/10.0.0.1:1"
    ),
    (served("address: 10.0.0.1:1, track: a/b/c"), "3:32 servers[0].track: expected BACKEND/SERVER"),
    (
      served("name: a, address: 10.0.0.1:1, track: a"),
      "3:1 servers: server kubernetes-apiserver/a tracks itself"
    ),
    (
      served("name: a, address: 10.0.0.1:1, check: false}\n- {address: 10.0.0.2:1, track: a"),
      "3:1 servers: server kubernetes-apiserver/10.0.0.2:1 tracks kubernetes-apiserver/a, which has"
    ),
    (
      served("address: 10.0.0.1:1, track: a, check: {fall: 1}"),
      "3:42 servers[0].check: a server that tracks"
    ),
    (served("address: '*:1'"), "3:3 servers[0]: a check cannot know where clients wanted to go"),
    (
      served("address: '10.0.0.1:+1'"),
      "3:3 servers[0]: neither the server nor its check has a port"
    ),
    (served("address: abns@x"), "3:3 servers[0]: an abstract socket cannot be checked"),
    (
      served("address: 10.0.0.1:1, source: x"), "3:33 servers[0].source: expected a numeric address"
    ),
    (
      served("address: 10.0.0.1:1, initAddress: lats"), "3:38 servers[0].initAddress: expected last"
    ),
    (
      served("address: 10.0.0.1:1, check: {type: tcp, alpn: h2}"), "3:32 servers[0].check: 'ver"
    ),
    (
      served("address: 10.0.0.1:1, check: {type: http, rules: [send], path: /x}"),
      "3:32 servers[0].check: 'rules' say what is asked"
    ),
    (
      served("address: 10.0.0.1:1, check: {type: tcp, rules: [connect default, connect ssl]}"),
      "3:32 servers[0].check: rules mix 'connect ssl'"
    ),
  ]) func sentence(_ text: String, _ expected: String) {
    let result = native(text)
    let found = result.diagnostics.map { "\($0.line):\($0.column) \($0.message)" }
    #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
    #expect(result.proxy == nil && result.failover == nil)
  }

  @Test func nestingAndSizeAreBounded() {
    let texts = [
      String(repeating: "[", count: 100_000), String(repeating: "- ", count: 100_000),
      "a: " + String(repeating: "{a: ", count: 500), String(repeating: "x", count: 2 << 20),
    ]
    for text in texts { #expect(native(text).diagnostics.contains { $0.severity == .error }) }
  }

  @Test func quotesWithinQuotesHideNoNesting() {
    let deep = String(repeating: "[", count: 5000)
    for quoted in ["\"\\\\\"", "'it''s'", "\"a\\\"\""] {
      let found = native("a: \(quoted)\nb: \(deep)\n").diagnostics.map(\.message)
      #expect(found == ["nested too deeply"], "\(found)")
      // And what stands within them is no nesting.
      let open = native("frontends: [{listen: 80, \(quoted): '\(deep)'}]\n").diagnostics
      #expect(!open.contains { $0.message == "nested too deeply" })
    }
  }

  @Test func checksSendTheHeaderThatSessionsSend() throws {
    func header(_ server: String) throws -> [ProxyProtocolVersion?] {
      let result = native(served("address: 10.0.0.1:1, sendProxy: v2, \(server)"))
      #expect(result.diagnostics == [])
      return try #require(result.proxy).backends[0].servers.map { $0.check?.sendProxy }
    }
    #expect(try header("weight: 1") == [.v2])
    #expect(try header("check: {sendProxy: v1}") == [.v1])
    #expect(try header("check: {sendProxy: false}") == [nil])
    #expect(try header("check: {port: 9}") == [nil])
    #expect(try header("check: {address: 10.0.0.2, sendProxy: v2}") == [.v2])
  }

  @Test func addressesThatAreNoNamesPrintAndParse() throws {
    let addresses = [
      "\"[FD00::3]:6443\"", "unix@/run/x", "{address: \"10.0.0.1:+0\", check: false}",
    ]
    let servers = addresses.map { "- \($0)\n" }.joined()
    let first = native("frontends: [{listen: 80}]\nservers:\n" + servers)
    let proxy = try #require(first.proxy)
    let names = proxy.backends[0].servers.map(\.name)
    #expect(names == ["[fd00::3]:6443", "unix@/run/x", "10.0.0.1:+0"])
    #expect(native(NativeDialect.print(try #require(first.document))).proxy == proxy)
  }

  @Test func mutatedFilesNeverTrap() throws {
    let url = Fixtures.examples.appendingPathComponent("fairlead.yaml")
    let source = try Fixtures.bytes(url)
    var random = SplitMix(state: 0x5eed)
    for _ in 0..<2000 {
      var bytes = source
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: at)
        default: bytes.insert(Array("[]{}:-&*'\"0#\n ".utf8).randomElement(using: &random)!, at: at)
        }
      }
      let result = NativeDialect.parse(files: [("f", bytes)], options: machine)
      let hasErrors = result.diagnostics.contains { $0.severity == .error }
      #expect(hasErrors == (result.document == nil))
      result.diagnostics.forEach { _ = $0.rendered() }
    }
  }

  @Test(arguments: Fixtures.files) func convertedFilesParse(_ file: URL) throws {
    let parsed = HAProxyDialect.parse(
      files: [(file.path, try Fixtures.bytes(file))], environment: Fixtures.environment)
    guard let proxy = parsed.configuration else { return }
    let conversion = NativeConversion(proxy: proxy, nodes: [])
    guard let wanted = conversion.document.proxy else { return }
    let again = native(NativeDialect.print(conversion.document))
    #expect(again.diagnostics.filter { $0.severity == .error } == [])
    let got = try #require(again.proxy)
    #expect(got.plain == wanted.plain)
  }

  @Test func serversOfADrainingBackendMayBeLeftOut() throws {
    let text = """
      frontends: [{listen: 0.0.0.0:6443}]
      servers:
        - {name: a, address: "10.0.0.1:6443"}
        - {name: b, address: "10.0.0.2:6443", check: {live: false}}
      check: {path: /x, live: /y, drainOver: 5s}
      """
    let first = native(text)
    #expect(first.diagnostics == [])
    let proxy = try #require(first.proxy)
    #expect(proxy.backends[0].servers.map { $0.check?.live } == ["/y", nil])
    #expect(proxy.backends[0].servers.map { $0.check?.drainOver } == [.seconds(5), nil])
    let printed = NativeDialect.print(try #require(first.document))
    #expect(printed.contains("check: {live: false}"))
    #expect(native(printed).proxy == proxy)
    let ownTime = native(text.replacingOccurrences(of: "live: false", with: "drainOver: 3s"))
    #expect(ownTime.proxy?.backends[0].servers[1].check?.drainOver == .seconds(3))
    let useless = text.replacingOccurrences(of: "live: false", with: "live: false, drainOver: 3s")
    let said = native(useless).diagnostics.map(\.message)
    #expect(said.count == 1 && said.allSatisfy { $0.contains("'drainOver' needs 'live'") })
  }

  @Test func frontExampleSendsBothPortsToTheNodes() throws {
    let file = Fixtures.examples.appendingPathComponent("kubernetes-front/fairlead.yaml")
    let result = NativeDialect.parse(
      files: [("fairlead.yaml", try Fixtures.bytes(file))], options: machine)
    #expect(result.diagnostics == [])
    let proxy = try #require(result.proxy)
    #expect(proxy.frontends.map(\.defaultBackend) == ["http", "https"])
    #expect(proxy.backends.map { $0.servers.first?.port } == [.fixed(30080), .fixed(30443)])
    #expect(result.failover?.routers.count == 1)
  }

  @Test func keepalivedFilesOfTwoNodesBecomeOneFile() throws {
    func node(_ name: String, _ priority: Int, _ own: String, _ peer: String) throws
      -> FailoverConfiguration
    {
      let text = """
        global_defs {
          router_id \(name)
        }
        vrrp_instance VI_1 {
          interface eth0
          virtual_router_id 51
          priority \(priority)
          check_unicast_src
          unicast_src_ip \(own)
          unicast_peer {
            \(peer)
          }
          authentication {
            auth_type PASS
            auth_pass 42Secure
          }
          virtual_ipaddress {
            10.0.0.179/26
          }
        }
        """
      let result = KeepalivedDialect.parse(files: [("k", Array(text.utf8))])
      return try #require(result.configuration)
    }
    let first = try node("lb-1", 150, "10.0.0.131", "10.0.0.132")
    let second = try node("lb-2", 100, "10.0.0.132", "10.0.0.131")
    let conversion = NativeConversion(proxy: nil, nodes: [("a", first), ("b", second)])
    #expect(conversion.notes == [])
    let text = NativeDialect.print(conversion.document)
    for (name, wanted) in [("lb-1", first), ("lb-2", second)] {
      let options = NativeOptions(hostName: "", node: name)
      var routers = wanted.routers
      for index in routers.indices { routers[index].sendsAdvertOnHigherPriority = true }
      #expect(native(text, options).failover?.routers == routers)
    }
  }
}
