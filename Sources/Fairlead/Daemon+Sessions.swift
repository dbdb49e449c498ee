// Open sessions, as `fairlead sessions` shows them.

import Configuration
import Control
import Kernel
import Proxy

extension Daemon {
  func listSessions(_ request: ControlRequest) async -> ControlAnswer {
    guard engine != nil else { return .refused("no proxy runs here, so there are no sessions") }
    var reference: ServerReference?
    if request.server != nil {
      switch findServer(request.server) {
      case .success(let found): reference = found
      case .failure(let refused): return .refused(refused.problem)
      }
    }
    let limit = min(max(0, request.limit ?? 100), ControlLimits.sessions)
    let listing = await openSessions(of: reference, limit: limit)
    return ControlAnswer(
      ok: true,
      sessions: SessionsReport(
        matching: listing.matching, sessions: listing.sessions.map(SessionReport.init)))
  }

  func openSessions(of reference: ServerReference?, limit: Int) async -> SessionListing {
    guard let engine else { return SessionListing() }
    return await withCheckedContinuation { continuation in
      let collector = engine.listSessions(of: reference, limit: limit) {
        continuation.resume(returning: $0)
      }
      // A worker that has ended never answers.
      Task {
        try? await Task.sleep(for: .seconds(2))
        collector?.finish()
      }
    }
  }

  /// From here on the totals have the bytes of open sessions, too.
  func countOpenBytes() async {
    guard let engine else { return }
    await withCheckedContinuation { continuation in
      let count = engine.countOpenBytes { continuation.resume() }
      Task {
        try? await Task.sleep(for: .seconds(2))
        count.finish()
      }
    }
  }
}

extension SessionReport {
  init(_ session: SessionSnapshot) {
    self.init(
      client: Self.words(session.client), local: Self.words(session.local),
      frontend: session.frontend, backend: session.backend, server: session.server,
      state: session.state.rawValue, age: Double(session.age_ms) / 1000,
      idle: Double(session.idle_ms) / 1000, bytesIn: Int(clamping: session.bytesFromClient),
      bytesOut: Int(clamping: session.bytesFromServer))
  }

  private static func words(_ endpoint: NetworkEndpoint) -> String {
    guard endpoint.family != 0 else { return "unix" }
    return "\(SocketAddress.ip(endpoint.address, port: endpoint.port))"
  }
}
