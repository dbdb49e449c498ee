// Runs one schedule from its first event to its end, and checks the statements at every step.

import VRRP

public final class Simulation {
  enum Happening {
    case disturbance(Disturbance)
    case arrival(Packet, to: Int)
    case timer(node: Int, router: Int, timer: Int, generation: Int)
    case holder(node: Int, generation: Int)
  }

  let schedule: Schedule
  let breakage: Breakage
  var nodes: [Node]
  var queue = EventQueue<Happening>()
  var random: SeededGenerator
  var now_us: Int64 = 0
  /// By sender and receiver.
  var isCut: [[Bool]]
  var cuts = 0
  var weather = (lost: 0, twice: 0, damaged: 0, delay_us: Int64(0))
  var statements: Statements
  /// Gets a line for everything that happens.
  let trace: ((String) -> Void)?

  /// `seed` decides everything. Nothing is kept between two simulations.
  public init(
    seed: UInt64, breakage: Breakage = .none, trace: ((String) -> Void)? = nil
  ) {
    schedule = Schedule(seed: seed)
    self.breakage = breakage
    self.trace = trace
    random = SeededGenerator(seed: ~seed)
    let schedule = schedule
    nodes = schedule.nodes.enumerated().map {
      Node(number: $0.offset, plan: $0.element, groups: schedule.groups)
    }
    isCut = Array(
      repeating: Array(repeating: false, count: schedule.nodes.count), count: schedule.nodes.count)
    statements = Statements(schedule)
    weather.delay_us = schedule.delay_us
  }

  /// The figures of the run; `violation` is nil if every statement held.
  public func run() -> Figures {
    if let trace { describe(to: trace) }
    for (time_us, what) in schedule.disturbances { queue.push(.disturbance(what), at: time_us) }
    while statements.figures.violation == nil, let (time_us, event) = queue.pop(),
      time_us <= schedule.end_us
    {
      if time_us > now_us { statements.passTime(from: now_us, to: time_us) }
      now_us = time_us
      statements.figures.events += 1
      switch event {
      case .disturbance(let what): disturb(what)
      case .arrival(let packet, let node): arrive(packet, at: nodes[node])
      case .timer(let node, let router, let timer, let generation):
        fire(nodes[node], router: router, timer: timer, generation: generation)
      case .holder(let node, let generation):
        expireHolder(nodes[node], generation: generation)
      }
    }
    if statements.figures.violation == nil {
      statements.passTime(from: now_us, to: schedule.end_us)
      statements.checkEnd(nodes)
    }
    return statements.figures
  }

  func note(_ text: @autoclosure () -> String) {
    guard let trace else { return }
    trace("\(Wording.time(now_us)) \(text())")
  }

  // MARK: The wire

  private func transmit(_ packet: Packet, from node: Node) {
    do throws(DropReason) {
      var payload = packet.bytes[...]
      if packet.source.isV4 { payload = try IPv4Header.decode(payload).payload }
      _ = try Advertisement(
        decoding: payload, source: packet.source, destination: packet.destination)
    } catch {
      statements.violate("node \(node.number) sent what does not decode: \(error.rawValue)")
    }
    for receiver in nodes where receiver.number != node.number {
      if isCut[node.number][receiver.number] || random.permille(weather.lost) { continue }
      let copies = random.permille(weather.twice) ? 2 : 1
      for _ in 0..<copies {
        var copy = packet
        if random.permille(weather.damaged) {
          let payload = packet.source.isV4 ? 20 : 0
          copy.bytes[payload + random.below(copy.bytes.count - payload)] ^= UInt8(
            1 + random.below(255))
          copy.isDamaged = true
        }
        let delay_us = random.within(1...weather.delay_us)
        queue.push(.arrival(copy, to: receiver.number), at: now_us + delay_us)
      }
    }
  }

  private func arrive(_ packet: Packet, at node: Node) {
    switch node.life {
    case .down: break
    case .paused: if !node.isDeaf { node.waiting.append(packet) }
    case .running: receive(packet, at: node)
    }
  }

  func receive(_ packet: Packet, at node: Node) {
    do throws(DropReason) {
      let (router, advert) = try node.read(packet)
      if packet.isDamaged {
        statements.violate("node \(node.number) took a damaged packet")
        return
      }
      if breakage == .ignoresHigherPriority, node.routers.routers[router].state == .master,
        advert.priority > node.routers.routers[router].priority
      {
        return
      }
      step(node, router, .advertisement(advert, from: packet.source))
    } catch {
      statements.figures.refused += 1
      if !packet.isDamaged, error != .ownerIgnores {
        statements.violate("node \(node.number) refused a good packet: \(error.rawValue)")
      }
    }
  }

