// The demo's verdict: what it forgives, and what it does not.

import Testing

@testable import Fairlead

@Suite struct VerdictTests {
  private static let servers = ["standin-1", "standin-2", "standin-3"]
  private let timing = DemoTiming()

  /// One kill at ten seconds, noticed and recovered in time, every server answering to the end.
  private func good() -> Record {
    var record = Record()
    var kill = Disturbance(server: "standin-2", kind: .killed, began: .seconds(10))
    kill.noticed = .milliseconds(10_700)
    kill.revived = .seconds(15)
    kill.recovered = .seconds(16)
    record.disturbances = [kill]
    for server in Self.servers {
      record.answers[server] = 1000
      record.lastAnswer[server] = .milliseconds(39_900)
    }
    record.answered = 3000
    return record
  }

  private func verdict(_ record: Record) -> Verdict {
    Verdict(
      record, timing: timing, servers: Self.servers, length: .seconds(40), isComplete: true)
  }

  private func failure(_ began: Duration, _ ended: Duration) -> RequestFailure {
    RequestFailure(began: began, ended: ended, reason: "test")
  }

  @Test func aStoryThatWentWell() {
    let verdict = verdict(good())
    #expect(verdict.isGood, "\(verdict.complaints)")
  }

  @Test func failuresInsideTheWindowAreForgiven() {
    var record = good()
    record.failures = [failure(.milliseconds(10_100), .milliseconds(10_300))]
    let verdict = verdict(record)
    #expect(verdict.isGood && verdict.failuresInside == 1)
  }

  @Test func oneFailureOutsideIsNot() {
    var record = good()
    record.failures = [failure(.seconds(30), .milliseconds(30_100))]
    let verdict = verdict(record)
    #expect(!verdict.isGood && verdict.failuresOutside.count == 1)
  }

  @Test func moreFailuresThanDetectionAllowsAreNot() {
    var record = good()
    record.failures = (0..<200).map { _ in failure(.seconds(10), .milliseconds(10_100)) }
    #expect(!verdict(record).isGood)
  }

  @Test func aWatchThatBreaksInACalmHourIsNot() {
    var record = good()
    record.watchBreaks = [failure(.seconds(1), .seconds(30))]
    #expect(!verdict(record).isGood)
  }

  @Test func lateOrMissingDetectionIsNot() {
    var late = good()
    late.disturbances[0].noticed = .seconds(14)
    #expect(!verdict(late).isGood)
    var missing = good()
    missing.disturbances[0].noticed = nil
    #expect(!verdict(missing).isGood)
  }

  @Test func aServerThatStaysAwayIsNot() {
    var record = good()
    record.disturbances[0].recovered = nil
    #expect(!verdict(record).isGood)
    var silent = good()
    silent.lastAnswer["standin-3"] = .seconds(20)
    #expect(!verdict(silent).isGood)
  }
}
