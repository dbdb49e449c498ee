// What each disturbance does to the nodes and to the wire.

import VRRP

extension Simulation {
  func disturb(_ what: Disturbance) {
    note("-- \(Wording.disturbance(what))")
    switch what {
    case .cut(let from, let to): setCut(from, to, true)
    case .mend(let from, let to): setCut(from, to, false)
    case .weather(let lost, let twice, let damaged, let delay_us):
      weather = (lost, twice, damaged, delay_us)
    case .clear: weather = (0, 0, 0, schedule.delay_us)
    case .pause(let node, let deaf): pause(nodes[node], deaf: deaf)
    case .wake(let node): if nodes[node].life == .paused { wake(nodes[node]) }
    case .crash(let node): crash(nodes[node])
    case .stop(let node): stop(nodes[node])
    case .start(let node): start(nodes[node])
    case .fault(let node, let router): setFault(nodes[node], router, true)
    case .recover(let node, let router): setFault(nodes[node], router, false)
    case .priority(let node, let router, let priority):
      nodes[node].priorities[router] = priority
      tell(nodes[node], router, .priority(RouterPriority(priority)))
    case .reconfigure(let node, let router, let mode):
      guard nodes[node].life == .running else { break }
      var settings = nodes[node].routers.routers[router].settings
      settings.preempt = mode
      settings.priority = nodes[node].priorities[router]
      step(nodes[node], router, .reconfigured(settings))
    case .path(let node, let isGood):
      nodes[node].isPathGood = isGood
      see(nodes[node])
    case .drain(let node, let isDrained): tell(nodes[node], .drained(isDrained))
    case .stepDown(let node): tell(nodes[node], .stepDown)
    case .claim(let node): tell(nodes[node], .claim)
    }
    statements.disturbed(at: now_us, isCalm: isWell)
    statements.moves.networkChanged(isWell: isWell, at: now_us)
    statements.count(nodes, at: now_us)
  }

  /// Nothing is lost, late, or standing still.
  var isWell: Bool {
    cuts == 0 && weather.lost == 0 && weather.damaged == 0
      && weather.delay_us <= schedule.delay_us && nodes.allSatisfy { $0.life != .paused }
  }

  private func setCut(_ from: Int, _ to: Int, _ cut: Bool) {
    guard isCut[from][to] != cut else { return }
    isCut[from][to] = cut
    cuts += cut ? 1 : -1
  }

  private func pause(_ node: Node, deaf: Bool) {
    guard node.life == .running else { return }
    node.life = .paused
    node.isDeaf = deaf
  }

  private func crash(_ node: Node) {
    guard node.life != .down else { return }
    node.life = .down
    node.clearTimers()
  }

  private func stop(_ node: Node) {
    guard node.life == .running else { return }
    for router in node.timers.indices { step(node, router, .stop) }
    node.life = .down
    if node.hasAddresses.contains(true) {
      statements.violate("node \(node.number) stopped and left addresses behind")
    }
  }

  private func start(_ node: Node) {
    guard node.life == .down else { return }
    node.boot()
    for router in node.timers.indices {
      if node.priorities[router] != node.plan.settings[router].priority {
        step(node, router, .priority(RouterPriority(node.priorities[router])))
      }
      if node.isFaulty[router] { step(node, router, .fault) }
    }
    node.path = node.plan.following.map {
      PathHealth(startedAt: node.clock_us(now_us), times: $0.times)
    }
    see(node)
    for router in node.timers.indices { step(node, router, .start(address: node.plan.address)) }
  }

  private func setFault(_ node: Node, _ router: Int, _ isFaulty: Bool) {
    guard node.isFaulty[router] != isFaulty else { return }
    node.isFaulty[router] = isFaulty
    // A process that stands still is told when it wakes; here its trackers simply come later.
    tell(node, router, isFaulty ? .fault : .recovered)
  }

  /// What happens around a process that stands still is told when it runs again.
  private func tell(_ node: Node, _ router: Int, _ event: RouterEvent) {
    switch node.life {
    case .running: step(node, router, event)
    case .paused: node.untold.append((router, event))
    case .down: break
    }
  }
}
