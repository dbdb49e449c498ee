// The decisions of a session as tables, and the small conversions.

import Configuration
import Testing

@testable import Proxy

@Suite struct ConnectPolicyTests {
  private func decide(
    _ failure: ConnectFailure = .refused, left: Int, redispatch: Int? = nil, usable: Int = 2,
    isUp: Bool = true, timeout_ms: Int32 = 5000, isDeterministic: Bool = false
  ) -> ConnectDecision {
    ConnectPolicy(
      retries: 3, redispatch: redispatch, timeoutConnect_ms: timeout_ms,
      isDeterministic: isDeterministic
    ).decide(failure, retriesLeft: left, usableServers: usable, serverIsUsable: isUp)
  }

  @Test func withoutRedispatchTheSameServerIsTried() {
    for left in 1...3 {
      #expect(decide(left: left) == .retrySame(after_ms: 1000))
      #expect(decide(.timedOut, left: left) == .retrySame(after_ms: 0))
      #expect(decide(left: left, isUp: false) == .retrySame(after_ms: 1000))
    }
    #expect(decide(left: 0) == .giveUp(.serverRefused))
    #expect(decide(.timedOut, left: 0) == .giveUp(.connectTimeout))
    #expect(decide(left: 0, redispatch: -1, isUp: false) == .giveUp(.serverRefused))
  }

  @Test func theTurnAroundIsNeverLongerThanTheConnectTimeout() {
    #expect(decide(left: 3, timeout_ms: 300) == .retrySame(after_ms: 300))
    #expect(decide(left: 3, timeout_ms: -1) == .retrySame(after_ms: 1000))
    #expect(decide(left: 3, timeout_ms: .max) == .retrySame(after_ms: 1000))
  }

  @Test func redispatch() {
    #expect(
      decide(left: 3, redispatch: -1) == .redispatch(after_ms: 0), "another server costs nothing")
    // Bound to the client, or alone: on the last retry.
    for (usable, isDeterministic) in [(1, false), (2, true)] {
      func at(_ left: Int) -> ConnectDecision {
        decide(left: left, redispatch: -1, usable: usable, isDeterministic: isDeterministic)
      }
      #expect(at(3) == .retrySame(after_ms: 1000))
      #expect(at(2) == .retrySame(after_ms: 1000))
      // Alone, a server that refused is given the pause that a retry gives it.
      #expect(at(1) == .redispatch(after_ms: usable == 1 ? 1000 : 0))
    }
    #expect(
      decide(left: 3, redispatch: -1, usable: 1, isUp: false) == .redispatch(after_ms: 1000))
    #expect(
      decide(.timedOut, left: 1, redispatch: -1, usable: 1) == .redispatch(after_ms: 0))
    // Every second retry: the second and not the first and third.
    let every = (1...3).map { decide(left: $0, redispatch: 2, isDeterministic: true) }
    #expect(
      every == [.retrySame(after_ms: 1000), .redispatch(after_ms: 0), .retrySame(after_ms: 1000)])
    #expect(decide(left: 3, redispatch: Int(Int32.max), usable: 1) == .retrySame(after_ms: 1000))
  }
}

@Suite struct SmallThings {
  @Test func inactivity() {
    func due(_ timeout: Int32, awaited: Bool, pending: Bool) -> Int64? {
      InactivityView(timeout_ms: timeout, last_ms: 100, isAwaited: awaited, hasPending: pending)
        .deadline_ms
    }
    #expect(due(50, awaited: true, pending: false) == 150)
    #expect(due(50, awaited: false, pending: true) == 150)
    #expect(due(50, awaited: false, pending: false) == nil)
    #expect(due(-1, awaited: true, pending: true) == nil)
    #expect(due(.max, awaited: true, pending: true) == 100 + Int64(Int32.max))
  }

  @Test func millisecondsOfDurations() {
    #expect(milliseconds(nil) == -1)
    #expect(milliseconds(.zero) == -1, "zero is unset")
    #expect(milliseconds(.seconds(-5)) == -1)
    #expect(milliseconds(.microseconds(1)) == 1)
    #expect(milliseconds(.microseconds(1999)) == 1)
    #expect(milliseconds(.milliseconds(2500)) == 2500)
    #expect(milliseconds(.seconds(86_400 * 24)) == 2_073_600_000)
    #expect(milliseconds(.seconds(86_400 * 25)) == .max)
    #expect(milliseconds(.seconds(Int64.max)) == .max)
  }

  @Test func everyEndHasItsOwnLabelAndATwoLetterCode() {
    let all = SessionEnd.allCases
    #expect(Set(all.map(\.label)).count == all.count)
    #expect(all.allSatisfy { $0.code.utf8.count == 2 })
    #expect(all.allSatisfy { $0.isError == ($0 != .complete) })
    #expect(all.indices.allSatisfy { Int(all[$0].rawValue) == $0 }, "the counters rely on it")
    for end in all {
      #expect(end.label.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (97...122).contains($0) })
    }
  }

  @Test func namesKeepTheirNumbers() {
    let table = NameTable()
    let a = table.id(for: "a")
    #expect(table.id(for: "b") != a && table.id(for: "a") == a)
    #expect(table.name(a) == "a" && table.name(.none) == nil)
    #expect(table.name(table.id(for: "")) == "")
  }

  @Test func cookies() {
    let cookie = Cookie.session(0xFFFF_FFFE, 1, generation: 0xFFFF_FFFF)
    #expect(Cookie.kind(cookie) == Cookie.session)
    #expect(Cookie.index(cookie) == 0xFFFF_FFFE && Cookie.side(cookie) == 1)
    #expect(Cookie.generation(cookie) == 0x3F_FFFF)
    let listener = Cookie.other(Cookie.listener, 7)
    #expect(Cookie.kind(listener) == Cookie.listener && Cookie.index(listener) == 7)
  }

  @Test func anIdleSessionIsSmall() {
    let bytes = MemoryLayout<Session>.stride + 2 * MemoryLayout<Half>.stride
    #expect(bytes <= 512, "a session takes \(bytes) bytes")
  }
}
