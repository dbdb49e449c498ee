// `option …` (manual, section 4.2): a table of switches, then the options with arguments.

struct ProxyOption: Sendable {
  enum Kind: Sendable {
    /// Kept under its name and read when the model is built.
    case flag
    /// Accepted; why it does nothing.
    case note(String)
    /// Takes arguments; `HAProxyParser.option…` reads it.
    case special
    /// Would deceive if ignored.
    case refused(String)
  }
  var name: String
  var sections: Sections
  var kind: Kind
  /// `no option x` is understood.
  var negatable = true
}

enum HAProxyOptions {
  static let table: [String: ProxyOption] = {
    let http = "it concerns HTTP, and 'mode tcp' passes HTTP through untouched"
    let notes: [(String, Sections, String)] = [
      ("contstats", .client, "counters are always kept up to date"),
      ("socket-stats", .client, "it only adds statistics"),
      ("independent-streams", .proxy, "both directions refresh their timeouts as HAProxy's do"),
      ("splice-auto", .proxy, "splicing is chosen by itself"),
      ("splice-request", .proxy, "splicing is chosen by itself"),
      ("splice-response", .proxy, "splicing is chosen by itself"),
      ("tcp-smart-accept", .client, "packets are not held back"),
      ("tcp-smart-connect", .server, "packets are not held back"),
      ("persist", .server, "there are no cookies in 'mode tcp'"),
      ("prefer-last-server", .server, http), ("checkcache", .server, http),
      ("accept-invalid-http-request", .client, http),
      ("accept-invalid-http-response", .server, http),
      ("accept-unsafe-violations-in-http-request", .client, http),
      ("accept-unsafe-violations-in-http-response", .server, http),
      ("disable-h2-upgrade", .client, http), ("h1-case-adjust-bogus-client", .client, http),
      ("h1-case-adjust-bogus-server", .server, http), ("http-buffer-request", .proxy, http),
      ("http-ignore-probes", .client, http), ("http-no-delay", .proxy, http),
      ("http-pretend-keepalive", .server, http), ("http-use-proxy-header", .client, http),
      ("http-drop-request-trailers", .server, http),
      ("http-drop-response-trailers", .client, http),
      ("http-restrict-req-hdr-names", .proxy, http), ("http-use-htx", .proxy, http),
      ("idle-close-on-response", .client, http), ("use-small-buffers", .proxy, http),
      ("httpclose", .proxy, http), ("http-server-close", .proxy, http),
      ("http-keep-alive", .proxy, http), ("http-tunnel", .proxy, http),
      ("originalto", .proxy, http), ("forwarded", .server, http),
      ("httpslog", .client, http),
    ]
    let flags: [(String, Sections)] = [
      ("abortonclose", .server), ("allbackups", .server), ("clitcpka", .client),
      ("srvtcpka", .server), ("tcpka", .proxy), ("dontlognull", .client),
      ("dontlog-normal", .client), ("log-health-checks", .server),
      ("log-separate-errors", .client), ("logasap", .client), ("nolinger", .proxy),
    ]
    let special: [(String, Sections, Bool)] = [
      ("redispatch", .server, true), ("tcplog", .proxy, false), ("httplog", .proxy, false),
      ("forwardfor", .proxy, true), ("transparent", .server, true), ("tcp-check", .server, false),
      ("httpchk", .server, false), ("ssl-hello-chk", .server, false),
      ("redis-check", .server, false),
    ]
    let instead = "use 'option tcp-check' with rules, or without for a plain connection check"
    let refused: [(String, String)] = [
      ("mysql-check", instead), ("pgsql-check", instead), ("smtpchk", instead),
      ("ldap-check", instead), ("spop-check", instead),
      ("external-check", "no program is run; " + instead),
      ("forceclose", "removed from HAProxy; use 'option httpclose' or delete it"),
    ]
    var result: [String: ProxyOption] = [:]
    for (name, sections, reason) in notes {
      result[name] = ProxyOption(name: name, sections: sections, kind: .note(reason))
    }
    for (name, sections) in flags {
      result[name] = ProxyOption(name: name, sections: sections, kind: .flag)
    }
    for (name, sections, negatable) in special {
      result[name] = ProxyOption(
        name: name, sections: sections, kind: .special, negatable: negatable)
    }
    for (name, reason) in refused {
      result[name] = ProxyOption(
        name: name, sections: .proxy, kind: .refused(reason), negatable: false)
    }
    return result
  }()

  static func run(_ line: Line, _ parser: HAProxyParser, isOn: Bool, isDefault: Bool) {
    guard let name = line.text(1) else {
      return parser.error(line, 1, "'option' expects an option name")
    }
    guard let option = table[name] else {
      let near = Spelling.nearest(to: name, among: Array(table.keys))
      return parser.error(line, 1, "unknown option '\(name)'" + HAProxyParser.hint(near))
    }
    if !isOn, !option.negatable {
      return parser.error(line, 1, "negation/default is not supported for option '\(name)'")
    }
    if case .refused(let reason) = option.kind {
      return parser.error(line, 1, "'option \(name)' is not supported: \(reason)")
    }
    // HAProxy resets an option for `default option x`, which is off for all of these.
    if option.sections.isDisjoint(with: .of(parser.section)), let proxy = parser.proxy {
      let side = proxy.kind.hasFrontend ? "backend" : "frontend"
      return parser.warning(
        line, 1, "'option \(name)' ignored because \(proxy.title) has no \(side) capability.")
    }
    switch option.kind {
    case .flag:
      if let extra = line.text(2) {
        return parser.error(
          line, 2, "'option \(name)' cannot handle unexpected argument '\(extra)'")
      }
      parser.change { if isOn { $0.flags.insert(name) } else { $0.flags.remove(name) } }
    case .note(let reason): if isOn { parser.note(line, 1, reason) }
    case .special: parser.specialOption(line, name, isOn: isOn)
    case .refused: break
    }
  }
}

extension HAProxyParser {
  func specialOption(_ line: Line, _ name: String, isOn: Bool) {
    switch name {
    case "redispatch": redispatch(line, isOn: isOn)
    case "tcplog", "httplog": logOption(line, name)
    case "forwardfor": change { $0.forwardFor = isOn }
    case "transparent": change { $0.transparent = isOn ? Place(line, 1) : nil }
    default: checkOption(line, name)
    }
  }

  private func redispatch(_ line: Line, isOn: Bool) {
    var interval = -1
    if isOn, line.text(2) != nil {
      guard let value = integer(line, 2, "option redispatch", in: Int(Int32.min)...Int(Int32.max))
      else {
        return
      }
      // 0 switches it off, as HAProxy's interval of 0 does.
      interval = value
    }
    if let extra = line.text(3) {
      return error(line, 3, "'option redispatch' cannot handle unexpected argument '\(extra)'")
    }
    change { $0.redispatch = isOn && interval != 0 ? interval : nil }
  }

  private func logOption(_ line: Line, _ name: String) {
    if let extra = line.text(2), !(extra == "clf" && line.text(3) == nil) {
      return error(line, 2, "'option \(name)' cannot handle unexpected argument '\(extra)'")
    }
    if line.text(2) == "clf", name == "tcplog" {
      return error(line, 2, "'option tcplog clf' is not supported; use 'option tcplog'")
    }
    if section == .backend {
      return warning(
        line, 1,
        "\(proxy?.title ?? "backend") : 'option \(name)' directive is ignored in "
          + "backends.")
    }
    change {
      $0.logLine = name == "tcplog" ? .tcplog : .httplog
      $0.logLinePlace = Place(line, 1)
    }
  }
}
