// Statement f: an address that follows the proxy moves only with a reason.
//
// Let h be master and t another node, both running, with a network between them that has lost
// nothing and delayed nothing for two intervals and a delay, and h master for as long. If t
// becomes master, then a reason for the move from h to t was there at some moment of the last two
// intervals and a delay: that is how long an advertisement with news may be on its way. The
// reasons are written down here a second time, in words of health and orders, not of priorities.

import VRRP

struct Moves {
  private let slack_us: Int64
  /// By taker and holder: whether there is a reason now, and until when there was one.
  private var hasReason: [[Bool]]
  private var reasonUntil_us: [[Int64]]
  private var masterSince_us: [Int64?]
  private var wellSince_us: Int64?

  init(_ schedule: Schedule) {
    let count = schedule.nodes.count
    slack_us = 2 * schedule.interval_us + schedule.interval_us / 1000 + schedule.delay_us
    hasReason = Array(repeating: Array(repeating: false, count: count), count: count)
    reasonUntil_us = Array(repeating: Array(repeating: .min / 2, count: count), count: count)
    masterSince_us = Array(repeating: nil, count: count)
    wellSince_us = 0
  }

  /// Nothing is lost, late or standing still.
  mutating func networkChanged(isWell: Bool, at now_us: Int64) {
    if !isWell {
      wellSince_us = nil
    } else if wellSince_us == nil {
      wellSince_us = now_us
    }
  }

  mutating func situationsChanged(_ nodes: [Node], at now_us: Int64) {
    for taker in nodes {
      for holder in nodes where holder.number != taker.number {
        let (t, h) = (taker.number, holder.number)
        if hasReason[t][h] { reasonUntil_us[t][h] = now_us }
        hasReason[t][h] = Moves.isJustified(from: holder, to: taker)
      }
    }
  }

  /// Before the situation of the new master changes for it. The node from which the address was
  /// taken without a reason, or nil; and whether it was taken from anybody.
  mutating func becameMaster(
    _ taker: Node, _ nodes: [Node], at now_us: Int64
  ) -> (isMove: Bool, victim: Int?) {
    masterSince_us[taker.number] = now_us
    var isMove = false
    for holder in nodes where holder.number != taker.number {
      let (t, h) = (taker.number, holder.number)
      guard holder.life == .running, holder.routers.routers[0].state == .master,
        let since_us = masterSince_us[h], since_us <= now_us - slack_us,
        let wellSince_us, wellSince_us <= now_us - slack_us
      else { continue }
      isMove = true
      if !hasReason[t][h], reasonUntil_us[t][h] < now_us - slack_us { return (true, h) }
    }
    return (isMove, nil)
  }

  /// A living master that its own node takes for unhealthy, and that is preferred to the taker.
  func unhealthyHolder(_ nodes: [Node], besides taker: Node) -> Int? {
    guard let ours = taker.holder?.situation else { return nil }
    let returns = ours.standing == .settled && ours.returns
    return nodes.first {
      $0.number != taker.number && $0.life == .running
        && $0.routers.routers[0].state == .master
        && $0.holder?.situation.standing == .unhealthy
        && !(returns && $0.plan.settings[0].priority < ours.preference)
    }?.number
  }

  /// Whether the address should go from one node to the other, both well connected.
  static func isJustified(from holder: Node, to taker: Node) -> Bool {
    guard let t = taker.holder?.situation, let h = holder.holder?.situation, !t.isDrained else {
      return false
    }
    if h.isDrained { return true }
    guard t.standing != .unhealthy else { return false }
    if h.standing == .unhealthy { return true }
    if t.order == .claiming { return h.order != .claiming }
    switch h.order {
    case .steppingDown: return true
    case .claiming, .claimed: return false
    case .none, .steppedDown: break
    }
    return t.standing == .settled && t.order == .none && t.returns && t.preference > h.preference
  }
}
