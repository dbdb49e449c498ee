// Which packets a configuration wants dropped: those to the addresses of virtual routers that do
// not accept (RFC 9568 section 6.1, Accept_Mode).

import Configuration

/// Virtual addresses at which nothing is to be reached.
struct RefusedAddresses: Equatable {
  /// A link-local address means something on its link only: another router, or the host itself,
  /// may have the same one elsewhere.
  struct OnInterface: Hashable {
    var address: IPAddress
    var interface: String
  }

  var ipv4: Set<IPAddress> = []
  /// Without link-local ones.
  var ipv6: Set<IPAddress> = []
  var linkLocal: Set<OnInterface> = []

  init() {}

  init(_ configuration: FailoverConfiguration) {
    for router in configuration.routers where router.refusesPackets {
      for address in router.addresses + router.excludedAddresses {
        insert(address, of: router)
      }
    }
  }

  private mutating func insert(_ address: VirtualAddress, of router: VirtualRouter) {
    guard address.address.family == .v6 else {
      ipv4.insert(address.address)
      return
    }
    guard address.address.isLinkLocalIPv6 else {
      ipv6.insert(address.address)
      return
    }
    // With a virtual MAC it lives on that interface, whatever it says: once more is no harm.
    for name in [address.interface ?? router.interface, router.virtualMACName] {
      guard let name else { continue }
      linkLocal.insert(OnInterface(address: address.address, interface: name))
    }
  }

  var isEmpty: Bool { ipv4.isEmpty && ipv6.isEmpty && linkLocal.isEmpty }

  func union(_ other: RefusedAddresses) -> RefusedAddresses {
    var both = self
    both.ipv4.formUnion(other.ipv4)
    both.ipv6.formUnion(other.ipv6)
    both.linkLocal.formUnion(other.linkLocal)
    return both
  }
}

extension VirtualRouter {
  /// The owner of addresses (priority 255) takes packets to them in every mode.
  var refusesPackets: Bool { !accepts && priority != 255 }
}

extension RouterLoop {
  /// Whoever wonders why nothing answers finds the reason in the log: strict mode, say, brings it
  /// along.
  func remarkRefused(_ new: FailoverConfiguration) {
    let known = Set(configuration.routers.filter(\.refusesPackets).map(\.name))
    for router in new.routers where router.refusesPackets && !known.contains(router.name) {
      log(
        .notice,
        "(\(router.name)) packets to its addresses are dropped here, apart from neighbour"
          + " discovery: \(router.isStrict ? "strict mode" : "no_accept")",
        .vipNote)
    }
  }
}
