// Every way a session can end. The one case is the log word and the metric label.

/// How a session ended: who caused it, and in which phase. `code` is the pair that HAProxy's
/// manual explains in section 8.5.
public enum SessionEnd: UInt8, BitwiseCopyable, CaseIterable, Sendable {
  case complete
  case clientAbortWhileQueued
  case clientAbortWhileConnecting
  case clientAbort
  case clientTimeout
  case serverRefused
  case connectTimeout
  case serverAbort
  case serverTimeout
  case noServer
  case queueTimeout
  case queueFull
  case proxyHeaderMissing
  case proxyHeaderTimeout
  case proxyHeaderTruncated
  case proxyHeaderUnknown
  case proxyHeaderInvalid
  case outOfResources
  case serverWentDown
  case primaryCameBack
  case killed
  /// The address that the client had connected to left this node.
  case addressLeft
  /// Its server is draining, and its turn came.
  case serverDrained

  /// The two characters of `%ts`.
  public var code: String {
    switch self {
    case .complete: "--"
    case .clientAbortWhileQueued: "CQ"
    case .clientAbortWhileConnecting: "CC"
    case .clientAbort: "CD"
    case .clientTimeout: "cD"
    case .serverRefused, .noServer: "SC"
    case .connectTimeout: "sC"
    case .serverAbort: "SD"
    case .serverTimeout: "sD"
    case .queueTimeout: "sQ"
    case .queueFull: "SQ"
    case .proxyHeaderMissing, .proxyHeaderTimeout, .proxyHeaderTruncated, .proxyHeaderUnknown,
      .proxyHeaderInvalid:
      "PR"
    case .outOfResources: "RC"
    case .serverWentDown, .serverDrained: "D-"
    case .primaryCameBack: "U-"
    case .killed: "KC"
    case .addressLeft: "KD"
    }
  }

  /// The metric label, in snake case.
  public var label: String {
    switch self {
    case .complete: "complete"
    case .clientAbortWhileQueued: "client_abort_queued"
    case .clientAbortWhileConnecting: "client_abort_connecting"
    case .clientAbort: "client_abort"
    case .clientTimeout: "client_timeout"
    case .serverRefused: "server_refused"
    case .connectTimeout: "connect_timeout"
    case .serverAbort: "server_abort"
    case .serverTimeout: "server_timeout"
    case .noServer: "no_server"
    case .queueTimeout: "queue_timeout"
    case .queueFull: "queue_full"
    case .proxyHeaderMissing: "proxy_header_missing"
    case .proxyHeaderTimeout: "proxy_header_timeout"
    case .proxyHeaderTruncated: "proxy_header_truncated"
    case .proxyHeaderUnknown: "proxy_header_unknown"
    case .proxyHeaderInvalid: "proxy_header_invalid"
    case .outOfResources: "out_of_resources"
    case .serverWentDown: "server_went_down"
    case .primaryCameBack: "primary_came_back"
    case .killed: "killed"
    case .addressLeft: "address_left"
    case .serverDrained: "server_drained"
    }
  }

  /// What the log says of a connection whose PROXY header was not accepted; nil for all others.
  public var proxyHeaderProblem: String? {
    switch self {
    case .proxyHeaderMissing: "Connection closed while waiting for PROXY protocol header"
    case .proxyHeaderTimeout: "Timeout while waiting for PROXY protocol header"
    case .proxyHeaderTruncated: "Truncated PROXY protocol header received"
    case .proxyHeaderUnknown:
      "Received something which does not look like a PROXY protocol header"
    case .proxyHeaderInvalid: "Received an invalid PROXY protocol header"
    default: nil
    }
  }

  /// Logged at level err under `option log-separate-errors`.
  public var isError: Bool { self != .complete }
}
