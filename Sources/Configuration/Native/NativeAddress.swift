// Addresses as the native file writes them: `10.0.0.1:6443`, `[::1]:6443`, `*:80`, `name:6443`.

enum NativeAddress {
  /// Where to listen. A port alone listens on every IPv4 address.
  static func listening(_ reader: NativeReader, _ value: NativeValue) -> SocketAddress? {
    let text = value.text ?? ""
    if let address = listening(text) { return address }
    let isNumber = !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
    let problem =
      isNumber
      ? noPort(text)
      : portProblem(text)
        ?? split(text).map { "expected a numeric address or '*' to listen on, not '\($0.0)'" }
    reader.report(
      at: value,
      problem
        ?? "expected an address and a port to listen on, such as 0.0.0.0:6443 or '[::]:6443'")
    return nil
  }

  static func listening(_ text: String) -> SocketAddress? {
    if let port = HAProxyUnits.integer(text, in: 1...65535) {
      return .ip(.v4(0), port: UInt16(port))
    }
    guard let (host, port) = split(text) else { return nil }
    if host == "*" || host.isEmpty { return .ip(.v4(0), port: port) }
    return IPAddress(host).map { .ip($0, port: port) }
  }

  static func server(_ reader: NativeReader, _ value: NativeValue) -> Server.Endpoint? {
    let text = value.text ?? ""
    if let (host, port) = split(text) {
      if let address = IPAddress(host), !address.isUnspecified {
        return Server.Endpoint(host: .ip(address), port: .fixed(port))
      }
      if isName(host) { return Server.Endpoint(host: .name(host), port: .fixed(port)) }
    }
    if let endpoint = unusual(value.text ?? "") { return endpoint }
    reader.report(
      at: value,
      portProblem(text) ?? split(text).map { "'\($0.0)' is no address of a server" }
        ?? "expected an address or a name, and a port, such as 10.0.0.21:6443")
    return nil
  }

  /// A socket (`unix@/run/x`, `abns@x`), the client's own port and an offset (`10.0.0.1:+0`), or
  /// the address the client asked for (`*:6443`).
  private static func unusual(_ text: String) -> Server.Endpoint? {
    guard case .value(let parts) = AddressText.read(text),
      case .value(let found) = parts.server(text)
    else { return nil }
    let endpoint = Server.Endpoint(host: found.host, port: found.port)
    switch (parts.host, parts.port) {
    case (.unix, _), (.abstract, _): return endpoint
    case (.any, .range) where text.hasPrefix("*"), (.any, .offset) where text.hasPrefix("*"):
      return endpoint
    case (.ip, .offset), (.name, .offset): return endpoint
    default: return nil
    }
  }

  private static func noPort(_ text: String) -> String { "'\(text)' is no port from 1 to 65535" }

  /// What keeps `split` from finding a port; nil when it is nothing of the usual.
  private static func portProblem(_ text: String) -> String? {
    guard !text.isEmpty, split(text) == nil else { return nil }
    if let scheme = text.range(of: "://") {
      return "an address and a port only, without '\(text[..<scheme.upperBound])'"
    }
    let colons = text.utf8.count { $0 == 58 }
    if colons > 1, !text.hasPrefix("[") {
      return "an IPv6 address with a port needs brackets and quotes, such as '[fd00::1]:6443'"
    }
    if colons == 0 || text.hasSuffix("]") {
      let isHost = colons > 0 || IPAddress(text) != nil || isName(text)
      return isHost ? "the port is missing, such as \(text):6443" : nil
    }
    let port = text[text.index(after: text.lastIndex(of: ":") ?? text.startIndex)...]
    let isValid = HAProxyUnits.integer(String(port), in: 1...65535) != nil
    return isValid ? nil : noPort(String(port))
  }

  static func print(_ endpoint: Server.Endpoint) -> String {
    let host = HAProxyPrinter.word(endpoint.host)
    switch (endpoint.host, endpoint.port) {
    case (.unix, _), (.abstract, _): return host
    case (_, .fixed(let port)): return "\(host):\(port)"
    case (_, .offset(let offset)): return "\(host):\(offset < 0 ? "" : "+")\(offset)"
    }
  }

  // MARK: sources

  static func source(_ reader: NativeReader, _ value: NativeValue) -> SourceAddress?? {
    var source = SourceAddress(address: nil)
    guard value.node.mapping != nil else {
      source.address = local(reader, value) ?? nil
      return .some(source)
    }
    reader.read(value, into: &source, with: sourceKeys)
    if source.address == nil, source.interface == nil, !reader.hasErrors {
      reader.report(at: value, "'address' or 'interface' is missing")
    }
    return .some(source)
  }

  static var sourceKeys: [NativeKey<SourceAddress>] {
    [
      NativeKey("address", \.address, read: local, print: { $0.map { .scalar(sourceText($0)) } }),
      .word("interface", \.interface),
    ]
  }

