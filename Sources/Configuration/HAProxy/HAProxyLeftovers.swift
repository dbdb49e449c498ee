// What files for HTTP, ACLs, statistics and stick tables leave in a TCP proxy: it parses, and
// each kind is reported once.

extension HAProxyKeywords {
  static let proxyLeftovers: [Keyword] = unservedRules + httpOnly + quiet + refused

  /// Manual, sections 7 and 8: rules that select or decide.
  private static let unservedRules: [Keyword] = {
    let rules: [(String, Sections, String)] = [
      ("acl", .proxy, "conditions are not evaluated"),
      ("tcp-request", .proxy, "such rules are not enforced: clients they reject are let in"),
      ("tcp-response", .proxy, "such rules are not enforced"),
      ("use-server", .server, "the balance algorithm chooses the server"),
      ("stick-table", .proxy, "nothing is remembered about clients"),
      ("stick", .server, "clients do not stay with their server; 'balance source' keeps them"),
      ("force-persist", .proxy, "nothing is persistent"),
      ("ignore-persist", .proxy, "nothing is persistent"),
      ("email-alert", .proxy, "no mail is sent"),
      ("load-server-state-from-file", .server, "servers start in the state the file gives them"),
      ("filter", .proxy, "no filter runs"),
      ("declare", .proxy, "nothing is captured"),
      ("quic-initial", .proxy, "there is no QUIC"),
    ]
    return rules.map { name, sections, consequence in
      Keyword(name, sections) { parser, line in
        guard parser.string(line, 1, name) != nil, parser.mayHoldRules(line) else { return }
        parser.unserved(name, line, consequence)
      }
    }
  }()

  /// In 'mode tcp' HAProxy ignores these too (measured).
  private static let httpOnly: [Keyword] = {
    let names: [(String, Sections)] = [
      ("http-request", .proxy), ("http-response", .proxy), ("http-after-response", .proxy),
      ("redirect", .proxy), ("stats", .proxy), ("monitor-uri", .client),
      ("monitor", [.frontend, .listen]), ("cookie", .server),
    ]
    return names.map { name, sections in
      Keyword(name, sections) { parser, line in
        guard parser.string(line, 1, name) != nil, parser.mayHoldRules(line) else { return }
        parser.httpLeftover(line)
      }
    }
  }()

  /// Silent in HAProxy's 'mode tcp'.
  private static let quiet: [Keyword] = {
    let http = "it concerns HTTP, and 'mode tcp' passes HTTP through untouched"
    let names: [(String, Sections, String)] = [
      ("errorfile", .proxy, http), ("errorfiles", .proxy, http), ("errorloc", .proxy, http),
      ("errorloc302", .proxy, http), ("errorloc303", .proxy, http), ("http-error", .proxy, http),
      ("http-reuse", .server, http), ("http-send-name-header", .server, http),
      ("compression", .proxy, http), ("capture", .client, http),
      ("unique-id-format", .client, http), ("unique-id-header", .client, http),
      ("max-keep-alive-queue", .server, http), ("max-session-srv-conns", .client, http),
      ("retry-on", .server, "only failed connections are retried"),
      ("dynamic-cookie-key", .server, http), ("persist", .server, "nothing is persistent"),
      ("server-state-file-name", .server, "it belongs to 'load-server-state-from-file'"),
      ("hash-preserve-affinity", .server, "the hash map alone decides"),
      ("external-check", .server, "it belongs to 'option external-check'"),
      ("use-fcgi-app", .server, http), ("log-steps", .client, "lines are written at the end"),
    ]
    return names.map { name, sections, reason in
      Keyword(name, sections) { parser, line in parser.note(line, 0, reason) }
    }
  }()

  private static let refused: [Keyword] = [
    Keyword("server-template", [.listen, .backend]) { parser, line in
      parser.error(
        line, 0, "'server-template' is not supported: write one 'server' line per server")
    },
    Keyword("hash-balance-factor", .server) { parser, line in
      guard let value = parser.only(line, "hash-balance-factor", in: 0...65_535), value > 0
      else { return }
      parser.error(
        line, 1, "'hash-balance-factor' is not supported: servers' shares are not bounded")
    },
  ]
}

extension HAProxyParser {
  /// Manual 4.2: rules may stand in `defaults` sections with a name only.
  func mayHoldRules(_ line: Line) -> Bool {
    let rules = [
      "acl", "tcp-request", "tcp-response", "http-request", "http-response", "http-after-response",
    ]
    guard section == .defaults, defaultsName == nil, rules.contains(line.keyword) else {
      return true
    }
    error(line, 0, "'\(line.keyword)' not allowed in anonymous 'defaults' section.")
    return false
  }

  /// Remembers that a proxy asks for something that needs HTTP; `assemble` says which.
  func httpLeftover(_ line: Line) {
    guard section != .defaults else {
      // Inherited leftovers concern proxies in 'mode http' only, which do not exist here.
      change { $0.inheritedHTTP.insert(line.keyword) }
      return note(line, 0, "it requires HTTP mode")
    }
    guard let known = proxy?.httpOnly, !known.contains(where: { $0.name == line.keyword }) else {
      return
    }
    proxy?.httpOnly.append((line.keyword, Place(line)))
  }
}
