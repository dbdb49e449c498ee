// An IP address as the protocol compares and carries it. The module imports nothing, so it has
// its own.

/// An IPv4 or IPv6 address as numbers in host byte order. The order is that of the addresses as
/// unsigned integers, which decides ties (RFC 9568, section 6.4.3); IPv4 sorts before IPv6.
public enum ProtocolAddress: Hashable, Comparable, Sendable {
  case v4(UInt32)
  /// The first and last eight bytes.
  case v6(high: UInt64, low: UInt64)

  public static func < (a: ProtocolAddress, b: ProtocolAddress) -> Bool {
    switch (a, b) {
    case (.v4(let x), .v4(let y)): x < y
    case (.v4, .v6): true
    case (.v6, .v4): false
    case (.v6(let aHigh, let aLow), .v6(let bHigh, let bLow)):
      aHigh == bHigh ? aLow < bLow : aHigh < bHigh
    }
  }

  public var isV4: Bool {
    switch self {
    case .v4: true
    case .v6: false
    }
  }

  /// 4 or 16.
  public var byteCount: Int { isV4 ? 4 : 16 }

  /// 224.0.0.0/4 or ff00::/8.
  public var isMulticast: Bool {
    switch self {
    case .v4(let value): value >> 28 == 0xe
    case .v6(let high, _): high >> 56 == 0xff
    }
  }

  /// The bytes in network order.
  func append(to bytes: inout [UInt8]) {
    switch self {
    case .v4(let value):
      for shift in stride(from: 24, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
      }
    case .v6(let high, let low):
      for half in [high, low] {
        for shift in stride(from: 56, through: 0, by: -8) {
          bytes.append(UInt8(truncatingIfNeeded: half >> UInt64(shift)))
        }
      }
    }
  }

  /// Reads an address from network order. Nil when the bytes end too early.
  init?(_ bytes: ArraySlice<UInt8>, isV4: Bool) {
    guard bytes.count >= (isV4 ? 4 : 16) else { return nil }
    let start = bytes.startIndex
    func word(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[start + offset + $1]) }
    }
    if isV4 {
      self = .v4(word(0))
    } else {
      self = .v6(
        high: UInt64(word(0)) << 32 | UInt64(word(4)),
        low: UInt64(word(8)) << 32 | UInt64(word(12)))
    }
  }
}
