// What a running daemon looks like from outside, at one moment.

import Configuration
import Health

/// One server as balancer and checks see it.
struct ServerStatus: Sendable {
  var reference: ServerReference
  var state: ServerState
  /// nil before the first check has finished, or without checks.
  var lastReport: CheckReport?
  /// Where rise and fall stand; nil without checks.
  var progress: HealthProgress?
  var sessions = 0
  /// Sessions since the start.
  var total = 0
  var connectFailures = 0
}

struct DaemonStatus: Sendable {
  var workers = 0
  /// Open now, and accepted since the start.
  var sessions = 0
  var accepted = 0
  /// Sessions that moved to another server because theirs could not be connected to.
  var redispatches = 0
  /// Checked servers, in the order of the configuration.
  var servers: [ServerStatus] = []
}

extension Daemon {
  func status() async -> DaemonStatus {
    let snapshot = await health?.snapshot() ?? []
    guard let engine else { return DaemonStatus() }
    var status = DaemonStatus(
      workers: capacity.workers, sessions: engine.process.sessions.load(ordering: .relaxed),
      accepted: engine.process.accepted.load(ordering: .relaxed))
    for backend in configuration.backends {
      let runtime = engine.backend(backend.name)
      status.redispatches += runtime?.redispatches.load(ordering: .relaxed) ?? 0
    }
    status.servers = snapshot.map { known in
      var server = ServerStatus(
        reference: known.reference, state: known.state, lastReport: known.lastReport,
        progress: known.progress)
      if let runtime = engine.server(known.reference) {
        server.sessions = runtime.sessions.load(ordering: .relaxed)
        server.total = runtime.total.load(ordering: .relaxed)
        server.connectFailures = runtime.connectFailures.load(ordering: .relaxed)
      }
      return server
    }
    return status
  }
}
