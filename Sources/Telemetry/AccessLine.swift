// A session's record in words: `option tcplog`, the default line, or a `log-format`
// (HAProxy's manual, sections 8.2.1, 8.2.2 and 8.2.6).

import Configuration
import Kernel
import Proxy

struct AccessLine {
  let names: NameTable
  let context: SyslogContext

  func append(
    _ record: SessionRecord, format: AccessLogFormat, to line: inout LineBuffer
  ) {
    if let problem = record.end.proxyHeaderProblem {
      appendRefusal(record, problem, to: &line)
      return
    }
    switch format {
    case .basic: appendBasic(record, to: &line)
    case .tcplog: appendTCPLog(record, to: &line)
    case .custom(let items):
      for item in items {
        switch item {
        case .literal(let text): line.append(text)
        case .field(let field, let flags): append(field, flags, of: record, to: &line)
        }
      }
    }
  }

  /// `Connect from 10.0.0.1:40000 to 10.0.0.2:6443 (name/TCP)`
  private func appendBasic(_ record: SessionRecord, to line: inout LineBuffer) {
    line.append("Connect from ")
    append(endpoint: record.client, to: &line)
    line.append(" to ")
    append(endpoint: record.local, to: &line)
    line.append(" (")
    line.append(names.name(record.frontendName) ?? "")
    line.append("/TCP)")
  }

  /// `10.0.0.1:40000 [21/Nov/2026:01:52:06.516] frontend/listener: problem`
  private func appendRefusal(
    _ record: SessionRecord, _ problem: String, to line: inout LineBuffer
  ) {
    append(endpoint: record.client, to: &line)
    line.append(" [")
    appendAcceptDate(record, to: &line)
    line.append("] ")
    line.append(names.name(record.frontendName) ?? "")
    line.append("/")
    line.append(names.name(record.listenerName) ?? "")
    line.append(": ")
    line.append(problem)
  }

  private func append(endpoint: NetworkEndpoint, to line: inout LineBuffer) {
    line.append(address(endpoint))
    line.append(":")
    line.append(endpoint.port)
  }

  /// `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`
  private func appendTCPLog(_ record: SessionRecord, to line: inout LineBuffer) {
    append(endpoint: record.client, to: &line)
    line.append(" [")
    appendAcceptDate(record, to: &line)
    line.append("] ")
    line.append(names.name(record.frontendName) ?? "")
    line.append(" ")
    line.append(names.name(record.backendName) ?? "")
    line.append("/")
    line.append(names.name(record.serverName) ?? "<NOSRV>")
    line.append(" ")
    line.append(record.queue_ms)
    line.append("/")
    line.append(record.connect_ms)
    line.append(record.isEarly ? "/+" : "/")
    line.append(record.total_ms)
    line.append(record.isEarly ? " +" : " ")
    line.append(record.bytesRead)
    line.append(" ")
    line.append(record.end.code)
    line.append(" ")
    line.append(record.activeConnections)
    line.append("/")
    line.append(record.frontendConnections)
    line.append("/")
    line.append(record.backendConnections)
    line.append("/")
    line.append(record.serverConnections)
    line.append(record.wasRedispatched ? "/+" : "/")
    line.append(record.retries)
    line.append(" ")
    line.append(record.serverQueue)
    line.append("/")
    line.append(record.backendQueue)
  }

  /// `21/Nov/2026:01:36:06.230`, local time.
  private func appendAcceptDate(_ record: SessionRecord, to line: inout LineBuffer) {
    let time = Clock.local(record.accepted_us / 1_000_000)
    appendDate(time, to: &line)
    line.append(".")
    line.append(Int(record.accepted_us / 1000 % 1000), width: 3)
  }

  private func appendDate(_ time: CalendarTime, to line: inout LineBuffer) {
    line.append(Int(time.day), width: 2)
    line.append("/")
    line.append(SyslogHeader.monthName(time.month))
    line.append("/")
    line.append(Int(time.year), width: 4)
    line.append(":")
    SyslogHeader.appendClock(time, to: &line)
  }

  /// An IPv4 or IPv6 address; a Unix-socket client reads as `unix`.
  private func address(_ endpoint: NetworkEndpoint) -> String {
    endpoint.family == 0 ? "unix" : "\(endpoint.address)"
  }

  // MARK: log-format

  private func append(
    _ field: LogField, _ flags: LogFieldFlags, of record: SessionRecord,
    to line: inout LineBuffer
  ) {
    var value = LineBuffer()
    appendValue(field, flags, of: record, to: &value)
    if flags.mandatory, value.bytes.isEmpty { value.append("-") }
    if flags.escaped { value = value.escaped }
    let isText = !AccessLine.unquotedFields.contains(field)
    if flags.quoted, isText { line.append("\"") }
    line.append(contentsOf: value)
    if flags.quoted, isText { line.append("\"") }
  }

