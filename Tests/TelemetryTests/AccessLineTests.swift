// The words for a session, field by field. The time zone of the process is fixed.

import Configuration
import Glibc
import Kernel
import Proxy
import Testing

@testable import Telemetry

/// Every test of this module that shows a local time calls this first.
let fixedZone: Void = {
  setenv("TZ", "XYZ-05:30", 1)
  tzset()
}()

func endpoint(_ address: IPAddress, _ port: UInt16) -> NetworkEndpoint {
  NetworkEndpoint(address, port: port)
}

/// A session of 2026-11-21 01:36:06.230 UTC, 07:06:06.230 at +05:30.
struct Sample {
  let names = NameTable()
  var record = SessionRecord()

  init() {
    _ = fixedZone
    record.accepted_us = 1_795_224_966_230_999
    record.client = endpoint(.v4(0x0A00_0001), 57374)
    record.local = endpoint(.v4(0x0A00_0002), 6443)
    record.frontendName = names.id(for: "front")
    record.backendName = names.id(for: "back")
    record.serverName = names.id(for: "srv1")
    record.queue_ms = 1
    record.connect_ms = 2
    record.total_ms = 501
    record.bytesRead = 18_446_744_073_709_551_615
    record.bytesUploaded = 7
    record.activeConnections = 5
    record.frontendConnections = 4
    record.backendConnections = 3
    record.serverConnections = 2
    record.retries = 0
    record.serverQueue = 8
    record.backendQueue = 9
  }

  func line(_ format: AccessLogFormat) -> String {
    var buffer = LineBuffer()
    AccessLine(names: names, context: SyslogContext(hostName: "lb-1", processID: 321))
      .append(record, format: format, to: &buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  func field(
    _ field: LogField, _ change: (inout LogFieldFlags) -> Void = { _ in }
  ) -> String {
    var flags = LogFieldFlags()
    change(&flags)
    return line(.custom([.field(field, flags)]))
  }
}

@Suite struct AccessLineTests {
  @Test func aNormalSession() {
    #expect(
      Sample().line(.tcplog)
        == "10.0.0.1:57374 [21/Nov/2026:07:06:06.230] front back/srv1 1/2/501 "
        + "18446744073709551615 -- 5/4/3/2/0 8/9")
  }

  @Test func noServer() {
    var sample = Sample()
    sample.record.serverName = .none
    sample.record.queue_ms = -1
    sample.record.connect_ms = -1
    sample.record.total_ms = 0
    sample.record.bytesRead = 0
    sample.record.end = .noServer
    sample.record.accepted_us = 1_795_224_966_000_000
    #expect(
      sample.line(.tcplog)
        == "10.0.0.1:57374 [21/Nov/2026:07:06:06.000] front back/<NOSRV> -1/-1/0 0 SC "
        + "5/4/3/2/0 8/9")
  }

  @Test func loggedBeforeTheEnd() {
    var sample = Sample()
    sample.record.isEarly = true
    sample.record.total_ms = 0
    sample.record.bytesRead = 0
    #expect(sample.line(.tcplog).contains(" 1/2/+0 +0 -- "))
    #expect(sample.field(.totalTime) == "+0" && sample.field(.bytesRead) == "+0")
    #expect(sample.field(.bytesUploaded) == "+7")
  }

  @Test func redispatched() {
    var sample = Sample()
    sample.record.wasRedispatched = true
    sample.record.retries = 1
    #expect(sample.line(.tcplog).hasSuffix(" 5/4/3/2/+1 8/9"))
    #expect(sample.field(.retries) == "+1")
  }

  @Test func version6AndUnixClients() {
    var sample = Sample()
    sample.record.client = endpoint(.v6(high: 0x2001_0db8_0000_0000, low: 1), 40_000)
    #expect(sample.line(.tcplog).hasPrefix("2001:db8::1:40000 ["))
    #expect(sample.field(.clientIP) { $0.hexadecimal = true } == "20010DB8000000000000000000000001")
    sample.record.client = NetworkEndpoint()
    #expect(sample.line(.tcplog).hasPrefix("unix:0 ["))
    #expect(sample.field(.clientIP) == "-" && sample.field(.clientPort) == "-")
  }

