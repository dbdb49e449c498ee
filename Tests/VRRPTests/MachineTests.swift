// Transcripts of one machine: an event, and what is to be done. RFC 9568 section 6.4, and what
// keepalived does beyond it.

import Testing

@testable import VRRP

@Suite struct MachineTests {
  @Test func listensFirst() {
    var t = Transcript()
    #expect(t.start() == "masterDown=3.609, →backup started")
    #expect(
      t.feed(.timer(.masterDown)) == "-masterDown, send 100, acquire, announce becameMaster, "
        + "advertise=1.000, announceAgain=5.000, →master masterDown")
    #expect(t.feed(.timer(.advertise)) == "send 100, advertise=1.000")
  }

  @Test func ownerIsMasterAtOnce() {
    var t = Transcript(priority: 255)
    #expect(t.start().hasSuffix("→master owner"))
  }

  /// keepalived 2.2.7 with `state BACKUP` and priority 255: BACKUP first, MASTER after 3.004 s.
  @Test func ownerThatIsToldToListens() {
    var t = Transcript(priority: 255) { $0.ownerListensFirst = true }
    #expect(t.start() == "masterDown=3.003, →backup started")
    #expect(t.feed(.timer(.masterDown)).hasSuffix("→master masterDown"))
    #expect(t.feed(.fault).hasSuffix("→fault fault"))
    #expect(t.feed(.recovered) == "masterDown=3.003, →backup recovered")
    var grouped = Transcript(priority: 255) {
      $0.ownerListensFirst = true
      $0.isGrouped = true
    }
    #expect(grouped.start() == "masterDown=3.003, →backup started")
  }

  @Test func twoOwners() {
    var t = Transcript(priority: 255)
    _ = t.start()
    #expect(t.hear(255).hasPrefix("(heardOtherOwner), (priorityChanged), -advertise"))
    #expect(t.router.state == .backup && t.router.priority == 254)
  }

  @Test func preemption() {
    var t = Transcript()
    _ = t.start()
    #expect(t.hear(90) == "(ignoresLowerPriority)")
    #expect(t.hear(90) == "")
    #expect(t.hear(100) == "masterDown=3.609")
    #expect(t.hear(150) == "masterDown=3.609")
  }

  @Test func noPreemption() {
    var t = Transcript { $0.preempt = .never }
    _ = t.start()
    #expect(t.hear(1) == "masterDown=3.609")
  }

  @Test func preemptDelayRunsFromTheFirstLowerAdvertisement() {
    var t = Transcript { $0.preempt = .delayed(2_500_000) }
    _ = t.start()
    #expect(t.hear(90, after_us: 2_000_000) == "(preemptDelayStarted), masterDown=3.609")
    #expect(t.hear(90, after_us: 1_000_000) == "masterDown=3.609")
    #expect(t.hear(100, after_us: 100_000) == "(preemptDelayEnded), masterDown=3.609")
    #expect(t.hear(90, after_us: 1_000_000) == "(preemptDelayStarted), masterDown=3.609")
    #expect(t.hear(90, after_us: 2_500_000) == "(ignoresLowerPriority)")
  }

  @Test func resignation() {
    var t = Transcript(priority: 90)
    _ = t.start()
    #expect(t.hear(0) == "(heardResignation), masterDown=0.648")
    #expect(t.feed(.timer(.masterDown)).hasSuffix("→master masterResigned"))
    // Section 6.4.3 (705): an advertisement at once, and Adver_Timer from its beginning.
    #expect(t.hear(0) == "(heardResignation), send 90, advertise=1.000")
  }

  @Test func aLivingMasterThatIsReplacedIsNoDeadOne() {
    var t = Transcript()
    _ = t.start()
    _ = t.hear(90, after_us: 1_000_000)
    #expect(t.feed(.timer(.masterDown)).hasSuffix("→master lowerPriority"))
    var late = Transcript()
    _ = late.start()
    _ = late.hear(90, after_us: 1_000_000)
    #expect(late.hear(120, after_us: 1_000_000) == "masterDown=3.609")
    #expect(late.feed(.timer(.masterDown)).hasSuffix("→master masterDown"), "heard no more")
  }

  @Test func tiesGoToTheHigherAddress() {
    var t = Transcript()
    t.becomeMaster()
    #expect(t.hear(100, host: 4).hasPrefix("(heardLowerPriority), send 100"))
    #expect(t.router.state == .master)
    #expect(t.hear(100, host: 6).hasSuffix("masterDown=3.609, →backup higherAddress"))
    t.becomeMaster()
    _ = t.feed(.timer(.masterDown))
    #expect(t.hear(100, host: 5) == "(heardOwnAddress)")
  }

  @Test func lowerPriorityAsMaster() {
    var t = Transcript()
    t.becomeMaster()
    let announcement = "announce lowerPriority, lowerPriorityAnnounce=5.000"
    #expect(
      t.hear(50) == "(heardLowerPriority), send 100, advertise=1.000, " + announcement)
    var silent = Transcript { $0.isSilentToLowerPriority = true }
    silent.becomeMaster()
    #expect(silent.hear(50) == "(heardLowerPriority), " + announcement)
  }

  @Test func higherPriorityAsMaster() {
    var t = Transcript { $0.answersHigherPriority = true }
    t.becomeMaster()
    #expect(
      t.hear(150) == "send 100, -advertise, -announceAgain, -refresh, -lowerPriorityAnnounce, "
        + "release, masterDown=3.609, →backup higherPriority")
  }

  @Test func versionThreeTakesTheMastersInterval() {
    var t = Transcript { $0.version = .v3 }
    #expect(t.start() == "masterDown=3.609, →backup started")
    #expect(t.hear(200, interval_us: 100_000) == "(adoptedInterval), masterDown=0.360")
    #expect(t.hear(0, interval_us: 500_000) == "(heardResignation), masterDown=0.060")
    _ = t.feed(.timer(.masterDown))
    #expect(t.feed(.timer(.advertise)) == "send 100, advertise=1.000")
  }

  @Test func priorityShiftsTheRunningTimer() {
    var t = Transcript()
    _ = t.start()
    #expect(t.feed(.priority(228), after_us: 1_000_000) == "(priorityChanged), masterDown=2.109")
    #expect(t.feed(.priority(228)) == "" && t.feed(.priority(0)) == "")
    #expect(t.feed(.priority(100), after_us: 9_000_000) == "(priorityChanged), masterDown=0.000")
  }

  @Test func faultSaysSoTwice() {
    var t = Transcript()
    t.becomeMaster()
    #expect(t.feed(.fault).hasPrefix("send 0, send 0, -advertise"))
    #expect(t.feed(.fault) == "" && t.hear(1) == "")
    #expect(t.feed(.recovered) == "masterDown=3.609, →backup recovered")
  }

  @Test func stopSaysSoFirst() {
    var t = Transcript()
    t.becomeMaster()
    #expect(
      t.feed(.stop) == "send 0, -advertise, -announceAgain, -refresh, -lowerPriorityAnnounce, "
        + "release, →initialize stopped")
  }

  @Test func recoveryDoesNotStart() {
    var t = Transcript()
    #expect(t.feed(.fault) == "→fault fault")
    #expect(t.feed(.recovered) == "→initialize recovered")
    _ = t.feed(.fault)
    #expect(t.start() == "")
    #expect(t.feed(.recovered) == "masterDown=3.609, →backup recovered")
  }

  @Test func masterAfterAStall() {
    var t = Transcript()
    t.becomeMaster()
    #expect(t.feed(.resumed) == "(listensAfterStall), advertise=1.000")
    #expect(t.feed(.timer(.announceAgain)) == "")
    #expect(t.feed(.timer(.advertise)) == "send 100, advertise=1.000, announce resumed")
    _ = t.feed(.resumed)
    // Even a lower priority: it has taken over meanwhile.
    #expect(t.hear(1).hasSuffix("release, masterDown=3.609, →backup takenOver"))
  }

  @Test func backupAfterAStall() {
    var t = Transcript()
    _ = t.start()
    #expect(t.feed(.resumed, after_us: 60_000_000) == "masterDown=3.609")
  }

  @Test func reconfigurationKeepsTheMaster() {
    var t = Transcript()
    t.becomeMaster()
    let settings = Transcript.settings { $0.addresses = [.v4(0x0a09_0065)] }
    #expect(
      t.feed(.reconfigured(settings))
        == "send 100, advertise=1.000, acquire, announce addressesChanged")
  }

  @Test func reconfigurationNeverMakesALivingMasterLate() {
    var t = Transcript { $0.version = .v3 }
    _ = t.start()
    _ = t.hear(200)
    let settings = Transcript.settings {
      $0.version = .v3
      $0.interval_us = 100_000
    }
    #expect(t.feed(.reconfigured(settings), after_us: 900_000) == "")
    #expect(t.hear(200) == "masterDown=3.609")
  }
}

