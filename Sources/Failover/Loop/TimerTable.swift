// The routers' timers: a deadline per router and kind, looked through as a whole. A node has a
// few dozen at most.

import VRRP

struct TimerTable {
  private static let kinds = RouterTimer.allCases.count
  private static let never = Microseconds.max
  private var deadlines_us: [Microseconds]

  init(routers: Int) {
    deadlines_us = Array(repeating: TimerTable.never, count: routers * TimerTable.kinds)
  }

  private func slot(_ router: Int, _ timer: RouterTimer) -> Int {
    let kind =
      switch timer {
      case .masterDown: 0
      case .advertise: 1
      case .announceAgain: 2
      case .refresh: 3
      case .lowerPriorityAnnounce: 4
      }
    return router * TimerTable.kinds + kind
  }

  mutating func set(_ router: Int, _ timer: RouterTimer, at deadline_us: Microseconds) {
    deadlines_us[slot(router, timer)] = deadline_us
  }

  mutating func cancel(_ router: Int, _ timer: RouterTimer) {
    deadlines_us[slot(router, timer)] = TimerTable.never
  }

  /// The earliest deadline, or nil when none is running.
  var next_us: Microseconds? {
    guard let earliest = deadlines_us.min(), earliest != TimerTable.never else { return nil }
    return earliest
  }

  /// Takes the timer that has been due for longest; it does not run any more.
  mutating func takeDue(at now_us: Microseconds) -> (router: Int, timer: RouterTimer)? {
    var earliest = TimerTable.never
    var found: Int?
    for (index, deadline_us) in deadlines_us.enumerated()
    where deadline_us <= now_us && deadline_us < earliest {
      earliest = deadline_us
      found = index
    }
    guard let found else { return nil }
    deadlines_us[found] = TimerTable.never
    return (found / TimerTable.kinds, RouterTimer.allCases[found % TimerTable.kinds])
  }

  /// The timers that run for a router, to be carried over to a table with other numbers.
  func running(of router: Int) -> [(RouterTimer, Microseconds)] {
    RouterTimer.allCases.compactMap { timer in
      let deadline_us = deadlines_us[slot(router, timer)]
      return deadline_us == TimerTable.never ? nil : (timer, deadline_us)
    }
  }
}
