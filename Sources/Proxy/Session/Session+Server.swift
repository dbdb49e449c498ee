// Sessions of a server that drains or has died: which of them end, and how.

import Kernel

extension Worker {
  private func isOn(_ runtime: ServerRuntime, _ index: UInt32) -> Bool {
    let session = sessions + Int(index)
    guard session.pointee.state != .free, session.pointee.holdsPlace,
      let server = session.pointee.server?.takeUnretainedValue()
    else { return false }
    return server.runtime === runtime
  }

  /// The server is dead. Its clients are told at once by a reset, which no TLS library mistakes
  /// for an orderly end. Who has no connection to it yet has lost nothing and goes elsewhere.
  mutating func resetSessions(of runtime: ServerRuntime, _ end: SessionEnd) {
    for index in slotsInUse where isOn(runtime, index) {
      switch sessions[Int(index)].state {
      case .connecting:
        closeServerSide(index)
        connectFailed(index, .timedOut)
      // It looks for another server when its pause is over.
      case .turnAround: continue
      case .free, .proxyHeader, .queued, .established:
        let pair = halves + Int(index) * 2
        Socket.resetOnClose(pair[Side.client].descriptor)
        if pair[Side.server].descriptor >= 0 {
          Socket.resetOnClose(pair[Side.server].descriptor)
        }
        finish(index, end)
      }
    }
  }

  /// The server drains. Who has been silent for longest is least likely to be in the middle of
  /// something; it sees an ordinary end of the connection.
  mutating func endSome(of runtime: ServerRuntime, _ end: SessionEnd, _ quota: SessionQuota) {
    if quota.isEmpty { return }
    var found: [(index: UInt32, last_ms: Int64)] = []
    for index in slotsInUse
    where sessions[Int(index)].state == .established && isOn(runtime, index) {
      let pair = halves + Int(index) * 2
      found.append((index, max(pair[Side.client].last_ms, pair[Side.server].last_ms)))
    }
    found.sort { ($0.last_ms, $0.index) < ($1.last_ms, $1.index) }
    for session in found {
      guard quota.take() else { return }
      finish(session.index, end)
    }
  }
}
