// What stands before a message: the log formats of HAProxy's manual, keyword `log`.

import Configuration
import Kernel

/// Everything a header may show.
struct SyslogContext {
  var hostName: String
  var processID: Int32
}

enum SyslogHeader {
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  static func monthName(_ month: Int32) -> String { months[Int(max(1, min(12, month))) - 1] }

  static func append(
    to line: inout LineBuffer, format: LogTarget.Format, facility: LogFacility, level: LogLevel,
    tag: String, sendsHostName: String?, now_us: Int64, context: SyslogContext
  ) {
    let priority = facility.rawValue * 8 + level.rawValue
    let time = Clock.local(now_us / 1_000_000)
    switch format {
    case .raw: return
    case .short: bracket(level.rawValue, &line)
    case .priority: bracket(priority, &line)
    case .timed:
      bracket(level.rawValue, &line)
      appendISO(time, microseconds: Int(now_us % 1_000_000), to: &line)
      line.append(" ")
    case .iso:
      appendISO(time, microseconds: Int(now_us % 1_000_000), to: &line)
      line.append(" ")
    case .local, .rfc3164:
      bracket(priority, &line)
      appendBSDTime(time, to: &line)
      line.append(" ")
      if format == .rfc3164 || sendsHostName != nil {
        line.append(name(sendsHostName, context) ?? "localhost")
        line.append(" ")
      }
      line.append(tag)
      line.append("[")
      line.append(context.processID)
      line.append("]: ")
    case .rfc5424:
      bracket(priority, &line)
      line.append("1 ")
      appendISO(time, microseconds: Int(now_us % 1_000_000), to: &line)
      line.append(" ")
      line.append(name(sendsHostName, context) ?? "-")
      line.append(" ")
      line.append(tag)
      line.append(" ")
      line.append(context.processID)
      line.append(" - - ")
    }
  }

  /// The name `log-send-hostname` asks for; nil when it was not given.
  private static func name(_ configured: String?, _ context: SyslogContext) -> String? {
    configured.map { $0.isEmpty ? context.hostName : $0 }
  }

  private static func bracket(_ value: Int, _ line: inout LineBuffer) {
    line.append("<")
    line.append(value)
    line.append(">")
  }

  /// `Nov 21 02:18:44`, the day filled with a blank (RFC 3164, section 4.1.2).
  private static func appendBSDTime(_ time: CalendarTime, to line: inout LineBuffer) {
    line.append(monthName(time.month))
    line.append(time.day < 10 ? "  " : " ")
    line.append(time.day)
    line.append(" ")
    appendClock(time, to: &line)
  }

  static func appendClock(_ time: CalendarTime, to line: inout LineBuffer) {
    line.append(Int(time.hour), width: 2)
    line.append(":")
    line.append(Int(time.minute), width: 2)
    line.append(":")
    line.append(Int(time.second), width: 2)
  }

  private static func appendISO(
    _ time: CalendarTime, microseconds: Int, to line: inout LineBuffer
  ) {
    line.append(Int(time.year), width: 4)
    line.append("-")
    line.append(Int(time.month), width: 2)
    line.append("-")
    line.append(Int(time.day), width: 2)
    line.append("T")
    appendClock(time, to: &line)
    line.append(".")
    line.append(microseconds, width: 6)
    appendOffset(time, separator: ":", to: &line)
  }

  static func appendOffset(
    _ time: CalendarTime, separator: String, to line: inout LineBuffer
  ) {
    let offset = Int(time.offset_minutes)
    line.append(offset < 0 ? "-" : "+")
    line.append(abs(offset) / 60, width: 2)
    line.append(separator)
    line.append(abs(offset) % 60, width: 2)
  }
}
