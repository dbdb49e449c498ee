// From the configuration's values to the protocol's: the module VRRP knows neither durations nor
// interfaces.

import Configuration
import VRRP

extension Duration {
  /// Whole microseconds, rounded down; more than 292,000 years are cut.
  var microseconds: Microseconds {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: Timing.second_us)
    return overflow ? .max : product &+ attoseconds / 1_000_000_000_000
  }
}

extension ProtocolAddress {
  init(_ address: IPAddress) {
    self =
      switch address {
      case .v4(let value): .v4(value)
      case .v6(let high, let low): .v6(high: high, low: low)
      }
  }
}

extension IPAddress {
  init(_ address: ProtocolAddress) {
    self =
      switch address {
      case .v4(let value): .v4(value)
      case .v6(let high, let low): .v6(high: high, low: low)
      }
  }
}

extension RouterSettings {
  init(_ router: VirtualRouter) {
    self.init(
      id: router.id, version: router.version == .v2 ? .v2 : .v3, priority: router.priority,
      interval_us: router.advertisementInterval.microseconds,
      addresses: router.addresses.map { ProtocolAddress($0.address) })
    password = router.password
    if !router.peers.isEmpty {
      let peers = router.peers.map {
        UnicastRange(
          ProtocolAddress($0.address), minimumTTL: $0.minimumTTL, maximumTTL: $0.maximumTTL)
      }
      transport = .unicast(peers: peers, checksSource: router.checksUnicastSource)
    }
    // With health in the priority, a healthy node must always be able to take over from an
    // unhealthy one; `preempt: false` is then a matter of the priority as well.
    let preemption = router.following == nil ? router.preemption : .immediate
    preempt =
      switch preemption {
      case .immediate: .immediate
      case .never: .never
      case .delayed(let delay): .delayed(delay.microseconds)
      }
    downTimerAdverts = router.downTimerAdverts
    isSilentToLowerPriority = router.sendsNoAdvertOnLowerPriority
    answersHigherPriority = router.sendsAdvertOnHigherPriority
    ownerIgnoresAdverts = router.ownerIgnoresAdverts
    ownerListensFirst = !router.prefersMaster
    sumsPseudoHeader = !router.checksumWithoutPseudoHeader
    announceDelay_us = router.announcement.delay.microseconds
    announceRefresh_us = router.announcement.refresh.microseconds
    announcesToLowerPriority = router.announcement.lowerPriorityCount > 0
    lowerPriorityDelay_us = router.announcement.lowerPriorityDelay.microseconds
  }
}

extension VirtualRouter {
  /// What makes it the same virtual router on the wire: while these stay, a reload keeps its
  /// state.
  struct Identity: Hashable {
    var name: String
    var interface: String
    var id: UInt8
    var version: VRRPVersion
    var family: AddressFamily
    var isUnicast: Bool
    var virtualMACName: String?
    var sendsFromBase: Bool
  }

  var identity: Identity {
    Identity(
      name: name, interface: interface, id: id, version: version, family: family,
      isUnicast: !peers.isEmpty, virtualMACName: virtualMACName,
      sendsFromBase: virtualMAC?.sendsFromBase ?? false)
  }

  /// The macvlan's name, keepalived's unless one was given.
  var virtualMACName: String? {
    virtualMAC.map { $0.name ?? (family == .v4 ? "vrrp.\(id)" : "vrrp6.\(id)") }
  }

  /// Messages per address for an announcement.
  func announcementCount(_ cause: AnnouncementCause) -> Int {
    switch cause {
    case .becameMaster, .becameMasterAgain, .resumed, .addressesChanged: announcement.count
    case .refresh: announcement.refreshCount
    case .lowerPriority: announcement.lowerPriorityCount
    }
  }
}
