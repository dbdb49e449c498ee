// Single lines of the canonical text: binds, servers, log targets.

extension HAProxyPrinter {
  static func words(_ target: LogTarget) -> [String] {
    var words: [String]
    switch target.destination {
    case .udp(let address): words = [address.description]
    case .udpName(let host, let port): words = ["\(host):\(port)"]
    case .unixDatagram(let path): words = [path]
    case .stdout: words = ["stdout"]
    case .stderr: words = ["stderr"]
    case .descriptor(let number): words = ["fd@\(number)"]
    }
    if target.maximumLength != 1024 { words += ["len", String(target.maximumLength)] }
    if target.format != .local { words += ["format", target.format.rawValue] }
    if let sample = target.sample {
      let ranges = sample.ranges.map {
        $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
      }
      words += ["sample", ranges.joined(separator: ",") + ":\(sample.size)"]
    }
    words.append("\(target.facility)")
    if target.maximumLevel != .debug || target.minimumLevel != nil {
      words.append("\(target.maximumLevel)")
    }
    if let level = target.minimumLevel { words.append("\(level)") }
    return words
  }

  static func words(_ bind: Bind) -> [String] {
    var words = [addresses(bind.addresses).joined(separator: ",")]
    if let name = bind.name { words += ["name", name] }
    if let name = bind.interface { words += ["interface", name] }
    switch bind.familyMode {
    case .systemDefault: break
    case .v4v6: words.append("v4v6")
    case .v6only: words.append("v6only")
    }
    if let value = bind.maxconn { words += ["maxconn", String(value)] }
    if let value = bind.backlog { words += ["backlog", String(value)] }
    if bind.acceptProxy { words.append("accept-proxy") }
    if bind.transparent { words.append("transparent") }
    if bind.deferAccept { words.append("defer-accept") }
    if bind.tcpFastOpen { words.append("tfo") }
    if let value = bind.maxSegmentSize { words += ["mss", String(value)] }
    if let value = bind.tcpUserTimeout { words += ["tcp-ut", HAProxyUnits.print(value)] }
    if let mode = bind.mode { words += ["mode", String(mode, radix: 8)] }
    if let owner = bind.owner { words += [isNumber(owner) ? "uid" : "user", owner] }
    if let group = bind.group { words += [isNumber(group) ? "gid" : "group", group] }
    if let id = bind.id { words += ["id", String(id)] }
    return words
  }

  /// Addresses as texts, consecutive ports as ranges.
  static func addresses(_ list: [SocketAddress]) -> [String] {
    var parts: [String] = []
    var index = 0
    while index < list.count {
      guard case .ip(let ip, let first) = list[index] else {
        parts.append(list[index].description)
        index += 1
        continue
      }
      var last = first
      index += 1
      while index < list.count, last < UInt16.max, list[index] == .ip(ip, port: last + 1) {
        last += 1
        index += 1
      }
      let text = list[index - 1 - Int(last - first)].description
      parts.append(last == first ? text : "\(text)-\(last)")
    }
    return parts
  }

  static func word(_ balance: Balance) -> String {
    switch balance {
    case .roundRobin: "roundrobin"
    case .staticRoundRobin: "static-rr"
    case .leastConnections: "leastconn"
    case .first: "first"
    case .source: "source"
    case .random(let draws): "random(\(draws))"
    }
  }

  static func words(_ type: HashType) -> [String] {
    var words = [type.method == .mapBased ? "map-based" : "consistent"]
    if let function = type.function { words.append("\(function)") }
    if type.avalanche { words.append("avalanche") }
    return words
  }

  static func words(_ source: SourceAddress) -> [String] {
    var words: [String]
    switch source.address {
    case nil: words = ["0.0.0.0"]
    case .ip(.v6(let high, let low), port: 0): words = ["[\(IPAddress.v6(high: high, low: low))]"]
    case .ip(let ip, port: 0): words = [ip.description]
    case let address?: words = [address.description]
    }
    if let name = source.interface { words += ["interface", name] }
    return words
  }

  static func word(_ host: ServerHost) -> String {
    switch host {
    case .ip(let ip): if case .v6 = ip { "[\(ip)]" } else { ip.description }
    case .name(let name): name
    case .unix(let path): "unix@\(path)"
    case .abstract(let name): "abns@\(name)"
    case .clientDestination: "*"
    }
  }

  static func words(_ server: Server) -> [String] {
    var address = word(server.host)
    switch server.port {
    case .fixed(let port): address += ":\(port)"
    case .offset(0): break
    case .offset(let offset): address += offset < 0 ? ":\(offset)" : ":+\(offset)"
    }
    var words = [server.name, address]
    if let id = server.id { words += ["id", String(id)] }
    if server.weight != 1 { words += ["weight", String(server.weight)] }
    if server.maxconn != 0 { words += ["maxconn", String(server.maxconn)] }
    if server.minconn != 0 { words += ["minconn", String(server.minconn)] }
    if server.maxqueue != 0 { words += ["maxqueue", String(server.maxqueue)] }
    if server.isBackup { words.append("backup") }
    if server.isDisabled { words.append("disabled") }
    if let value = server.slowstart { words += ["slowstart", HAProxyUnits.print(value)] }
    if server.shutdownSessionsOnDown { words += ["on-marked-down", "shutdown-sessions"] }
    if server.shutdownBackupSessionsOnUp { words += ["on-marked-up", "shutdown-backup-sessions"] }
    switch server.sendProxy {
    case nil: break
    case .v1: words.append("send-proxy")
    case .v2: words.append("send-proxy-v2")
    }
    if let value = server.tcpUserTimeout { words += ["tcp-ut", HAProxyUnits.print(value)] }
    if let source = server.source { words += ["source"] + self.words(source) }
    if let name = server.resolvers { words += ["resolvers", name] }
    if server.resolvePreferIPv4 { words += ["resolve-prefer", "ipv4"] }
    if server.initAddress != [.last, .libc] {
      words += ["init-addr", server.initAddress.map(word).joined(separator: ",")]
    }
    if let track = server.track { words += ["track", "\(track.backend)/\(track.server)"] }
    if let check = server.check { words += self.words(check) }
    return words
  }

  private static func word(_ method: InitAddress) -> String {
    switch method {
    case .last: "last"
    case .libc: "libc"
    case .none: "none"
    case .ip(let ip): ip.description
    }
  }

  private static func words(_ check: ServerCheck) -> [String] {
    var words = ["check", "inter", HAProxyUnits.print(check.interval)]
    if let value = check.fastInterval { words += ["fastinter", HAProxyUnits.print(value)] }
    if let value = check.downInterval { words += ["downinter", HAProxyUnits.print(value)] }
    words += ["rise", String(check.rise), "fall", String(check.fall)]
    if let address = check.address { words += ["addr", word(address)] }
    if let port = check.port { words += ["port", String(port)] }
    if check.sendProxy != nil { words.append("check-send-proxy") }
    guard let tls = check.tls else { return words }
    words += ["check-ssl", "verify", tls.verify ? "required" : "none"]
    if let file = tls.caFile { words += ["ca-file", file] }
    if let host = tls.verifyHost { words += ["verifyhost", host] }
    if let name = tls.serverName { words += ["check-sni", name] }
    if !tls.alpn.isEmpty { words += ["check-alpn", tls.alpn.joined(separator: ",")] }
    if let file = tls.certificateFile { words += ["crt", file] }
    return words
  }
}
