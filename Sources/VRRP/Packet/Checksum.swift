// The Internet checksum (RFC 1071) and the pseudo-headers of IPv4 and IPv6.

/// A running one's complement sum of 16-bit words.
struct Checksum {
  private var sum: UInt64 = 0

  /// Adds bytes; an odd one at the end counts as the high half of a word.
  mutating func add(_ bytes: ArraySlice<UInt8>) {
    var index = bytes.startIndex
    while index + 1 < bytes.endIndex {
      sum &+= UInt64(bytes[index]) << 8 | UInt64(bytes[index + 1])
      index += 2
    }
    if index < bytes.endIndex { sum &+= UInt64(bytes[index]) << 8 }
  }

  /// Addresses, protocol number and length, as both pseudo-headers amount to the same sum (RFC
  /// 8200, section 8.1; RFC 9568, section 5.2.8).
  mutating func addPseudoHeader(
    source: ProtocolAddress, destination: ProtocolAddress, length: Int
  ) {
    var bytes: [UInt8] = []
    source.append(to: &bytes)
    destination.append(to: &bytes)
    add(bytes[...])
    sum &+= UInt64(Wire.protocolNumber) &+ UInt64(truncatingIfNeeded: length)
  }

  /// 0 over bytes that contain their own correct checksum.
  var value: UInt16 {
    var folded = sum
    while folded >> 16 != 0 { folded = (folded & 0xffff) &+ (folded >> 16) }
    return ~UInt16(truncatingIfNeeded: folded)
  }
}
