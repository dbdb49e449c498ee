// Sessions as JSON, and what targets for sessions only get.

import Configuration
import Foundation
import Kernel
import Proxy
import Testing

@testable import Telemetry

@Suite struct AccessObjectTests {
  private func object(_ sample: Sample) throws -> [String: Any] {
    var text = LineBuffer()
    var line = LineBuffer()
    let access = AccessLine(
      names: sample.names, context: SyslogContext(hostName: "lb-1", processID: 321))
    access.append(sample.record, format: .tcplog, to: &text)
    access.append(sample.record, saying: text, .info, toObject: &line)
    return try #require(
      JSONSerialization.jsonObject(with: Data(line.bytes)) as? [String: Any])
  }

  @Test func aSessionIsAnObjectLikeTheDaemonsOwn() throws {
    var sample = Sample()
    sample.record.ended_us = 1_795_224_966_731_002
    let object = try object(sample)
    #expect(Set(object.keys) == ["time", "level", "event", "subject", "message", "fields"])
    #expect(object["event"] as? String == "session.end" && object["level"] as? String == "info")
    #expect(object["subject"] as? String == "back/srv1")
    #expect(object["time"] as? Double == 1_795_224_966.731002)
    #expect(object["message"] as? String == sample.line(.tcplog))
    let fields = try #require(object["fields"] as? [String: Any])
    #expect(fields["client"] as? String == "10.0.0.1:57374")
    #expect(fields["accepted"] as? Double == 1_795_224_966.230999)
    #expect(fields["frontend"] as? String == "front" && fields["server"] as? String == "srv1")
    #expect(fields["end"] as? String == "complete" && fields["code"] as? String == "--")
    #expect(fields["bytesIn"] as? Int == 7 && fields["bytesOut"] as? UInt64 == UInt64.max)
    #expect(fields["queue_ms"] as? Int == 1 && fields["total_ms"] as? Int == 501)
    #expect(fields["wasRedispatched"] as? Bool == false)
  }

  @Test func whatWasNotReachedIsLeftOut() throws {
    var sample = Sample()
    sample.record.serverName = .none
    sample.record.queue_ms = -1
    sample.record.connect_ms = -1
    sample.record.end = .noServer
    let object = try object(sample)
    #expect(object["subject"] as? String == "front")
    let fields = try #require(object["fields"] as? [String: Any])
    for name in ["server", "queue_ms", "connect_ms"] { #expect(fields[name] == nil) }
    #expect(fields["end"] as? String == "no_server")
  }

  @Test func namesNeverBreakTheObject() throws {
    var sample = Sample()
    let name = "a\"b\\c\u{1}\n/é"
    sample.record.backendName = sample.names.id(for: name)
    #expect(try object(sample)["subject"] as? String == name + "/srv1")
  }

  /// Their lines are on standard error already.
  @Test(arguments: [false, true])
  func targetsForSessionsGetNoOtherMessages(isJSON: Bool) throws {
    let pipe = try #require(KernelPipe.open(capacity: 65_536))
    defer { Socket.close(pipe.read) }
    let hub = LogHub(
      names: NameTable(), signal: try RecordSignal(), rings: [], isJSON: isJSON)
    try hub.start()
    var target = LogTarget(.descriptor(pipe.write), facility: .daemon)
    target.format = .raw
    hub.log(.info, "one", to: [target], tag: "t")
    target.contents = .sessions
    hub.log(.info, "two", to: [target], tag: "t")
    hub.stop()
    Socket.close(pipe.write)
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(pipe.read, &buffer, buffer.count)
    #expect(String(decoding: buffer[..<max(0, count)], as: UTF8.self) == "one\n")
  }
}
