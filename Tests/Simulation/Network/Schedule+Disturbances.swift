// What goes wrong: episodes with a beginning and an end, all over before the network heals.

import VRRP

extension Schedule {
  mutating func drawDisturbances(_ random: inout SeededGenerator) {
    worstDelay_us = delay_us
    let length_us = interval_us * random.within(8...24)
    for node in nodes.indices {
      // Most nodes start at once, some late.
      let start_us = random.permille(700) ? 0 : random.within(0...(5 * interval_us))
      disturbances.append((start_us, .start(node)))
    }
    for _ in 0..<random.below(9) { drawEpisode(before: length_us, &random) }
    disturbances.sort { $0.time_us < $1.time_us }
    healed_us = max(length_us, (disturbances.last?.time_us ?? 0) + 1)
    disturbances.append((healed_us, .clear))
    for node in nodes.indices { restore(node) }
  }

  /// Whatever is still wrong with a node ends when the network heals.
  private mutating func restore(_ node: Int) {
    for other in nodes.indices where other != node {
      disturbances.append((healed_us, .mend(from: node, to: other)))
    }
    disturbances.append((healed_us, .wake(node)))
    for router in 0..<routerCount {
      disturbances.append((healed_us, .recover(node, router: router)))
    }
    disturbances.append((healed_us, .start(node)))
  }

  private mutating func drawEpisode(before length_us: Int64, _ random: inout SeededGenerator) {
    let from_us = random.within(0...length_us)
    let until_us = min(length_us, from_us + random.within(1...(8 * interval_us)))
    let node = random.below(nodes.count)
    let router = random.below(routerCount)
    func add(_ time_us: Int64, _ what: Disturbance) { disturbances.append((time_us, what)) }
    switch random.below(10) {
    case 0:
      let other = (node + 1 + random.below(nodes.count - 1)) % nodes.count
      add(from_us, .cut(from: node, to: other))
      add(until_us, .mend(from: node, to: other))
    case 1:
      // One node alone, in one direction or in both.
      let both = random.permille(500)
      for other in nodes.indices where other != node {
        add(from_us, .cut(from: node, to: other))
        add(until_us, .mend(from: node, to: other))
        guard both else { continue }
        add(from_us, .cut(from: other, to: node))
        add(until_us, .mend(from: other, to: node))
      }
    case 2, 3:
      let slow_us = random.permille(500) ? delay_us : random.within(delay_us...(2 * interval_us))
      worstDelay_us = max(worstDelay_us, slow_us)
      add(
        from_us,
        .weather(
          lost: random.below(700), twice: random.below(300), damaged: random.below(50),
          delay_us: slow_us))
      add(until_us, .clear)
    case 4, 5:
      add(from_us, .pause(node, deaf: random.permille(300)))
      add(until_us, .wake(node))
    case 6:
      add(from_us, random.permille(500) ? .crash(node) : .stop(node))
      add(until_us, .start(node))
    case 7:
      add(from_us, .fault(node, router: router))
      add(until_us, .recover(node, router: router))
    case 8:
      guard !isFollowing else { return }
      guard nodes[node].settings[router].priority != Wire.ownerPriority else { return }
      let priority = UInt8(1 + random.below(254))
      // Members of a group keep equal priorities: otherwise two nodes may each be best in one.
      for member in 0..<routerCount {
        add(from_us, .priority(node, router: member, priority))
      }
    default:
      guard !isFollowing else { return }
      guard nodes[node].settings[router].priority != Wire.ownerPriority else { return }
      let mode: PreemptMode = random.pick([.immediate, .never])
      for member in 0..<routerCount {
        add(from_us, .reconfigure(node, router: member, mode))
      }
    }
  }
}
