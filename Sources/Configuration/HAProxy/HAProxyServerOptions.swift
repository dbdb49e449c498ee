// Options of `server` and `default-server` lines (manual, section 5.2).

extension HAProxyParser {
  /// Reads the option at `index`; the index after it, or nil when the rest makes no sense.
  func serverOption(
    _ line: Line, _ index: Int, _ draft: inout ServerDraft, isDefault: Bool
  ) -> Int? {
    let name = line.words[index].text
    if serverSwitch(name, &draft) { return index + 1 }
    switch name {
    case "weight", "maxconn", "minconn", "maxqueue", "rise", "fall", "port", "id":
      serverNumber(line, index, name, &draft, isDefault: isDefault)
      return index + 2
    case "inter", "fastinter", "downinter", "slowstart", "tcp-ut":
      serverTime(line, index, name, &draft)
      return index + 2
    case "verify", "ca-file", "crt", "verifyhost", "check-sni", "check-alpn", "track",
      "resolvers", "resolve-prefer", "init-addr", "on-marked-down", "on-marked-up", "addr":
      guard let text = string(line, index + 1, name) else { return nil }
      serverText(line, index + 1, name, text, &draft, isDefault: isDefault)
      return index + 2
    case "source":
      var next = index + 1
      guard let source = source(line, &next) else { return nil }
      draft.server.source = source
      return next
    default: return serverOther(line, index, &draft)
    }
  }

  private func serverSwitch(_ name: String, _ draft: inout ServerDraft) -> Bool {
    switch name {
    case "check": draft.isChecked = true
    case "no-check": draft.isChecked = false
    case "backup": draft.server.isBackup = true
    case "no-backup": draft.server.isBackup = false
    case "disabled": draft.server.isDisabled = true
    case "enabled": draft.server.isDisabled = false
    case "check-ssl": draft.checksTLS = true
    case "no-check-ssl": draft.checksTLS = false
    case "send-proxy": draft.server.sendProxy = .v1
    case "send-proxy-v2": draft.server.sendProxy = .v2
    case "no-send-proxy", "no-send-proxy-v2": draft.server.sendProxy = nil
    case "check-send-proxy": draft.checkSendsProxy = true
    case "no-check-send-proxy": draft.checkSendsProxy = false
    default: return false
    }
    return true
  }

  private func serverNumber(
    _ line: Line, _ index: Int, _ name: String, _ draft: inout ServerDraft, isDefault: Bool
  ) {
    let most = Int(Int32.max)
    let range: ClosedRange<Int>
    switch name {
    case "weight": range = 0...256
    case "rise", "fall": range = 1...most
    case "port": range = 1...65_535
    case "id": range = 1...most
    default: range = 0...most
    }
    guard let value = integer(line, index + 1, name, in: range) else { return }
    switch name {
    case "weight": draft.server.weight = value
    case "maxconn": draft.server.maxconn = value
    case "minconn": draft.server.minconn = value
    case "maxqueue": draft.server.maxqueue = value
    case "rise": draft.check.rise = value
    case "fall": draft.check.fall = value
    case "port": draft.check.port = UInt16(value)
    default:
      if isDefault { return error(line, index, "'id' is not permitted on 'default-server'") }
      draft.server.id = value
    }
  }

  private func serverTime(_ line: Line, _ index: Int, _ name: String, _ draft: inout ServerDraft) {
    guard let value = time(line, index + 1, name) else { return }
    if value == .zero, name.hasSuffix("inter") {
      return error(line, index + 1, "'\(name)' has to be > 0")
    }
    let hasUnit = line.text(index + 1)?.last.map { !$0.isNumber } ?? true
    if name == "inter", !hasUnit, value < .milliseconds(100) {
      warning(
        line, index + 1,
        "'inter' is suspiciously small (\(HAProxyUnits.print(value))); without a "
          + "unit it counts milliseconds, add 's' for seconds")
    }
    switch name {
    case "inter": draft.check.interval = value
    case "fastinter": draft.check.fastInterval = value
    case "downinter": draft.check.downInterval = value
    case "slowstart": draft.server.slowstart = value == .zero ? nil : value
    default: draft.server.tcpUserTimeout = value == .zero ? nil : value
    }
  }

