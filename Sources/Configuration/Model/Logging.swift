// Where log lines go and what an access-log line says.

public struct LogTarget: Hashable, Sendable {
  public enum Destination: Hashable, Sendable {
    case udp(SocketAddress)
    /// UDP to a host name, resolved at start.
    case udpName(host: String, port: UInt16)
    /// A datagram Unix socket such as /dev/log.
    case unixDatagram(path: String)
    case stdout, stderr
    case descriptor(Int32)
  }
  public enum Format: String, Hashable, Sendable, CaseIterable {
    case local, rfc3164, rfc5424, priority, short, timed, iso, raw
  }
  /// What a target is for.
  public enum Contents: Hashable, Sendable {
    /// Sessions, and lines about servers and virtual addresses, in HAProxy's words.
    case everything
    /// Sessions, each named as an event: the rest is on standard error, with names.
    case sessions
  }
  public var destination: Destination
  public var contents: Contents = .everything
  public var format: Format = .local
  public var facility: LogFacility
  /// Messages less severe than this are not sent.
  public var maximumLevel: LogLevel = .debug
  /// More severe messages are sent as this level; nil = as they are.
  public var minimumLevel: LogLevel?
  /// Longest line, bytes, 80...65535.
  public var maximumLength: Int = 1024
  /// `sample <ranges>:<size>`: which of every `size` messages go to this target, one-based.
  public var sample: LogSample?
  public init(_ destination: Destination, facility: LogFacility) {
    self.destination = destination
    self.facility = facility
  }
}

public struct LogSample: Hashable, Sendable {
  public var ranges: [ClosedRange<Int>]
  public var size: Int
  public init(ranges: [ClosedRange<Int>], size: Int) {
    self.ranges = ranges
    self.size = size
  }
}

/// Syslog severities (RFC 5424, section 6.2.1); smaller is more severe.
public enum LogLevel: Int, Hashable, Sendable, CaseIterable, Comparable {
  case emerg, alert, crit, err, warning, notice, info, debug
  public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// Syslog facilities by HAProxy's names, raw value = code.
public enum LogFacility: Int, Hashable, Sendable, CaseIterable {
  case kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, auth2, ftp, ntp, audit
  case alert, cron2, local0, local1, local2, local3, local4, local5, local6, local7
}

public struct AccessLogSettings: Equatable, Sendable {
  /// Empty = no access log.
  public var targets: [LogTarget] = []
  public var tag: String?
  public var format: AccessLogFormat = .basic
  /// Sessions without a byte in either direction are not logged.
  public var dontLogNull: Bool = false
  /// Only sessions that ended badly are logged.
  public var dontLogNormal: Bool = false
  /// Bad sessions are logged at level err.
  public var separateErrors: Bool = false
  /// The line is written when the session is established, with `+` before the totals.
  public var logASAP: Bool = false
  public init() {}
}

public enum AccessLogFormat: Equatable, Sendable {
  /// `Connect from <client> to <address> (<frontend>/TCP)`.
  case basic
  case tcplog
  /// `log-format`, already split.
  case custom([LogFormatItem])
}

public enum LogFormatItem: Equatable, Sendable {
  case literal(String)
  case field(LogField, LogFieldFlags)
}

/// `{+Q}`, `{+X}`, `{+E}` as accumulated where the field stands.
public struct LogFieldFlags: Equatable, Sendable {
  public var quoted = false
  public var hexadecimal = false
  public var escaped = false
  public var mandatory = false
  public init() {}
}

/// The log-format aliases that mean something in TCP mode (manual section 8.2.6); the raw value
/// is the alias. Aliases that are HTTP-only print `-`, as HAProxy does.
public enum LogField: String, Equatable, Sendable, CaseIterable {
  case bytesRead = "B"
  case bytesUploaded = "U"
  case activeConnections = "ac"
  case backendName = "b"
  case backendConnections = "bc"
  case backendSourceIP = "bi"
  case backendSourcePort = "bp"
  case backendQueue = "bq"
  case clientIP = "ci"
  case clientPort = "cp"
  case frontendName = "f"
  case frontendConnections = "fc"
  case frontendIP = "fi"
  case frontendPort = "fp"
  case frontendTransport = "ft"
  case hostname = "H"
  case localCounter = "lc"
  case processID = "pid"
  case requestCounter = "rt"
  case retries = "rc"
  case serverName = "s"
  case serverConnections = "sc"
  case serverIP = "si"
  case serverPort = "sp"
  case serverQueue = "sq"
  case terminationState = "ts"
  case acceptDate = "t"
  case acceptDateUTC = "T"
  case acceptDateLocal = "Tl"
  case timestampSeconds = "Ts"
  case milliseconds = "ms"
  case connectTime = "Tc"
  case handshakeTime = "Th"
  case idleTime = "Ti"
  case totalTime = "Tt"
  case totalTimeUser = "Tu"
  case queueTime = "Tw"
  case dataTime = "Td"
  case httpOnly = "-"
}
