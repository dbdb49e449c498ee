// Messages to text and back, and text that is not a message.

import Testing

@testable import Control

struct CodecTests {
  private func sample() -> StatusReport {
    var report = StatusReport(program: "0.1.0", pid: 17, started: 1.5, now: 3)
    report.routers = [
      RouterReport(
        name: "VI_1", id: 51, interface: "eth0", addresses: ["10.0.0.179/26"], state: "master",
        since: 2.25, reason: "no advert from a master", priority: 150, master: "this node",
        faults: [], advertsSent: 3, advertsReceived: 0, drops: ["bad-checksum": 2])
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
    let event = ControlEvent(time: 5.5, kind: .router, subject: "x", to: "up", text: "t")
    let answer = ControlAnswer(ok: true, messages: ["m"], status: sample(), events: [event])
    let text = try JSONValue(encoding: answer).text(indented: indented)
    let back = try JSONValue(parsing: Array(text.utf8)).decode(ControlAnswer.self)
    #expect(back == answer)
  }

  @Test func aLineIsALineAndCannotSteerATerminal() {
    let line = JSONValue.line(ControlAnswer(ok: true, status: sample()))
    #expect(line.utf8.filter { $0 < 32 || $0 == 127 } == [10])
    #expect(line.hasSuffix("}\n"))
  }

  @Test func nilIsLeftOut() throws {
    let text = try JSONValue(encoding: ControlRequest(.status)).text()
    #expect(text == #"{"version":1,"command":"status"}"#)
  }

  @Test(arguments: [
    ("", "the end"), ("{", "no member name"), (#"{"a" 1}"#, "no colon"), ("[1", "no end"),
    ("[1,]", "no value"), ("tru", "no value"), ("1 2", "more after"), (#""\q""#, "escape"),
    (#""\ud800""#, "half"), (#""\ud800\u0041""#, "half"), (#""\u12"#, "the end"),
    ("\"\u{1}\"", "control character"), ("\"abc", "no end of the string"), ("-", "no number"),
    ("1e999", "no number"),
  ])
  func whatIsNotJSON(text: String, problem: String) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
    #expect(error?.problem.contains(problem) == true, "\(text): \(error?.problem ?? "")")
  }

  @Test func bytesThatAreNoText() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
  }

  @Test func depthIsBounded() {
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
    #expect(throws: JSONError.self) { try JSONValue(parsing: deep) }
  }

  @Test func escapes() throws {
    let value = try JSONValue(parsing: Array(#" "\u00e9\ud83d\ude00\n\/" "#.utf8))
    #expect(value == .string("é😀\n/"))
  }

  @Test func everyPrefixAndEveryChangedByteIsHandled() throws {
    let bytes = Array(JSONValue.line(ControlAnswer(ok: true, status: sample())).utf8)
    for end in bytes.indices { _ = ControlRequest.parse(Array(bytes[..<end])) }
    for index in bytes.indices {
      for flip: UInt8 in [1, 0x20, 0x80] {
        var changed = bytes
        changed[index] ^= flip
        if let value = try? JSONValue(parsing: changed) {
          _ = try? value.decode(ControlAnswer.self)
        }
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
      try JSONValue(parsing: Array(text.utf8)).decode(ControlAnswer.self)
    }
    #expect(throws: DecodingError.self) { try JSONValue.integer(300).decode(UInt8.self) }
  }
}

struct EventHistoryTests {
  private func event(_ number: Int) -> ControlEvent {
    ControlEvent(time: Double(number), kind: .server, text: "\(number)")
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
