// Transcripts of servers that are not ready, the pace of draining, and failing open.

import Configuration
import Testing

@testable import Health

@Suite struct ReadinessTests {
  private func machine(rise: Int = 2, fall: Int = 3) -> CheckMachine {
    var check = ServerCheck()
    check.live = "/livez"
    check.rise = rise
    check.fall = fall
    var machine = CheckMachine(check)
    _ = machine.handle(.layer7OK)
    return machine
  }

  @Test func redIsDrainingAtOnceAndComesBackByRise() {
    var machine = machine()
    #expect(machine.notReady(.layer7WrongStatus).transition == .init(from: .up, to: .draining))
    #expect(machine.live(.layer7OK).transition == nil)
    #expect(machine.handle(.layer7OK).transition == nil)
    #expect(machine.notReady(.layer7WrongStatus).transition == nil, "flapping starts over")
    #expect(machine.live(.layer7OK).transition == nil)
    #expect(machine.handle(.layer7OK).transition == nil)
    #expect(machine.handle(.layer7OK).transition == .init(from: .draining, to: .up))
  }

  @Test func refusedWhileDrainingIsDeadAtOnce() {
    var machine = machine(fall: 10)
    _ = machine.notReady(.layer7WrongStatus)
    let step = machine.handle(.layer4ConnectionProblem)
    #expect(step.transition == .init(from: .draining, to: .down))
  }

  @Test func bothRedIsDeadAfterFall() {
    var machine = machine(fall: 2)
    _ = machine.notReady(.layer7WrongStatus)
    #expect(machine.live(.layer7WrongStatus).transition == nil)
    _ = machine.notReady(.layer7WrongStatus)
    #expect(machine.live(.layer7Timeout).transition == .init(from: .draining, to: .down))
    // Down stays down while the server does not say that it is alive.
    #expect(machine.notReady(.layer7WrongStatus).transition == nil)
    #expect(machine.live(.layer7WrongStatus).transition == nil)
    #expect(machine.state == .down)
    _ = machine.notReady(.layer7WrongStatus)
    #expect(machine.live(.layer7OK).transition == .init(from: .down, to: .draining))
  }

  @Test func timeoutsWhileDrainingCountToFall() {
    var machine = machine()
    _ = machine.notReady(.layer7WrongStatus)
    _ = machine.live(.layer7OK)
    #expect(machine.handle(.layer6Timeout).transition == nil)
    #expect(machine.handle(.layer6Timeout).transition == nil)
    #expect(machine.handle(.layer6Timeout).transition?.to == .down)
  }

  @Test func sessionsAreClosedEvenly() {
    var machine = DrainMachine(sessions: 4, over: .seconds(20), at: .zero)
    #expect(machine.step(sessions: 4, at: .zero) == .init(close: 0, next: .seconds(5)))
    #expect(machine.step(sessions: 4, at: .seconds(5)) == .init(close: 1, next: .seconds(5)))
    // One ended by itself: the two that are left share the time that is left.
    let step = machine.step(sessions: 2, at: .seconds(10))
    #expect(step == .init(close: 0, next: .milliseconds(2500)))
    #expect(machine.step(sessions: 2, at: .milliseconds(12_500)).close == 1)
    #expect(machine.step(sessions: 1, at: .seconds(20)).close == 1)
    #expect(machine.closed == 3 && machine.began == 4)
  }

  @Test func aLateStepCatchesUpAndTheEndTakesAll() {
    var machine = DrainMachine(sessions: 1000, over: .seconds(10), at: .zero)
    #expect(machine.step(sessions: 1000, at: .seconds(1)).close == 100)
    #expect(machine.step(sessions: 900, at: .seconds(11)).close == 900)
    #expect(machine.step(sessions: 3, at: .seconds(12)).close == 3)
  }

  @Test func failOpenPrefersTheLiving() {
    typealias Candidate = FailOpen.Candidate
    let dead = Candidate("dead", .down, wasConnected: false)
    let hung = Candidate("hung", .down, wasConnected: true)
    let draining = Candidate("draining", .draining, wasConnected: true)
    #expect(FailOpen.choose([dead, hung, draining]) == ["draining"])
    #expect(FailOpen.choose([dead, hung]) == ["hung"])
    #expect(FailOpen.choose([dead]) == [])
    let up = Candidate("up", .up, wasConnected: true)
    #expect(FailOpen.choose([hung, up]) == [])
    let drained = Candidate("up", .up, isDrained: true, wasConnected: true)
    #expect(FailOpen.choose([hung, drained]) == ["hung"])
    #expect(FailOpen.choose([Candidate("m", .maintenance, wasConnected: true)]) == [])
    #expect(FailOpen.choose([Candidate("w", .down, weight: 0, wasConnected: true)]) == [])
  }
}
