// An ADVERTISEMENT, the only message of the protocol.
//
// Version 3 (RFC 9568, section 5.1):
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//   |Reserve| Max Advertise Interval|          Checksum             |
//   |                       IPvX Address(es)                        |
// Version 2 (RFC 3768, section 5.1) has the authentication type and the interval in seconds, a
// byte each, in place of the reserved bits and the interval, and eight bytes of authentication
// data after the addresses.

public struct Advertisement: Equatable, Sendable {
  public enum Authentication: Equatable, Sendable {
    case none
    /// Exactly eight bytes (RFC 2338, section 5.3.6.2).
    case password([UInt8])
    /// Type 2 and unknown types.
    case other(type: UInt8)
  }

  public var version: ProtocolVersion
  /// VRID, 1...255 (0 can be received).
  public var id: UInt8
  /// 0 = the master gives up, 255 = owner of the addresses.
  public var priority: UInt8
  /// Whole seconds in version 2, centiseconds in version 3; cut down to that when encoded.
  public var interval_us: Microseconds
  public var addresses: [ProtocolAddress]
  /// Always none in version 3.
  public var authentication: Authentication

  public init(
    version: ProtocolVersion, id: UInt8, priority: UInt8, interval_us: Microseconds,
    addresses: [ProtocolAddress], authentication: Authentication = .none
  ) {
    self.version = version
    self.id = id
    self.priority = priority
    self.interval_us = interval_us
    self.addresses = addresses
    self.authentication = authentication
  }

  /// Decodes what follows the IP header. `source` and `destination` are those of the IP header;
  /// version 3 sums them up too, unless `sumsPseudoHeader` is false. Bytes after the message are
  /// padding. Throws what is structurally wrong; never traps.
  public init(
    decoding bytes: ArraySlice<UInt8>, source: ProtocolAddress, destination: ProtocolAddress,
    sumsPseudoHeader: Bool = true
  ) throws(DropReason) {
    guard bytes.count >= Wire.headerBytes else { throw .tooShort }
    let start = bytes.startIndex
    guard let version = ProtocolVersion(rawValue: bytes[start] >> 4) else { throw .unknownVersion }
    guard version == .v3 || source.isV4 else { throw .unknownVersion }
    guard bytes[start] & 0xf == Wire.typeAdvertisement else { throw .unknownType }
    let count = Int(bytes[start + 3])
    let addressBytes = source.byteCount
    let trailer = version == .v2 ? Wire.authenticationBytes : 0
    let length = Wire.headerBytes + count * addressBytes + trailer
    guard bytes.count >= length else { throw .lengthMismatch }
    let message = bytes.prefix(length)

    var checksum = Checksum()
    if version == .v3, sumsPseudoHeader {
      checksum.addPseudoHeader(source: source, destination: destination, length: length)
    }
    checksum.add(message)
    guard checksum.value == 0 else { throw .badChecksum }

    self.version = version
    id = bytes[start + 1]
    priority = bytes[start + 2]
    addresses = (0..<count).compactMap { index in
      let offset = start + Wire.headerBytes + index * addressBytes
      return ProtocolAddress(message[offset...], isV4: source.isV4)
    }
    switch version {
    case .v2:
      interval_us = Microseconds(bytes[start + 5]) * Timing.second_us
      switch bytes[start + 4] {
      case 0: authentication = .none
      case 1: authentication = .password(Array(message.suffix(trailer)))
      default: authentication = .other(type: bytes[start + 4])
      }
    case .v3:
      let field = Microseconds(bytes[start + 4] & 0xf) << 8 | Microseconds(bytes[start + 5])
      interval_us = field * Timing.centisecond_us
      authentication = .none
    }
  }

  /// The message with its checksum, without an IP header. Of more than 255 addresses the first
  /// 255 are sent; intervals are cut to what the field holds.
  public func encoded(
    source: ProtocolAddress, destination: ProtocolAddress, sumsPseudoHeader: Bool = true
  ) -> [UInt8] {
    let sent = addresses.prefix(255)
    var bytes: [UInt8] = [
      version.rawValue << 4 | Wire.typeAdvertisement, id, priority, UInt8(sent.count),
    ]
    switch version {
    case .v2:
      let seconds = min(max(interval_us, 0), Timing.longestV2_us) / Timing.second_us
      bytes += [authenticationType, UInt8(seconds)]
    case .v3:
      let field = min(max(interval_us, 0), Timing.longestV3_us) / Timing.centisecond_us
      bytes += [UInt8(field >> 8), UInt8(field & 0xff)]
    }
    bytes += [0, 0]
    for address in sent { address.append(to: &bytes) }
    if version == .v2 {
      var field: [UInt8] = []
      if case .password(let password) = authentication { field = Array(password.prefix(8)) }
      bytes += field + Array(repeating: 0, count: Wire.authenticationBytes - field.count)
    }
    var checksum = Checksum()
    if version == .v3, sumsPseudoHeader {
      checksum.addPseudoHeader(source: source, destination: destination, length: bytes.count)
    }
    checksum.add(bytes[...])
    bytes[6] = UInt8(checksum.value >> 8)
    bytes[7] = UInt8(checksum.value & 0xff)
    return bytes
  }

  private var authenticationType: UInt8 {
    switch authentication {
    case .none: 0
    case .password: 1
    case .other(let type): type
    }
  }
}
