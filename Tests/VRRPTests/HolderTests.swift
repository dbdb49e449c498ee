// How an address follows the proxy: the damping of verdicts, the life of one node's priority, and
// what holds for every combination of nodes.

import Testing

@testable import VRRP

private let second = Timing.second_us

/// Both machines behind references, so that expectations may contain their steps.
private final class Path {
  private var machine: PathHealth
  static let times = PathTimes(checkInterval_us: second)
  init(startedAt now_us: Int64 = 0) {
    machine = PathHealth(startedAt: now_us, times: Path.times)
  }
  /// Of the others, and of the holder.
  var words: String { "\(machine.verdict) \(machine.holderVerdict)" }
  var next_us: Int64? { machine.next_us }
  @discardableResult
  func see(isGood: Bool, at now_us: Int64) -> Bool { machine.see(isGood: isGood, at: now_us) }
  @discardableResult
  func expire(at now_us: Int64) -> Bool { machine.expire(at: now_us) }
}

private final class Holder {
  var machine: HolderPriority
  init(_ machine: HolderPriority) { self.machine = machine }
  var priority: RouterPriority { machine.priority }
  var next_us: Int64? { machine.next_us }
  /// As backup, as master, turn.
  var words: String { "\(priority.backup)/\(priority.master)/\(priority.turn)" }
  var copy: Holder { Holder(machine) }
  @discardableResult
  func handle(
    _ event: HolderEvent, patience_us: Int64 = 0, at now_us: Int64
  ) -> HolderOutcome? {
    machine.handle(event, patience_us: patience_us, at: now_us)
  }
  @discardableResult
  func expire(at now_us: Int64) -> HolderOutcome? { machine.expire(at: now_us) }
}

@Suite struct PathHealthTests {
  @Test func firstSightDecides() {
    let good = Path()
    #expect(good.words == "unknown unknown" && good.see(isGood: true, at: 1))
    #expect(good.words == "healthy healthy" && good.next_us == nil)
    let bad = Path()
    #expect(bad.see(isGood: false, at: 1) && bad.words == "unhealthy unhealthy")
  }

  @Test func nothingSeenIsUnhealthyInTheEnd() {
    let path = Path(startedAt: 7)
    let end_us = 7 + Path.times.patience_us
    #expect(path.next_us == end_us)
    #expect(!path.expire(at: end_us - 1) && path.words == "unknown unknown")
    #expect(path.expire(at: end_us) && path.words == "unhealthy unhealthy")
    #expect(path.next_us == nil)
  }

  @Test func theHolderIsGivenUpLateAndTheOthersAtOnce() {
    let path = Path()
    path.see(isGood: true, at: 0)
    #expect(path.see(isGood: false, at: 10 * second) && path.words == "unhealthy healthy")
    // Told again, it counts from the first time.
    path.see(isGood: false, at: 11 * second)
    #expect(path.next_us == 10 * second + Path.times.hold_us)
    #expect(!path.expire(at: 10 * second + Path.times.hold_us - 1))
    #expect(path.expire(at: 10 * second + Path.times.hold_us))
    #expect(path.words == "unhealthy unhealthy")
  }

  @Test func theHolderIsWellAtOnceAndTheOthersLate() {
    let path = Path()
    path.see(isGood: false, at: 0)
    #expect(path.see(isGood: true, at: 10 * second) && path.words == "unhealthy healthy")
    #expect(path.next_us == 10 * second + Path.times.rise_us)
    // A bad moment in between starts anew.
    path.see(isGood: false, at: 11 * second)
    path.see(isGood: true, at: 12 * second)
    #expect(path.next_us == 12 * second + Path.times.rise_us)
    #expect(path.see(isGood: true, at: 12 * second + Path.times.rise_us))
    #expect(path.words == "healthy healthy" && path.next_us == nil)
  }

  @Test func whatIsDueIsNotForgottenForWhatIsSeen() {
    let path = Path()
    path.see(isGood: true, at: 0)
    path.see(isGood: false, at: 0)
    // Late: the hold is over, and it is good again.
    path.see(isGood: true, at: 60 * second)
    #expect(path.words == "unhealthy healthy")
    #expect(path.next_us == 60 * second + Path.times.rise_us)
  }