  /// Numbers are never quoted.
  private static let unquotedFields: Set<LogField> = [
    .bytesRead, .bytesUploaded, .activeConnections, .backendConnections, .backendQueue,
    .clientPort, .frontendConnections, .frontendPort, .localCounter, .processID,
    .requestCounter, .retries, .serverConnections, .serverPort, .serverQueue, .milliseconds,
    .connectTime, .handshakeTime, .idleTime, .totalTime, .totalTimeUser, .queueTime, .dataTime,
    .backendSourcePort, .timestampSeconds, .terminationState,
  ]

  private func appendValue(
    _ field: LogField, _ flags: LogFieldFlags, of record: SessionRecord,
    to line: inout LineBuffer
  ) {
    switch field {
    case .bytesRead: plus(record, &line, record.bytesRead)
    case .bytesUploaded: plus(record, &line, record.bytesUploaded)
    case .activeConnections: number(record.activeConnections, flags, &line)
    case .frontendConnections: number(record.frontendConnections, flags, &line)
    case .backendConnections: number(record.backendConnections, flags, &line)
    case .serverConnections: number(record.serverConnections, flags, &line)
    case .serverQueue: number(record.serverQueue, flags, &line)
    case .backendQueue: number(record.backendQueue, flags, &line)
    case .processID: number(context.processID, flags, &line)
    case .requestCounter, .localCounter:
      if flags.hexadecimal {
        line.append(hexadecimal: UInt64(record.requestCounter), width: 4)
      } else {
        line.append(record.requestCounter)
      }
    case .retries:
      if record.wasRedispatched { line.append("+") }
      line.append(record.retries)
    case .backendName: line.append(encoded: names.name(record.backendName) ?? "")
    case .frontendName, .frontendTransport:
      line.append(encoded: names.name(record.frontendName) ?? "")
    case .serverName: line.append(encoded: names.name(record.serverName) ?? "<NOSRV>")
    case .clientIP: ip(record.client, flags, &line)
    case .clientPort: port(record.client, flags, &line)
    case .frontendIP: ip(record.local, flags, &line)
    case .frontendPort: port(record.local, flags, &line)
    case .backendSourceIP: ip(record.source, flags, &line)
    case .backendSourcePort: port(record.source, flags, &line)
    case .serverIP: ip(record.server, flags, &line)
    case .serverPort: port(record.server, flags, &line)
    case .hostname: line.append(encoded: context.hostName)
    case .terminationState: line.append(record.end.code)
    case .acceptDate: appendAcceptDate(record, to: &line)
    case .acceptDateUTC, .acceptDateLocal: appendZonedDate(field, record, to: &line)
    case .timestampSeconds:
      if flags.hexadecimal {
        line.append(hexadecimal: UInt64(record.accepted_us / 1_000_000))
      } else {
        line.append(record.accepted_us / 1_000_000)
      }
    case .milliseconds: line.append(Int(record.accepted_us / 1000 % 1000), width: 3)
    case .connectTime: line.append(record.connect_ms)
    case .queueTime: line.append(record.queue_ms)
    case .handshakeTime: line.append(record.handshake_ms)
    case .idleTime: line.append(0)
    case .totalTime, .totalTimeUser: plus(record, &line, record.total_ms)
    case .dataTime:
      let before = max(0, record.queue_ms) + max(0, record.connect_ms)
      plus(record, &line, record.connect_ms < 0 ? -1 : record.total_ms - before)
    case .httpOnly: line.append("-")
    }
  }

  private func plus(
    _ record: SessionRecord, _ line: inout LineBuffer, _ value: some BinaryInteger
  ) {
    if record.isEarly { line.append("+") }
    line.append(value)
  }

  private func number(_ value: Int32, _ flags: LogFieldFlags, _ line: inout LineBuffer) {
    if flags.hexadecimal {
      line.append(hexadecimal: UInt64(UInt32(bitPattern: value)), width: 4)
    } else {
      line.append(value)
    }
  }

  private func ip(
    _ endpoint: NetworkEndpoint, _ flags: LogFieldFlags, _ line: inout LineBuffer
  ) {
    if endpoint.family == 0 {
      line.append("-")
    } else if flags.hexadecimal {
      if endpoint.family == 6 { line.append(hexadecimal: endpoint.high, width: 16) }
      line.append(hexadecimal: endpoint.low, width: endpoint.family == 6 ? 16 : 8)
    } else {
      line.append(address(endpoint))
    }
  }

  private func port(
    _ endpoint: NetworkEndpoint, _ flags: LogFieldFlags, _ line: inout LineBuffer
  ) {
    if endpoint.family == 0 {
      line.append("-")
    } else if flags.hexadecimal {
      line.append(hexadecimal: UInt64(endpoint.port), width: 4)
    } else {
      line.append(endpoint.port)
    }
  }

  /// `21/Nov/2026:01:36:06 +0000`
  private func appendZonedDate(
    _ field: LogField, _ record: SessionRecord, to line: inout LineBuffer
  ) {
    let seconds = record.accepted_us / 1_000_000
    let time = field == .acceptDateUTC ? Clock.utc(seconds) : Clock.local(seconds)
    appendDate(time, to: &line)
    line.append(" ")
    SyslogHeader.appendOffset(time, separator: "", to: &line)
  }
}
