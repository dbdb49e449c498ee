// The words of a transcript.

import VRRP

enum Wording {
  /// Seconds with six decimals, padded.
  static func time(_ time_us: Int64) -> String {
    let fraction = String(time_us % 1_000_000)
    let seconds = String(time_us / 1_000_000)
    return String(repeating: " ", count: max(0, 4 - seconds.count)) + seconds + "."
      + String(repeating: "0", count: 6 - fraction.count) + fraction
  }

  static func seconds(_ time_us: Int64) -> String {
    time(time_us).drop { $0 == " " } + " s"
  }

  static func address(_ address: ProtocolAddress) -> String {
    switch address {
    case .v4(let value):
      [24, 16, 8, 0].map { String(value >> UInt32($0) & 255) }.joined(separator: ".")
    case .v6(let high, let low):
      String(high >> 48, radix: 16) + "::" + String(low, radix: 16)
    }
  }

  static func event(_ event: RouterEvent) -> String {
    switch event {
    case .advertisement(let advert, let source):
      "hears priority \(advert.priority) from \(address(source))"
    case .timer(let timer): "timer \(timer.rawValue)"
    case .start: "start"
    case .reconfigured(let settings): "reconfigured, \(settings.preempt)"
    case .priority(let priority): "priority is \(priority.backup), as master \(priority.master)"
    case .moved(let to): "address is \(address(to))"
    case .fault, .recovered, .groupMaster, .groupBackup, .resumed, .resign, .stop: "\(event)"
    }
  }

  static func action(_ action: RouterAction) -> String {
    switch action {
    case .send(let priority): "send priority \(priority)"
    case .setTimer(let timer, let after_us): "set \(timer.rawValue) \(seconds(after_us))"
    case .cancelTimer(let timer): "cancel \(timer.rawValue)"
    case .announce(let cause): "announce, \(cause.rawValue)"
    case .transition(let state, let cause): "is \(state.rawValue): \(self.cause(cause))"
    case .remark(let remark): "remark \(self.remark(remark))"
    case .wantsMaster(let wants): wants ? "wants to be master" : "does not want to be master"
    case .acquire, .release: "\(action)"
    }
  }

  static func cause(_ cause: TransitionCause) -> String {
    switch cause {
    case .higherPriority(let priority, let source): "priority \(priority) of \(address(source))"
    case .higherAddress(let source): "same priority and higher address of \(address(source))"
    case .takenOver(let source): "taken over by \(address(source))"
    case .lowerPriority(let priority, let source):
      "lower priority \(priority) of \(address(source))"
    case .orderedAway(let source): "ordered away\(source.map { " to \(address($0))" } ?? "")"
    case .started, .stopped, .owner, .masterDown, .group, .fault, .recovered, .masterResigned,
      .resigned, .orderedHere:
      "\(cause)"
    }
  }

  static func remark(_ remark: RouterRemark) -> String {
    switch remark {
    case .ignoresLowerPriority(let priority, _): "ignores lower priority \(priority)"
    case .heardLowerPriority(let priority, _): "heard lower priority \(priority)"
    case .heardResignation: "heard resignation"
    case .heardOwnAddress: "heard own address"
    case .heardOtherOwner: "heard other owner"
    case .adoptedInterval(let interval_us, _): "adopts interval \(seconds(interval_us))"
    case .preemptDelayStarted(let delay_us): "preempt delay \(seconds(delay_us)) starts"
    case .preemptDelayEnded: "preempt delay ends"
    case .priorityChanged(let from, let to): "priority \(from) -> \(to)"
    case .listensAfterStall: "listens after a stall"
    }
  }

  static func disturbance(_ what: Disturbance) -> String { "\(what)" }
}

extension Simulation {
  /// The nodes and the bounds, at the head of a transcript.
  func describe(to trace: (String) -> Void) {
    for node in nodes {
      for (router, settings) in node.plan.settings.enumerated() {
        trace(
          "node \(node.number) router \(router): \(Wording.address(node.plan.address))"
            + " \(settings.version) priority \(settings.priority)"
            + " interval \(Wording.seconds(settings.interval_us)) preempt \(settings.preempt)")
      }
    }
    trace("delay up to \(Wording.seconds(schedule.delay_us))")
    trace("healed at \(Wording.seconds(schedule.healed_us))")
    trace("one master from \(Wording.seconds(schedule.deadline_us))")
    trace("settled at \(Wording.seconds(schedule.settled_us))")
  }
}
