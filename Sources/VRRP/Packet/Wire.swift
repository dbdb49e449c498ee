// Numbers of the wire format, each with where it comes from.

public enum Wire {
  /// IP protocol number (IANA).
  public static let protocolNumber: UInt8 = 112
  /// The only TTL or hop limit a router of the same link can send (RFC 9568, section 5.1.1.3).
  public static let hopLimit: UInt8 = 255
  /// Internetwork control, the traffic class that routing protocols use (RFC 2474).
  public static let trafficClass: UInt8 = 0xc0
  /// 224.0.0.18 and ff02::12 (RFC 9568, sections 5.1.1.2 and 5.1.2.2).
  public static let multicastV4 = ProtocolAddress.v4(0xe000_0012)
  public static let multicastV6 = ProtocolAddress.v6(high: 0xff02 << 48, low: 0x12)
  /// Of the owner of the addresses, and of a master that gives up (section 5.2.4).
  public static let ownerPriority: UInt8 = 255
  public static let resigningPriority: UInt8 = 0
  /// Before the addresses.
  static let headerBytes = 8
  /// After the addresses, version 2 only (RFC 3768, section 5.3.10).
  static let authenticationBytes = 8
  /// ADVERTISEMENT, the only type (section 5.2.2).
  static let typeAdvertisement: UInt8 = 1
  /// IPv4 header without options.
  static let ipHeaderBytes = 20
}
