// The decisions of a session, without descriptors or clocks: what a failed connection leads to,
// when inactivity ends something, and what that something is.

/// What to do after a connection to a server failed.
enum ConnectDecision: Equatable {
  /// The same server again, after a pause.
  case retrySame(after_ms: Int64)
  /// Another server if there is one, after a pause when there is only this one.
  case redispatch(after_ms: Int64)
  case giveUp(SessionEnd)
}

/// How a connection to a server failed.
enum ConnectFailure {
  /// The server's host answered with an error, or the kernel did.
  case refused
  /// Nothing came within `timeout connect`.
  case timedOut
}

/// HAProxy's manual: `retries`, `option redispatch`, and measurement for the pauses.
struct ConnectPolicy {
  var retries: Int
  /// Nil = off; -1 = on the last retry only; N > 0 = on every N-th; N < -1 = the N-th from last.
  var redispatch: Int?
  var timeoutConnect_ms: Int32
  /// Trying again would choose the same server.
  var isDeterministic: Bool

  /// `retriesLeft` counts the tries that remain before this failure is accounted for.
  func decide(
    _ failure: ConnectFailure, retriesLeft: Int, usableServers: Int, serverIsUsable: Bool
  ) -> ConnectDecision {
    if retriesLeft == 0 {
      return .giveUp(failure == .refused ? .serverRefused : .connectTimeout)
    }
    let left = retriesLeft - 1
    if shouldRedispatch(left: left, usableServers: usableServers, serverIsUsable: serverIsUsable) {
      let waits = failure == .refused && usableServers <= 1
      return .redispatch(after_ms: waits ? turnAround_ms : 0)
    }
    switch failure {
    case .timedOut: return .retrySame(after_ms: 0)
    case .refused: return .retrySame(after_ms: turnAround_ms)
    }
  }

  /// The pause before a server that refused is tried again.
  var turnAround_ms: Int64 {
    timeoutConnect_ms < 0
      ? Limits.turnAround_ms : min(Limits.turnAround_ms, Int64(timeoutConnect_ms))
  }

  private func shouldRedispatch(left: Int, usableServers: Int, serverIsUsable: Bool) -> Bool {
    guard let redispatch else { return false }
    if !serverIsUsable { return true }
    // With a choice that is not bound to the client, another server costs nothing to try.
    if usableServers > 1, !isDeterministic { return true }
    if redispatch > 0 { return (retries - left) % redispatch == 0 }
    return left == -redispatch - 1
  }
}

/// Which sides of an established session can run out of time, and when.
struct InactivityView {
  var timeout_ms: Int32
  var last_ms: Int64
  /// Something is expected from this side: it is being read, and nothing read from it is stuck.
  var isAwaited: Bool
  /// Bytes wait to be taken by this side.
  var hasPending: Bool

  /// The moment this side has been inactive for too long; nil when it cannot be.
  var deadline_ms: Int64? {
    guard timeout_ms >= 0, isAwaited || hasPending else { return nil }
    return last_ms + Int64(timeout_ms)
  }
}
