// The mistakes of people who write fairlead.yaml by hand: each is told once, where it is, and in
// words that say what to write instead.

import Foundation
import Testing

@testable import Configuration

/// One line of a file that is right otherwise, written wrong.
struct Mistake: Sendable, CustomTestStringConvertible {
  var replaced: String
  var by: String
  /// `LINE:COLUMN SEVERITY: KEY PATH: SENTENCE`, as it is said.
  var said: String
  var testDescription: String { by.isEmpty ? "without \(replaced)" : by }

  init(_ replaced: String, _ by: String, _ said: String) {
    (self.replaced, self.by, self.said) = (replaced, by, said)
  }
}

@Suite struct NativeMistakeTests {
  static let right = """
    nodes:
      lb-1: 10.0.0.131
      lb-2: 10.0.0.132
    virtualAddresses:
      - {address: 10.0.0.179/26}
    frontends:
      - listen: 0.0.0.0:6443
    servers:
      - {name: m1, address: 10.0.0.11:6443}
      - {name: m2, address: 10.0.0.12:6443}

    """

  private func complaints(_ text: String) -> [String] {
    let local = NativeOptions.LocalAddress(
      interface: "eth0", address: .v4(0x0a00_0083), prefixLength: 26)
    let result = NativeDialect.parse(
      files: [("f.yaml", Array(text.utf8))],
      options: NativeOptions(hostName: "lb-1", addresses: [local]))
    #expect((result.document == nil) == result.diagnostics.contains { $0.severity == .error })
    return result.diagnostics.map { "\($0.line):\($0.column) \($0.severity): \($0.message)" }
  }

  private func expect(_ mistake: Mistake) {
    let text = NativeMistakeTests.right.replacingOccurrences(of: mistake.replaced, with: mistake.by)
    #expect(text != NativeMistakeTests.right)
    #expect(complaints(text) == [mistake.said])
  }

