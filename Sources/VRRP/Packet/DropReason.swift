// Why a packet was not taken: each reason is the log's word and the metric's label.

/// Every way in which a received packet is refused, in the order in which it is looked at.
public enum DropReason: String, Error, CaseIterable, Sendable {
  /// Not an IPv4 header, or one that ends early.
  case badIPHeader = "bad_ip_header"
  /// Shorter than a VRRP header.
  case tooShort = "too_short"
  case unknownVersion = "unknown_version"
  /// Not an ADVERTISEMENT.
  case unknownType = "unknown_type"
  /// Its number of addresses needs more bytes than there are.
  case lengthMismatch = "length_mismatch"
  case badChecksum = "bad_checksum"
  /// No router of ours has this number on this interface.
  case unknownRouter = "unknown_vrid"
  /// Our own packet came back.
  case ownPacket = "own_packet"
  /// TTL or hop limit: came from another link, or outside a peer's range.
  case hopLimit = "hop_limit"
  /// The other version of the protocol.
  case versionMismatch = "version_mismatch"
  case authenticationType = "authentication_type"
  case badPassword = "bad_password"
  /// Version 2 only: the peer's interval is not ours (RFC 3768, section 7.1).
  case intervalMismatch = "interval_mismatch"
  /// A version 3 interval of zero.
  case zeroInterval = "zero_interval"
  /// Multicast where unicast was configured, or the other way round.
  case wrongTransport = "wrong_transport"
  /// A unicast packet of a sender that is not a configured peer.
  case unknownPeer = "unknown_peer"
  /// None of its addresses is ours: another virtual router with the same number.
  case foreignAddresses = "foreign_addresses"
  /// We own the addresses and were told not to listen.
  case ownerIgnores = "owner_ignores"
}
