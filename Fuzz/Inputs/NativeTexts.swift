// Texts in the manner of fairlead.yaml: well formed, damaged, deep, wide, and mere noise.

/// Makes native files for fuzzing. The same seed gives the same texts.
public struct NativeTexts {
  private var random: SeededRandom
  public init(seed: UInt64) { random = SeededRandom(seed: seed) }

  private static let pieces = [
    "nodes:", "virtualAddresses:", "frontends:", "servers:", "check:", "backends:", "logging:",
    "- ", "  ", "\t", "{", "}", "[", "]", ",", ": ", "&a ", "*a", "!!int ", "|\n", ">\n", "'", "\"",
    "---\n", "...\n", "%YAML 1.2\n", "? ", "#", "<<: ", "~", "null", "true", "1s", "500ms", "0",
    "-1", "99999999999999999999", "10.0.0.1/33", "[::]:80", "*:80", "\u{0}", "\u{FEFF}", "é",
    "\\x00", "\u{85}", "\u{2028}", "\r", "\n", "listen", "address", "priority", "42Secure",
  ]

  private static let checks = [
    "check: {type: tcp}", "check: false", "check: true", "check: {type: http, path: /healthz}",
    "check: {live: false}", "check: {live: true, drainOver: 5s}", "check: {hedgeAfter: 0}",
    "check: {timeout: 0, rise: 9}", "check: {path: /x, live: /y}", "check: {type: tls, port: 9}",
    "check: {expect: 200-299}", "check: {type: handshake, caFile: /a, verifyHost: b, alpn: h2}",
    "check: {type: tcp, rules: ['send \"a\\r\\n\\$4\"', 'expect ! rstring ^E', connect]}",
    "check: {type: http, rules: [disable-on-404, connect ssl, 'send meth GET', expect status 200]}",
    "check: {type: tls, rules: [send-binary 00ff, expect binary 0]}",
    "check: {sendProxy: v2, address: 10.0.0.9, port: false, certificate: /c}",
  ]

  private static let tracking = [
    "files: {f: {path: /a, create: {value: 1, overwrite: true}}}", "groups: {g: {members: [api]}}",
    "processes: {p: {process: /a, arguments: {first: [b]}, quorum: 2}}",
    "vrrp: {fifos: [/a, {path: /b, owner: c}], startupDelay: 2s, lockMemory: false}",
    "vrrp: {scriptUser: {user: a, group: b}, startupScript: [/a, \"b c\"]}",
  ]

  private static let pages = [
    "none", "127.0.0.1:9", "{}", "{listen: \"[::1]:9600\"}", "{public: true}",
    "{token: 0123456789abcdef, public: true}", "{listen: 10.0.0.1:80, token: \"true-true-true-x\"}",
    "{tls: {certificate: /a, key: \"/b c\"}, token: 0123456789abcdef}",
  ]

  private static let logs = [
    "false", "{tag: a b, early: true}", "{sessions: failed, format: '%ci:%cp 100%% %{+Q}b'}",
    "{format: basic, emptySessions: true}", "{targets: [fd@3, {to: logs.example:514, length: 90}]}",
    "{targets: {to: /dev/log, sample: '1,3-4:10', minimumLevel: err}, failedAsErrors: true}",
  ]

  private static let listeners = [
    "unix@/run/x", "[abns@x, fd@5]", "[{address: 10.0.0.1:9000-9003, maxConnections: 9}]",
    "{address: ['[::]:81', '*:81'], family: v6only, mode: 660, fastOpen: true}",
    "[{address: 82, interface: false, maxSegmentSize: -9, name: x}, 83]", "10.0.0.1:9-1",
  ]

  private static let resolvers = [
    "{nameservers: 10.0.0.53}", "{nameservers: 10.0.0.53}", "{resolvConf: true, holdObsolete: 0}",
    "{}",
    "{nameservers: ['[::1]:5353', 10.0.0.1], retries: 1, retryTimeout: 0, holdValid: 9s}",
  ]

