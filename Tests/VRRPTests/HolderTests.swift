// How an address follows the proxy: the damping of verdicts, the life of one node's priority, and
// what holds for every combination of nodes.

import Testing

@testable import VRRP

private let second = Timing.second_us

/// Both machines behind references, so that expectations may contain their steps.
private final class Path {
  private var machine: PathHealth
  init(startedAt now_us: Int64 = 0) { machine = PathHealth(startedAt: now_us) }
  var verdict: PathVerdict { machine.verdict }
  var next_us: Int64? { machine.next_us }
  @discardableResult
  func see(isGood: Bool, at now_us: Int64) -> Bool { machine.see(isGood: isGood, at: now_us) }
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
    #expect(good.verdict == .unknown && good.see(isGood: true, at: 1) && good.verdict == .healthy)
    let bad = Path()
    #expect(bad.see(isGood: false, at: 1) && bad.verdict == .unhealthy)
    // It has never been healthy: one good moment is enough.
    #expect(bad.see(isGood: true, at: 2) && bad.verdict == .healthy)
  }

  @Test func nothingSeenIsUnhealthyInTheEnd() {
    let path = Path(startedAt: 7)
    #expect(path.next_us == 7 + PathHealth.patience_us)
    #expect(!path.expire(at: 7 + PathHealth.patience_us - 1) && path.verdict == .unknown)
    #expect(path.expire(at: 7 + PathHealth.patience_us) && path.verdict == .unhealthy)
    #expect(path.next_us == nil)
  }

  @Test func badAndGoodMustLast() {
    let path = Path()
    path.see(isGood: true, at: 0)
    path.see(isGood: false, at: 10)
    // Told again, it counts from the first time; a good moment in between starts anew.
    path.see(isGood: false, at: second)
    #expect(path.next_us == 10 + PathHealth.fall_us)
    #expect(!path.see(isGood: true, at: 2 * second) && path.next_us == nil)
    path.see(isGood: false, at: 3 * second)
    #expect(!path.expire(at: 3 * second + PathHealth.fall_us - 1))
    #expect(path.expire(at: 3 * second + PathHealth.fall_us) && path.verdict == .unhealthy)
    path.see(isGood: true, at: 10 * second)
    #expect(!path.see(isGood: false, at: 12 * second))
    path.see(isGood: true, at: 20 * second)
    #expect(path.see(isGood: true, at: 20 * second + PathHealth.rise_us))
    #expect(path.verdict == .healthy)
  }

  @Test func goodAndBadInTurnIsBad() {
    let path = Path()
    path.see(isGood: true, at: 0)
    var time_us: Int64 = 0
    for _ in 0..<100 {
      path.see(isGood: false, at: time_us)
      time_us += 2100 * second / 1000
      path.see(isGood: true, at: time_us)
      time_us += 2100 * second / 1000
    }
    #expect(path.verdict == .unhealthy)
  }
}

@Suite struct HolderPriorityTests {
  private func node(delay_us: Int64 = 60 * second) -> Holder {
    Holder(HolderPriority(preference: 200, follows: true, preemptDelay_us: delay_us))
  }

  @Test func lifeOfAPriority() {
    let node = self.node()
    #expect(node.words == "72/128/72")
    node.handle(.path(.healthy), at: 0)
    #expect(node.words == "129/200/200" && node.next_us == 60 * second)
    #expect(node.expire(at: 60 * second - 1) == nil && node.words == "129/200/200")
    #expect(node.expire(at: 60 * second) == nil && node.words == "200/200/200")
    node.handle(.path(.unhealthy), at: 70 * second)
    #expect(node.words == "72/128/72" && node.next_us == nil)
    // A relapse: twice as long. Ten minutes of health make up for it.
    node.handle(.path(.healthy), at: 80 * second)
    #expect(node.next_us == 200 * second)
    node.expire(at: 200 * second)
    node.handle(.path(.unhealthy), at: 680 * second)
    node.handle(.path(.healthy), at: 700 * second)
    #expect(node.next_us == 760 * second)
  }

