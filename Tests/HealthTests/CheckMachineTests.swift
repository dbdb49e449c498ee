// Transcripts of the rise/fall machine: each line is a result and what it leads to.

import Configuration
import Testing

@testable import Health

/// A transcript line: result letter, health after it, state, next interval in milliseconds.
/// P = passed, F = failed, N = conditionally passed (NOLB).
struct Transcript: Sendable, CustomTestStringConvertible {
  var name: String
  var rise: Int
  var fall: Int
  var lines: [String]
  var testDescription: String { name }
}

@Suite struct CheckMachineTests {
  private func machine(rise: Int, fall: Int) -> CheckMachine {
    var check = ServerCheck()
    check.rise = rise
    check.fall = fall
    return CheckMachine(check)
  }

  @Test func otherSettingsKeepWhatIsKnown() {
    var known = machine(rise: 2, fall: 3)
    var fresh = machine(rise: 4, fall: 5)
    fresh.adopt(known)
    #expect(fresh.health == fresh.rise && fresh.state == .up, "never checked: one failure decides")
    _ = known.handle(.layer4OK)
    fresh.adopt(known)
    #expect(fresh.health == fresh.fullHealth && fresh.state == .up && fresh.status == .layer4OK)
    _ = known.handle(.layer4Timeout)
    fresh.adopt(known)
    #expect(fresh.health == fresh.rise && fresh.state == .up)
    for _ in 0..<3 { _ = known.handle(.layer4Timeout) }
    fresh.adopt(known)
    #expect(fresh.health == 0 && fresh.state == .down && fresh.status == .layer4Timeout)
    _ = known.notReady(.layer7WrongStatus)
    _ = known.live(.layer7OK)
    fresh.adopt(known)
    #expect(fresh.health == 0 && fresh.state == .draining)
  }

  static let transcripts = [
    Transcript(
      name: "the first failure of a never-checked server takes it down whatever fall is",
      rise: 2, fall: 10, lines: ["F 0 down 30"]),
    Transcript(
      name: "the first success goes to rise+fall-1", rise: 2, fall: 3, lines: ["P 4 up 10"]),
    Transcript(
      name: "a failure of an up server counts down; below rise it is 0 and down",
      rise: 2, fall: 3,
      lines: ["P 4 up 10", "F 3 up 20", "F 2 up 20", "F 0 down 30", "F 0 down 30"]),
    Transcript(
      name: "a success in between makes the server fully up again", rise: 2, fall: 3,
      lines: ["P 4 up 10", "F 3 up 20", "F 2 up 20", "P 4 up 10", "F 3 up 20"]),
    Transcript(
      name: "a success of a down server counts up; reaching rise jumps to full", rise: 3, fall: 2,
      lines: ["F 0 down 30", "P 1 down 20", "P 2 down 20", "P 4 up 10"]),
    Transcript(
      name: "a failure on the way up starts over", rise: 3, fall: 2,
      lines: ["F 0 down 30", "P 1 down 20", "P 2 down 20", "F 0 down 30", "P 1 down 20"]),
    Transcript(
      name: "rise 1 and fall 1 switch at once", rise: 1, fall: 1,
      lines: ["P 1 up 10", "F 0 down 30", "P 1 up 10"]),
    Transcript(
      name: "404 stops the server, success brings it back, failures take it down", rise: 2, fall: 2,
      lines: [
        "P 3 up 10", "N 3 stopping 10", "P 3 up 10", "N 3 stopping 10", "F 2 stopping 20",
        "F 0 down 30", "P 1 down 20", "P 3 up 10",
      ]),
    Transcript(
      name: "404 as the first result", rise: 2, fall: 3, lines: ["N 4 stopping 10"]),
  ]

  @Test(arguments: transcripts)
  func transcript(_ transcript: Transcript) throws {
    var check = ServerCheck()
    check.rise = transcript.rise
    check.fall = transcript.fall
    check.interval = .milliseconds(10)
    check.fastInterval = .milliseconds(20)
    check.downInterval = .milliseconds(30)
    var machine = CheckMachine(check)
    var states: [ServerState] = [.up]
    for line in transcript.lines {
      let words = line.split(separator: " ")
      let status: CheckStatus =
        switch words[0] {
        case "P": .layer4OK
        case "N": .layer7ConditionallyOK
        default: .layer4ConnectionProblem
        }
      let step = machine.handle(status)
      let seen =
        "\(words[0]) \(machine.health) \(machine.state) \(step.nextInterval.milliseconds)"
      #expect(seen == line)
      let before = try #require(states.last)
      let transition =
        before == machine.state
        ? nil : CheckMachine.Transition(from: before, to: machine.state)
      #expect(step.transition == transition)
      states.append(machine.state)
    }
  }