  @Test func goodAndBadInTurnIsBad() {
    let path = Path()
    path.see(isGood: true, at: 0)
    var time_us = 100 * second
    var bad = 0
    for _ in 0..<10 {
      path.see(isGood: false, at: time_us)
      time_us += 1900 * second / 1000
      _ = path.expire(at: time_us)
      if path.words == "unhealthy unhealthy" { bad += 1 }
      path.see(isGood: true, at: time_us)
      time_us += 1900 * second / 1000
    }
    #expect(bad == 9, "the first time is within the hold, the rest of it is used up by the second")
  }

  @Test func timesFollowTheChecks() {
    let usual = PathTimes(checkInterval_us: second)
    #expect(usual.hold_us == 2_500_000 && usual.rise_us == 5_000_000)
    let fast = PathTimes(checkInterval_us: 0)
    #expect(fast.hold_us == 2 * second && fast.rise_us == 4 * second)
    for seconds: Int64 in [0, 1, 2, 5, 60, 3600] {
      let times = PathTimes(checkInterval_us: seconds * second)
      #expect(times.restore_us > 0 && times.hold_us > seconds * second)
      #expect(times.restore_us <= times.rise_us - 2 * seconds * second)
    }
    #expect(PathTimes(checkInterval_us: .max).hold_us < 2 * 3600 * second)
    #expect(PathTimes(checkInterval_us: 10 * second).hold_us == 16 * second)
  }
}

extension HolderEvent {
  fileprivate static func both(_ verdict: PathVerdict) -> HolderEvent {
    .path(PathState(asBackup: verdict, asHolder: verdict))
  }
}

@Suite struct HolderPriorityTests {
  private func node(delay_us: Int64 = 60 * second) -> Holder {
    Holder(HolderPriority(preference: 200, follows: true, preemptDelay_us: delay_us))
  }

  @Test func lifeOfAPriority() {
    let node = self.node()
    #expect(node.words == "72/128/72")
    node.handle(.both(.healthy), at: 0)
    #expect(node.words == "129/200/200" && node.next_us == 60 * second)
    #expect(node.expire(at: 60 * second - 1) == nil && node.words == "129/200/200")
    #expect(node.expire(at: 60 * second) == nil && node.words == "200/200/200")
    node.handle(.both(.unhealthy), at: 70 * second)
    #expect(node.words == "72/128/72" && node.next_us == nil)
    // A relapse: twice as long. Ten minutes of health make up for it.
    node.handle(.both(.healthy), at: 80 * second)
    #expect(node.next_us == 200 * second)
    node.expire(at: 200 * second)
    node.handle(.both(.unhealthy), at: 680 * second)
    node.handle(.both(.healthy), at: 700 * second)
    #expect(node.next_us == 760 * second)
  }

  @Test func recoveryIsBounded() {
    let node = self.node()
    for number in 0..<100 {
      node.handle(.both(.healthy), at: Int64(number) * second)
      node.handle(.both(.unhealthy), at: Int64(number) * second + 1)
    }
    node.handle(.both(.healthy), at: 1000 * second)
    #expect(node.next_us == 1000 * second + HolderPriority.longestRecovery_us)
    let hasty = self.node(delay_us: 0)
    hasty.handle(.both(.healthy), at: 0)
    #expect(hasty.words == "200/200/200" && hasty.next_us == nil)
  }

  @Test func withoutPreemptionNothingIsTakenFromTheHealthy() {
    let node = Holder(
      HolderPriority(preference: 200, follows: true, returns: false, preemptDelay_us: 0))
    node.handle(.both(.healthy), at: 0)
    #expect(node.words == "129/200/200")
  }