  @Test func recoveryIsBounded() {
    let node = self.node()
    for number in 0..<100 {
      node.handle(.path(.healthy), at: Int64(number) * second)
      node.handle(.path(.unhealthy), at: Int64(number) * second + 1)
    }
    node.handle(.path(.healthy), at: 1000 * second)
    #expect(node.next_us == 1000 * second + HolderPriority.longestRecovery_us)
    let hasty = self.node(delay_us: 0)
    hasty.handle(.path(.healthy), at: 0)
    #expect(hasty.words == "200/200/200" && hasty.next_us == nil)
  }

  @Test func withoutPreemptionNothingIsTakenFromTheHealthy() {
    let node = Holder(
      HolderPriority(preference: 200, follows: true, returns: false, preemptDelay_us: 0))
    node.handle(.path(.healthy), at: 0)
    #expect(node.words == "129/200/200")
  }

  @Test func steppingDown() {
    let node = self.node(delay_us: 0)
    node.handle(.path(.healthy), at: 0)
    #expect(node.handle(.stepDown(isForced: false), patience_us: 10, at: 0) == .notHolder)
    node.handle(.master(true), at: 0)
    #expect(node.handle(.stepDown(isForced: false), patience_us: 10, at: 5) == nil)
    #expect(node.words == "129/128/200" && node.next_us == 15)
    let kept = node.copy
    #expect(kept.expire(at: 15) == .nobodyTook && kept.words == "200/200/200")
    #expect(node.handle(.master(false), at: 9) == .handedOver && node.next_us == nil)
    #expect(node.words == "129/200/200")
    node.handle(.master(true), at: 20)
    #expect(node.words == "200/200/200")
    node.handle(.stepDown(isForced: true), patience_us: 10, at: 30)
    #expect(node.priority.master == HolderBand.drained)
    node.handle(.path(.unhealthy), at: 31)
    #expect(node.priority.master == HolderBand.drained)
    node.handle(.withdraw, at: 32)
    #expect(node.words == "72/128/72")
  }

  @Test func claiming() {
    let node = self.node()
    #expect(node.handle(.claim, patience_us: 10, at: 0) == .unhealthy)
    node.handle(.path(.healthy), at: 0)
    #expect(node.handle(.claim, patience_us: 10, at: 0) == nil)
    #expect(node.words == "254/254/254" && node.priority.overridesPreemptMode)
    let late = node.copy
    #expect(late.expire(at: 10) == .notTaken && late.words == "129/200/200")
    #expect(node.handle(.master(true), at: 5) == .took && node.words == "254/254/254")
    #expect(node.expire(at: 10) == nil && node.priority.master == HolderBand.claimed)
    #expect(node.handle(.claim, patience_us: 10, at: 11) == .alreadyHolder)
    let ill = node.copy
    ill.handle(.path(.unhealthy), at: 20)
    #expect(ill.words == "72/128/72")
    node.handle(.master(false), at: 20)
    #expect(node.words == "129/200/200")
    node.handle(.claim, patience_us: 10, at: 30)
    #expect(node.handle(.path(.unhealthy), at: 31) == .notTaken && node.words == "72/128/72")
  }

  @Test func draining() {
    let node = self.node()
    node.handle(.path(.healthy), at: 0)
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
    node.handle(.path(.unhealthy), at: 0)
    #expect(node.words == "101/101/101")
    node.handle(.master(true), at: 0)
    node.handle(.stepDown(isForced: false), patience_us: 10, at: 0)
    #expect(node.words == "1/1/101")
    node.handle(.master(false), at: 1)
    #expect(node.words == "1/101/101")
    #expect(node.handle(.claim, patience_us: 10, at: 0) == nil && node.words == "254/254/254")
  }
}
