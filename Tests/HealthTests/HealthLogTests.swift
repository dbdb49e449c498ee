// Lines as haproxy 2.6.12 wrote them on 2026-11-21, levels included.

import Configuration
import Testing

@testable import Health

@Suite struct HealthLogTests {
  let a = HealthLog(.init(backend: "l1", server: "a"), isBackup: false, logsChecks: false)
  let bk = HealthLog(.init(backend: "l1", server: "bk"), isBackup: true, logsChecks: false)
  let quiet = HealthLog(.init(backend: "b9", server: "a"), isBackup: false, logsChecks: true)
  let refused = CheckReport(status: .layer4ConnectionProblem, info: "Connection refused")
  let tracked = TransitionCause.tracked(.init(backend: "b2", server: "a"))

  @Test func down() {
    #expect(
      a.transition(
        from: .up, to: .down, cause: .check(refused), counts: .init(active: 0, backup: 2))
        == .init(
          .alert,
          "Server l1/a is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", "
            + "check duration: 0ms. 0 active and 2 backup servers left. Running on backup. "
            + "0 sessions active, 0 requeued, 0 remaining in queue."))
    #expect(
      bk.transition(
        from: .up, to: .down, cause: .check(refused), counts: .init(active: 0, backup: 0)
      ).text
        == "Backup Server l1/bk is DOWN, reason: Layer4 connection problem, info: "
        + "\"Connection refused\", check duration: 0ms. 0 active and 0 backup servers left. "
        + "0 sessions active, 0 requeued, 0 remaining in queue.")
    let timeout = CheckReport(status: .layer4Timeout, duration: .milliseconds(202))
    #expect(
      a.transition(
        from: .up, to: .down, cause: .check(timeout),
        counts: .init(active: 1, backup: 0, sessions: 3, requeued: 2, queued: 1)
      ).text
        == "Server l1/a is DOWN, reason: Layer4 timeout, check duration: 202ms. 1 active and 0 "
        + "backup servers left. 3 sessions active, 2 requeued, 1 remaining in queue.")
    let status = CheckReport(status: .layer7WrongStatus, code: 500, info: "X")
    #expect(
      a.transition(
        from: .stopping, to: .down, cause: .check(status), counts: .init(active: 0, backup: 0))
        == .init(
          .notice,
          "Server l1/a is DOWN, reason: Layer7 wrong status, code: 500, info: \"X\", check "
            + "duration: 0ms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, "
            + "0 remaining in queue."))
    #expect(
      quiet.transition(
        from: .up, to: .down, cause: .check(refused), counts: .init(active: 0, backup: 1)
      ).text
        == "Server b9/a is DOWN. 0 active and 1 backup servers left. Running on backup. "
        + "0 sessions active, 0 requeued, 0 remaining in queue.")
    #expect(
      a.transition(from: .up, to: .down, cause: tracked, counts: .init(active: 0, backup: 0)).text
        == "Server l1/a is DOWN via b2/a. 0 active and 0 backup servers left. "
        + "0 sessions active, 0 requeued, 0 remaining in queue.")
  }

  @Test func upAndStopping() {
    let passed = CheckReport(status: .layer7OK, code: 200)
    #expect(
      a.transition(
        from: .down, to: .up, cause: .check(passed), counts: .init(active: 1, backup: 0))
        == .init(
          .notice,
          "Server l1/a is UP, reason: Layer7 check passed, code: 200, check duration: 0ms. "
            + "1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."))
    #expect(
      bk.transition(
        from: .down, to: .up, cause: .check(.init(status: .layer4OK)),
        counts: .init(active: 1, backup: 1)
      ).text
        == "Backup Server l1/bk is UP, reason: Layer4 check passed, check duration: 0ms. "
        + "1 active and 1 backup servers online. 0 sessions requeued, 0 total in queue.")
    #expect(
      a.transition(from: .down, to: .up, cause: tracked, counts: .init(active: 2, backup: 0)).text
        == "Server l1/a is UP via b2/a. 2 active and 0 backup servers online. "
        + "0 sessions requeued, 0 total in queue.")
    let conditional = CheckReport(status: .layer7ConditionallyOK, code: 404)
    #expect(
      a.transition(
        from: .up, to: .stopping, cause: .check(conditional), counts: .init(active: 1, backup: 0))
        == .init(
          .notice,
          "Server l1/a is stopping, reason: Layer7 check conditionally passed, code: 404, check "
            + "duration: 0ms. 1 active and 0 backup servers online. 0 sessions requeued, "
            + "0 total in queue."))
  }

  @Test func checks() {
    #expect(
      quiet.check(refused, .init(health: 3, rise: 2, fall: 3))
        == .init(
          .notice,
          "Health check for server b9/a failed, reason: Layer4 connection problem, info: "
            + "\"Connection refused\", check duration: 0ms, status: 2/3 UP."))
    #expect(
      quiet.check(refused, .init(health: 0, rise: 2, fall: 3)).text.hasSuffix(
        "status: 0/2 DOWN."))
    #expect(
      bk.check(.init(status: .layer4OK), .init(health: 1, rise: 2, fall: 3)).text
        == "Health check for backup server l1/bk succeeded, reason: Layer4 check passed, "
        + "check duration: 0ms, status: 1/2 DOWN.")
    #expect(
      a.check(.init(status: .layer7OK, info: "(tcp-check)"), .init(health: 4, rise: 2, fall: 3))
        .text
        == "Health check for server l1/a succeeded, reason: Layer7 check passed, code: 0, "
        + "info: \"(tcp-check)\", check duration: 0ms, status: 3/3 UP.")
    #expect(
      a.check(
        .init(status: .layer7ConditionallyOK, code: 404), .init(health: 4, rise: 2, fall: 3)
      ).text
        == "Health check for server l1/a conditionally succeeded, reason: Layer7 check "
        + "conditionally passed, code: 404, check duration: 0ms, status: 3/3 UP.")
    let words = " at step 2 of tcp-check (expect string '+PONG')"
    let timeout = CheckReport(
      status: .layer7Timeout, info: words, duration: .microseconds(1_001_900))
    #expect(
      a.check(timeout, .init(health: 0, rise: 2, fall: 3), hasWeight: false).text
        == "Health check for server l1/a failed, reason: Layer7 timeout, info: \"\(words)\", "
        + "check duration: 1001ms, status: 0/2 DOWN.")
    #expect(
      a.check(.init(status: .layer4OK), .init(health: 4, rise: 2, fall: 3), hasWeight: false)
        .text.hasSuffix("status: 3/3 DRAIN."))
  }

  @Test func maintenance() {
    let counts = HealthCounts(active: 0, backup: 2)
    #expect(
      a.transition(from: .up, to: .maintenance, cause: .administrator, counts: counts)
        == .init(
          .alert,
          "Server l1/a is going DOWN for maintenance. 0 active and 2 backup servers left. "
            + "Running on backup. 0 sessions active, 0 requeued, 0 remaining in queue."))
    #expect(
      a.transition(from: .down, to: .maintenance, cause: .administrator, counts: counts)
        == .init(.notice, "Server l1/a was DOWN and now enters maintenance."))
    #expect(
      a.transition(from: .maintenance, to: .up, cause: .administrator, counts: counts)
        == .init(.notice, "Server l1/a is UP/READY (leaving forced maintenance)."))
    #expect(
      a.transition(from: .maintenance, to: .up, cause: tracked, counts: counts).text
        == "Server l1/a is UP/READY (leaving maintenance).")
    #expect(
      a.transition(
        from: .up, to: .maintenance, cause: tracked, counts: .init(active: 0, backup: 0)
      ).text
        == "Server l1/a is going DOWN for maintenance via b2/a. 0 active and 0 backup servers "
        + "left. 0 sessions active, 0 requeued, 0 remaining in queue.")
    #expect(
      bk.transition(
        from: .up, to: .maintenance, cause: .administrator, counts: .init(active: 1, backup: 1),
        wasDraining: true
      ).level == .notice)
  }

  @Test func draining() {
    #expect(
      bk.entersDrain(counts: .init(active: 1, backup: 1))
        == .init(
          .notice,
          "Backup Server l1/bk enters drain state. 1 active and 1 backup servers online. "
            + "0 sessions requeued, 0 total in queue."))
    #expect(
      a.entersDrain(isDown: true, counts: .init(active: 0, backup: 2)).text
        == "Server l1/a enters drain state. 0 active and 2 backup servers left. Running on "
        + "backup. 0 sessions active, 0 requeued, 0 remaining in queue.")
    #expect(a.leavesDrain().text == "Server l1/a is UP (leaving forced drain).")
    #expect(a.leavesDrain(isDown: true).text == "Server l1/a is DOWN (leaving forced drain).")
  }

  @Test func names() {
    #expect(
      a.losesAddress(from: .up, "DNS NX status", counts: .init(active: 0, backup: 0))
        == .init(
          .alert,
          "Server l1/a is going DOWN for maintenance (DNS NX status). 0 active and 0 backup "
            + "servers left. 0 sessions active, 0 requeued, 0 remaining in queue."))
    #expect(
      a.regainsAddress(host: "name.test").map(\.text) == [
        "Server l1/a ('name.test') is UP/READY (resolves again).",
        "Server l1/a administratively READY thanks to valid DNS answer.",
      ])
    #expect(
      a.changesAddress(from: nil, to: "127.0.0.1", by: "r/n1").text
        == "l1/a changed its IP from (none) to 127.0.0.1 by r/n1.")
  }

  @Test func backends() {
    #expect(
      HealthLog.noServer("b2", isListen: false)
        == .init(.emerg, "backend b2 has no server available!"))
    #expect(
      HealthLog.noServer("l1", isListen: true)
        == .init(.emerg, "proxy l1 has no server available!"))
  }
}