  @Test func beforeTheFirstCheckTheServerIsUpAndInTransition() {
    var check = ServerCheck()
    check.fastInterval = .seconds(1)
    let machine = CheckMachine(check)
    #expect(machine.state == .up)
    #expect(machine.health == 2)
    #expect(machine.nextInterval == .seconds(1))
  }

  @Test func intervalsDefaultToInter() {
    var machine = CheckMachine(ServerCheck())
    #expect(machine.nextInterval == .seconds(2))
    #expect(machine.handle(.layer4Timeout).nextInterval == .seconds(2))
    #expect(machine.handle(.layer4OK).nextInterval == .seconds(2))
  }

  @Test func newsAreChangesOfHealthOrStatus() {
    var machine = CheckMachine(ServerCheck())
    #expect(machine.handle(.layer4OK).isNews)
    #expect(!machine.handle(.layer4OK).isNews)
    #expect(machine.handle(.layer4Timeout).isNews)
    #expect(machine.handle(.layer4Timeout).isNews)
    #expect(machine.handle(.layer4Timeout).isNews)
    #expect(machine.state == .down)
    #expect(!machine.handle(.layer4Timeout).isNews)
    #expect(machine.handle(.layer4ConnectionProblem).isNews)
  }

  @Test func leavingMaintenanceStartsOver() {
    var machine = CheckMachine(ServerCheck())
    _ = machine.handle(.layer4Timeout)
    machine.restart()
    #expect(machine.state == .up)
    #expect(machine.handle(.layer4Timeout).transition?.to == .down)
  }

  @Test func absurdCountsAreClamped() {
    var check = ServerCheck()
    check.rise = .max
    check.fall = .min
    var machine = CheckMachine(check)
    _ = machine.handle(.layer4OK)
    #expect(machine.fall == 1)
    #expect(machine.isUp)
  }
}

@Suite struct CheckScheduleTests {
  @Test func startsAreSpreadOverTheShortestIntervalOfAtLeastASecond() {
    // Measured with haproxy 2.6.12: intervals 1 s, 1 s, 500 ms, 6 s and 1 s.
    let delays = CheckSchedule.startDelays(
      firstIntervals: [
        .seconds(1), .seconds(1), .milliseconds(500), .seconds(6), .seconds(1),
      ])
    #expect(delays.map(\.milliseconds) == [0, 200, 400, 3600, 800])
    #expect(CheckSchedule.startDelays(firstIntervals: []).isEmpty)
    let short = CheckSchedule.startDelays(
      firstIntervals: [.milliseconds(100), .milliseconds(100)])
    #expect(short.map(\.milliseconds) == [0, 50])
  }

  @Test(arguments: [(0.0, 2200), (0.5, 2000), (1.0, 1800), (-3, 2200), (7, 1800)])
  func spreadIsPlusOrMinusThePercentage(_ random: Double, _ expected: Int64) {
    let spread = CheckSchedule.spread(.seconds(2), percent: 10, random: random)
    #expect(spread.milliseconds == expected)
  }

  @Test func spreadNeverReachesZero() {
    #expect(CheckSchedule.spread(.milliseconds(1), percent: 50, random: 1) >= .milliseconds(1))
    #expect(CheckSchedule.spread(.seconds(2), percent: 0, random: 0.9) == .seconds(2))
    #expect(CheckSchedule.spread(.seconds(1), percent: 10, random: .nan) == .seconds(1))
  }

  @Test func timeouts() {
    let inter = Duration.seconds(2)
    // Without `timeout check` the whole check has `inter`.
    #expect(
      CheckSchedule.connectTimeout(
        interval: inter, timeoutCheck: nil, timeoutConnect: .seconds(1)) == inter)
    // With it, connecting has the shorter of `timeout connect` and `inter`.
    #expect(
      CheckSchedule.connectTimeout(
        interval: inter, timeoutCheck: .seconds(9), timeoutConnect: .seconds(1)) == .seconds(1))
    #expect(
      CheckSchedule.connectTimeout(
        interval: inter, timeoutCheck: .seconds(9), timeoutConnect: .seconds(5)) == inter)
    #expect(
      CheckSchedule.connectTimeout(
        interval: inter, timeoutCheck: .seconds(9), timeoutConnect: nil) == inter)
  }
}
