// One run, drawn from a seed: the nodes, how they are configured, what goes wrong and when, and
// by when everything has to be well again.

import VRRP

/// Something that goes wrong, or right again.
enum Disturbance: Sendable {
  /// Packets from one node do not reach another; the way back is another link.
  case cut(from: Int, to: Int)
  case mend(from: Int, to: Int)
  /// Of 1000 packets so many are lost, come twice, or arrive with a flipped byte.
  case weather(lost: Int, twice: Int, damaged: Int, delay_us: Int64)
  case clear
  /// The process stands still. If `deaf`, what arrives meanwhile is lost instead of queued.
  case pause(Int, deaf: Bool)
  case wake(Int)
  /// The process dies, its addresses stay.
  case crash(Int)
  case stop(Int)
  case start(Int)
  case fault(Int, router: Int)
  case recover(Int, router: Int)
  case priority(Int, router: Int, UInt8)
  case reconfigure(Int, router: Int, PreemptMode)
  /// The verdict on a node's path; and what operators order there.
  case path(Int, isGood: Bool)
  case drain(Int, Bool)
  case stepDown(Int)
  case claim(Int)
}

struct NodePlan: Sendable {
  var address: ProtocolAddress
  /// One per virtual router.
  var settings: [RouterSettings]
  /// Its only router follows the proxy.
  var following: Following?
  /// Its clock: what it shows at the start, and by how many parts in a million it is fast.
  var offset_us: Int64
  var drift_ppm: Int64
}

struct Schedule: Sendable {
  var nodes: [NodePlan] = []
  var groups: [[Int]] = []
  /// By time.
  var disturbances: [(time_us: Int64, what: Disturbance)] = []
  /// The longest interval and skew of any router.
  var interval_us: Int64 = 0
  var skew_us: Int64 = 0
  /// The network's delay when it is well, and the longest of a packet sent while it was not.
  var delay_us: Int64 = 0
  var worstDelay_us: Int64 = 0
  var preemptDelay_us: Int64 = 0
  var isFollowing = false
  /// Nothing happens but to the servers, and all nodes see the same of it.
  var isCommon = false
  /// Nothing goes wrong any more.
  var healed_us: Int64 = 0

  var routerCount: Int { nodes[0].settings.count }

  /// From here on there is exactly one master, unless a delayed preemption is still to come.
  ///
  /// Let D' be the longest delay of a packet on its way when the network heals. A backup accepts
  /// the last advertisement of a master that is none any more at D' at the latest, so its timer
  /// runs out by D' + 3 intervals + its skew, and with it every node that may preempt at once is
  /// master or has heard a better one. Masters that meet settle it within an interval and the
  /// delay D. Clocks are up to 100 ppm off, so everything is stretched by a 5000th.
  var deadline_us: Int64 {
    let span_us = worstDelay_us + 4 * interval_us + skew_us + delay_us
    return healed_us + span_us + span_us / 5000
  }

  /// As above after the longest preempt_delay: it starts with the first advertisement that is
  /// heard, an interval after the deadline at most, and then the master has to time out.
  var settled_us: Int64 {
    guard preemptDelay_us > 0 else { return deadline_us }
    let span_us = preemptDelay_us + 5 * interval_us + skew_us + 2 * delay_us
    return deadline_us + span_us + span_us / 5000
  }

  var end_us: Int64 { settled_us + 3 * interval_us }

  /// For how long two nodes may both be master while nothing goes wrong.
  var longestDouble_us: Int64 { interval_us + interval_us / 5000 + delay_us + 10 }
}

extension Schedule {
  init(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    drawNodes(&random)
    var others = SeededGenerator(seed: seed &* 0x9e37_79b9 &+ 1)
    drawFollowing(&others)
    drawDisturbances(&random)
    drawPaths(&others)
  }

  private mutating func drawNodes(_ random: inout SeededGenerator) {
    let version: ProtocolVersion = random.permille(500) ? .v2 : .v3
    let isV4 = version == .v2 || random.permille(600)
    let base_us: Int64 =
      version == .v2
      ? random.pick([1, 1, 1, 2]) * Timing.second_us
      : random.pick([10, 25, 50, 100]) * Timing.centisecond_us
    let mixedIntervals = version == .v3 && random.permille(150)
    let routers = random.permille(250) ? 2 : 1
    if routers == 2 { groups = [[0, 1]] }
    let modes: [PreemptMode] = random.pick([
      [.immediate], [.immediate], [.never], [.immediate, .never],
      [.immediate, .delayed(base_us * 2)], [.immediate, .never, .delayed(base_us * 5)],
    ])
    let priorities: [UInt8] = random.pick([
      [100], [90, 100, 150], [1, 50, 100, 200, 254], [100, 101],
    ])
    // Not 1: a timer of one interval and the skew runs out when a packet is merely late.
    let adverts = random.permille(100) ? random.pick([2, 5]) : 3
    let silent = random.permille(200)
    let answers = random.permille(200)
    let owner = random.permille(100)
    let ownerIgnores = random.permille(300)

    for number in 0..<(3 + random.below(3)) {
      // Addresses do not rise with the number, so that ties go either way.
      let host = UInt32(truncatingIfNeeded: (number * 7 + 3) % 11 + 1)
      var plan = NodePlan(
        address: isV4
          ? .v4(0x0a09_0000 + host) : .v6(high: 0xfe80 << 48, low: UInt64(host)),
        settings: [], offset_us: random.within(0...1_000_000_000_000),
        drift_ppm: random.within(-100...100))
      let mode = random.pick(modes)
      let priority = owner && number == 0 ? 255 : random.pick(priorities)
      let interval_us = mixedIntervals ? base_us * random.within(1...3) : base_us
      for router in 0..<routers {
        var settings = RouterSettings(
          id: UInt8(51 + router), version: version, priority: priority, interval_us: interval_us,
          addresses: [
            isV4
              ? .v4(0x0a09_0064 + UInt32(router))
              : .v6(high: 0xfe80 << 48, low: 0x100 + UInt64(router))
          ])
        settings.preempt = priority == 255 ? .immediate : mode
        settings.password = version == .v2 ? Array("42Secure".utf8) : nil
        settings.downTimerAdverts = adverts
        settings.isSilentToLowerPriority = silent
        settings.answersHigherPriority = answers
        settings.ownerIgnoresAdverts = ownerIgnores
        settings.announceRefresh_us = random.permille(200) ? 3 * base_us : 0
        plan.settings.append(settings)
        if case .delayed(let wait_us) = settings.preempt {
          preemptDelay_us = max(preemptDelay_us, wait_us)
        }
      }
      nodes.append(plan)
      self.interval_us = max(self.interval_us, interval_us)
    }
    // The statement speaks of three intervals; a node with another number waits that much more.
    skew_us =
      Timing.skew_us(version: version, priority: 1, masterInterval_us: interval_us)
      + Int64(max(0, adverts - 3)) * interval_us
    delay_us = random.within(100...(interval_us / 10))
  }
}