  private func serverText(
    _ line: Line, _ index: Int, _ name: String, _ text: String, _ draft: inout ServerDraft,
    isDefault: Bool
  ) {
    switch name {
    case "verify":
      guard text == "none" || text == "required" else {
        return error(line, index, "'verify' expects 'none' or 'required', not '\(text)'")
      }
      draft.verify = text == "none" ? .none : .required
    case "ca-file": draft.caFile = text
    case "crt": draft.certificateFile = text
    case "verifyhost": draft.verifyHost = text
    case "check-sni": draft.checkSNI = text
    case "check-alpn":
      let names = text.split(separator: ",").map(String.init)
      guard !names.isEmpty, names.allSatisfy({ $0.utf8.count <= 255 }) else {
        return error(line, index, "'check-alpn' expects protocol names separated by commas")
      }
      draft.checkALPN = names
    case "track":
      guard !isDefault || text.contains("/") else {
        draft.trackText = text
        draft.trackPlace = Place(line, index)
        return
      }
      draft.trackText = text
      draft.trackPlace = Place(line, index)
    case "resolvers":
      draft.server.resolvers = text
      draft.resolversPlace = Place(line, index)
    case "resolve-prefer":
      guard text == "ipv4" || text == "ipv6" else {
        return error(line, index, "'resolve-prefer' expects 'ipv4' or 'ipv6', not '\(text)'")
      }
      draft.server.resolvePreferIPv4 = text == "ipv4"
    case "init-addr": initAddress(line, index, text, &draft)
    case "addr":
      guard let address = address(line, index, "addr"),
        let target = accept(address.server(text), line, index, "addr")
      else { return }
      guard target.host != .clientDestination else {
        return error(line, index, "'addr' expects an address to check, not '\(text)'")
      }
      draft.check.address = target.host
      if case .fixed(let port) = target.port { draft.check.port = port }
    case "on-marked-down":
      guard text == "shutdown-sessions" else {
        return error(line, index, "'on-marked-down' only supports 'shutdown-sessions'")
      }
      draft.server.shutdownSessionsOnDown = true
    default:
      guard text == "shutdown-backup-sessions" else {
        return error(line, index, "'on-marked-up' only supports 'shutdown-backup-sessions'")
      }
      draft.server.shutdownBackupSessionsOnUp = true
    }
  }

