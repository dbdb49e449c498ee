// Keywords of the server side of a proxy (manual, section 4.2): balance, source, retries …

extension HAProxyKeywords {
  static let proxyServers: [Keyword] = [
    Keyword("server", [.listen, .backend]) { $0.server($1) },
    Keyword("default-server", .server) { $0.defaultServer($1) },
    Keyword("balance", .server) { $0.balance($1) },
    Keyword("hash-type", .server) { $0.hashType($1) },
    Keyword("retries", .server) { parser, line in
      guard let value = parser.only(line, "retries", in: 0...Int(Int32.max)) else { return }
      parser.change { $0.retries = value }
    },
    Keyword("fullconn", .server) { parser, line in
      guard let value = parser.only(line, "fullconn", in: 0...Int(Int32.max)) else { return }
      parser.change { $0.fullconn = value == 0 ? nil : value }
    },
    Keyword("source", .server) { parser, line in
      var index = 1
      guard let source = parser.source(line, &index) else { return }
      parser.rejectExtra(line, after: index - 1)
      parser.change { $0.source = source }
    },
    Keyword("srvtcpka-cnt", .server) { parser, line in
      guard let value = parser.only(line, "srvtcpka-cnt", in: 1...127) else { return }
      parser.change { $0.serverKeepalive.count = value }
    },
    Keyword("srvtcpka-idle", .server) { parser, line in
      guard let value = parser.keepaliveTime(line) else { return }
      parser.change { $0.serverKeepalive.idle = value }
    },
    Keyword("srvtcpka-intvl", .server) { parser, line in
      guard let value = parser.keepaliveTime(line) else { return }
      parser.change { $0.serverKeepalive.interval = value }
    },
    Keyword("tcp-check", .server) { $0.tcpCheck($1) },
    Keyword("http-check", .server) { $0.httpCheck($1) },
  ]
}

extension HAProxyParser {
  func balance(_ line: Line) {
    guard let text = string(line, 1, "balance") else { return }
    let name = String(text.prefix { $0 != "(" })
    var algorithm: Balance?
    switch text {
    case "roundrobin": algorithm = .roundRobin
    case "static-rr": algorithm = .staticRoundRobin
    case "leastconn": algorithm = .leastConnections
    case "first": algorithm = .first
    case "source": algorithm = .source
    case "random": algorithm = .random(draws: 2)
    default: break
    }
    if algorithm == nil, name == "random", text.hasSuffix(")") {
      let inside = String(text.dropFirst(7).dropLast())
      guard let draws = HAProxyUnits.integer(inside, in: 1...255) else {
        return error(line, 1, "'balance random' expects 1 to 255 draws, not '\(inside)'")
      }
      algorithm = .random(draws: draws)
    }
    if let algorithm {
      if let extra = line.text(2) { warning(line, 2, "'balance' ignores the argument '\(extra)'") }
      return change {
        $0.balance = algorithm
        $0.layer7Balance = nil
      }
    }
    switch name {
    case "uri", "url_param", "hdr":
      change {
        $0.balance = .roundRobin
        $0.layer7Balance = Place(line, 1)
      }
    case "rdp-cookie", "hash", "log-hash", "sticky":
      error(line, 1, "'balance \(name)' is not supported; 'balance source' keeps a client's server")
    default:
      let known = [
        "roundrobin", "static-rr", "leastconn", "first", "source", "random", "uri", "url_param",
        "hdr", "rdp-cookie",
      ]
      error(
        line, 1,
        "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'first', "
          + "'source' and 'random(n)', not '\(text)'"
          + HAProxyParser.hint(Spelling.nearest(to: text, among: known)))
    }
  }

