// Health checks as configured: when (per server) and what (per backend).

/// When and where one server is checked.
public struct ServerCheck: Equatable, Sendable {
  /// Default 2 s; at least 1 ms.
  public var interval: Duration = .seconds(2)
  /// While the state is in transition; nil = interval.
  public var fastInterval: Duration?
  /// While fully down; nil = interval.
  public var downInterval: Duration?
  /// Successes that bring a server up, at least 1; default 2.
  public var rise: Int = 2
  /// Failures that take a server down, at least 1; default 3.
  public var fall: Int = 3
  /// Port to check instead of the server's.
  public var port: UInt16?
  /// Address to check instead of the server's.
  public var address: ServerHost?
  /// `check-ssl` (or `ssl`): checks speak TLS.
  public var tls: CheckTLS?
  /// A PROXY header comes first.
  public var sendProxy: ProxyProtocolVersion?
  /// Path that is asked after a wrong HTTP status: an accepted answer there means alive but not
  /// ready. nil = a wrong status is a failure like any other, as HAProxy has it.
  public var live: String?
  /// Time over which the sessions of a server that is alive but not ready are closed, evenly;
  /// nil = never. Means nothing without `live`.
  public var drainOver: Duration?
  /// A check that has been without an answer for this long is joined by the next one, until as
  /// many are on their way as failures take the server down: a server that hangs is found
  /// sooner, and a slow one keeps its whole timeout. nil = one check at a time, as HAProxy has
  /// it. At least 1 ms.
  public var hedgeAfter: Duration?
  public init() {}

  /// The interval counts from the start of a check instead of its end.
  public var countsFromStart: Bool { live != nil || hedgeAfter != nil }
}

/// TLS of a check.
public struct CheckTLS: Equatable, Sendable {
  /// nil = `verify none`; otherwise a file or directory of trusted authorities.
  public var caFile: String?
  /// `verify required` without a CA file uses the system's authorities (`@system-ca`).
  public var verify: Bool
  /// Server name sent and, when set by verifyhost, required in the certificate.
  public var serverName: String?
  public var verifyHost: String?
  public var alpn: [String] = []
  /// Client certificate and key in one PEM file.
  public var certificateFile: String?
  public init(verify: Bool, caFile: String? = nil) {
    self.verify = verify
    self.caFile = caFile
  }
}

/// What a check does.
public enum CheckMethod: Equatable, Sendable {
  /// A TCP connection succeeds.
  case connect
  /// `option ssl-hello-chk`: a ClientHello is answered by a handshake or alert record.
  case sslHello
  /// `option tcp-check`: rules, run in order. Without rules a connection is enough.
  case script([CheckStep])
  /// `option httpchk`.
  case http(HTTPCheck)
}

public struct HTTPCheck: Equatable, Sendable {
  /// connect, send and expect steps in order. Empty `steps` of a kind get HAProxy's defaults
  /// from the dialect, so this always holds at least one send and one expect.
  public var steps: [CheckStep]
  /// `http-check disable-on-404`: 404 means up, but no new sessions (NOLB).
  public var disableOn404: Bool = false
  /// `http-check send-state`: adds X-Haproxy-Server-State.
  public var sendState: Bool = false
  public init(steps: [CheckStep]) { self.steps = steps }
}

public enum CheckStep: Equatable, Sendable {
  case connect(CheckConnect)
  case send(CheckBytes)
  case sendHTTP(HTTPRequest)
  case expect(CheckExpect)
  case expectHTTP(HTTPExpect)
}

public struct CheckBytes: Equatable, Sendable {
  public var bytes: [UInt8]
  public var comment: String?
  public init(_ bytes: [UInt8], comment: String? = nil) {
    self.bytes = bytes
    self.comment = comment
  }
}

public struct CheckConnect: Equatable, Sendable {
  public var port: UInt16?
  public var address: ServerHost?
  /// Explicit `ssl` on the connect rule (verification as the server's settings say).
  public var tls: Bool = false
  public var serverName: String?
  public var alpn: [String] = []
  public var sendProxy: Bool = false
  /// Close gently (FIN) rather than with RST.
  public var linger: Bool = false
  /// `default`: the server's own address, port and TLS settings.
  public var useServerDefaults: Bool = false
  public var comment: String?
  public init() {}
}

public struct HTTPRequest: Equatable, Sendable {
  public var method: String = "OPTIONS"
  public var uri: String = "/"
  /// As written, e.g. "HTTP/1.0".
  public var version: String = "HTTP/1.0"
  public var headers: [HTTPHeader] = []
  public var body: [UInt8] = []
  public var comment: String?
  public init() {}
}

public struct HTTPHeader: Equatable, Sendable {
  public var name: String
  public var value: String
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// What a reply must (or, negated, must not) contain; `tcp-check expect`.
public struct CheckExpect: Equatable, Sendable {
  public enum Pattern: Equatable, Sendable {
    case string([UInt8])
    /// POSIX extended regular expression over the bytes.
    case regex(String)
    case binary([UInt8])
    /// Regular expression over the upper-case hexadecimal dump.
    case binaryRegex(String)
  }
  public var pattern: Pattern
  public var isNegated: Bool = false
  /// Bytes needed before a mismatch counts; nil = waits for more until EOF or timeout.
  public var minimumReceived: Int?
  public var comment: String?
  public init(_ pattern: Pattern) { self.pattern = pattern }
}

/// `http-check expect`.
public struct HTTPExpect: Equatable, Sendable {
  public enum Condition: Equatable, Sendable {
    /// HAProxy's default: 2xx and 3xx.
    case success
    /// Inclusive ranges.
    case status([ClosedRange<Int>])
    case statusRegex(String)
    case body([UInt8])
    case bodyRegex(String)
    /// `hdr name X [value Y]`, exact matches, header name case-insensitive.
    case header(name: String, value: String?)
  }
  public var condition: Condition
  public var isNegated: Bool = false
  public var comment: String?
  public init(_ condition: Condition) { self.condition = condition }
}
