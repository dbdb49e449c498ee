// What has to be true of every schedule, looked at after every step and over all the time between
// two steps.
//
//  a. After the network has healed there is exactly one master from `Schedule.deadline_us` on
//     (after `settled_us`, where preemption is delayed; until then at least one), and at the end
//     no node that may preempt it has a higher priority.
//  b. While nothing is wrong (no loss, cut, stall, and nothing has changed since) no two nodes
//     are master for longer than `Schedule.longestDouble_us`.
//  c. The addresses are there exactly while the router is master; members of a group are master
//     together.
//  d. Only the timers of the present state are set; whoever stops or fails says so before its
//     addresses go; every packet that is sent decodes and is taken by the others; damaged ones
//     never are.
//  e. A master that has stood still for longer than its master-down interval claims nothing for an
//     interval, unless it gave up and became master again.
//  f. An address that follows the proxy moves only with a reason (Moves.swift), and at the end
//     there is no reason left.
//  g. When all nodes see the same happen to the servers, however long after each other, as long
//     as it is less than the hold, it never moves because of that.

import VRRP

/// What was seen in one schedule, or in many.
public struct Figures: Sendable {
  public var schedules = 0
  public var events = 0
  public var packets = 0
  /// Packets that were refused: damaged ones, and those that an owner ignores.
  public var refused = 0
  public var elections = 0
  /// Times that a process was found to have stood still for too long.
  public var stalls = 0
  /// Times that an address that follows the proxy went from a living master to another node.
  public var moves = 0
  /// As multiples of the interval: two masters while nothing was wrong, and from healing to
  /// exactly one master for good (delayed preemption left out).
  public var longestDouble = 0.0
  public var longestConvergence = 0.0
  public var violation: String?

  public init() {}

  public mutating func add(_ other: Figures) {
    schedules += other.schedules
    events += other.events
    packets += other.packets
    refused += other.refused
    elections += other.elections
    stalls += other.stalls
    moves += other.moves
    longestDouble = max(longestDouble, other.longestDouble)
    longestConvergence = max(longestConvergence, other.longestConvergence)
    violation = violation ?? other.violation
  }
}

struct Statements {
  let schedule: Schedule
  var figures = Figures()
  var moves: Moves
  /// By router: how many nodes are master, and since when more than one.
  private var masters: [Int]
  private var doubleSince_us: [Int64]
  /// Since when nothing is wrong; nil = something is.
  private var calmSince_us: Int64?
  /// The last moment without exactly one master.
  private var unsettled_us: Int64 = 0

  init(_ schedule: Schedule) {
    self.schedule = schedule
    moves = Moves(schedule)
    figures.schedules = 1
    masters = Array(repeating: 0, count: schedule.routerCount)
    doubleSince_us = Array(repeating: 0, count: schedule.routerCount)
  }

  mutating func violate(_ text: String) {
    if figures.violation == nil { figures.violation = text }
  }

  mutating func disturbed(at now_us: Int64, isCalm: Bool) {
    calmSince_us = isCalm ? now_us : nil
  }

  mutating func count(_ nodes: [Node], at now_us: Int64) {
    for router in masters.indices {
      var count = 0
      for node in nodes where node.life != .down {
        if node.routers.routers[router].state == .master { count += 1 }
      }
      if count > 1, masters[router] <= 1 { doubleSince_us[router] = now_us }
      masters[router] = count
    }
  }

  /// Statements a and b, over a span in which nothing happens.
  mutating func passTime(from: Int64, to: Int64) {
    for router in masters.indices where masters[router] != 1 {
      unsettled_us = to
      if masters[router] > 1, let calmSince_us {
        let span_us = to - max(calmSince_us, doubleSince_us[router])
        figures.longestDouble = max(
          figures.longestDouble, Double(span_us) / Double(schedule.interval_us))
        if span_us > schedule.longestDouble_us {
          violate("b: router \(router) has \(masters[router]) masters for \(span_us) us")
        }
      }
      if masters[router] == 0 ? to > schedule.deadline_us : to > schedule.settled_us {
        violate("a: router \(router) has \(masters[router]) masters after the deadline")
      }
    }
  }

  /// Statement f, when a node has become master.
  mutating func checkMove(_ node: Node, _ nodes: [Node], at now_us: Int64) {
    let (isMove, victim) = moves.becameMaster(node, nodes, at: now_us)
    if isMove { figures.moves += 1 }
    if isMove, schedule.isCommon, let holder = moves.unhealthyHolder(nodes, besides: node) {
      violate("g: node \(node.number) took the address from node \(holder), which is no worse")
    }
    if let victim {
      violate("f: node \(node.number) took the address from node \(victim) without a reason")
    }
  }

  /// Statements a and f, at the end.
  mutating func checkEnd(_ nodes: [Node]) {
    if schedule.preemptDelay_us == 0 {
      figures.longestConvergence =
        Double(max(0, unsettled_us - schedule.healed_us)) / Double(schedule.interval_us)
    }
    for router in masters.indices {
      guard let master = nodes.first(where: { $0.routers.routers[router].state == .master }) else {
        return violate("a: router \(router) has no master at the end")
      }
      for node in nodes where node.number != master.number {
        let machine = node.routers.routers[router]
        let priority = master.routers.routers[router].priority
        if machine.settings.preempt != .never, machine.priority > priority {
          violate("a: node \(node.number) should be master of router \(router)")
        }
        if node.life == .running, Moves.isJustified(from: master, to: node) {
          violate("f: node \(node.number) should have the address of node \(master.number)")
        }
      }
    }
  }

  /// Statements c and d, after every step of a node.
  mutating func check(_ node: Node, at now_us: Int64, isStopping: Bool) {
    for (router, machine) in node.routers.routers.enumerated() {
      if node.hasAddresses[router] != (machine.state == .master) {
        violate("c: node \(node.number) is \(machine.state.rawValue), addresses do not fit")
      }
      for timer in RouterTimer.allCases {
        let isSet = node.timers[router][timer.number].due_us != nil
        if !fits(timer, isSet: isSet, machine.state) {
          violate("d: node \(node.number) is \(machine.state.rawValue), timer \(timer.rawValue)")
        }
      }
    }
    guard !isStopping else { return }
    for group in schedule.groups {
      let count = group.count { node.routers.routers[$0].state == .master }
      if count != 0, count != group.count {
        violate("c: node \(node.number) is master of a part of a group")
      }
    }
  }

  private func fits(_ timer: RouterTimer, isSet: Bool, _ state: RouterState) -> Bool {
    switch (state, timer) {
    case (.initialize, _), (.fault, _): !isSet
    case (.backup, .masterDown), (.master, .advertise): true
    case (.backup, _), (.master, .masterDown): !isSet
    case (.master, .announceAgain), (.master, .refresh), (.master, .lowerPriorityAnnounce): true
    }
  }

  /// Statement e.
  mutating func checkSilence(_ node: Node, _ router: Int, priority: UInt8, at now_us: Int64) {
    guard priority != Wire.resigningPriority, let until_us = node.silentUntil_us[router] else {
      return
    }
    if now_us < until_us {
      violate("e: node \(node.number) claims to be master right after it stood still")
    } else {
      node.silentUntil_us[router] = nil
    }
  }
}
