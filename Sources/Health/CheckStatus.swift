// The words in which a finished check is described: HAProxy's status codes, their
// descriptions, and the report that every probe ends with.

/// How a check ended, in HAProxy's code words (management guide, `check_status` of `show stat`).
public enum CheckStatus: String, Equatable, Hashable, Sendable, CaseIterable {
  case unknown = "UNK"
  case initializing = "INI"
  case socketError = "SOCKERR"
  case layer4OK = "L4OK"
  case layer4Timeout = "L4TOUT"
  case layer4ConnectionProblem = "L4CON"
  case layer6OK = "L6OK"
  case layer6Timeout = "L6TOUT"
  case layer6InvalidResponse = "L6RSP"
  case layer7OK = "L7OK"
  case layer7ConditionallyOK = "L7OKC"
  case layer7Timeout = "L7TOUT"
  case layer7InvalidResponse = "L7RSP"
  case layer7WrongStatus = "L7STS"

  /// The code word of statistics pages and CSV, for example `L4CON`.
  public var code: String { rawValue }

  /// The words of log lines and of `check_desc`, for example `Layer4 connection problem`.
  public var description: String {
    switch self {
    case .unknown: "Unknown"
    case .initializing: "Initializing"
    case .socketError: "Socket error"
    case .layer4OK: "Layer4 check passed"
    case .layer4Timeout: "Layer4 timeout"
    case .layer4ConnectionProblem: "Layer4 connection problem"
    case .layer6OK: "Layer6 check passed"
    case .layer6Timeout: "Layer6 timeout"
    case .layer6InvalidResponse: "Layer6 invalid response"
    case .layer7OK: "Layer7 check passed"
    case .layer7ConditionallyOK: "Layer7 check conditionally passed"
    case .layer7Timeout: "Layer7 timeout"
    case .layer7InvalidResponse: "Layer7 invalid response"
    case .layer7WrongStatus: "Layer7 wrong status"
    }
  }

  /// What the state machine makes of it.
  public var result: CheckResult {
    switch self {
    case .layer4OK, .layer6OK, .layer7OK: .passed
    case .layer7ConditionallyOK: .conditionallyPassed
    case .unknown, .initializing, .socketError, .layer4Timeout, .layer4ConnectionProblem,
      .layer6Timeout, .layer6InvalidResponse, .layer7Timeout, .layer7InvalidResponse,
      .layer7WrongStatus:
      .failed
    }
  }

  /// Nothing came in time.
  var isTimeout: Bool {
    self == .layer4Timeout || self == .layer6Timeout || self == .layer7Timeout
  }

  /// HAProxy prints `code: N` for these only, and 0 when the protocol has no codes.
  public var printsCode: Bool {
    switch self {
    case .layer7OK, .layer7ConditionallyOK, .layer7WrongStatus: true
    default: false
    }
  }
}

/// A check's result as rise and fall count it.
public enum CheckResult: Equatable, Sendable {
  case passed
  /// `disable-on-404`: alive, but no new sessions.
  case conditionallyPassed
  case failed
}

/// How a server that is not ready answered the question whether it is alive.
public struct LiveAnswer: Equatable, Sendable {
  public var status: CheckStatus
  /// The HTTP status code, when a status line was read.
  public var code: Int?
  public init(status: CheckStatus, code: Int? = nil) {
    self.status = status
    self.code = code
  }
}

/// One finished check.
public struct CheckReport: Equatable, Sendable {
  public var status: CheckStatus
  /// The HTTP status code, when a status line was read.
  public var code: Int?
  /// The part that log lines quote after `info:`; printable ASCII, at most `Limits.info` bytes.
  public var info: String?
  /// From the start of the check to its result.
  public var duration: Duration
  /// What `ServerCheck.live` came to; nil when it was not asked.
  public var live: LiveAnswer?

  public init(
    status: CheckStatus, code: Int? = nil, info: String? = nil, duration: Duration = .zero
  ) {
    self.status = status
    self.code = code
    self.info = info
    self.duration = duration
  }

  /// Whole milliseconds of `duration`, rounded down as HAProxy's are.
  public var durationMilliseconds: Int64 { duration.milliseconds }
}

extension CheckReport {
  /// A TCP connection to the server stood, whatever came then.
  public var wasConnected: Bool {
    switch live?.status ?? status {
    case .unknown, .initializing, .socketError, .layer4Timeout, .layer4ConnectionProblem: false
    case .layer4OK, .layer6OK, .layer6Timeout, .layer6InvalidResponse, .layer7OK,
      .layer7ConditionallyOK, .layer7Timeout, .layer7InvalidResponse, .layer7WrongStatus:
      true
    }
  }
}

extension Duration {
  /// Whole milliseconds, rounded towards zero and clamped to ±292 years.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    if overflow { return seconds < 0 ? .min : .max }
    let (sum, carry) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
    return carry ? (seconds < 0 ? .min : .max) : sum
  }
}
