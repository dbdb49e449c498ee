// What checks find, put into effect: server states, slow start, sessions to end, and log lines.

import Configuration
import Health
import Proxy

extension Daemon {
  func handle(_ event: HealthEvent) {
    guard let backend = configuration.backend(named: event.server.backend),
      let server = backend.servers.first(where: { $0.name == event.server.server })
    else { return }
    let log = HealthLog(
      event.server, isBackup: server.isBackup, logsChecks: backend.logHealthChecks)
    switch event {
    case .checked(let reference, let report, let progress):
      noteChecked(reference, report)
      if backend.failsOpen { noteConnection(reference, report, backend) }
      counters.count(report, of: reference)
      if backend.logHealthChecks, progress.isNews {
        logLines(
          [log.check(report, progress, hasWeight: server.weight > 0)], of: backend.name,
          as: .serverCheck, reference)
      }
    case .transition(let reference, let from, let to, let cause):
      // Names in and out of maintenance are told where they are resolved.
      serverChanged(reference, server, backend, from: from, to: to)
      recordChange(of: reference, from: from, to: to, cause)
      let counts = counts(of: reference, backend)
      if cause != .resolution {
        logLines(
          [log.transition(from: from, to: to, cause: cause, counts: counts)], of: backend.name,
          as: to.event, reference)
      }
      if counts.active + counts.backup == 0, to != .up {
        logLines(
          [HealthLog.noServer(backend.name, isListen: backend.isListen)], of: backend.name,
          as: .backendEmpty)
      }
    }
  }

  private func counts(of reference: ServerReference, _ backend: Backend) -> HealthCounts {
    let usable = engine?.usableServers(of: backend.name) ?? (active: 0, backup: 0)
    return HealthCounts(
      active: usable.active, backup: usable.backup,
      sessions: engine?.server(reference)?.sessions.load(ordering: .relaxed) ?? 0,
      requeued: engine?.server(reference)?.queued ?? 0,
      queued: engine?.backend(backend.name)?.queued ?? 0)
  }

  private func serverChanged(
    _ reference: ServerReference, _ server: Server, _ backend: Backend, from: ServerState,
    to: ServerState
  ) {
    ramps[reference, default: 0] += 1
    noteReadiness(reference, to)
    if to != .up {
      // Who fails open for this one must be there before it goes.
      wanted[reference] = to.availability
      reviewFailOpen(of: backend)
    }
    switch to {
    case .up:
      if from == .down, let time = server.slowstart, time > .zero {
        startSlowStart(reference, over: time)
      } else {
        setAvailability(.up, of: reference)
      }
      reviewFailOpen(of: backend)
      if server.shutdownBackupSessionsOnUp {
        for other in backend.servers where other.isBackup {
          engine?.endSessions(
            of: ServerReference(backend: backend.name, server: other.name), .primaryCameBack)
        }
      }
    case .down:
      setAvailability(.down, of: reference)
      if server.resetsSessionsOnDown {
        engine?.resetSessions(of: reference, .serverWentDown)
      } else if server.shutdownSessionsOnDown {
        engine?.endSessions(of: reference, .serverWentDown)
      }
    case .stopping: setAvailability(.draining, of: reference)
    case .draining:
      setAvailability(.draining, of: reference)
      startDrain(reference, over: server.check?.drainOver)
    case .maintenance: setAvailability(.maintenance, of: reference)
    }
  }

  /// Raises the server's weight and limit step by step (manual, `slowstart`).
  private func startSlowStart(_ reference: ServerReference, over time: Duration) {
    let ramp = ramps[reference, default: 0]
    let post = self.post
    setAvailability(.up(weightPermille: 1), of: reference)
    Task {
      let steps = 20
      for step in 1...steps {
        try? await Task.sleep(for: time / steps)
        post.yield(.slowStart(reference, permille: step * 1000 / steps, ramp: ramp))
      }
    }
  }

  func continueSlowStart(_ server: ServerReference, permille: Int, ramp: Int) {
    guard ramps[server] == ramp else { return }
    setAvailability(.up(weightPermille: permille), of: server)
  }

  /// To the backend's log targets and, for the person at the terminal, to standard error.
  func logLines(
    _ lines: [HealthLine], of backendName: String, as event: EventName,
    _ server: ServerReference? = nil
  ) {
    guard let backend = configuration.backend(named: backendName) else { return }
    for line in lines {
      hub?.log(
        line.level, line.text, to: backend.logTargets,
        tag: backend.logTag ?? configuration.global.logTag,
        hostName: configuration.global.logHostname)
      let subject = server.map { "\($0.backend)/\($0.server)" } ?? backendName
      tell(event, line.level, line.text, subject: subject)
    }
  }

  /// After a reload: every server's availability as its configuration, its name and its (kept or
  /// new) check say. Servers in slow start go on with it.
  func synchroniseAvailability(
    _ resolved: [ServerReference: Configuration.SocketAddress]
  ) async {
    var checked: [ServerReference: ServerState] = [:]
    for entry in await health?.snapshot() ?? [] { checked[entry.reference] = entry.state }
    for (reference, server) in configuration.allServers {
      var isUnresolved = false
      if case .name = server.host { isUnresolved = resolved[reference] == nil }
      let wanted: ServerAvailability
      if server.isDisabled || isUnresolved {
        wanted = .maintenance
      } else {
        wanted = (checked[reference] ?? .up).availability
      }
      if checked[reference] != .draining { noteReadiness(reference, checked[reference] ?? .up) }
      if case .up = wanted, case .up = engine?.availability(of: reference),
        !drained.contains(reference)
      {
        if case .up = self.wanted[reference] { continue }
        self.wanted[reference] = .up
        continue
      }
      setAvailability(wanted, of: reference)
    }
    configuration.backends.forEach(reviewFailOpen)
  }

  /// The servers to check, with the addresses they have now.
  func checkTargets(
    of configuration: ProxyConfiguration,
    _ resolved: [ServerReference: Configuration.SocketAddress]
  ) -> [CheckTarget] {
    configuration.backends.filter { !$0.isDisabled }.flatMap { backend in
      backend.servers.filter { $0.check != nil || $0.track != nil }.map { server in
        let reference = ServerReference(backend: backend.name, server: server.name)
        return CheckTarget(
          server: server, backend: backend,
          address: resolved[reference] ?? server.numericAddress)
      }
    }
  }
}

extension ServerState {
  /// What the proxy makes of it.
  var availability: ServerAvailability {
    switch self {
    case .up: .up
    case .down: .down
    case .stopping, .draining: .draining
    case .maintenance: .maintenance
    }
  }
}

extension HealthEvent {
  var server: ServerReference {
    switch self {
    case .checked(let server, _, _): server
    case .transition(let server, from: _, to: _, cause: _): server
    }
  }
}
