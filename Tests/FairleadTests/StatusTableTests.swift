// The status on terminals of several sizes, and the keys that move through it.

import Control
import Testing

@testable import Fairlead

@Suite struct StatusTableTests {
  static func router(_ health: String?, standing: String) -> RouterReport {
    var router = RouterReport(
      name: "10.0.0.179", id: 179, interface: "eth0", addresses: ["10.0.0.179/24"],
      state: "master", since: 900, reason: "no advert from a master", priority: 128,
      standing: standing, master: "this node", faults: [], advertsSent: 1, advertsReceived: 0,
      drops: [:])
    router.health = health
    return router
  }

  static func lines(_ router: RouterReport, columns: Int?) -> [String] {
    var report = StatusReport(program: "0.1.0", pid: 1, started: 800, now: 1000)
    report.routers = [router]
    let rows = StatusTable(report: report, columns: columns).rows()
    return rows.dropFirst(2).map { $0.rendered(color: false) }
  }

  static let sick = router("unhealthy", standing: "unhealthy: no server of 'api' is reachable")

  @Test func healthAndCauseAreSeenOnEightyColumns() {
    let lines = Self.lines(Self.sick, columns: 80)
    #expect(lines.count == 3 && lines.allSatisfy { $0.count <= 80 })
    for word in ["MASTER", "1m40s", "128", "unhealthy", "this node", "10.0.0.179/24"] {
      #expect(lines[1].contains(word), "\(word) in \(lines[1])")
    }
    #expect(lines[2] == "  no server of 'api' is reachable; no advert from a master")
  }

  @Test func onAWideOneTheCauseIsInTheSameLine() {
    for columns in [nil, 160] {
      let lines = Self.lines(Self.sick, columns: columns)
      #expect(lines.count == 2)
      #expect(lines[0].hasSuffix("ADDRESSES      WHY"))
      #expect(lines[1].hasSuffix("no server of 'api' is reachable; no advert from a master"))
    }
  }

  @Test func onSixtyColumnsWhatMattersStays() {
    let lines = Self.lines(Self.sick, columns: 60)
    #expect(lines.allSatisfy { $0.count <= 60 })
    #expect(lines[1].contains("128") && lines[1].contains("unhealthy"))
  }

  @Test(arguments: [
    ("healthy", "healthy", "no advert from a master"),
    (
      "recovering", "healthy, recovering for another 42 s",
      "recovering for another 42 s; no advert from a master"
    ),
    (
      "drained", "drained: any other node takes the addresses",
      "any other node takes the addresses; no advert from a master"
    ),
  ])
  func theCauseDoesNotRepeatTheHealth(_ health: String, _ standing: String, _ words: String) {
    let line = Self.lines(Self.router(health, standing: standing), columns: nil)[1]
    #expect(line.contains(" \(health) ") && line.hasSuffix("  \(words)"), "\(line)")
  }

  @Test func withoutHealthThereIsNoColumn() {
    let lines = Self.lines(Self.router(nil, standing: ""), columns: nil)
    #expect(!lines[0].contains("HEALTH") && lines[1].hasSuffix("no advert from a master"))
  }

  @Test func whatFailsOpenIsNotUp() {
    var report = StatusReport(program: "0.1.0", pid: 1, started: 800, now: 1000)
    let server = ServerReport(
      name: "a", address: "10.0.0.1:1", state: .draining, isDrained: false, isBackup: false,
      weight: 1, since: nil, check: nil, isChecked: true, queued: 0, connectFailures: 0,
      isFailedOpen: true, traffic: TrafficReport())
    report.backends = [
      BackendReport(
        name: "api", isDisabled: false, usableServers: 1, queued: 0, retries: 0, redispatches: 0,
        isFailedOpen: true, failOpens: 1, traffic: TrafficReport(), servers: [server])
    ]
    let lines = StatusTable(report: report).rows().map { $0.rendered(color: false) }
    #expect(lines.contains { $0.contains("0 of 1 ready") && $0.contains("fails open") })
    // Since the start, as nothing has changed.
    #expect(lines.contains { $0.contains("OPEN") && $0.contains("3m20s") })
  }
}

@Suite struct ScrollTests {
  @Test func pagesOverlapByALineAndEndAtTheEnds() {
    var screen = Scroll()
    #expect(screen.show(30, room: 12) == 0..<12)
    screen.move(.lines(-1))
    #expect(screen.show(30, room: 12) == 0..<12)
    screen.move(.pages(1))
    #expect(screen.show(30, room: 12) == 11..<23)
    screen.move(.pages(1))
    #expect(screen.show(30, room: 12) == 18..<30)
    screen.move(.lines(-2))
    #expect(screen.show(30, room: 12) == 16..<28)
    // The terminal has grown.
    #expect(screen.show(30, room: 40) == 0..<30)
    screen.move(.bottom)
    #expect(screen.show(30, room: 5) == 0..<5)
    screen.move(.bottom)
    #expect(screen.show(30, room: 5) == 25..<30)
    screen.move(.top)
    #expect(screen.show(30, room: 5) == 0..<5)
  }

  @Test(arguments: [
    ("q", Key.end), ("\u{3}", .end), ("j", .lines(1)), ("k", .lines(-1)),
    ("\u{1b}[A", .lines(-1)), ("\u{1b}OB", .lines(1)), ("\u{1b}[6~", .pages(1)),
    ("\u{1b}[5~", .pages(-1)), ("\u{1b}[B\u{1b}[B", .lines(1)), ("jj", .lines(1)),
    ("\u{1b}[H", .top), ("G", .bottom),
  ])
  func keys(_ text: String, _ key: Key) { #expect(Key(Array(text.utf8)) == key) }

  @Test(arguments: ["x", "\u{1b}", "\u{1b}[C", "\u{1b}[", "é"])
  func otherKeysMeanNothing(_ text: String) { #expect(Key(Array(text.utf8)) == nil) }
}