  static func printSource(_ source: SourceAddress?) -> NativeOutput? {
    guard let source else { return nil }
    if source.interface == nil, let address = source.address {
      return .scalar(sourceText(address))
    }
    return .map(NativePrinter.pairs(source, SourceAddress(address: nil), sourceKeys))
  }

  private static func sourceText(_ address: SocketAddress) -> String {
    if case .ip(let ip, port: 0) = address { return ip.description }
    return address.description
  }

  /// An own address, with a port or, better, without.
  private static func local(_ reader: NativeReader, _ value: NativeValue) -> SocketAddress?? {
    let text = value.text ?? ""
    if let address = IPAddress(text) { return .some(.ip(address, port: 0)) }
    if case .value(let parts) = AddressText.read(text), case .ip = parts.host,
      case .value(let address) = parts.numeric(text, defaultPort: 0)
    {
      return .some(address)
    }
    reader.report(at: value, "expected a numeric address of this machine, such as 10.0.0.9")
    return nil
  }

  /// The host without brackets, and the port, 1...65535.
  private static func split(_ text: String) -> (String, UInt16)? {
    guard let colon = text.utf8.lastIndex(of: 58), text.utf8.last.map({ $0 != 58 }) ?? false,
      (48...57).contains(text.utf8[text.utf8.index(after: colon)]),
      let port = HAProxyUnits.integer(String(text[text.index(after: colon)...]), in: 1...65535)
    else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
      guard host.utf8.contains(58) else { return nil }
    } else if host.utf8.contains(58) {
      return nil
    }
    return (host, UInt16(port))
  }

  /// Letters, and not only digits and dots: that would be a broken address.
  private static func isName(_ host: String) -> Bool {
    guard (1...253).contains(host.utf8.count), host.utf8.first != 45 else { return false }
    let isWord = host.utf8.allSatisfy {
      switch $0 {
      case 45, 46, 48...57, 65...90, 95, 97...122: true
      default: false
      }
    }
    return isWord && !host.utf8.allSatisfy { $0 == 46 || (48...57).contains($0) }
  }

  /// An address to hold: as `prefixed`, or with more words of ip-address(8).
  static func held(_ reader: NativeReader, _ value: NativeValue) -> VirtualAddress? {
    if value.text?.utf8.contains(32) == true { return NativeLines.address(reader, value) }
    guard let (address, length) = prefixed(reader, value) else { return nil }
    if !address.isUnspecified { return VirtualAddress(address, prefixLength: length) }
    reader.report(at: value, "this cannot be a virtual address")
    return nil
  }

  /// Addresses to hold, each once. `objection`: what is wrong with one beside the first.
  static func allHeld(
    _ reader: NativeReader, _ value: NativeValue, most: (count: Int, problem: String),
    _ objection: (_ first: VirtualAddress, _ held: VirtualAddress) -> String?
  ) -> [VirtualAddress]? {
    var found: [VirtualAddress] = []
    for element in reader.elements(value, acceptsOne: true) {
      guard let held = held(reader, element) else { continue }
      if found.contains(where: { $0.address == held.address }) {
        reader.report(at: element, "this address is already there")
      } else if let problem = found.first.flatMap({ objection($0, held) }) {
        reader.report(at: element, problem)
      } else {
        found.append(held)
      }
    }
    if found.count <= most.count { return found }
    reader.report(at: value, most.problem)
    return nil
  }

  /// `10.0.0.179/26`; without a length the address alone.
  static func prefixed(
    _ reader: NativeReader, _ value: NativeValue
  ) -> (address: IPAddress, prefix: UInt8)? {
    let parts = (value.text ?? "").split(
      separator: "/", maxSplits: 1, omittingEmptySubsequences: false
    ).map(String.init)
    guard let first = parts.first, let address = IPAddress(first) else {
      reader.report(at: value, "expected an address with its prefix length, such as 10.0.0.179/26")
      return nil
    }
    let most = address.family == .v4 ? 32 : 128
    guard parts.count == 2 else { return (address, UInt8(most)) }
    guard let length = HAProxyUnits.integer(parts[1], in: 1...most) else {
      reader.report(at: value, "the prefix length is a number from 1 to \(most)")
      return nil
    }
    return (address, UInt8(length))
  }

  static func contains(_ address: IPAddress, in network: IPAddress, prefix: UInt8) -> Bool {
    switch (address, network) {
    case (.v4(let a), .v4(let b)):
      return prefix == 0 || prefix <= 32 && (a ^ b) >> (32 - UInt32(prefix)) == 0
    case (.v6(let aHigh, let aLow), .v6(let bHigh, let bLow)):
      if prefix == 0 { return true }
      if prefix <= 64 { return (aHigh ^ bHigh) >> (64 - UInt64(prefix)) == 0 }
      return aHigh == bHigh && prefix <= 128 && (aLow ^ bLow) >> (128 - UInt64(prefix)) == 0
    default: return false
    }
  }
}
