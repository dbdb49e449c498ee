// A session's record as a JSON object, in the form of the daemon's own lines: keys in the order
// of the alphabet, times in seconds since 1970.

import Configuration
import Kernel
import Proxy

extension AccessLine {
  /// `text` is the session's line in words.
  func append(
    _ record: SessionRecord, saying text: LineBuffer, _ level: LogLevel,
    toObject line: inout LineBuffer
  ) {
    line.append("{\"event\":\"")
    line.append(EventName.sessionEnd.rawValue)
    line.append("\",\"fields\":{")
    appendFields(record, to: &line)
    line.append("},")
    AccessLine.appendEnd(text, level, at_us: record.ended_us, subject: subject(record), to: &line)
  }

  /// A line that is not about a session.
  static func append(
    _ text: LineBuffer, as event: EventName, _ level: LogLevel, at_us: Int64,
    toObject line: inout LineBuffer
  ) {
    line.append("{\"event\":\"")
    line.append(event.rawValue)
    line.append("\",")
    appendEnd(text, level, at_us: at_us, subject: nil, to: &line)
  }

  private static func appendEnd(
    _ text: LineBuffer, _ level: LogLevel, at_us: Int64, subject: String?,
    to line: inout LineBuffer
  ) {
    line.append("\"level\":\"\(level)\",\"message\":")
    line.append(quoted: text.bytes)
    if let subject {
      line.append(",\"subject\":")
      line.append(quoted: subject.utf8)
    }
    line.append(",\"time\":")
    line.append(seconds: at_us)
    line.append("}")
  }

  /// `backend/server`; the frontend when it never came to a server.
  private func subject(_ record: SessionRecord) -> String? {
    if let backend = names.name(record.backendName), let server = names.name(record.serverName) {
      return "\(backend)/\(server)"
    }
    return names.name(record.frontendName)
  }

  /// What was not reached is left out.
  private func appendFields(_ record: SessionRecord, to line: inout LineBuffer) {
    line.append("\"accepted\":")
    line.append(seconds: record.accepted_us)
    text("backend", names.name(record.backendName), &line)
    // From the client, and to it.
    number("bytesIn", record.bytesUploaded, &line)
    number("bytesOut", record.bytesRead, &line)
    text("client", client(record), &line)
    text("code", record.end.code, &line)
    if record.connect_ms >= 0 { number("connect_ms", record.connect_ms, &line) }
    text("end", record.end.label, &line)
    text("frontend", names.name(record.frontendName), &line)
    if record.queue_ms >= 0 { number("queue_ms", record.queue_ms, &line) }
    number("retries", record.retries, &line)
    text("server", names.name(record.serverName), &line)
    number("total_ms", record.total_ms, &line)
    line.append(",\"wasRedispatched\":")
    line.append(record.wasRedispatched ? "true" : "false")
  }

  private func client(_ record: SessionRecord) -> String {
    guard record.client.family != 0 else { return "unix" }
    return "\(SocketAddress.ip(record.client.address, port: record.client.port))"
  }

  private func text(_ name: String, _ value: String?, _ line: inout LineBuffer) {
    guard let value else { return }
    line.append(",\"\(name)\":")
    line.append(quoted: value.utf8)
  }

  private func number(_ name: String, _ value: some BinaryInteger, _ line: inout LineBuffer) {
    line.append(",\"\(name)\":")
    line.append(value)
  }
}

extension LineBuffer {
  /// A JSON string (RFC 8259, section 7).
  mutating func append(quoted text: some Sequence<UInt8>) {
    append(byte: UInt8(ascii: "\""))
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append(byte: UInt8(ascii: "\\"))
        append(byte: byte)
      case 0..<32:
        append("\\u00")
        append(hexadecimal: UInt64(byte))
      default: append(byte: byte)
      }
    }
    append(byte: UInt8(ascii: "\""))
  }

  /// Microseconds as seconds with six digits after the point.
  mutating func append(seconds time_us: Int64) {
    append(time_us / 1_000_000)
    append(".")
    append(Int(abs(time_us % 1_000_000)), width: 6)
  }
}