  @Test func theRightFileIsRight() { #expect(complaints(NativeMistakeTests.right) == []) }

  @Test(arguments: shape) func isToldOfShape(_ mistake: Mistake) { expect(mistake) }
  @Test(arguments: keys) func isToldOfKeys(_ mistake: Mistake) { expect(mistake) }
  @Test(arguments: failover) func isToldOfFailover(_ mistake: Mistake) { expect(mistake) }
  @Test(arguments: proxy) func isToldOfProxy(_ mistake: Mistake) { expect(mistake) }

  // MARK: indentation, quotes, brackets

  static let listen = "  - listen: 0.0.0.0:6443\n"
  static let shape: [Mistake] = [
    Mistake("  lb-2", " lb-2", "3:2 error: this line does not line up with those before it"),
    Mistake(
      "  lb-2", "   lb-2",
      "3:4 error: this line is indented further than the one before it, which has a value already"),
    Mistake("  lb-2", "\tlb-2", "3:1 error: a tab: YAML is indented with spaces"),
    Mistake(
      "  - {name: m1", "\u{a0} - {name: m1",
      "9:1 error: a blank that is no space: YAML is indented with spaces"),
    Mistake(
      listen, listen + "  idleTimeout: 3h\n",
      "8:3 error: this line does not line up with those before it: a list goes on with '- ', its "
        + "entries go on below their first key"),
    Mistake(
      listen, listen + "     idleTimeout: 3h\n",
      "8:6 error: this line is indented further than the one before it, which has a value already"),
    Mistake("  - {name: m1", "  -{name: m1", "9:3 error: a blank is missing after '-'"),
    Mistake(
      "- listen: ", "- listen:", "7:5 error: frontends[0]: a blank is missing after 'listen:'"),
    Mistake(
      "m1, address: ", "m1, address:",
      "9:16 error: servers[0].address:10.0.0.11:6443: a blank is missing after 'address:'"),
    Mistake("nodes:", "nodes", "1:5 error: a ':' is missing after 'nodes'"),
    Mistake("10.0.0.11", "\"10.0.0.11", "9:25 error: this quote is not closed"),
    Mistake("11:6443}", "11:6443", "9:5 error: this bracket is not closed"),
    Mistake("10.0.0.179/26}", "[10.0.0.179/26}", "5:29 error: expected ',' or ']' here"),
    Mistake(
      "0.0.0.0:6443", "[::]:6443",
      "7:13 error: an address in brackets needs quotes, such as '[::]:6443'"),
    Mistake(
      "10.0.0.11:6443", "[fd00::1]:6443",
      "9:25 error: an address in brackets needs quotes, such as '[::]:6443'"),
    Mistake(
      "0.0.0.0:6443", "*:6443",
      "7:13 error: YAML anchors and aliases are not accepted; a value that begins with '*' needs "
        + "quotes"),
    Mistake(
      "servers:", "---\nservers:",
      "8:1 error: a second document begins here; a native file is one"),
    Mistake(
      "nodes:\n  lb-1: 10.0.0.131\n  lb-2", "nodes:\n  - lb-1: 10.0.0.131\n  - lb-2",
      "2:3 error: nodes: expected 'key: value' lines, found a list"),
    Mistake(
      listen, "  listen: 0.0.0.0:6443\n",
      "7:3 error: frontends: expected a list ('- …' lines or [a, b])"),
    Mistake(
      "  - {name: m1, address: 10.0.0.11:6443}\n  - {name: m2, address: 10.0.0.12:6443}",
      "  m1: 10.0.0.11:6443", "9:3 error: servers: expected a list ('- …' lines or [a, b])"),
    Mistake(
      "listen: 0.0.0.0:6443", "0.0.0.0:6443",
      "7:5 error: frontends[0]: expected 'key: value' lines"),
  ]

  // MARK: keys and times

  static func more(_ line: String, _ said: String) -> Mistake {
    Mistake(listen, listen + "    " + line + "\n", said)
  }

  static let keys: [Mistake] = [
    Mistake("servers:", "server:", "8:1 error: server: unknown key; did you mean 'servers'?"),
    Mistake(
      "frontends:", "frontend:", "6:1 error: frontend: unknown key; did you mean 'frontends'?"),
    Mistake("nodes:", "node:", "1:1 error: node: unknown key; did you mean 'nodes'?"),
    more(
      "idle-timeout: 3h",
      "8:5 error: frontends[0].idle-timeout: unknown key; did you mean 'idleTimeout'?"),
    more(
      "timeout client: 3h",
      "8:5 error: frontends[0].timeout client: unknown key; known here: name, listen, backend, "
        + "idleTimeout, keepalive, maxConnections, acceptProxy, interface, closeTimeout, backlog, "
        + "sessionsPerSecond, resetOnClose, disabled, log"),
    more("listen: 0.0.0.0:6444", "8:5 error: 'listen' is already there, in line 7"),
    Mistake(
      "{name: m1, ", "{name: m1, name: m3, ", "9:16 error: 'name' is already there, in line 9"),
    Mistake("lb-2:", "lb-1:", "3:3 error: 'lb-1' is already there, in line 2"),
    Mistake("0.0.0.0:6443", "", "7:5 error: frontends[0].listen: a value is missing"),
    more(
      "idleTimeout: 3hours",
      "8:18 error: frontends[0].idleTimeout: expected a time such as 500ms, 30s, 5m or 2h, in "
        + "whole numbers"),
    more(
      "idleTimeout: 1.5h",
      "8:18 error: frontends[0].idleTimeout: expected a time such as 500ms, 30s, 5m or 2h, in "
        + "whole numbers"),
    more(
      "idleTimeout: 90d", "8:18 error: frontends[0].idleTimeout: expected a time from 0 to 24d"),
    Mistake(
      "servers:", "check: {timeout: 5}\nservers:",
      "8:18 error: check.timeout: a time needs its unit: 5ms, 5s, 5m or 5h"),
    Mistake(
      "servers:", "check: {type: htpps}\nservers:",
      "8:15 error: check.type: expected one of https, http, tls, tcp, handshake; did you "
        + "mean 'https'?"),
    Mistake(
      "servers:", "check: https\nservers:", "8:8 error: check: expected 'key: value' lines"),
    Mistake(
      "servers:", "check: {type: tcp, live: /livez}\nservers:",
      "8:8 error: check: 'live' needs a check of type https or http"),
    more("interface: eth0/1", interfaceName),
  ]
  static let interfaceName =
    "8:16 error: frontends[0].interface: an interface name has at most 15 bytes, no blanks and no "
    + "'/'"

  // MARK: nodes and virtual addresses

  static func address(_ words: String, _ said: String) -> Mistake {
    Mistake("{address: 10.0.0.179/26}", "{address: 10.0.0.179/26, \(words)}", said)
  }
  static func another(_ entry: String, _ said: String) -> Mistake {
    Mistake("/26}\n", "/26}\n  - {\(entry)}\n", said)
  }

  static let failover: [Mistake] = [
    Mistake("10.0.0.132", "10.0.0.131", "3:9 error: nodes.lb-2: 10.0.0.131 is already node 'lb-1'"),
    Mistake(
      "10.0.0.132", "lb-2.example.org",
      "3:9 error: nodes.lb-2: expected a numeric address such as 10.0.0.11"),
    Mistake(
      "nodes:\n  lb-1: 10.0.0.131\n  lb-2: 10.0.0.132\n", "",
      "2:3 error: virtualAddresses: 'nodes' is missing: which machines hold these addresses?"),
    address(
      "nodes: [lb-1]", "3:3 warning: nodes.lb-2: this node is in no 'nodes' of a virtual address"),
    address(
      "nodes: []",
      "5:37 error: virtualAddresses[0].nodes: there are no nodes; without this key it is all of "
        + "them"),
    address(
      "nodes: [lb-1, lb2]",
      "5:44 error: virtualAddresses[0].nodes[1]: there is no node 'lb2' in 'nodes'; did you mean "
        + "'lb-2'?"),
    address(
      "nodes: {lb-1: 200, other: 190}",
      "5:49 error: virtualAddresses[0].nodes.other: there is no node 'other' in 'nodes'"),
    address(
      "nodes: [lb-1: 200, lb-2: 190]",
      "5:38 error: virtualAddresses[0].nodes[0]: nodes with priorities are a mapping, without '-'"),
    address(
      "nodes: {lb-1: 100, lb-2: 90}",
      "5:44 error: virtualAddresses[0].nodes.lb-1: an address that follows the proxy needs "
        + "priorities from 130 to 252: what is below and above shows health and orders to the "
        + "other nodes; 'followsProxy: false' leaves health out"),
    Mistake(
      "179/26", "179/255.255.255.192",
      "5:15 error: virtualAddresses[0].address: the prefix length is a number from 1 to 32"),
    Mistake(
      "179/26", "379/26",
      "5:15 error: virtualAddresses[0].address: expected an address with its prefix length, such "
        + "as 10.0.0.179/26"),
    Mistake(
      "179/26", "131/26",
      "5:15 error: virtualAddresses[0].address: 10.0.0.131 is node 'lb-1' itself; a virtual "
        + "address is one more"),
    address(
      "routerID: 0",
      "5:40 error: virtualAddresses[0].routerID: expected a whole number from 1 to 255"),
    address(
      "routerID: 256",
      "5:40 error: virtualAddresses[0].routerID: expected a whole number from 1 to 255"),
    address(
      "password: 42Secure!!",
      "5:40 error: virtualAddresses[0].password: a VRRP password has at most 8 bytes, this one has "
        + "10"),
    address(
      "interval: 0", "5:40 error: virtualAddresses[0].interval: expected a time from 10ms to 255s"),
    address(
      "interval: 41s",
      "5:40 error: virtualAddresses[0].interval: VRRP version 3 counts in steps of 10ms, up to "
        + "40950ms"),
    another(
      "address: 10.0.1.179/24",
      "6:5 error: virtualAddresses[1]: '10.0.0.179' and '10.0.1.179' have the same router id 179; "
        + "give one of them another 'routerID'"),
    another(
      "address: 10.0.0.179/26",
      "6:15 error: virtualAddresses[1].address: 10.0.0.179 is already a virtual address"),
    another(
      "name: 10.0.0.179, address: 10.0.0.180/26",
      "6:12 error: virtualAddresses[1].name: a virtual address '10.0.0.179' is already there"),
  ]

  // MARK: frontends and servers

  static let noServers = String(right[right.range(of: "servers:")!.lowerBound...])
  static let proxy: [Mistake] = [
    Mistake(
      "10.0.0.11:6443", "10.0.0.11",
      "9:25 error: servers[0].address: the port is missing, such as 10.0.0.11:6443"),
    Mistake("11:6443", "11:0", "9:25 error: servers[0].address: '0' is no port from 1 to 65535"),
    Mistake(
      "11:6443", "11:65536", "9:25 error: servers[0].address: '65536' is no port from 1 to 65535"),
    Mistake(
      "10.0.0.11:6443", "https://10.0.0.11:6443",
      "9:25 error: servers[0].address: an address and a port only, without 'https://'"),
    Mistake(
      "10.0.0.11:6443", "fd00::1:6443",
      "9:25 error: servers[0].address: an IPv6 address with a port needs brackets and quotes, such "
        + "as '[fd00::1]:6443'"),
    Mistake(
      "10.0.0.11:6443", "10.0.0.311:6443",
      "9:25 error: servers[0].address: '10.0.0.311' is no address of a server"),
    Mistake(
      "0.0.0.0:6443", "70000", "7:13 error: frontends[0].listen: '70000' is no port from 1 to 65535"
    ),
    Mistake(
      "0.0.0.0:6443", "0.0.0.0",
      "7:13 error: frontends[0].listen: the port is missing, such as 0.0.0.0:6443"),
    Mistake(
      "0.0.0.0:6443", "lb-1:6443",
      "7:13 error: frontends[0].listen: a listening address is numeric: replace 'lb-1' in "
        + "'lb-1:6443'"),
    Mistake("name: m2", "name: m1", "10:12 error: servers[1].name: a server 'm1' is already there"),
    Mistake(
      "10.0.0.12", "10.0.0.11",
      "10:25 warning: servers[1].address: 10.0.0.11:6443 is server 'm1' as well: it gets two shares"
    ),
    Mistake(
      listen, listen + "  - {name: other, listen: 0.0.0.0:6443}\n",
      "8:27 error: frontends[1].listen: frontend 'port-6443' listens on 0.0.0.0:6443 already"),
    Mistake(
      listen, listen + "  - listen: 0.0.0.0:6443\n",
      "8:13 error: frontends[1].listen: frontend 'port-6443' listens on 0.0.0.0:6443 already"),
    Mistake(
      "0.0.0.0:6443", "[6443, 6443]",
      "7:20 error: frontends[0].listen[1]: 0.0.0.0:6443 is already there"),
    Mistake(
      listen, listen + "  - listen: 10.0.0.131:6443\n",
      "8:5 error: frontends[1]: a frontend 'port-6443' is already there; give a 'name'"),
    Mistake(
      "frontends:", "http: {listen: 0.0.0.0:6443, public: true}\nfrontends:",
      "6:16 error: http.listen: frontend 'port-6443' listens on 0.0.0.0:6443 already"),
    more(
      "backend: kubernetes-apiservr",
      "8:14 error: frontends[0].backend: there is no backend 'kubernetes-apiservr'; did you mean "
        + "'kubernetes-apiserver'?"),
    Mistake(noServers, "servers:\n", "8:1 error: servers: a value is missing"),
    Mistake(noServers, "servers: []\n", "8:10 error: servers: there are no servers"),
    Mistake(
      noServers, "backends:\n  - servers: [10.0.0.11:6443]\n",
      "9:5 error: backends[0]: 'name' is missing"),
    Mistake(
      noServers, "",
      "7:5 error: frontends[0]: there are no 'servers' and no 'backends' to send connections to"),
    Mistake(
      "frontends:\n  - listen: 0.0.0.0:6443\n", "",
      "7:3 error: servers: 'frontends' is missing: nothing listens for these servers"),
  ]

  // MARK: other files

  private static let empty =
    "0:0 error: the file is empty: a fairlead.yaml has 'frontends' and 'servers', or 'nodes' and "
    + "'virtualAddresses', or all of these; 'fairlead init' writes one"

  @Test(arguments: [
    ("", empty), ("# later\n", empty),
    (
      "global\n  maxconn 100\ndefaults\n  mode tcp\nfrontend a\n  bind :80\n",
      "1:1 error: expected 'key: value' lines"
    ),
    (
      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
      "1:1 error: this is no native file: none of its keys is known; known are "
        + NativeParser.keys.joined(separator: ", ")
    ),
    (
      "nodes:\n  lb-1: 10.0.0.131\n",
      "1:1 error: nothing to do: there are neither 'frontends' nor 'virtualAddresses'"
    ),
  ]) func otherFiles(_ text: String, _ said: String) { #expect(complaints(text) == [said]) }

  @Test func severalMistakesAreToldInTheOrderOfTheFile() {
    let text = NativeMistakeTests.right.replacingOccurrences(
      of: "lb-2: 10.0.0.132", with: "lb-2: x"
    )
    .replacingOccurrences(of: "0.0.0.0:6443", with: "0.0.0.0:0")
    .replacingOccurrences(of: "12:6443", with: "12")
    #expect(complaints(text).map { String($0.prefix { $0 != " " }) } == ["3:9", "7:13", "10:25"])
    let windows = text.replacingOccurrences(of: "\n", with: "\r\n")
    #expect(complaints(windows) == complaints(text))
    let tab = Array("nodes:\r\n\tlb-1: 10.0.0.131\r\n".utf8)
    let said = NativeDialect.parse(files: [("f", tab)], options: NativeOptions(hostName: ""))
    #expect(said.diagnostics.map(\.sourceLine) == ["\tlb-1: 10.0.0.131"])
  }

  @Test func whatLooksLikeAMistakeAndIsNone() {
    let right = NativeMistakeTests.right
    #expect(complaints("\u{feff}" + right) == [])
    #expect(complaints(right.replacingOccurrences(of: "\n", with: "\r\n")) == [])
    #expect(complaints(right.replacingOccurrences(of: "179/26", with: "179")) == [])
    let apart = "  - {name: b, listen: 10.0.0.131:6443}\n"
    let listen = NativeMistakeTests.listen
    #expect(complaints(right.replacingOccurrences(of: listen, with: listen + apart)) == [])
  }
}