  @Test func steppingDown() {
    let node = self.node(delay_us: 0)
    node.handle(.both(.healthy), at: 0)
    #expect(node.handle(.stepDown, patience_us: 10, at: 0) == .notHolder)
    node.handle(.master(true), at: 0)
    #expect(node.handle(.stepDown, patience_us: 10, at: 5) == nil)
    #expect(node.words == "129/128/200" && node.next_us == 15)
    let kept = node.copy
    #expect(kept.expire(at: 15) == .nobodyTook && kept.words == "200/200/200")
    #expect(node.handle(.master(false), at: 9) == .handedOver && node.next_us == nil)
    #expect(node.words == "129/200/200")
    node.handle(.master(true), at: 20)
    #expect(node.words == "200/200/200")
    node.handle(.stepDown, patience_us: 10, at: 30)
    node.handle(.both(.unhealthy), at: 31)
    #expect(node.words == "72/128/72" && node.next_us == 40, "an unhealthy node gives way as well")
    node.handle(.withdraw, at: 32)
    #expect(node.words == "72/128/72" && node.next_us == nil)
  }

  @Test func claiming() {
    let node = self.node()
    #expect(node.handle(.claim, patience_us: 10, at: 0) == .unhealthy)
    node.handle(.both(.healthy), at: 0)
    #expect(node.handle(.claim, patience_us: 10, at: 0) == nil)
    #expect(node.words == "254/254/254" && node.priority.overridesPreemptMode)
    let late = node.copy
    #expect(late.expire(at: 10) == .notTaken && late.words == "129/200/200")
    #expect(node.handle(.master(true), at: 5) == .took && node.words == "254/254/254")
    #expect(node.expire(at: 10) == nil && node.priority.master == HolderBand.claimed)
    #expect(node.handle(.claim, patience_us: 10, at: 11) == .alreadyHolder)
    let ill = node.copy
    ill.handle(.both(.unhealthy), at: 20)
    #expect(ill.words == "72/128/72")
    node.handle(.master(false), at: 20)
    #expect(node.words == "129/200/200")
    node.handle(.claim, patience_us: 10, at: 30)
    #expect(node.handle(.both(.unhealthy), at: 31) == .notTaken && node.words == "72/128/72")
  }

  @Test func theVerdictCountsForTheRole() {
    let node = node(delay_us: 0)
    node.handle(.both(.healthy), at: 0)
    node.handle(.master(true), at: 0)
    let holding = PathState(asBackup: .unhealthy, asHolder: .healthy, isHolding: true)
    node.handle(.path(holding), at: 1)
    #expect(node.words == "200/200/200")
    node.handle(.master(false), at: 2)
    #expect(node.words == "72/128/72")
    // Back while it is bad: nothing to hold on to. Good again: at once.
    node.handle(.master(true), at: 3)
    #expect(node.words == "72/128/72")
    node.handle(.path(PathState(asBackup: .unhealthy, asHolder: .healthy)), at: 4)
    #expect(node.words == "200/200/200")
  }

  @Test func draining() {
    let node = self.node()
    node.handle(.both(.healthy), at: 0)
    #expect(node.handle(.drained(true), patience_us: 10, at: 0) == .notHolder)
    #expect(node.words == "1/1/1")
    #expect(node.handle(.claim, at: 0) == .isDrained)
    node.handle(.drained(false), at: 0)
    node.handle(.master(true), at: 0)
    #expect(node.handle(.drained(true), patience_us: 10, at: 0) == nil)
    #expect(node.expire(at: 10) == .nobodyTook && node.words == "1/1/1")
    node.handle(.drained(true), patience_us: 10, at: 20)
    #expect(node.handle(.master(false), at: 25) == .handedOver && node.words == "1/1/1")
  }

  @Test func whoDoesNotFollowHasItsConfiguredPriority() {
    let node = Holder(HolderPriority(preference: 101, follows: false))
    node.handle(.both(.unhealthy), at: 0)
    #expect(node.words == "101/101/101")
    node.handle(.master(true), at: 0)
    node.handle(.stepDown, patience_us: 10, at: 0)
    #expect(node.words == "1/1/101")
    node.handle(.master(false), at: 1)
    #expect(node.words == "1/101/101")
    #expect(node.handle(.claim, patience_us: 10, at: 0) == nil && node.words == "254/254/254")
  }
}
