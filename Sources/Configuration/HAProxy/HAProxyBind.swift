// `bind` lines (manual, sections 4.2 and 5.1).

extension HAProxyParser {
  func bind(_ line: Line) {
    proxy?.triedToBind = true
    guard let text = line.text(1) else {
      return error(
        line, 1,
        "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as "
          + "arguments.")
    }
    var bind = Bind(addresses: [])
    bind.origin = "\(line.source.file):\(line.source.number)"
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let address = address(line, 1, "bind", text: String(part)),
        let listeners = accept(address.listeners(String(part)), line, 1, "bind")
      else { continue }
      listenerCount += listeners.count
      guard listenerCount <= AddressText.maximumListeners else {
        return error(
          line, 1, "more than \(AddressText.maximumListeners) listening addresses in all")
      }
      bind.addresses += listeners
    }
    var index = 2
    while index < line.words.count {
      guard let next = bindOption(line, index, &bind) else { return }
      index = next
    }
    guard !bind.addresses.isEmpty else { return }
    proxy?.binds.append((bind, Place(line, 1)))
  }

  /// Reads the option at `index`; the index after it, or nil when the rest makes no sense.
  private func bindOption(_ line: Line, _ index: Int, _ bind: inout Bind) -> Int? {
    let name = line.words[index].text
    let value = index + 1
    switch name {
    case "accept-proxy": bind.acceptProxy = true
    case "transparent": bind.transparent = true
    case "defer-accept": bind.deferAccept = true
    case "tfo": bind.tcpFastOpen = true
    case "v4v6": bind.familyMode = .v4v6
    case "v6only": bind.familyMode = .v6only
    case "name", "interface", "user", "uid", "group", "gid", "mode":
      guard let text = string(line, value, name) else { return nil }
      bindText(line, value, name, text, &bind)
      return index + 2
    case "maxconn", "backlog", "id", "mss":
      let range = name == "mss" ? -65_535...65_535 : (name == "id" ? 1 : 0)...Int(Int32.max)
      guard let number = integer(line, value, name, in: range) else { return index + 2 }
      bindNumber(line, value, name, number, &bind)
      return index + 2
    case "tcp-ut":
      guard let timeout = time(line, value, name) else { return index + 2 }
      bind.tcpUserTimeout = timeout == .zero ? nil : timeout
      return index + 2
    default: return bindOther(line, index)
    }
    return index + 1
  }

  private func bindText(
    _ line: Line, _ index: Int, _ name: String, _ text: String, _ bind: inout Bind
  ) {
    switch name {
    case "name": bind.name = text
    case "interface":
      guard text.utf8.count <= 15 else {
        return error(line, index, "interface names have at most 15 bytes")
      }
      bind.interface = text
    case "user", "uid": bind.owner = text
    case "group", "gid": bind.group = text
    default:
      guard text.utf8.count <= 5, let mode = UInt16(text, radix: 8), mode <= 0o7777 else {
        return error(
          line, index, "missing or invalid mode '\(text)' (octal integer expected)")
      }
      bind.mode = mode
    }
    if name == "uid" || name == "gid",
      HAProxyUnits.integer(text, in: 0...4_294_967_294) == nil
    {
      error(line, index, "'\(name)' expects a number, not '\(text)'")
    }
  }

  private func bindNumber(
    _ line: Line, _ index: Int, _ name: String, _ number: Int, _ bind: inout Bind
  ) {
    switch name {
    case "maxconn": bind.maxconn = number == 0 ? nil : number
    case "backlog": bind.backlog = number == 0 ? nil : number
    case "id": bind.id = number
    default:
      if number == 0 {
        error(line, index, "'mss' expects an absolute value between 1 and 65535")
      } else {
        bind.maxSegmentSize = number
      }
    }
  }

  private static let bindNotes: [String: (arguments: Int, reason: String)] = [
    "process": (1, "there is one process"), "thread": (1, "all threads share the listeners"),
    "nice": (1, "sessions are all served alike"), "shards": (1, "each thread has its own socket"),
    "severity-output": (1, "it belongs to 'stats socket'"),
    "level": (1, "it belongs to 'stats socket'"),
    "expose-fd": (1, "listeners survive a reload by themselves"),
    "guid-prefix": (1, "it only names the listener in statistics"),
    "label": (1, "it only names the listener in statistics"),
    "cc": (1, "the system's congestion control stands"),
    "idle-ping": (1, "it concerns HTTP/2"), "no-alpn": (0, "TLS passes through untouched"),
  ]

  private static let bindTLS: Set<String> = [
    "ssl", "crt", "crt-list", "ca-file", "ca-ignore-err", "ca-sign-file", "ca-sign-pass",
    "ca-verify-file", "ciphers", "ciphersuites", "crl-file", "crt-ignore-err", "curves", "ecdhe",
    "force-sslv3", "force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13",
    "generate-certificates", "no-ca-names", "no-sslv3", "no-tls-tickets", "no-tlsv10",
    "no-tlsv11", "no-tlsv12", "no-tlsv13", "npn", "prefer-client-ciphers", "ssl-max-ver",
    "ssl-min-ver", "strict-sni", "tls-ticket-keys", "verify", "alpn", "allow-0rtt", "sigalgs",
    "client-sigalgs", "default-crt", "ocsp-update", "ktls",
  ]
  private static let bindRefused: [String: String] = [
    "accept-netscaler-cip": "use 'accept-proxy' and the PROXY protocol",
    "namespace": "run Fairlead in that namespace instead", "proto": "only TCP is served",
    "tcp-md5sig": "it would leave the listener unprotected", "quic-socket": "only TCP is served",
    "quic-force-retry": "only TCP is served", "quic-cc-algo": "only TCP is served",
  ]
  static let bindNames: [String] =
    [
      "accept-proxy", "transparent", "defer-accept", "tfo", "v4v6", "v6only", "name",
      "interface", "user", "uid", "group", "gid", "mode", "maxconn", "backlog", "id", "mss",
      "tcp-ut",
    ] + Array(bindNotes.keys) + Array(bindTLS) + Array(bindRefused.keys)

  private func bindOther(_ line: Line, _ index: Int) -> Int? {
    let name = line.words[index].text
    if let known = HAProxyParser.bindNotes[name] {
      if known.arguments > 0, string(line, index + 1, name) == nil { return nil }
      note(line, index, known.reason)
      return index + 1 + known.arguments
    }
    if HAProxyParser.bindTLS.contains(name) {
      error(
        line, index,
        "'\(name)' on a 'bind' line is not supported: TLS is not terminated here; "
          + "remove the TLS options, it passes through to the servers untouched")
      return nil
    }
    if let instead = HAProxyParser.bindRefused[name] {
      error(line, index, "'\(name)' on a 'bind' line is not supported: \(instead)")
      return nil
    }
    let near = Spelling.nearest(to: name, among: HAProxyParser.bindNames)
    error(
      line, index,
      "'bind \(line.words[1].text)' in section '\(section.name)': unknown keyword "
        + "'\(name)'" + HAProxyParser.hint(near))
    return nil
  }
}
