// Addresses in every form a TCP proxy meets (manual, section 11.1): one reader, and what
// listeners, servers, sources and log targets each make of the result.

/// What stands in an address before its use is known.
struct AddressText {
  enum Host: Equatable {
    case ip(IPAddress)
    /// Empty or `*`: every address, IPv4 unless a family was named.
    case any(v6: Bool)
    case name(String)
    case unix(String)
    case abstract(String)
    case descriptor(Int32)
    case stdout, stderr
  }
  enum Port: Equatable {
    case none
    case range(ClosedRange<Int>)
    case offset(Int)
  }
  enum Family { case any, v4, v6 }
  var host: Host
  var port: Port
  var family: Family = .any
  /// `udp@` and its like.
  var isDatagram = false

  /// The longest path or abstract name that fits sockaddr_un.
  static let maximumPath = 107

  static func read(_ text: String) -> Reading<AddressText> {
    var rest = text[...]
    var result = AddressText(host: .any(v6: false), port: .none)
    // `@` is what makes a prefix: `unix@/run/x`, `ipv4@1.2.3.4:80`.
    if let at = rest.firstIndex(of: "@"), !rest.hasPrefix("/") {
      let prefix = String(rest[..<at])
      rest = rest[rest.index(after: at)...]
      switch prefix {
      case "ipv4", "tcp4", "udp4": result.family = .v4
      case "ipv6", "tcp6", "udp6": result.family = .v6
      case "tcp", "udp": break
      case "unix", "uxst", "uxdg": return path(String(rest), datagram: prefix == "uxdg")
      case "abns": return abstract(String(rest))
      case "fd":
        guard let number = HAProxyUnits.integer(String(rest), in: 0...Int(Int32.max)) else {
          return .wrong("file descriptor '\(rest)' is not a valid integer in '\(text)'")
        }
        result.host = .descriptor(Int32(number))
        return .value(result)
      case "quic", "quic4", "quic6", "sockpair", "rhttp", "mptcp", "mptcp4", "mptcp6", "abnsz",
        "ring", "backend":
        return .wrong("'\(prefix)@' addresses are not supported in '\(text)'")
      default: return .wrong("unknown address prefix '\(prefix)@' in '\(text)'")
      }
      result.isDatagram = prefix.hasPrefix("udp")
    }
    if rest.hasPrefix("/") { return path(String(rest), datagram: false) }
    return hostAndPort(String(rest), into: result, whole: text)
  }

  private static func path(_ path: String, datagram: Bool) -> Reading<AddressText> {
    guard path.hasPrefix("/") else {
      return .wrong("the socket path '\(path)' does not start with '/'")
    }
    guard path.utf8.count <= maximumPath else {
      return .wrong("socket path '\(path)' too long (max \(maximumPath))")
    }
    guard !path.contains("$") else { return .wrong("a socket path cannot hold '$'") }
    var result = AddressText(host: .unix(path), port: .none)
    result.isDatagram = datagram
    return .value(result)
  }

  private static func abstract(_ name: String) -> Reading<AddressText> {
    guard !name.isEmpty, name.utf8.count <= maximumPath, !name.contains("$") else {
      return .wrong("an abstract socket name has 1 to \(maximumPath) bytes and no '$'")
    }
    return .value(AddressText(host: .abstract(name), port: .none))
  }

  /// The last colon separates the port unless a closing bracket comes after it.
  private static func hostAndPort(
    _ text: String, into start: AddressText, whole: String
  ) -> Reading<AddressText> {
    var result = start
    var host = text
    if let mark = text.lastIndex(where: { $0 == ":" || $0 == "]" }), text[mark] == ":" {
      host = String(text[..<mark])
      switch port(String(text[text.index(after: mark)...]), whole: whole) {
      case .value(let port), .doubtful(let port, _): result.port = port
      case .wrong(let message): return .wrong(message)
      }
    }
    var bare = host
    if host.hasPrefix("["), host.hasSuffix("]") { bare = String(host.dropFirst().dropLast()) }
    if bare.isEmpty || bare == "*" {
      guard bare == host else { return .wrong("invalid address: '\(host)' in '\(whole)'") }
      result.host = .any(v6: result.family == .v6)
      return .value(result)
    }
    if let address = IPAddress(bare) {
      let isV6 = if case .v6 = address { true } else { false }
      guard result.family == .any || (result.family == .v6) == isV6, isV6 || bare == host else {
        return .wrong("invalid address: '\(host)' in '\(whole)'")
      }
      result.host = .ip(address)
      return .value(result)
    }
    guard isHostName(bare), bare == host else {
      return .wrong("invalid address: '\(host)' in '\(whole)'")
    }
    result.host = .name(bare)
    return .value(result)
  }