  public mutating func next() -> [UInt8] {
    switch random.below(40) {
    case 0:
      return Array(
        String(repeating: random.pick(["[", "{a: ", "- ", "? ", "a:\n "]), count: 400).utf8)
    case 1:
      let items = (0..<random.below(300)).map { "  - 10.0.0.1:\($0)\n" }
      return Array(("frontends: [{listen: 80}]\nservers:\n" + items.joined()).utf8)
    case 2: return Array(("frontends: [" + String(repeating: "x", count: 9000) + "]\n").utf8)
    case 3, 4:
      return (0...random.below(30)).flatMap { _ in Array(random.pick(NativeTexts.pieces).utf8) }
    default: break
    }
    var text = file()
    if random.below(2) == 0 {
      for _ in 0...random.below(3) { damage(&text) }
    }
    return text
  }

  private mutating func damage(_ text: inout [UInt8]) {
    guard !text.isEmpty else { return }
    let at = random.below(text.count)
    switch random.below(4) {
    case 0: text[at] = UInt8(truncatingIfNeeded: random.next())
    case 1: text.removeSubrange(at..<min(text.count, at + 1 + random.below(9)))
    case 2: text.insert(contentsOf: Array(random.pick(NativeTexts.pieces).utf8), at: at)
    default:
      let end = min(text.count, at + random.below(60))
      text.insert(contentsOf: Array(text[at..<end]), at: random.below(text.count))
    }
  }

  private mutating func file() -> [UInt8] {
    var text = "nodes:\n  lb-1: 10.0.0.131\n  lb-2: 10.0.0.132\n"
    if random.below(4) != 0 {
      text += "virtualAddresses:\n  - address: 10.0.0.\(1 + random.below(120))/26\n"
      for line in [
        "password: 42Secure", "preempt: false", "multicast: true", "nodes: {lb-1: 255, lb-2: 9}",
        "accept: false", "virtualMAC: true", "extraAddresses: [10.0.0.200/26]", "routerID: 7",
        "trackedInterfaces: {eth1: -20}", "announcement: {delay: 0, count: 2}",
        "notify: {master: [/bin/true, \"a b\"]}", "missedAdverts: 5", "strict: true",
        "followsProxy: false", "followsProxy: true", "preemptDelay: 2s", "preemptDelay: 0",
        "trackedScripts: {a: {weight: 3, reverse: true}}", "routes: \"10.0.0.0/8 via 10.0.0.1\"",
        "rules: [\"from 10.0.0.1 preference 7 table 9\"]", "multicastGroup: 224.0.0.9",
        "virtualMAC: {sendFromBase: true}", "notify: {any: {command: /bin/a, user: b}}",
      ] where random.below(5) == 0 { text += "    \(line)\n" }
    }
    if random.below(3) == 0 { text += "scripts: {a: {command: [/bin/a, \"\"], weight: -4}}\n" }
    if random.below(6) == 0 { text += random.pick(NativeTexts.tracking) + "\n" }
    text += "frontends:\n  - listen: \"\(random.pick(["0.0.0.0:6443", "[::]:80", "*:443"]))\"\n"
    if random.below(3) == 0 { text += "    closeTimeout: 3s\n    backlog: 9\n" }
    if random.below(4) == 0 { text += "    log: \(random.pick(NativeTexts.logs))\n" }
    if random.below(4) == 0 {
      text += "  - name: other\n    listen: \(random.pick(NativeTexts.listeners))\n"
    }
    if random.below(3) == 0 { text += "resolvers: {dns: \(random.pick(NativeTexts.resolvers))}\n" }
    text += "servers:\n"
    for number in 0...random.below(3) {
      text += "  - {name: s\(number), address: 10.0.0.\(number + 1):6443"
      for option in [
        "weight: 3", "backup: true", "slowStart: 5s", "sendProxy: v2", "check: false",
        "tcpUserTimeout: 0", "maxQueue: 4", "closeSessionsWhenDown: true",
        "initAddress: [none]",
        "check: {live: false}", "check: {live: /alive, fall: 2}", "check: {drainOver: 0}",
      ] where random.below(5) == 0 { text += ", \(option)" }
      // Most servers go without what needs something else in the file.
      let rare = ["source: 10.0.0.9", "source: {interface: eth1}", "resolvers: dns", "track: s0"]
      if random.below(8) == 0 { text += ", \(random.pick(rare))" }
      text += "}\n"
    }
    if random.below(3) == 0 { text += random.pick(NativeTexts.checks) + "\n" }
    if random.below(3) == 0 { text += "http: \(random.pick(NativeTexts.pages))\n" }
    return Array(text.utf8)
  }
}
