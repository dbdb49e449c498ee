// One line of the daemon's log on standard error: as text with the event's name at its end, as
// JSON, with a priority where the journal reads along, and with the time where nobody else adds it.

import ArgumentParser
import Configuration
import Control
import Glibc
import Kernel

/// How lines on standard error are written.
enum LogFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
  case text, json
}

struct EventLine: Equatable, Sendable {
  var event: EventName
  var level: LogLevel
  /// Router, `backend/server`, or nothing.
  var subject: String?
  /// Further facts, by name.
  var fields: [String: String] = [:]
  var message: String

  init(
    _ event: EventName, _ level: LogLevel, _ message: String, subject: String? = nil,
    fields: [String: String] = [:]
  ) {
    self.event = event
    self.level = level
    self.message = message
    self.subject = subject
    self.fields = fields
  }

  /// The message with its severity before it, and `event=… subject=…` after its first line.
  var text: String {
    let prefix =
      switch level {
      case .emerg, .alert, .crit, .err: "error: "
      case .warning: "warning: "
      case .notice, .info, .debug: ""
      }
    let facts =
      [("event", event.rawValue)] + (subject.map { [("subject", $0)] } ?? [])
      + fields.sorted { $0.key < $1.key }
    let tail = facts.map { " \($0.0)=\(Self.quoted($0.1))" }.joined()
    let lines = message.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    return prefix + lines[0] + tail + (lines.count > 1 ? "\n" + lines[1] : "")
  }

  /// Blanks, quotes and controls never break a line apart.
  private static func quoted(_ value: String) -> String {
    let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != 34 }
    guard !isPlain else { return value }
    return MessageText.write(value, otherwise: "\"\"")
  }

  private struct Object: Encodable {
    var time: Double
    var level: String
    var event: EventName
    var subject: String?
    var message: String
    var fields: [String: String]?
  }

  func json(at time: Double) -> String {
    let object = Object(
      time: time, level: "\(level)", event: event, subject: subject, message: message,
      fields: fields.isEmpty ? nil : fields)
    return MessageText.write(object, otherwise: "{}")
  }

  /// The line as it is printed; `time` is in seconds since 1970. The journal takes `<N>` off and
  /// files the line under that level. A file gets the time before the text.
  func rendered(_ format: LogFormat, to reader: Reader, at time: Double) -> String {
    let line = format == .json ? json(at: time) : text
    switch reader {
    case .terminal: return line
    case .file: return format == .json ? line : "\(EventLine.stamp(time)) \(line)"
    case .journal: return EventLine.marked(line, level)
    }
  }

  /// Every line of a text with the priority that the journal takes off.
  static func marked(_ text: String, _ level: LogLevel) -> String {
    let prefix = "<\(level.rawValue)>"
    return prefix
      + text.split(separator: "\n", omittingEmptySubsequences: false)
      .joined(separator: "\n" + prefix)
  }
}

extension EventLine {
  /// Who reads the lines.
  enum Reader: Equatable {
    case terminal
    case journal
    /// Also a pipe: nothing else notes the time.
    case file

    /// sd_journal_print's rule: JOURNAL_STREAM names the journal's device and inode.
    static let standardError: Reader = {
      if isatty(2) == 1 { return .terminal }
      guard let stream = getenv("JOURNAL_STREAM") else { return .file }
      var status = stat()
      guard fstat(2, &status) == 0 else { return .file }
      return String(cString: stream) == "\(status.st_dev):\(status.st_ino)" ? .journal : .file
    }()
  }

  /// ISO 8601 with milliseconds, in local time with its offset: `2026-11-21T07:06:06.230+05:30`.
  static func stamp(_ seconds: Double) -> String {
    let all_ms = Int64(max(0, min(seconds, 1e11)) * 1000)
    let time = Clock.local(all_ms / 1000)
    func digits(_ value: some BinaryInteger, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    let offset = abs(Int(time.offset_minutes))
    return "\(digits(time.year, 4))-\(digits(time.month, 2))-\(digits(time.day, 2))"
      + "T\(digits(time.hour, 2)):\(digits(time.minute, 2)):\(digits(time.second, 2))"
      + ".\(digits(all_ms % 1000, 3))"
      + "\(time.offset_minutes < 0 ? "-" : "+")\(digits(offset / 60, 2)):\(digits(offset % 60, 2))"
  }
}
