// Schedules in which the address follows the proxy: paths that come and go, drains, and orders.

import VRRP

/// What a node's routers follow.
struct Following: Sendable {
  var preemptDelay_us: Int64
  var returns: Bool
  var times: PathTimes
}

extension Schedule {
  /// Makes two of five schedules such ones. Drawn from a source of its own, so that the others
  /// stay as they are.
  mutating func drawFollowing(_ random: inout SeededGenerator) {
    guard random.permille(400) else { return }
    isFollowing = true
    isCommon = random.permille(300)
    groups = []
    let interval_us = nodes.map { $0.settings[0].interval_us }.min() ?? self.interval_us
    self.interval_us = interval_us
    delay_us = min(delay_us, interval_us / 10)
    // Preferences in no order of addresses or numbers, and sometimes close together.
    let step = random.pick([1, 10, 25])
    let first = random.below(nodes.count)
    for number in nodes.indices {
      var settings = nodes[number].settings[0]
      settings.interval_us = interval_us
      settings.priority = UInt8(252 - step * ((number * 3 + first) % 5))
      settings.preempt = .immediate
      settings.ownerIgnoresAdverts = false
      nodes[number].settings = [settings]
      nodes[number].following = Following(
        preemptDelay_us: 0, returns: random.permille(800),
        times: PathTimes(
          hold_us: hold_us, rise_us: 2 * hold_us, restore_us: 2 * interval_us,
          patience_us: 2 * interval_us))
    }
    skew_us = interval_us
    preemptDelay_us = 0
    if nodes[0].settings[0].version == .v2 { skew_us = max(skew_us, Timing.second_us) }
    skew_us += Int64(max(0, nodes[0].settings[0].downTimerAdverts - 3)) * interval_us
  }

  /// Between the start and the moment in which the network heals; then every path is what it
  /// stays.
  mutating func drawPaths(_ random: inout SeededGenerator) {
    guard isFollowing else { return }
    if isCommon { return drawCommonPaths(&random) }
    let length_us = healed_us
    var losses = Array(repeating: 0, count: nodes.count)
    func moment(_ random: inout SeededGenerator) -> Int64 { random.within(0...length_us) }
    for node in nodes.indices {
      disturbances.append((0, .path(node, isGood: random.permille(800))))
    }
    for _ in 0..<random.below(8) {
      let from_us = moment(&random)
      let until_us = min(length_us, from_us + random.within(1...(6 * interval_us)))
      let concerned = random.permille(300) ? Array(nodes.indices) : [random.below(nodes.count)]
      for node in concerned {
        disturbances.append((from_us, .path(node, isGood: false)))
        if random.permille(700) { disturbances.append((until_us, .path(node, isGood: true))) }
        losses[node] += 1
      }
    }
    for _ in 0..<random.below(5) {
      let node = random.below(nodes.count)
      let from_us = moment(&random)
      switch random.below(5) {
      case 0:
        disturbances.append((from_us, .drain(node, true)))
        if random.permille(700) { disturbances.append((moment(&random), .drain(node, false))) }
      case 1, 2:
        disturbances.append((from_us, .stepDown(node)))
      default: disturbances.append((from_us, .claim(node)))
      }
    }
    let nobody = random.permille(250)
    for node in nodes.indices {
      disturbances.append((healed_us, .path(node, isGood: !nobody && random.permille(700))))
      if random.permille(800) { disturbances.append((healed_us, .drain(node, false))) }
    }
    finishPaths(&random, losses: losses.max() ?? 0)
  }

  /// All nodes see the same happen to the servers, but not at the same time: up to six intervals
  /// apart, which is more than it takes to preempt. Nothing else happens.
  private mutating func drawCommonPaths(_ random: inout SeededGenerator) {
    disturbances.removeAll {
      switch $0.what {
      case .start: $0.time_us >= healed_us
      default: true
      }
    }
    let isGood = random.permille(800)
    for node in nodes.indices { disturbances.append((0, .path(node, isGood: isGood))) }
    var time_us = 6 * interval_us
    var losses = 0
    for number in 0..<random.below(6) {
      time_us += random.within(1...(20 * interval_us))
      var latest_us = time_us
      for node in nodes.indices {
        let seen_us = time_us + random.within(0...(6 * interval_us))
        latest_us = max(latest_us, seen_us)
        disturbances.append((seen_us, .path(node, isGood: (number % 2 == 0) != isGood)))
      }
      // Checks of one node end in the order in which they began.
      time_us = latest_us
      losses += 1
    }
    healed_us = max(healed_us, time_us + 1)
    disturbances.append((healed_us, .clear))
    finishPaths(&random, losses: losses)
  }

  private mutating func finishPaths(_ random: inout SeededGenerator, losses: Int) {
    // A stable order: what was decided first comes first.
    disturbances = disturbances.enumerated()
      .sorted { ($0.element.time_us, $0.offset) < ($1.element.time_us, $1.offset) }
      .map(\.element)
    // Every loss doubles the time of recovery; the end must still come soon.
    let worst = losses + 1
    let delay_us = random.permille(200) ? 0 : max(1, (12 * interval_us) >> Int64(worst))
    for node in nodes.indices { nodes[node].following?.preemptDelay_us = delay_us }
    preemptDelay_us = delay_us << Int64(worst) + patience_us + 3 * hold_us
  }

  /// Longer than nodes notice the same after each other.
  var hold_us: Int64 { (isCommon ? 7 : 3) * interval_us }

  /// How long an operator's order may take.
  var patience_us: Int64 { 6 * interval_us }
}