@Suite struct GroupTests {
  private func group(priority: UInt8 = 100) -> RouterSet {
    var set = RouterSet(
      [51, 52].map {
        RouterSettings(
          id: $0, version: .v2, priority: priority, interval_us: 1_000_000,
          addresses: [.v4(0x0a09_0064)])
      }, groups: [[0, 1]])
    for index in 0...1 { _ = feed(&set, index, .start(address: .v4(1))) }
    return set
  }

  private func feed(_ set: inout RouterSet, _ index: Int, _ event: RouterEvent) -> [String] {
    var emitted: [String] = []
    set.handle(index, event, at: 0) {
      switch $0 {
      case .router(let index, .transition(let state, _)):
        emitted.append("\(index) \(state.rawValue)")
      case .group(_, let state): emitted.append("group \(state.rawValue)")
      case .router: break
      }
    }
    return emitted
  }

  @Test func allOrNothing() {
    var set = group()
    #expect(set.groupStates == [.backup])
    #expect(feed(&set, 0, .timer(.masterDown)) == [])
    #expect(feed(&set, 1, .timer(.masterDown)) == ["0 master", "1 master", "group master"])
    let advert = Advertisement(
      version: .v2, id: 52, priority: 200, interval_us: 1_000_000, addresses: [])
    #expect(
      feed(&set, 1, .advertisement(advert, from: .v4(2)))
        == ["1 backup", "0 backup", "group backup"])
  }

  @Test func aFaultPullsAllAndRecoveryWaitsForAll() {
    var set = group(priority: 255)
    #expect(set.groupStates == [.master])
    #expect(feed(&set, 0, .fault) == ["0 fault", "1 fault", "group fault"])
    #expect(feed(&set, 1, .fault) == [])
    #expect(feed(&set, 0, .recovered) == [])
    #expect(
      feed(&set, 1, .recovered)
        == ["0 backup", "1 backup", "0 master", "1 master", "group master"])
  }

  @Test func stopIsEachMembersOwn() {
    var set = group(priority: 255)
    #expect(feed(&set, 0, .stop) == ["0 initialize"])
    #expect(feed(&set, 1, .stop) == ["1 initialize", "group initialize"])
  }
}