  private func initAddress(
    _ line: Line, _ index: Int, _ text: String, _ draft: inout ServerDraft
  ) {
    var methods: [InitAddress] = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      switch word {
      case "last": methods.append(.last)
      case "libc": methods.append(.libc)
      case "none": methods.append(.none)
      default:
        guard let ip = IPAddress(String(word)) else {
          return error(
            line, index,
            "unknown init-addr method '\(word)'; 'last', 'libc', 'none' and "
              + "addresses are supported")
        }
        methods.append(.ip(ip))
      }
    }
    guard methods.count <= 8 else { return error(line, index, "too many 'init-addr' methods") }
    draft.server.initAddress = methods
  }

  // MARK: options without a place in the model

  private static let serverNotes: [String: (arguments: Int, reason: String)] = {
    let tls = "traffic is not encrypted here, and checks use the TLS library's defaults"
    let http = "it concerns HTTP, and 'mode tcp' passes HTTP through untouched"
    return [
      "ciphers": (1, tls), "ciphersuites": (1, tls), "curves": (1, tls), "sigalgs": (1, tls),
      "client-sigalgs": (1, tls), "ssl-max-ver": (1, tls), "ssl-min-ver": (1, tls),
      "force-sslv3": (0, tls), "force-tlsv10": (0, tls), "force-tlsv11": (0, tls),
      "force-tlsv12": (0, tls), "force-tlsv13": (0, tls), "no-sslv3": (0, tls),
      "no-tlsv10": (0, tls), "no-tlsv11": (0, tls), "no-tlsv12": (0, tls),
      "no-tlsv13": (0, tls), "no-ssl": (0, tls), "no-ssl-reuse": (0, tls), "ssl-reuse": (0, tls),
      "tls-tickets": (0, tls), "no-tls-tickets": (0, tls), "allow-0rtt": (0, tls),
      "alpn": (1, tls), "npn": (1, tls), "sni": (1, tls), "sni-auto": (0, tls),
      "no-sni-auto": (0, tls), "check-sni-auto": (0, tls), "no-check-sni-auto": (0, tls),
      "renegotiate": (0, tls), "no-renegotiate": (0, tls), "pool-conn-name": (1, http),
      "pool-low-conn": (1, http), "pool-max-conn": (1, http), "pool-purge-delay": (1, http),
      "max-reuse": (1, http), "ws": (1, http), "idle-ping": (1, http),
      "tfo": (0, "connections open with a plain SYN"),
      "no-tfo": (0, "connections open with a plain SYN"), "log-proto": (1, http),
      "log-bufsize": (1, http), "stick": (0, "nothing is persistent"),
      "non-stick": (0, "nothing is persistent"), "shard": (1, "there are no peers"),
      "guid": (1, "it only names the server in statistics"),
      "error-limit": (1, "it belongs to 'observe'"), "on-error": (1, "it belongs to 'observe'"),
      "agent-addr": (1, "it belongs to 'agent-check'"),
      "agent-inter": (1, "it belongs to 'agent-check'"),
      "agent-port": (1, "it belongs to 'agent-check'"),
      "agent-send": (1, "it belongs to 'agent-check'"),
      "no-agent-check": (0, "agents are not asked"),
      "no-check-via-socks4": (0, "there is no SOCKS"),
      "no-send-proxy-v2-ssl": (0, "it is off"), "no-send-proxy-v2-ssl-cn": (0, "it is off"),
      "resolve-opts": (1, "any usable answer is taken"),
      "cc": (1, "the system's congestion control stands"),
      "strict-maxconn": (0, "a server's maxconn always counts its sessions"),
      "check-reuse-pool": (0, "each check opens a connection"),
    ]
  }()
  private static let serverRefused: [String: String] = [
    "ssl": "Fairlead does not speak TLS to servers: remove 'ssl', clients' TLS passes through "
      + "untouched; for TLS in checks use 'check-ssl'",
    "observe": "live traffic is not watched for errors; use 'check' with a short 'inter'",
    "agent-check": "agents are not asked; use 'check'",
    "socks4": "connections go to the server directly",
    "check-via-socks4": "checks go to the server directly",
    "namespace": "run Fairlead in that namespace instead",
    "redir": "it concerns HTTP", "usesrc": "servers see Fairlead's address; use 'send-proxy'",
    "proto": "only TCP is relayed", "check-proto": "checks speak HTTP/1 or what 'tcp-check' says",
    "proxy-v2-options": "headers carry addresses only; use 'send-proxy-v2' alone",
    "set-proxy-v2-tlv-fmt": "headers carry addresses only",
    "send-proxy-v2-ssl": "TLS is not terminated here; use 'send-proxy-v2'",
    "send-proxy-v2-ssl-cn": "TLS is not terminated here; use 'send-proxy-v2'",
    "crl-file": "revocation lists are not read; use 'ca-file' alone",
    "resolve-net": "networks are not preferred among answers; use 'resolve-prefer'",
    "init-state": "servers start usable until their first check fails",
    "hash-key": "servers are hashed by their id", "healthcheck": "write the check in the backend",
    "check-pool-conn-name": "each check opens a connection", "tcp-md5sig": "TCP-MD5 is not set",
  ]
  static let serverNames: [String] =
    [
      "check", "no-check", "backup", "no-backup", "disabled", "enabled", "check-ssl",
      "no-check-ssl", "send-proxy", "send-proxy-v2", "no-send-proxy", "no-send-proxy-v2",
      "check-send-proxy", "no-check-send-proxy", "weight", "maxconn", "minconn", "maxqueue",
      "rise", "fall", "port", "id", "inter", "fastinter", "downinter", "slowstart", "tcp-ut",
      "verify", "ca-file", "crt", "verifyhost", "check-sni", "check-alpn", "track", "resolvers",
      "resolve-prefer", "init-addr", "on-marked-down", "on-marked-up", "addr", "source",
      "cookie",
    ] + Array(serverNotes.keys) + Array(serverRefused.keys)

  private func serverOther(_ line: Line, _ index: Int, _ draft: inout ServerDraft) -> Int? {
    let name = line.words[index].text
    if name == "cookie" {
      guard string(line, index + 1, name) != nil else { return nil }
      warning(
        line, index,
        "\(proxy?.title ?? "default-server") : ignoring cookie for server "
          + "'\(draft.server.name)' as HTTP mode is disabled.")
      return index + 2
    }
    if let known = HAProxyParser.serverNotes[name] {
      if known.arguments > 0, string(line, index + 1, name) == nil { return nil }
      note(line, index, known.reason)
      return index + 1 + known.arguments
    }
    let title =
      line.keyword == "server"
      ? "'server \(proxy?.name ?? "")/\(draft.server.name)'" : "'default-server'"
    if let reason = HAProxyParser.serverRefused[name] {
      error(line, index, "\(title) : '\(name)' is not supported: \(reason)")
      // Its own arguments are skipped, so that one cause gives one error.
      let alone = [
        "ssl", "agent-check", "check-via-socks4", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn",
      ]
      return index + (alone.contains(name) ? 1 : 2)
    }
    let near = Spelling.nearest(to: name, among: HAProxyParser.serverNames)
    error(line, index, "\(title) : unknown keyword '\(name)'" + HAProxyParser.hint(near))
    return nil
  }
}
