// What a virtual router is told: the parameters of RFC 9568, section 6.1, and those that
// keepalived adds.

public enum PreemptMode: Equatable, Sendable {
  /// A higher priority takes over from a living master (Preempt_Mode true).
  case immediate
  /// A living master is left alone (Preempt_Mode false).
  case never
  /// A living master of lower priority is left alone for this long after it was first heard.
  case delayed(Microseconds)
}

public enum Transport: Equatable, Sendable {
  case multicast
  /// A packet of anybody else is dropped if `checksSource`.
  case unicast(peers: [UnicastRange], checksSource: Bool)
}

/// A unicast peer and the TTL or hop limit its packets may have.
public struct UnicastRange: Equatable, Sendable {
  public var address: ProtocolAddress
  /// Empty limits are not checked: a peer may be any number of hops away.
  public var minimumTTL: UInt8?
  public var maximumTTL: UInt8?
  public init(_ address: ProtocolAddress, minimumTTL: UInt8? = nil, maximumTTL: UInt8? = nil) {
    self.address = address
    self.minimumTTL = minimumTTL
    self.maximumTTL = maximumTTL
  }
}

public struct RouterSettings: Equatable, Sendable {
  /// VRID, 1...255.
  public var id: UInt8
  public var version: ProtocolVersion
  /// 1...255.
  public var priority: UInt8
  /// Advertisement_Interval; greater than 0.
  public var interval_us: Microseconds
  /// As advertised, in order.
  public var addresses: [ProtocolAddress]
  /// Eight bytes, version 2 only; nil = authentication type 0.
  public var password: [UInt8]?
  public var transport: Transport = .multicast
  public var preempt: PreemptMode = .immediate
  /// Intervals without an advertisement after which a master is dead; at least 1.
  public var downTimerAdverts = 3
  /// A master that hears a lower priority says nothing of it and waits for its own turn.
  public var isSilentToLowerPriority = false
  /// A master that hears a higher priority advertises once more before it yields.
  public var answersHigherPriority = false
  /// An owner (priority 255) drops every advertisement.
  public var ownerIgnoresAdverts = false
  /// An owner listens first, as everybody else does, instead of being master at once:
  /// keepalived's `state BACKUP` with priority 255.
  public var ownerListensFirst = false
  /// Version 3 over IPv4 with a checksum of the message alone.
  public var sumsPseudoHeader = true
  /// From becoming master to the second announcement of the addresses; 0 = none.
  public var announceDelay_us: Microseconds = 5 * Timing.second_us
  /// Between announcements while master; 0 = none.
  public var announceRefresh_us: Microseconds = 0
  /// Announcements when a lower priority is heard; and their second burst, 0 = none.
  public var announcesToLowerPriority = true
  public var lowerPriorityDelay_us: Microseconds = 5 * Timing.second_us
  /// Becomes master only together with others: asks first.
  public var isGrouped = false

  public init(
    id: UInt8, version: ProtocolVersion, priority: UInt8, interval_us: Microseconds,
    addresses: [ProtocolAddress]
  ) {
    precondition(id > 0 && priority > 0 && interval_us > 0, "a router has an id and a priority")
    self.id = id
    self.version = version
    self.priority = priority
    self.interval_us = interval_us
    self.addresses = addresses
  }

  /// What a packet must agree with before the machine sees it. `hopLimit` is its TTL.
  public func refusal(
    of advert: Advertisement, from source: ProtocolAddress, to destination: ProtocolAddress,
    hopLimit: UInt8, ownAddress: ProtocolAddress?, priority: UInt8
  ) -> DropReason? {
    if source == ownAddress, case .multicast = transport { return .ownPacket }
    if let reason = refusalOfPath(from: source, to: destination, hopLimit: hopLimit) {
      return reason
    }
    if advert.version != version { return .versionMismatch }
    switch (advert.authentication, password) {
    case (.none, nil): break
    case (.password(let given), let expected?):
      if given != expected { return .badPassword }
    case (.none, _?), (.password, nil), (.other, _): return .authenticationType
    }
    switch version {
    case .v2 where advert.interval_us != interval_us: return .intervalMismatch
    case .v3 where advert.interval_us == 0: return .zeroInterval
    case .v2, .v3: break
    }
    if isForeign(advert) { return .foreignAddresses }
    return ownerIgnoresAdverts && priority == Wire.ownerPriority ? .ownerIgnores : nil
  }

  /// Lists that differ a little are a change on its way from node to node, and are taken. Lists
  /// without a common address are two virtual routers by accident: yielding to the other one
  /// would leave our addresses without a master.
  private func isForeign(_ advert: Advertisement) -> Bool {
    !advert.addresses.isEmpty && !addresses.isEmpty
      && !advert.addresses.contains(where: addresses.contains)
  }

  private func refusalOfPath(
    from source: ProtocolAddress, to destination: ProtocolAddress, hopLimit: UInt8
  ) -> DropReason? {
    switch transport {
    case .multicast:
      if !destination.isMulticast { return .wrongTransport }
      return hopLimit == Wire.hopLimit ? nil : .hopLimit
    case .unicast(let peers, let checksSource):
      if destination.isMulticast { return .wrongTransport }
      guard let peer = peers.first(where: { $0.address == source }) else {
        return checksSource ? .unknownPeer : nil
      }
      let range = (peer.minimumTTL ?? 0)...max(peer.maximumTTL ?? 255, peer.minimumTTL ?? 0)
      return range.contains(hopLimit) ? nil : .hopLimit
    }
  }
}