  private static func port(_ text: String, whole: String) -> Reading<Port> {
    guard let first = text.first else { return .value(.none) }
    if first == "+" || first == "-" {
      guard let offset = HAProxyUnits.integer(text, in: -65_535...65_535) else {
        return .wrong("invalid port offset '\(text)' in '\(whole)'")
      }
      return .value(.offset(offset))
    }
    let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
      .map { HAProxyUnits.integer(String($0), in: 0...65_535) }
    guard let low = ends[0], let high = ends.count > 1 ? ends[1] : low else {
      return .wrong("invalid port '\(text)' in '\(whole)'")
    }
    guard low <= high else { return .wrong("invalid port range '\(text)' in '\(whole)'") }
    return .value(.range(low...high))
  }

  /// Letters, digits, `-`, `_` and `.`; at most 255 bytes (RFC 1035, section 2.3.4).
  static func isHostName(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    // Digits and dots alone can only be a mistyped address.
    let numeric = bytes.allSatisfy { (48...57).contains($0) || $0 == 46 }
    return (1...255).contains(bytes.count) && !numeric
      && bytes.allSatisfy {
        switch $0 {
        case 48...57, 65...90, 97...122, 45, 46, 95: true
        default: false
        }
      }
  }
}

extension AddressText {
  /// Most addresses that all bind lines together may name.
  static let maximumListeners = 4096

  /// Where a `bind` listens. The port is mandatory and may be a range.
  func listeners(_ text: String) -> Reading<[SocketAddress]> {
    guard !isDatagram else { return .wrong("dgram-type address not acceptable in '\(text)'") }
    let ip: IPAddress
    switch host {
    case .unix(let path): return .value([.unix(path: path)])
    case .abstract(let name): return .value([.abstract(name: name)])
    case .descriptor(let number): return .value([.descriptor(number)])
    case .stdout, .stderr: return .wrong("invalid address: '\(text)'")
    case .ip(let address): ip = address
    case .any(let isV6): ip = isV6 ? .v6(high: 0, low: 0) : .v4(0)
    case .name("localhost"): ip = family == .v6 ? .v6(high: 0, low: 1) : .v4(0x7f00_0001)
    case .name(let name):
      return .wrong("a listening address is numeric: replace '\(name)' in '\(text)'")
    }
    switch port {
    case .none: return .wrong("missing port specification in '\(text)'")
    case .offset: return .wrong("port offset not permitted here in '\(text)'")
    case .range(let range):
      guard range.lowerBound > 0 else { return .wrong("invalid port '0' in '\(text)'") }
      guard range.count <= AddressText.maximumListeners else {
        return .wrong("more than \(AddressText.maximumListeners) addresses in '\(text)'")
      }
      return .value(range.map { .ip(ip, port: UInt16($0)) })
    }
  }

  /// Where a server is. No port, or port 0, means the port the client connected to.
  func server(_ text: String) -> Reading<(host: ServerHost, port: ServerPort)> {
    guard !isDatagram else { return .wrong("dgram-type address not acceptable in '\(text)'") }
    let target: ServerHost
    switch host {
    case .unix(let path): return .value((.unix(path: path), .offset(0)))
    case .abstract(let name): return .value((.abstract(name: name), .offset(0)))
    case .descriptor: return .wrong("a file descriptor is not acceptable here in '\(text)'")
    case .stdout, .stderr: return .wrong("invalid address: '\(text)'")
    case .any: target = .clientDestination
    case .ip(let address): target = address.isUnspecified ? .clientDestination : .ip(address)
    case .name(let name): target = .name(name)
    }
    switch port {
    case .none: return .value((target, .offset(0)))
    case .offset(let offset): return .value((target, .offset(offset)))
    case .range(let range):
      guard range.count == 1 else {
        return .wrong("port range not permitted here in '\(text)'")
      }
      let number = range.lowerBound
      return .value((target, number == 0 ? .offset(0) : .fixed(UInt16(number))))
    }
  }

  /// One numeric address with a fixed port, `defaultPort` when it has none.
  func numeric(_ text: String, defaultPort: UInt16?) -> Reading<SocketAddress> {
    let ip: IPAddress
    switch host {
    case .ip(let address): ip = address
    case .any(let isV6): ip = isV6 ? .v6(high: 0, low: 0) : .v4(0)
    default: return .wrong("'\(text)' is not a numeric address")
    }
    switch port {
    case .none:
      guard let defaultPort else { return .wrong("missing port specification in '\(text)'") }
      return .value(.ip(ip, port: defaultPort))
    case .offset: return .wrong("port offset not permitted here in '\(text)'")
    case .range(let range):
      guard range.count == 1 else {
        return .wrong("port range not permitted here in '\(text)'")
      }
      return .value(.ip(ip, port: UInt16(range.lowerBound)))
    }
  }
}
