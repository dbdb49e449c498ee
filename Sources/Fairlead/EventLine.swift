// One line of the daemon's log on standard error: as text with the event's name at its end, as
// JSON, and with a priority where the journal reads along.

import ArgumentParser
import Configuration
import Control
import Glibc

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

  /// The line as it is printed. The journal takes `<N>` off and files the line under that level.
  func rendered(_ format: LogFormat, forJournal: Bool, at time: Double) -> String {
    let line = format == .json ? json(at: time) : text
    return forJournal ? Self.marked(line, level) : line
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
  /// Whether standard error is the journal (sd_journal_print's rule: JOURNAL_STREAM names its
  /// device and inode).
  static let isJournal: Bool = {
    guard let stream = getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard fstat(2, &status) == 0 else { return false }
    return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
  }()
}
