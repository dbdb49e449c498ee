// The keyword table: one small function a keyword, and the sections it may stand in.

struct Sections: OptionSet {
  let rawValue: Int
  static let global = Sections(rawValue: 1)
  static let defaults = Sections(rawValue: 2)
  static let frontend = Sections(rawValue: 4)
  static let listen = Sections(rawValue: 8)
  static let backend = Sections(rawValue: 16)
  static let resolvers = Sections(rawValue: 32)
  /// D, F, L: settings of the client side. Others likewise.
  static let client: Sections = [.defaults, .frontend, .listen]
  static let server: Sections = [.defaults, .listen, .backend]
  static let proxy: Sections = [.defaults, .frontend, .listen, .backend]

  static func of(_ kind: SectionKind) -> Sections {
    switch kind {
    case .global: .global
    case .defaults: .defaults
    case .frontend: .frontend
    case .listen: .listen
    case .backend: .backend
    case .resolvers: .resolvers
    case .none, .skipped: []
    }
  }
}

struct Keyword: Sendable {
  typealias Function = @Sendable (HAProxyParser, Line) -> Void
  var name: String
  var sections: Sections
  var run: Function
  init(_ name: String, _ sections: Sections, _ run: @escaping Function) {
    self.name = name
    self.sections = sections
    self.run = run
  }
}

extension Sections: Sendable {}

enum HAProxyKeywords {
  /// Several keywords share a name between `global` and proxies (`log`, `stats`).
  static let table: [String: [Keyword]] = {
    let all = global + proxyBasics + proxyServers + proxyLeftovers + resolvers
    return Dictionary(grouping: all, by: \.name)
  }()

  static func run(_ line: Line, with parser: HAProxyParser) {
    let name = line.keyword
    if name == "no" || name == "default" { return negated(line, parser) }
    let here = Sections.of(parser.section)
    let candidates = table[name] ?? []
    if let keyword = candidates.first(where: { !$0.sections.isDisjoint(with: here) }) {
      return keyword.run(parser, line)
    }
    if let fate = removed[name], parser.section != .global {
      return parser.error(line, 0, "the '\(name)' directive is not supported anymore: \(fate)")
    }
    let proxyOnes = candidates.filter { !$0.sections.isDisjoint(with: .proxy) }
    guard let elsewhere = proxyOnes.first ?? candidates.first else {
      if parser.section == .global, name.hasPrefix("tune."), isKnownTuning(name) {
        let tls = name.hasPrefix("tune.ssl.")
        return parser.note(
          line, 0,
          tls ? "TLS passes through untouched" : "it tunes HAProxy's own internals")
      }
      return unknown(line, parser)
    }
    misplaced(line, elsewhere, parser)
  }

  private static func unknown(_ line: Line, _ parser: HAProxyParser) {
    // Guesses cost time; a file of another kind gets them for its first lines only.
    guard parser.errorCount < 100, line.keyword.utf8.count <= 64 else {
      return parser.error(
        line, 0, "unknown keyword '\(line.keyword)' in '\(parser.section.name)' section")
    }
    let here = Sections.of(parser.section)
    var candidates = table.values.joined().filter { !$0.sections.isDisjoint(with: here) }
      .map(\.name)
    if here.isSubset(of: .proxy) {
      candidates += TimeoutName.allCases.map { "timeout \($0.rawValue)" }
      candidates += ["option tcp-check", "option httpchk", "option tcplog", "option redispatch"]
    }
    // `timout client`, `tcpcheck connect` and `balance_roundrobin` are told apart by trying the
    // first word first and the first two after that.
    var nearest = Spelling.nearest(to: line.keyword, among: candidates)
    if nearest == nil, let second = line.text(1) {
      nearest = Spelling.nearest(to: "\(line.keyword) \(second)", among: candidates)
    }
    if nearest == nil {
      let dashed = String(line.keyword.map { $0 == "_" || $0 == "-" ? " " : $0 })
      nearest =
        Spelling.nearest(to: dashed, among: candidates)
        ?? candidates.filter { $0 == dashed }.first
    }
    if nearest == nil, let option = HAProxyOptions.table[line.keyword] {
      nearest = "option \(option.name)"
    }
    parser.error(
      line, 0,
      "unknown keyword '\(line.keyword)' in '\(parser.section.name)' section"
        + HAProxyParser.hint(nearest))
  }

