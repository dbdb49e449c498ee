// Deadlines of routers: the earliest first, cancelled ones never.

import Testing
import VRRP

@testable import Failover

@Suite struct TimerTableTests {
  @Test func nothingRunsAtFirst() {
    var table = TimerTable(routers: 3)
    #expect(table.next_us == nil)
    #expect(table.takeDue(at: .max - 1) == nil)
  }

  @Test func theLongestDueComesFirst() throws {
    var table = TimerTable(routers: 2)
    table.set(1, .advertise, at: 300)
    table.set(0, .masterDown, at: 200)
    table.set(0, .refresh, at: 250)
    #expect(table.next_us == 200)
    let firstDue = table.takeDue(at: 300)
    let first = try #require(firstDue)
    #expect(first.router == 0 && first.timer == .masterDown)
    let secondDue = table.takeDue(at: 300)
    let second = try #require(secondDue)
    #expect(second.router == 0 && second.timer == .refresh)
    let thirdDue = table.takeDue(at: 300)
    let third = try #require(thirdDue)
    #expect(third.router == 1 && third.timer == .advertise)
    #expect(table.takeDue(at: 300) == nil)
  }

  @Test func whatIsNotDueStays() {
    var table = TimerTable(routers: 1)
    table.set(0, .advertise, at: 100)
    #expect(table.takeDue(at: 99) == nil)
    #expect(table.next_us == 100)
  }

  @Test(arguments: RouterTimer.allCases) func aCancelledTimerIsNeverTaken(_ timer: RouterTimer) {
    var table = TimerTable(routers: 2)
    table.set(1, timer, at: 5)
    table.cancel(1, timer)
    #expect(table.takeDue(at: 1000) == nil)
  }

  @Test func settingAgainMovesTheDeadline() {
    var table = TimerTable(routers: 1)
    table.set(0, .masterDown, at: 100)
    table.set(0, .masterDown, at: 500)
    #expect(table.takeDue(at: 499) == nil)
    let due = table.takeDue(at: 500)
    #expect(due?.timer == .masterDown)
  }

  @Test func runningTimersCanBeCarriedOver() {
    var table = TimerTable(routers: 2)
    table.set(1, .masterDown, at: 7)
    table.set(1, .lowerPriorityAnnounce, at: 9)
    table.set(0, .refresh, at: 3)
    let running = table.running(of: 1)
    #expect(running.map(\.0) == [.masterDown, .lowerPriorityAnnounce])
    #expect(running.map(\.1) == [7, 9])
  }
}
