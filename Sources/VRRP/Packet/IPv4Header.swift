// The IPv4 header that a raw socket hands over with a packet, and that we put before ours.

/// The fields of an IPv4 header (RFC 791, section 3.1) that matter here.
public struct IPv4Header: Equatable, Sendable {
  public var source: ProtocolAddress
  public var destination: ProtocolAddress
  public var timeToLive: UInt8
  public var identification: UInt16

  public init(
    source: ProtocolAddress, destination: ProtocolAddress, timeToLive: UInt8 = Wire.hopLimit,
    identification: UInt16
  ) {
    self.source = source
    self.destination = destination
    self.timeToLive = timeToLive
    self.identification = identification
  }

  /// Reads a header; `payload` is what follows it, without the link's padding. Throws when it is
  /// no IPv4 header or ends early; never traps.
  public static func decode(
    _ bytes: ArraySlice<UInt8>
  ) throws(DropReason) -> (header: IPv4Header, payload: ArraySlice<UInt8>) {
    let start = bytes.startIndex
    guard bytes.count >= Wire.ipHeaderBytes, bytes[start] >> 4 == 4 else { throw .badIPHeader }
    let headerLength = Int(bytes[start] & 0xf) * 4
    let total = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
    guard headerLength >= Wire.ipHeaderBytes, total >= headerLength, bytes.count >= total,
      bytes[start + 9] == Wire.protocolNumber,
      let source = ProtocolAddress(bytes[(start + 12)...], isV4: true),
      let destination = ProtocolAddress(bytes[(start + 16)...], isV4: true)
    else { throw .badIPHeader }
    let header = IPv4Header(
      source: source, destination: destination, timeToLive: bytes[start + 8],
      identification: UInt16(bytes[start + 4]) << 8 | UInt16(bytes[start + 5]))
    return (header, bytes[(start + headerLength)..<(start + total)])
  }

  /// The header followed by `payload`, checksum included, as IP_HDRINCL wants it.
  public func encoded(before payload: [UInt8]) -> [UInt8] {
    let total = UInt16(truncatingIfNeeded: Wire.ipHeaderBytes + payload.count)
    var bytes: [UInt8] = [
      0x45, Wire.trafficClass, UInt8(total >> 8), UInt8(total & 0xff),
      UInt8(identification >> 8), UInt8(identification & 0xff), 0, 0,
      timeToLive, Wire.protocolNumber, 0, 0,
    ]
    source.append(to: &bytes)
    destination.append(to: &bytes)
    var checksum = Checksum()
    checksum.add(bytes[...])
    bytes[10] = UInt8(checksum.value >> 8)
    bytes[11] = UInt8(checksum.value & 0xff)
    return bytes + payload
  }
}