  func hashType(_ line: Line) {
    var result = HashType()
    switch line.text(1) {
    case "map-based": result.method = .mapBased
    case "consistent": result.method = .consistent
    default: return error(line, 1, "'hash-type' only supports 'consistent' and 'map-based'.")
    }
    var index = 2
    let functions: [String: HashType.Function] = [
      "sdbm": .sdbm, "djb2": .djb2, "wt6": .wt6, "crc32": .crc32, "none": .none,
    ]
    if let word = line.text(2), word != "avalanche" {
      guard let function = functions[word] else {
        return error(line, 2, "unknown hash function '\(word)'")
      }
      result.function = function
      index = 3
    }
    if let word = line.text(index) {
      guard word == "avalanche" else {
        return error(line, index, "unknown hash-type modifier '\(word)'")
      }
      result.avalanche = true
      rejectExtra(line, after: index)
    }
    change { $0.hashType = result }
  }

  /// `source <addr>[:port] [interface <name>]` from the word at `index`, which moves past it.
  func source(_ line: Line, _ index: inout Int) -> SourceAddress? {
    let start = index
    guard let address = address(line, start, "source"), let text = line.text(start) else {
      return nil
    }
    let isAny: Bool
    switch address.host {
    case .any: isAny = true
    case .ip(let ip): isAny = ip.isUnspecified
    default: isAny = false
    }
    guard let local = accept(address.numeric(text, defaultPort: 0), line, start, "source") else {
      return nil
    }
    var result = SourceAddress(address: local)
    index = start + 1
    while let word = line.text(index), ["interface", "usesrc"].contains(word) {
      guard word == "interface" else {
        error(
          line, index, "'usesrc' is not supported: servers see Fairlead's address; use 'send-proxy'"
        )
        return nil
      }
      guard let name = string(line, index + 1, "interface") else { return nil }
      guard name.utf8.count <= 15 else {
        error(line, index + 1, "interface names have at most 15 bytes")
        return nil
      }
      result.interface = name
      index += 2
    }
    // Every address and any port is no address at all once an interface is named.
    if isAny, result.interface != nil, case .ip(_, 0) = local { result.address = nil }
    return result
  }

  // MARK: server lines

  func defaultServer(_ line: Line) {
    guard line.text(1) != nil else {
      return error(line, 1, "'default-server' expects server options as arguments")
    }
    var draft = section == .defaults ? defaults.defaultServer : proxy?.settings.defaultServer
    draft?.place = Place(line)
    guard var result = draft else { return }
    serverOptions(line, from: 1, into: &result, isDefault: true)
    change { $0.defaultServer = result }
  }

  func server(_ line: Line) {
    guard let name = line.text(1), let text = line.text(2) else {
      return error(
        line, max(1, line.words.count),
        "'server' expects <name> and <addr>[:<port>] as arguments.")
    }
    guard let scalar = name.unicodeScalars.first(where: { !HAProxyParser.isNameScalar($0) })
    else { return namedServer(line, name, text) }
    error(line, 1, "character '\(scalar)' is not permitted in server name '\(name)'.")
  }

  private func namedServer(_ line: Line, _ name: String, _ text: String) {
    // No copy of the whole draft: it would make every append copy all servers before it.
    guard let proxyName = proxy?.name, let proxyTitle = proxy?.title,
      var draft = proxy?.settings.defaultServer
    else { return }
    draft.place = Place(line, 1)
    draft.server.name = name
    draft.server.origin = Origin("\(line.source.file):\(line.source.number)")
    let title = "server \(proxyName)/\(name)"
    let address = address(line, 2, title)
    if let address, let target = accept(address.server(text), line, 2, title) {
      draft.server.host = target.host
      draft.server.port = target.port
      // A name with a family named in front asks for that family's addresses.
      if case .name = target.host, address.family == .v4 { draft.server.resolvePreferIPv4 = true }
    }
    serverOptions(line, from: 3, into: &draft, isDefault: false)
    if let other = serverLines[name] {
      error(
        line, 1,
        "\(proxyTitle), another server named '\(name)' was already defined at line "
          + "\(other), please use distinct names.")
    }
    serverLines[name] = line.source.number
    proxy?.servers.append(draft)
  }

  private func serverOptions(
    _ line: Line, from start: Int, into draft: inout ServerDraft, isDefault: Bool
  ) {
    var index = start
    while index < line.words.count {
      guard let next = serverOption(line, index, &draft, isDefault: isDefault) else { return }
      index = next
    }
  }
}
