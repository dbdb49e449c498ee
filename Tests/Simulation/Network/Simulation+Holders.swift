// The part of the shell that feeds the holders' priorities, as the daemon does.

import VRRP

extension Simulation {
  /// Something happens to the holder of a node's router 0; such schedules have no other.
  func tell(_ node: Node, _ event: HolderEvent) {
    guard node.holder != nil, node.life == .running else { return }
    note("node \(node.number) holder: \(event)")
    let outcome = node.holder?.handle(
      event, patience_us: schedule.patience_us, at: node.clock_us(now_us))
    if let outcome { note("  node \(node.number) order: \(outcome)") }
    adopt(node)
  }

  /// What a node sees of its servers at the moment.
  func see(_ node: Node) {
    guard node.path != nil, node.life == .running else { return }
    _ = node.path?.see(isGood: node.isPathGood, at: node.clock_us(now_us))
    tellVerdict(node)
  }

  private func tellVerdict(_ node: Node) {
    guard let path = node.path else { return }
    if breakage == .forgetsHold {
      let verdict: PathVerdict = node.isPathGood ? .healthy : .unhealthy
      return tell(node, .path(PathState(asBackup: verdict, asHolder: verdict)))
    }
    tell(node, .path(path.state))
  }

  /// Time has passed for a holder.
  func expireHolder(_ node: Node, generation: Int) {
    guard node.life == .running, node.holderTimer == generation else { return }
    catchUp(node)
  }

  /// After a time in which the process stood still, too.
  func catchUp(_ node: Node) {
    guard node.holder != nil else { return }
    if node.path?.expire(at: node.clock_us(now_us)) == true { tellVerdict(node) }
    let outcome = node.holder?.expire(at: node.clock_us(now_us))
    if let outcome { note("  node \(node.number) order: \(outcome)") }
    adopt(node)
  }

  /// As after every step of a machine: whether it has become master, or is none any more.
  func tellMastership(_ node: Node) {
    guard let holder = node.holder else { return }
    let isMaster = node.routers.routers[0].state == .master
    if holder.isMaster != isMaster { tell(node, .master(isMaster)) }
  }

  private func adopt(_ node: Node) {
    guard let holder = node.holder else { return }
    statements.moves.situationsChanged(nodes, at: now_us)
    node.holderTimer += 1
    if let next_us = [holder.next_us, node.path?.next_us].compactMap(\.self).min() {
      let wait_us = max(0, next_us - node.clock_us(now_us))
      queue.push(
        .holder(node: node.number, generation: node.holderTimer),
        at: now_us + node.real_us(wait_us) + 1)
    }
    let priority = broken(holder)
    guard priority != node.toldPriority else { return }
    node.toldPriority = priority
    statements.disturbed(at: now_us, isCalm: isWell)
    step(node, 0, .priority(priority))
  }

  private func broken(_ holder: HolderPriority) -> RouterPriority {
    var priority = holder.priority
    let situation = holder.situation
    switch breakage {
    case .forgetsHealth: return RouterPriority(situation.preference)
    case .forgetsBias where situation.standing == .unhealthy && !situation.isDrained:
      priority.master = priority.backup
    case .forgetsModesty where priority.backup == HolderBand.modest:
      priority.backup = situation.preference
    default: break
    }
    return priority
  }
}
