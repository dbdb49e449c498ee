// One node: a set of routers and a shell around it that does what the daemon's shell does, with
// a table of addresses instead of the kernel's and a list of packets instead of sockets.

import VRRP

/// A packet as it is on the wire. IPv4 packets have their header, as raw sockets show it; of IPv6
/// a socket gives the addresses and the payload.
struct Packet: Sendable {
  var source: ProtocolAddress
  var destination: ProtocolAddress
  var bytes: [UInt8]
  /// A byte of the payload was flipped on the way.
  var isDamaged = false
}

/// Ways to break the shell or the machine, to prove that the statements can fail.
public enum Breakage: String, CaseIterable, Sendable {
  case none
  /// A master does not hear advertisements of a higher priority.
  case ignoresHigherPriority = "ignores-higher-priority"
  /// A process that stood still goes on as if nothing had happened.
  case dropsResumed = "drops-resumed"
  /// Addresses stay when the router is not master any more.
  case forgetsRelease = "forgets-release"
  /// A master that stops does not say so.
  case forgetsResignation = "forgets-resignation"
  /// The master-down timer never runs out.
  case neverTimesOut = "never-times-out"
  /// Timers that were cancelled run out all the same.
  case keepsCancelledTimers = "keeps-cancelled-timers"
  /// The priority does not follow the proxy.
  case forgetsHealth = "forgets-health"
  /// An unhealthy holder has no advantage over other unhealthy nodes.
  case forgetsBias = "forgets-bias"
  /// Who has just recovered takes the address from healthy nodes.
  case forgetsModesty = "forgets-modesty"
  /// What is seen counts at once, for holders and for the others.
  case forgetsHold = "forgets-hold"
}

final class Node {
  enum Life { case down, running, paused }

  struct Timer {
    /// Nil = not set. Global time, as the queue counts.
    var due_us: Int64?
    /// Of the entry in the queue that is valid.
    var generation = 0
  }

  let number: Int
  let plan: NodePlan
  let groups: [[Int]]
  var life = Life.down
  var routers: RouterSet
  /// Whether the addresses of each router are on the interface; survives a crash.
  var hasAddresses: [Bool]
  /// By router and timer.
  var timers: [[Timer]]
  /// What arrived while the process stood still.
  var waiting: [Packet] = []
  var untold: [(router: Int, event: RouterEvent)] = []
  var isDeaf = false
  /// What the environment says of each router, whether the process runs or not.
  var isFaulty: [Bool]
  var priorities: [UInt8]
  /// Of a router that was master and stood still for long: until when it must not claim to be
  /// master.
  var silentUntil_us: [Int64?]
  /// Of router 0, where the address follows the proxy; its priority as the machine knows it.
  var holder: HolderPriority?
  var toldPriority: RouterPriority
  /// The number of the valid entry in the queue.
  var holderTimer = 0
  var isPathGood = true
  var path: PathHealth?
  private var identification: UInt16 = 0

  init(number: Int, plan: NodePlan, groups: [[Int]]) {
    self.number = number
    self.plan = plan
    self.groups = groups
    let count = plan.settings.count
    routers = RouterSet(plan.settings, groups: groups)
    hasAddresses = Array(repeating: false, count: count)
    timers = Array(
      repeating: Array(repeating: Timer(), count: RouterTimer.allCases.count), count: count)
    isFaulty = Array(repeating: false, count: count)
    priorities = plan.settings.map(\.priority)
    silentUntil_us = Array(repeating: nil, count: count)
    toldPriority = RouterPriority(plan.settings[0].priority)
  }

  /// What its monotonic clock shows.
  func clock_us(_ now_us: Int64) -> Int64 {
    plan.offset_us + now_us + now_us * plan.drift_ppm / 1_000_000
  }

  /// How long a wait by its clock really takes.
  func real_us(_ wait_us: Int64) -> Int64 {
    wait_us * 1_000_000 / (1_000_000 + plan.drift_ppm)
  }

  /// As after a start of the process: what a crash has left behind is removed.
  func boot() {
    life = .running
    routers = RouterSet(plan.settings, groups: groups)
    for router in hasAddresses.indices {
      hasAddresses[router] = false
      silentUntil_us[router] = nil
    }
    clearTimers()
    holder = plan.following.map {
      HolderPriority(
        preference: plan.settings[0].priority, follows: true, returns: $0.returns,
        preemptDelay_us: $0.preemptDelay_us)
    }
    toldPriority = RouterPriority(plan.settings[0].priority)
  }

  func clearTimers() {
    for router in timers.indices {
      for timer in timers[router].indices {
        timers[router][timer].due_us = nil
        timers[router][timer].generation += 1
      }
    }
    waiting.removeAll()
    untold.removeAll()
  }

  /// An advertisement of a router as it leaves.
  func packet(router: Int, priority: UInt8) -> Packet {
    let settings = routers.routers[router].settings
    let destination = plan.address.isV4 ? Wire.multicastV4 : Wire.multicastV6
    let advert = Advertisement(
      version: settings.version, id: settings.id, priority: priority,
      interval_us: settings.interval_us, addresses: settings.addresses,
      authentication: settings.password.map { .password($0) } ?? .none)
    var bytes = advert.encoded(
      source: plan.address, destination: destination, sumsPseudoHeader: settings.sumsPseudoHeader)
    if plan.address.isV4 {
      identification &+= 1
      let header = IPv4Header(
        source: plan.address, destination: destination, identification: identification)
      bytes = header.encoded(before: bytes)
    }
    return Packet(source: plan.address, destination: destination, bytes: bytes)
  }

  /// What a received packet says, and to which router. Throws the reason for which it is dropped.
  func read(_ packet: Packet) throws(DropReason) -> (router: Int, advert: Advertisement) {
    var payload = packet.bytes[...]
    var source = packet.source
    var hopLimit = Wire.hopLimit
    if plan.address.isV4 {
      let (header, rest) = try IPv4Header.decode(packet.bytes[...])
      (payload, source, hopLimit) = (rest, header.source, header.timeToLive)
    }
    let advert = try Advertisement(
      decoding: payload, source: source, destination: packet.destination)
    guard let router = routers.routers.firstIndex(where: { $0.settings.id == advert.id }) else {
      throw .unknownRouter
    }
    let machine = routers.routers[router]
    if let reason = machine.settings.refusal(
      of: advert, from: source, to: packet.destination, hopLimit: hopLimit,
      ownAddress: machine.address, priority: machine.priority)
    {
      throw reason
    }
    return (router, advert)
  }
}