  /// Manual 4.2: a keyword in the wrong kind of proxy is ignored with a warning; elsewhere it
  /// is an error.
  private static func misplaced(_ line: Line, _ keyword: Keyword, _ parser: HAProxyParser) {
    let name = keyword.name
    guard let proxy = parser.proxy else {
      if parser.section == .defaults {
        return parser.error(line, 0, "'\(name)' not allowed in 'defaults' section")
      }
      return parser.error(
        line, 0,
        "unknown keyword '\(name)' in '\(parser.section.name)' section; it belongs to "
          + (keyword.sections.contains(.global) ? "'global'" : "a proxy section"))
    }
    if keyword.sections.isDisjoint(with: .proxy) {
      let home = keyword.sections.contains(.global) ? "global" : "resolvers"
      return parser.error(
        line, 0,
        "unknown keyword '\(name)' in '\(parser.section.name)' section; it belongs to "
          + "'\(home)'")
    }
    let side = proxy.kind.hasFrontend ? "backend" : "frontend"
    if ["server", "server-template", "default-server"].contains(name) {
      return parser.error(
        line, 0,
        "'\(name)' not allowed because \(proxy.title) has no backend capability; put "
          + "it in a 'backend' and name that with 'default_backend'")
    }
    let extra = name == "maxconn" ? " Maybe you want 'fullconn' instead ?" : ""
    parser.warning(
      line, 0, "'\(name)' ignored because \(proxy.title) has no \(side) capability.\(extra)")
  }

  /// `no option x`, `no log`, and the few global switches that have an opposite.
  private static func negated(_ line: Line, _ parser: HAProxyParser) {
    guard let target = line.text(1) else {
      return parser.error(line, 1, "'\(line.keyword)' expects a keyword after it")
    }
    var rest = line
    rest.words.removeFirst()
    switch (target, parser.section) {
    case ("option", .defaults), ("option", .frontend), ("option", .listen), ("option", .backend):
      HAProxyOptions.run(rest, parser, isOn: false, isDefault: line.keyword == "default")
    case ("log", .defaults), ("log", .frontend), ("log", .listen), ("log", .backend):
      parser.rejectExtra(rest, after: 0)
      parser.change { $0.logs = [] }
    case ("log", .global): parser.global.logTargets = []
    case ("nosplice", .global): parser.global.noSplice = false
    case ("busy-polling", .global), ("set-dumpable", .global), ("strict-limits", .global),
      ("insecure-fork-wanted", .global), ("insecure-setuid-wanted", .global),
      ("numa-cpu-mapping", .global), ("noepoll", .global), ("noreuseport", .global):
      parser.note(rest, 0, "it concerns HAProxy's own process")
    case ("http-check", .defaults), ("http-check", .listen), ("http-check", .backend):
      parser.httpCheckFlag(rest, isOn: false)
    default:
      parser.error(
        line, 1,
        "negation/default currently supported only for options, log, busy-polling, "
          + "set-dumpable, strict-limits, insecure-fork-wanted and numa-cpu-mapping")
    }
  }

  /// Keywords of old files, and what took their place.
  static let removed: [String: String] = [
    "clitimeout": "use 'timeout client'", "contimeout": "use 'timeout connect'",
    "srvtimeout": "use 'timeout server'", "redispatch": "use 'option redispatch'",
    "transparent": "use 'option transparent'", "appsession": "use 'stick-table' with 'stick'",
    "reqadd": "use 'http-request'", "reqrep": "use 'http-request'",
    "rspadd": "use 'http-response'", "block": "use 'http-request deny'",
    "bind-process": "use 'nbthread' in 'global'; all listeners run in one process",
    "monitor-net": "use 'http-request return' or a TCP check",
  ]

  /// Families of `tune.*` settings, none of which change what a client or server sees.
  static func isKnownTuning(_ name: String) -> Bool {
    let families = [
      "applet", "bufsize", "buffers", "cli", "comp", "disable", "epoll", "events", "fail-alloc",
      "fast-forward", "fd", "glitches", "h1", "h2", "http", "idle-pool", "idletimer", "lua",
      "listener", "max-checks-per-thread", "max-rules-at-once", "maxaccept", "maxpollevents",
      "maxrewrite", "memory", "pattern", "peers", "pipesize", "pool-high-fd-ratio",
      "pool-low-fd-ratio", "pt", "quic", "rcvbuf", "recv_enough", "ring", "runqueue-depth",
      "sched", "sndbuf", "ssl", "stick-counters", "streams", "takeover-other-tg-connections",
      "vars", "zlib", "defaults", "renice", "http2",
    ]
    let rest = name.dropFirst("tune.".count)
    let family = String(rest.prefix { $0 != "." })
    return families.contains(family) || families.contains { family.hasPrefix($0 + "-") }
  }
}
