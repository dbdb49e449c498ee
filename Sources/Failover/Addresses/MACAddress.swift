// An Ethernet address, and the one a virtual router has.

import Configuration

/// Six bytes of an Ethernet address.
public struct MACAddress: Hashable, Sendable, CustomStringConvertible {
  /// The 48 bits, first byte highest.
  public let number: UInt64

  public init(number: UInt64) { self.number = number & 0xffff_ffff_ffff }

  /// Nil unless there are six bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 6 else { return nil }
    number = bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The virtual router MAC address of RFC 9568, section 7.3: 00-00-5E-00-01-VRID for IPv4,
  /// 00-00-5E-00-02-VRID for IPv6.
  public init(virtualRouter id: UInt8, family: AddressFamily) {
    let kind: UInt64 =
      switch family {
      case .v4: 1
      case .v6: 2
      }
    number = 0x5e00_0000 | kind << 8 | UInt64(id)
  }

  public static let broadcast = MACAddress(number: 0xffff_ffff_ffff)

  public var bytes: [UInt8] {
    (0..<6).map { UInt8(truncatingIfNeeded: number >> UInt64(40 - 8 * $0)) }
  }

  public var description: String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(separator: ":")
  }
}

extension IPAddress {
  /// Network byte order: four or sixteen bytes.
  var networkBytes: [UInt8] {
    switch self {
    case .v4(let value):
      (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
    case .v6(let high, let low):
      [high, low].flatMap { half in
        (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
      }
    }
  }

  /// From four or sixteen bytes in network order; nil for any other count.
  init?(networkBytes bytes: some Collection<UInt8>) {
    switch bytes.count {
    case 4: self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      self = .v6(
        high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
        low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) })
    default: return nil
    }
  }

  /// fe80::/10.
  public var isLinkLocalIPv6: Bool {
    if case .v6(let high, _) = self { return high >> 54 == 0xfe80 >> 6 }
    return false
  }
}
