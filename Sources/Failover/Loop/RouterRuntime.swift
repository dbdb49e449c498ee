// What the thread knows of one router besides its machine: where it lives, what it holds, what is
// wrong with it, and what has been said about it.

import Configuration
import VRRP

/// Why a router cannot take part.
enum FaultCause: Hashable {
  case interfaceMissing(String)
  case interfaceDown(String)
  /// There is no address to send from.
  case noSource
  case tracked(TrackedSubject)

  var words: String {
    switch self {
    case .interfaceMissing(let name): "interface \(name) does not exist"
    case .interfaceDown(let name): "interface \(name) is down"
    case .noSource: "no address to send from"
    case .tracked(.script(let name)): "script \(name) failed"
    case .tracked(.file(let name)): "track file \(name)"
    case .tracked(.process(let name)): "process \(name) is not running"
    case .tracked(.interface(let name)): "tracked interface \(name) is down"
    }
  }
}

/// An address that is in place because of a router.
struct HeldAddress: Hashable {
  var address: VirtualAddress
  var interface: UInt32
}

struct RouterRuntime {
  /// A sender whose packets are refused, and why: reported once.
  struct Clash: Hashable {
    var source: ProtocolAddress
    var reason: DropReason
  }
  struct Holder: Hashable {
    var address: IPAddress
    var mac: MACAddress?
  }

  var router: VirtualRouter
  var settings: RouterSettings
  var tracking: TrackingSum
  /// The configured interface; nil while it does not exist.
  var base: UInt32?
  var virtualMAC: VirtualMACLink?
  /// Why it could not be made, as it was said.
  var virtualMACProblem: String?
  var source: ProtocolAddress?
  var faults: [FaultCause] = []
  /// The machine has been told of a fault.
  var isFaulty = false
  /// What tracking made of the priority when it was last asked.
  var trackedPriority: UInt8
  /// What the proxy, and operators, make of it.
  var holder: HolderPriority
  /// The machine's, as it was told last.
  var toldPriority: RouterPriority
  /// The holder's situation, as it was said last.
  var saidStanding = ""
  /// It has become master, or is none any more, and the holder does not know yet.
  var hasMoved = false
  var held: [HeldAddress] = []
  var heldRoutes: [VirtualRoute] = []
  var heldRules: [VirtualRule] = []
  var drops = [Int](repeating: 0, count: DropReason.allCases.count)
  var clashes: Set<Clash> = []
  var holders: Set<Holder> = []
  /// Address lists that differ from ours, reported once per sender.
  var otherLists: Set<ProtocolAddress> = []
  var remarkedLower: Set<ProtocolAddress> = []
  /// When missing addresses are put back, and when that was done last.
  var restoreAt_us: Microseconds?
  var restored_us: Microseconds = .min / 2
  var strippedReports = 0
  var strippedReportAt_us: Microseconds = .min
  var sendProblem: Int32 = 0
  var since_us: Microseconds
  /// Why the state changed last, in words, and the state that was told last.
  var reason = ""
  var toldState = RouterState.initialize
  var sent = 0
  var received = 0
  /// When another node's advert came last, of this time as backup.
  var heardAt_us: Microseconds?
  /// From that advert to becoming master, at the last takeover.
  var takeover_us: Microseconds?

  init(
    _ router: VirtualRouter, settings: RouterSettings, tracking: TrackingSum,
    at now_us: Microseconds
  ) {
    self.router = router
    self.settings = settings
    self.tracking = tracking
    trackedPriority = router.priority
    holder = HolderPriority(
      preference: router.priority, follows: router.following != nil,
      returns: router.preemption != .never,
      preemptDelay_us: router.following?.preemptDelay.microseconds ?? 0)
    toldPriority = RouterPriority(router.priority)
    since_us = now_us
  }

  /// Where adverts leave.
  var outgoing: UInt32? {
    guard let virtualMAC, router.virtualMAC?.sendsFromBase == false else { return base }
    return virtualMAC.index
  }

  /// Where its addresses live unless they say otherwise.
  var home: UInt32? { virtualMAC?.index ?? base }

  mutating func count(_ reason: DropReason) {
    guard let index = DropReason.allCases.firstIndex(of: reason) else { return }
    drops[index] &+= 1
  }

  /// In another state, what has been said of others may be said again.
  mutating func forgetHolders() {
    holders = []
    remarkedLower = []
    strippedReports = 0
    strippedReportAt_us = .min
  }

  /// With another configuration, everything may be.
  mutating func forgetReports() {
    forgetHolders()
    clashes = []
    otherLists = []
  }
}