  // MARK: The shell

  func step(_ node: Node, _ router: Int, _ event: RouterEvent) {
    note("node \(node.number) router \(router): \(Wording.event(event))")
    var hasResigned = false
    let isLeaving = event == .stop || event == .fault
    // Carried out afterwards: while the machine emits nobody may look at it.
    var actions: [RouterSetAction] = []
    node.routers.handle(router, event, at: node.clock_us(now_us)) { actions.append($0) }
    for action in actions {
      switch action {
      case .router(let index, let action):
        if case .send(priority: 0) = action {
          if breakage == .forgetsResignation { continue }
          hasResigned = true
        }
        if action == .release {
          if isLeaving, !hasResigned {
            statements.violate("node \(node.number) gave its addresses up before it said so")
          }
          hasResigned = false
        }
        carryOut(node, index, action)
      case .group(let group, let state):
        note("  node \(node.number) group \(group) is \(state.rawValue)")
      }
    }
    statements.check(node, at: now_us, isStopping: event == .stop)
    statements.count(nodes, at: now_us)
    tellMastership(node)
  }

  private func carryOut(_ node: Node, _ router: Int, _ action: RouterAction) {
    note("  node \(node.number) router \(router): \(Wording.action(action))")
    switch action {
    case .send(let priority):
      statements.figures.packets += 1
      statements.checkSilence(node, router, priority: priority, at: now_us)
      transmit(node.packet(router: router, priority: priority), from: node)
    case .acquire: node.hasAddresses[router] = true
    case .release:
      if breakage != .forgetsRelease { node.hasAddresses[router] = false }
      node.silentUntil_us[router] = nil
    case .setTimer(let timer, let after_us):
      if timer == .masterDown, breakage == .neverTimesOut { break }
      set(node, router, timer, after_us: after_us)
    case .cancelTimer(let timer):
      if breakage == .keepsCancelledTimers { break }
      node.timers[router][timer.number].due_us = nil
      node.timers[router][timer.number].generation += 1
    case .transition(to: let state, _):
      if state == .master {
        statements.figures.elections += 1
        if schedule.isFollowing { statements.checkMove(node, nodes, at: now_us) }
      }
    case .announce, .wantsMaster, .remark: break
    }
  }

  private func set(_ node: Node, _ router: Int, _ timer: RouterTimer, after_us: Int64) {
    let due_us = now_us + node.real_us(after_us)
    let generation = node.timers[router][timer.number].generation + 1
    node.timers[router][timer.number] = Node.Timer(due_us: due_us, generation: generation)
    queue.push(
      .timer(node: node.number, router: router, timer: timer.number, generation: generation),
      at: due_us)
  }

  private func fire(_ node: Node, router: Int, timer: Int, generation: Int) {
    // While the process stands still its timers stay due; waking looks at them.
    guard node.life == .running, node.timers[router][timer].generation == generation else {
      return
    }
    node.timers[router][timer].due_us = nil
    step(node, router, .timer(RouterTimer.allCases[timer]))
  }

  /// As the daemon after a stall: first what the stall means, then what has arrived, then what
  /// is due.
  func wake(_ node: Node) {
    node.life = .running
    statements.moves.networkChanged(isWell: isWell, at: now_us)
    for router in node.timers.indices {
      let machine = node.routers.routers[router]
      let main: RouterTimer = machine.state == .master ? .advertise : .masterDown
      guard let due_us = node.timers[router][main.number].due_us,
        now_us - due_us >= machine.masterDown_us
      else { continue }
      statements.figures.stalls += 1
      if machine.state == .master {
        node.silentUntil_us[router] = now_us + node.real_us(machine.settings.interval_us) - 2
      }
      if breakage != .dropsResumed { step(node, router, .resumed) }
    }
    let waiting = node.waiting
    node.waiting.removeAll()
    for packet in waiting { receive(packet, at: node) }
    let untold = node.untold
    node.untold.removeAll()
    for (router, event) in untold { step(node, router, event) }
    see(node)
    catchUp(node)
    for router in node.timers.indices {
      for timer in RouterTimer.allCases {
        let entry = node.timers[router][timer.number]
        guard let due_us = entry.due_us, due_us <= now_us else { continue }
        fire(node, router: router, timer: timer.number, generation: entry.generation)
      }
    }
  }
}

extension RouterTimer {
  /// Its place in `allCases`.
  var number: Int {
    switch self {
    case .masterDown: 0
    case .advertise: 1
    case .announceAgain: 2
    case .refresh: 3
    case .lowerPriorityAnnounce: 4
    }
  }
}
