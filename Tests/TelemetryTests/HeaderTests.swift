// Syslog headers in every format, and numbers as text.

import Configuration
import Kernel
import Testing

@testable import Telemetry

@Suite struct SyslogHeaderTests {
  private func header(
    _ format: LogTarget.Format, hostName: String? = nil, at now_us: Int64 = 1_795_224_966_230_999
  ) -> String {
    _ = fixedZone
    var line = LineBuffer()
    SyslogHeader.append(
      to: &line, format: format, facility: .local0, level: .info, tag: "haproxy",
      sendsHostName: hostName, now_us: now_us,
      context: SyslogContext(hostName: "lb-1", processID: 321))
    return String(decoding: line.bytes, as: UTF8.self)
  }

  @Test(arguments: [
    (LogTarget.Format.raw, ""), (.short, "<6>"), (.priority, "<134>"),
    (.timed, "<6>2026-11-21T07:06:06.230999+05:30 "),
    (.iso, "2026-11-21T07:06:06.230999+05:30 "),
    (.local, "<134>Nov 21 07:06:06 haproxy[321]: "),
    (.rfc3164, "<134>Nov 21 07:06:06 localhost haproxy[321]: "),
    (.rfc5424, "<134>1 2026-11-21T07:06:06.230999+05:30 - haproxy 321 - - "),
  ])
  func formats(format: LogTarget.Format, text: String) {
    #expect(header(format) == text)
  }

  @Test func hostNames() {
    #expect(header(.local, hostName: "edge") == "<134>Nov 21 07:06:06 edge haproxy[321]: ")
    #expect(header(.local, hostName: "") == "<134>Nov 21 07:06:06 lb-1 haproxy[321]: ")
    #expect(header(.rfc3164, hostName: "edge").contains(" edge haproxy["))
    #expect(header(.rfc5424, hostName: "edge").contains(" edge haproxy 321 "))
  }

  @Test func daysBelowTenAreFilledWithABlank() {
    let ninth: Int64 = 1_794_182_400_000_000
    #expect(header(.local, at: ninth).hasPrefix("<134>Nov  9 05:30:00 "))
  }

  @Test func everyPriority() {
    for facility in LogFacility.allCases {
      for level in LogLevel.allCases {
        var line = LineBuffer()
        SyslogHeader.append(
          to: &line, format: .priority, facility: facility, level: level, tag: "",
          sendsHostName: nil, now_us: 0, context: SyslogContext(hostName: "", processID: 0))
        let text = "<\(facility.rawValue * 8 + level.rawValue)>"
        #expect(String(decoding: line.bytes, as: UTF8.self) == text)
      }
    }
    #expect(
      (0...13).map { SyslogHeader.monthName($0) }.joined()
        == "JanJanFebMarAprMayJunJulAugSepOctNovDecDec")
  }

  @Test func zonesWestOfGreenwich() {
    var time = CalendarTime()
    time.offset_minutes = -210
    var line = LineBuffer()
    SyslogHeader.appendOffset(time, separator: ":", to: &line)
    #expect(String(decoding: line.bytes, as: UTF8.self) == "-03:30")
  }
}

@Suite struct LineBufferTests {
  private func text(_ body: (inout LineBuffer) -> Void) -> String {
    var line = LineBuffer()
    body(&line)
    return String(decoding: line.bytes, as: UTF8.self)
  }

  @Test func numbers() {
    for value in [0, 9, 10, 99, 100, -1, -10, Int.max, Int.min] {
      #expect(text { $0.append(value) } == String(value))
    }
    #expect(text { $0.append(UInt64.max) } == String(UInt64.max))
    #expect(text { $0.append(Int32.min) } == String(Int32.min))
    var random = SystemRandomNumberGenerator()
    for _ in 0..<1000 {
      let value = Int64(truncatingIfNeeded: random.next() as UInt64)
      #expect(text { $0.append(value) } == String(value))
    }
  }

  @Test func widths() {
    #expect(
      [0, 7, 10, 100].map { v in text { $0.append(v, width: 2) } } == ["00", "07", "10", "100"])
    #expect(
      [0, 42, 999_999].map { v in text { $0.append(v, width: 6) } } == [
        "000000", "000042", "999999",
      ])
    #expect(text { $0.append(5, width: 0) } == "5")
    #expect(text { $0.append(hexadecimal: 0) } == "00")
    #expect(text { $0.append(hexadecimal: 0xABC, width: 8) } == "00000ABC")
    #expect(text { $0.append(hexadecimal: .max, width: 4) } == "FFFFFFFFFFFFFFFF")
  }

  @Test func unsafeCharacters() {
    #expect(text { $0.append(encoded: "a b\"c\n\u{7f}é#") } == "a b#22c#0A#7F#C3#A9#")
  }

  @Test func truncation() {
    var line = LineBuffer()
    line.append("hello")
    line.truncate(to: 9)
    line.truncate(to: 2)
    #expect(line.bytes == Array("he".utf8))
    line.clear()
    line.truncate(to: 0)
    #expect(line.bytes.isEmpty)
  }
}
