// The timer wheel against a model that keeps every timer in a dictionary.

import Testing

@testable import Proxy

private let capacity = 200

/// Runs `body` with room for sessions.
private func withSessions(_ body: (UnsafeMutablePointer<Session>) throws -> Void) rethrows {
  let sessions = UnsafeMutablePointer<Session>.allocate(capacity: capacity)
  sessions.initialize(repeating: Session(), count: capacity)
  defer { sessions.deallocate() }
  try body(sessions)
}

@Suite struct TimerWheelTests {
  /// Spans in milliseconds: inside level 0, around every level's edge, and days.
  private static let spans: [Int64] = [
    1, 2, 255, 256, 257, 1000, 65_535, 65_536, 65_537, 100_000, 16_777_215, 16_777_216,
    16_777_217, 40_000_000, 300_000_000,
  ]

  @Test(arguments: UInt64(1)...12) func firesWhatTheModelFires(seed: UInt64) {
    withSessions { sessions in
      var random = SplitMix(seed: seed)
      let start = Int64.random(in: 0...70_000, using: &random)
      var wheel = TimerWheel(sessions: sessions, now_ms: start)
      var model: [UInt32: Int64] = [:]
      var now = start
      let reach = Int.random(in: 1...TimerWheelTests.spans.count, using: &random)
      for _ in 0..<1500 {
        for _ in 0..<Int.random(in: 0...4, using: &random) {
          change(&wheel, &model, now: now, reach: reach, &random)
        }
        let wait = wheel.wait_ms(at: now)
        if let next = model.values.min() {
          #expect(wait >= 0 && now + Int64(wait) <= max(next, now), "seed \(seed) at \(now)")
        } else {
          #expect(wait == -1)
        }
        now +=
          Bool.random(using: &random)
          ? Int64(max(0, wait)) : Int64.random(in: 0...2000, using: &random)
        expire(&wheel, &model, now: now, seed: seed)
      }
      // What is left fires too, each within a millisecond of its time.
      while !model.isEmpty, now < start + 3_000_000 {
        now += Int64(wheel.wait_ms(at: now))
        expire(&wheel, &model, now: now, seed: seed)
      }
    }
  }

  private func change(
    _ wheel: inout TimerWheel, _ model: inout [UInt32: Int64], now: Int64, reach: Int,
    _ random: inout SplitMix
  ) {
    let index = UInt32.random(in: 0..<UInt32(capacity), using: &random)
    if Int.random(in: 0..<4, using: &random) == 0 {
      wheel.cancel(index)
      model[index] = nil
      return
    }
    let span = TimerWheelTests.spans[Int.random(in: 0..<reach, using: &random)]
    let due = now + Int64.random(in: -2...span, using: &random)
    wheel.arm(index, due_ms: due)
    // An earlier timer stays; nothing fires in the millisecond that has been dealt with.
    model[index] = min(model[index] ?? .max, max(due, now + 1))
  }

  private func expire(
    _ wheel: inout TimerWheel, _ model: inout [UInt32: Int64], now: Int64, seed: UInt64
  ) {
    var fired: Set<UInt32> = []
    while let index = wheel.popExpired(at: now) { fired.insert(index) }
    let due = Set(model.filter { $0.value <= now }.keys)
    #expect(fired == due, "seed \(seed) at \(now)")
    for index in due { model[index] = nil }
  }

  @Test func aTimerPutBackWhileExpiringFiresLater() {
    withSessions { sessions in
      var wheel = TimerWheel(sessions: sessions, now_ms: 0)
      wheel.arm(3, due_ms: 10)
      #expect(wheel.popExpired(at: 9) == nil)
      #expect(wheel.popExpired(at: 10) == 3)
      wheel.arm(3, due_ms: 10)
      #expect(wheel.popExpired(at: 10) == nil)
      #expect(wheel.popExpired(at: 11) == 3)
      #expect(wheel.wait_ms(at: 11) == -1)
    }
  }

  /// A worker that slept for a month has no millisecond to catch up with.
  @Test func anEmptyWheelSkipsThePast() {
    withSessions { sessions in
      var wheel = TimerWheel(sessions: sessions, now_ms: 0)
      let now: Int64 = 30 * 86_400_000
      wheel.skipIfEmpty(to: now)
      wheel.arm(1, due_ms: now + 5)
      let clock = ContinuousClock()
      let time = clock.measure { #expect(wheel.popExpired(at: now) == nil) }
      #expect(time < .milliseconds(200))
      #expect(wheel.wait_ms(at: now) == 5)
      wheel.skipIfEmpty(to: now + 100)
      #expect(wheel.popExpired(at: now + 5) == 1)
    }
  }
}