  @Test(arguments: SessionEnd.allCases) func everyEnd(end: SessionEnd) {
    var sample = Sample()
    sample.record.end = end
    if let problem = end.proxyHeaderProblem {
      #expect(sample.line(.tcplog).hasSuffix(": \(problem)"))
      return
    }
    #expect(sample.line(.tcplog).contains(" \(end.code) 5/4"))
    #expect(sample.field(.terminationState) == end.code)
  }

  @Test func theDefaultLine() {
    #expect(
      Sample().line(.basic) == "Connect from 10.0.0.1:57374 to 10.0.0.2:6443 (front/TCP)")
  }

  @Test func namesThatAreUnknownTrapNothing() {
    let sample = Sample()
    var buffer = LineBuffer()
    var record = SessionRecord()
    record.accepted_us = -1
    AccessLine(names: NameTable(), context: SyslogContext(hostName: "", processID: 1))
      .append(record, format: .tcplog, to: &buffer)
    #expect(sample.names.name(.none) == nil && !buffer.bytes.isEmpty)
  }
}

@Suite struct LogFormatTests {
  /// Every alias and what it prints for the sample session.
  @Test(arguments: [
    (LogField.bytesRead, "18446744073709551615"), (.bytesUploaded, "7"),
    (.activeConnections, "5"), (.backendName, "back"), (.backendConnections, "3"),
    (.backendSourceIP, "-"), (.backendSourcePort, "-"), (.backendQueue, "9"),
    (.clientIP, "10.0.0.1"), (.clientPort, "57374"), (.frontendName, "front"),
    (.frontendConnections, "4"), (.frontendIP, "10.0.0.2"), (.frontendPort, "6443"),
    (.frontendTransport, "front"), (.hostname, "lb-1"), (.localCounter, "0"),
    (.processID, "321"), (.requestCounter, "0"), (.retries, "0"), (.serverName, "srv1"),
    (.serverConnections, "2"), (.serverIP, "-"), (.serverPort, "-"), (.serverQueue, "8"),
    (.terminationState, "--"), (.acceptDate, "21/Nov/2026:07:06:06.230"),
    (.acceptDateUTC, "21/Nov/2026:01:36:06 +0000"),
    (.acceptDateLocal, "21/Nov/2026:07:06:06 +0530"), (.timestampSeconds, "1795224966"),
    (.milliseconds, "230"), (.connectTime, "2"), (.handshakeTime, "0"), (.idleTime, "0"),
    (.totalTime, "501"), (.totalTimeUser, "501"), (.queueTime, "1"), (.dataTime, "498"),
    (.httpOnly, "-"),
  ])
  func fields(field: LogField, text: String) {
    #expect(Sample().field(field) == text)
  }

  @Test func flags() {
    let sample = Sample()
    #expect(sample.field(.serverName) { $0.quoted = true } == "\"srv1\"")
    #expect(sample.field(.bytesRead) { $0.quoted = true } == "18446744073709551615")
    #expect(sample.field(.clientIP) { $0.hexadecimal = true } == "0A000001")
    #expect(sample.field(.clientPort) { $0.hexadecimal = true } == "E01E")
    #expect(sample.field(.activeConnections) { $0.hexadecimal = true } == "0005")
    #expect(sample.field(.timestampSeconds) { $0.hexadecimal = true } == "6B00F586")
  }

  @Test func literalsStandBetween() {
    let items: [LogFormatItem] = [
      .literal("a="), .field(.clientPort, LogFieldFlags()), .literal(" b="),
      .field(.serverName, LogFieldFlags()),
    ]
    #expect(Sample().line(.custom(items)) == "a=57374 b=srv1")
  }

  /// The counter goes on after two thousand million sessions.
  @Test func theRequestCounterIsUnsigned() {
    var sample = Sample()
    sample.record.requestCounter = .max
    #expect(sample.field(.requestCounter) == "4294967295")
    #expect(sample.field(.requestCounter) { $0.hexadecimal = true } == "FFFFFFFF")
  }
}
