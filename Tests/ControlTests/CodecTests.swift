// Messages to text and back, and text that is not a message.

import Testing

@testable import Control

struct CodecTests {
  private func sample() -> StatusReport {
    var report = StatusReport(program: "0.1.0", pid: 17, started: 1.5, now: 3)
    report.routers = [
      RouterReport(
        name: "VI_1", id: 51, interface: "eth0", addresses: ["10.0.0.179/26"], state: "master",
        since: 2.25, reason: "no advert from a master", priority: 150,
        standing: "healthy", master: "this node", faults: [], advertsSent: 3, advertsReceived: 0,
        drops: ["bad-checksum": 2])
    ]
    report.backends = [
      BackendReport(
        name: "masters", isDisabled: false, usableServers: 1, queued: 0, retries: 0,
        redispatches: 0, traffic: TrafficReport(),
        servers: [
          ServerReport(
            name: "a", address: nil, state: .drained, isDrained: true, isBackup: false,
            weight: 1, since: nil,
            check: CheckResultReport(
              status: "L7STS", words: "\"quoted\" \u{1b}[31m é\n", duration_ms: 3, health: 1,
              rise: 2, fall: 3), isChecked: true, queued: 0, connectFailures: 0,
            traffic: TrafficReport())
        ])
    ]
    return report
  }

  @Test(arguments: [false, true])
  func answersSurviveTheWire(indented: Bool) throws {
    let event = ControlEvent(
      time: 5.5, event: "vip.master", kind: .router, subject: "x", to: "up", text: "t")
    let answer = ControlAnswer(ok: true, messages: ["m"], status: sample(), events: [event])
    let text = try MessageText.write(answer, indented: indented)
    let back = try MessageText.read(ControlAnswer.self, Array(text.utf8))
    #expect(back == answer)
  }

  @Test func aLineIsALineAndCannotSteerATerminal() {
    let line = ControlAnswer(ok: true, status: sample()).line
    #expect(line.utf8.filter { $0 < 32 || $0 == 127 } == [10])
    #expect(line.hasSuffix("}\n"))
  }

  @Test func nilIsLeftOut() throws {
    let text = try MessageText.write(ControlRequest(.status))
    #expect(text == #"{"command":"status","version":1}"#)
  }

  @Test(arguments: [
    "", "{", #"{"a" 1}"#, "[1", "tru", "1 2", #""\q""#, #""\ud800""#, "\"\u{1}\"", "\"abc", "-",
  ])
  func whatIsNotJSON(text: String) {
    #expect(throws: DecodingError.self) {
      try MessageText.read([String: [Int]].self, Array(text.utf8))
    }
  }

  @Test func bytesThatAreNoText() {
    #expect(throws: (any Error).self) { try MessageText.read([String].self, [0x5B, 0xFF, 0x5D]) }
  }

  @Test(arguments: [ControlLimits.request, 100_000])
  func depthIsBounded(depth: Int) {
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: depth)
    guard case .failure = ControlRequest.parse(deep) else {
      Issue.record("accepted")
      return
    }
  }

  @Test func everyPrefixAndEveryChangedByteIsHandled() throws {
    let bytes = Array(ControlAnswer(ok: true, status: sample()).line.utf8)
    for end in bytes.indices { _ = ControlRequest.parse(Array(bytes[..<end])) }
    for index in bytes.indices {
      for flip: UInt8 in [1, 0x20, 0x80] {
        var changed = bytes
        changed[index] ^= flip
        _ = try? MessageText.read(ControlAnswer.self, changed)
      }
    }
  }

  @Test(arguments: [
    ("[]", "JSON object"), ("{}", "version 1"), (#"{"version":2,"command":"status"}"#, "version 1"),
    (#"{"version":1,"command":"explode"}"#, "no such command"),
    (#"{"version":1}"#, "no such command"),
  ])
  func whatIsNoRequest(text: String, problem: String) {
    guard case .failure(let refused) = ControlRequest.parse(Array(text.utf8)) else {
      Issue.record("accepted: \(text)")
      return
    }
    #expect(refused.problem.contains(problem))
  }

  @Test func numbersThatDoNotFit() {
    let text = #"{"version":1,"ok":true,"messages":[],"events":[{"time":"x"}]}"#
    #expect(throws: DecodingError.self) {
      try MessageText.read(ControlAnswer.self, Array(text.utf8))
    }
  }
}

struct EventHistoryTests {
  private func event(_ number: Int) -> ControlEvent {
    ControlEvent(time: Double(number), event: "server.down", kind: .server, text: "\(number)")
  }

  @Test func theOldestIsForgotten() {
    let history = EventHistory(capacity: 3)
    for number in 1...5 { history.add(event(number)) }
    #expect(history.events.map(\.text) == ["3", "4", "5"])
  }

  @Test func followersMissNothing() {
    let history = EventHistory()
    history.add(event(1))
    let (stream, continuation) = AsyncStream.makeStream(of: ControlEvent.self)
    let (number, before) = history.follow { continuation.yield($0) }
    #expect(before.map(\.text) == ["1"])
    history.add(event(2))
    history.unfollow(number)
    history.add(event(3))
    continuation.finish()
    _ = stream
    #expect(history.events.count == 3)
  }
}
