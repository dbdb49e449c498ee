// Text form of addresses: strict parsing of numeric IPv4 and IPv6, and RFC 5952 printing.

extension IPAddress {
  /// Parses a dotted quad or an IPv6 address (RFC 4291, section 2.2). No zone, no brackets, no
  /// name, no shortened IPv4; anything else is nil.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count <= 45 else { return nil }
    if bytes.contains(UInt8(ascii: ":")) {
      guard let groups = IPAddress.groups(bytes) else { return nil }
      let words = groups.map { UInt64($0) }
      self = .v6(
        high: words[0] << 48 | words[1] << 32 | words[2] << 16 | words[3],
        low: words[4] << 48 | words[5] << 32 | words[6] << 16 | words[7])
    } else {
      guard let value = IPAddress.quad(bytes[...]) else { return nil }
      self = .v4(value)
    }
  }

  /// All bits zero: `0.0.0.0` or `::`.
  public var isUnspecified: Bool { self == .v4(0) || self == .v6(high: 0, low: 0) }

  private static func quad(_ bytes: ArraySlice<UInt8>) -> UInt32? {
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ (48...57).contains($0) }) else {
        return nil
      }
      let number = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 48) }
      guard number <= 255 else { return nil }
      value = value << 8 | number
    }
    return value
  }

  /// The eight groups of an IPv6 address.
  private static func groups(_ bytes: [UInt8]) -> [UInt16]? {
    let colon = UInt8(ascii: ":")
    var gap: Int?
    for index in bytes.indices.dropLast() where bytes[index] == colon {
      if bytes[index + 1] == colon {
        guard gap == nil else { return nil }
        gap = index
      }
    }
    guard let gap else {
      let whole = run(bytes[...])
      return whole?.count == 8 ? whole : nil
    }
    let left = bytes[..<gap]
    let right = bytes[(gap + 2)...]
    guard let before = left.isEmpty ? [] : run(left, mayEndInQuad: false),
      let after = right.isEmpty ? [] : run(right)
    else { return nil }
    guard before.count + after.count <= 7 else { return nil }
    return before + Array(repeating: 0, count: 8 - before.count - after.count) + after
  }

  private static func run(_ bytes: ArraySlice<UInt8>, mayEndInQuad: Bool = true) -> [UInt16]? {
    let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count <= 8 else { return nil }
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      if part.contains(UInt8(ascii: ".")) {
        guard mayEndInQuad, index == parts.count - 1, let value = quad(part) else { return nil }
        groups.append(UInt16(value >> 16))
        groups.append(UInt16(value & 0xffff))
        continue
      }
      guard (1...4).contains(part.count), part.allSatisfy({ hexadecimalValue($0) != nil }),
        let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16)
      else { return nil }
      groups.append(group)
    }
    return groups
  }
}

extension IPAddress: CustomStringConvertible {
  /// Dotted quad, or the canonical form of RFC 5952: lower case, longest run of zero groups
  /// (two or more, the first of equals) as `::`, IPv4-mapped addresses with a dotted quad.
  public var description: String {
    switch self {
    case .v4(let value):
      return "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
    case .v6(let high, let low):
      if high == 0, low >> 32 == 0xffff {
        return "::ffff:" + IPAddress.v4(UInt32(truncatingIfNeeded: low)).description
      }
      let groups = (0..<8).map { index -> UInt16 in
        let half = index < 4 ? high : low
        return UInt16(truncatingIfNeeded: half >> UInt64(48 - 16 * (index % 4)))
      }
      return IPAddress.compressed(groups)
    }
  }

  private static func compressed(_ groups: [UInt16]) -> String {
    var best = 0..<0
    var index = 0
    while index < 8 {
      var end = index
      while end < 8, groups[end] == 0 { end += 1 }
      if end - index > max(best.count, 1) { best = index..<end }
      index = max(end, index + 1)
    }
    func text(_ part: ArraySlice<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    guard !best.isEmpty else { return text(groups[...]) }
    return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
  }
}

extension SocketAddress: CustomStringConvertible {
  /// The form HAProxy's dialect parses back: `127.0.0.1:80`, `[::1]:80`, `unix@/run/x`,
  /// `abns@name`, `fd@3`.
  public var description: String {
    switch self {
    case .ip(.v4(let value), let port): "\(IPAddress.v4(value)):\(port)"
    case .ip(let address, let port): "[\(address)]:\(port)"
    case .unix(let path): "unix@\(path)"
    case .abstract(let name): "abns@\(name)"
    case .descriptor(let number): "fd@\(number)"
    }
  }
}

/// The value of one hexadecimal digit, or nil.
func hexadecimalValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 48...57: byte - 48
  case 65...70: byte - 55
  case 97...102: byte - 87
  default: nil
  }
}
