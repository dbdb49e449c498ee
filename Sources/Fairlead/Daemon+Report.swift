// The daemon at one moment, as `fairlead status` shows it. Reads counters and snapshots only.

import Configuration
import Control
import Failover
import Glibc
import Health
import Kernel
import Proxy

/// Counters as they were a moment ago, so that rates can be told.
struct TrafficSample {
  struct Key: Hashable {
    enum Kind: Hashable { case process, frontend, backend, server }
    var kind: Kind
    var backend = ""
    var name: String
  }
  var time_us: Int64
  var counts: [Key: (total: Int, bytes: Int)] = [:]
}

extension Daemon {
  func report() async -> StatusReport {
    await countOpenBytes()
    let checks = await health?.snapshot() ?? []
    let known = Dictionary(checks.map { ($0.reference, $0) }, uniquingKeysWith: { $1 })
    var report = StatusReport(
      program: Version.text, pid: Int(getpid()), started: started, now: WallClock.now)
    report.node = System.hostName
    report.nodes = nodes.isEmpty ? nil : nodes.map(\.name)
    report.routers = routerReports
    report.moves = moves
    guard let engine else { return report }
    report.workers = capacity.workers
    report.sessions = engine.process.sessions.load(ordering: .relaxed)
    report.sessionLimit = engine.process.limit.load(ordering: .relaxed)
    report.accepted = engine.process.accepted.load(ordering: .relaxed)
    report.rate = rates(.init(kind: .process, name: ""), report.accepted, 0).sessions
    report.frontends = configuration.frontends.map { frontend in
      ProxyReport(
        name: frontend.name, addresses: frontend.binds.flatMap { $0.addresses.map { "\($0)" } },
        backend: frontend.defaultBackend, isDisabled: frontend.isDisabled,
        traffic: traffic(engine.frontend(frontend.name)))
    }
    report.backends = configuration.backends.map { self.report($0, engine, known) }
    return report
  }

  private func report(
    _ backend: Backend, _ engine: ProxyEngine, _ checks: [ServerReference: HealthSnapshot]
  ) -> BackendReport {
    let runtime = engine.backend(backend.name)
    let usable = engine.usableServers(of: backend.name)
    return BackendReport(
      name: backend.name, isDisabled: backend.isDisabled,
      usableServers: usable.active + usable.backup, queued: runtime?.queued ?? 0,
      retries: runtime?.retries.load(ordering: .relaxed) ?? 0,
      redispatches: runtime?.redispatches.load(ordering: .relaxed) ?? 0,
      isFailedOpen: readiness.open[backend.name] != nil,
      failOpens: readiness.openings[backend.name] ?? 0, traffic: traffic(runtime),
      servers: backend.servers.map { server in
        let reference = ServerReference(backend: backend.name, server: server.name)
        let runtime = engine.server(reference)
        let isChecked = checks[reference]?.progress != nil
        var report = ServerReport(
          name: server.name, address: names.addresses[reference].map { "\($0)" },
          state: state(of: reference), isDrained: drained.contains(reference),
          isBackup: server.isBackup, weight: server.weight, since: serverSince[reference],
          check: checks[reference].flatMap { snapshot in
            CheckResultReport(snapshot) { self.words($0, reference, backend) }
          },
          isChecked: isChecked, queued: runtime?.queued ?? 0,
          connectFailures: runtime?.connectFailures.load(ordering: .relaxed) ?? 0,
          isFailedOpen: readiness.isOpen(reference), drain: drain(of: reference),
          traffic: traffic(runtime, of: backend.name))
        report.connectTimes = runtime.map { HistogramReport($0.connectTimes) }
        report.checks = counters.checks(of: reference, isChecked: isChecked)
        return report
      })
  }

  private var routerReports: [RouterReport] {
    guard let failover else { return [] }
    let now = WallClock.now
    let now_us = Clock.monotonic_us()
    let models = Dictionary(
      failover.configuration.routers.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    return failover.engine.status.map { status in
      let model = models[status.name]
      let addresses = (model?.addresses ?? []) + (model?.excludedAddresses ?? [])
      let master =
        status.state == .master
        ? "this node" : status.state == .backup ? status.master.map { "\($0)" } : nil
      let drops = status.drops.map { ($0.key.rawValue, $0.value) }
      var report = RouterReport(
        name: status.name, id: Int(status.id), interface: status.interface,
        addresses: addresses.map { "\($0.address)/\($0.prefixLength)" },
        state: status.state.rawValue, since: now - Double(now_us &- status.since_us) / 1_000_000,
        reason: status.reason, priority: Int(status.priority),
        standing: status.standing, master: master,
        faults: status.faults, advertsSent: status.advertsSent,
        advertsReceived: status.advertsReceived,
        drops: Dictionary(drops, uniquingKeysWith: +))
      report.health = status.health?.rawValue
      report.takeover = status.takeover_us.map { Double($0) / 1_000_000 }
      report.transitions = counters.transitions(of: status.name)
      report.heard = status.heardAt_us.map { now - Double(now_us &- $0) / 1_000_000 }
      return report
    }
  }

  // MARK: Traffic

  private func traffic(_ runtime: FrontendRuntime?) -> TrafficReport {
    guard let runtime else { return TrafficReport() }
    var report = TrafficReport()
    report.sessions = runtime.sessions.load(ordering: .relaxed)
    report.sessionsMaximum = runtime.sessionsMaximum.load(ordering: .relaxed)
    report.total = runtime.total.load(ordering: .relaxed)
    report.bytesIn = Int(clamping: runtime.bytesIn.load(ordering: .relaxed))
    report.bytesOut = Int(clamping: runtime.bytesOut.load(ordering: .relaxed))
    report.ends = SessionEnd.counts(runtime.count)
    return withRates(report, .init(kind: .frontend, name: runtime.name))
  }

  private func traffic(_ runtime: BackendRuntime?) -> TrafficReport {
    guard let runtime else { return TrafficReport() }
    var report = TrafficReport()
    report.sessions = runtime.sessions.load(ordering: .relaxed)
    report.sessionsMaximum = runtime.sessionsMaximum.load(ordering: .relaxed)
    report.total = runtime.total.load(ordering: .relaxed)
    report.bytesIn = Int(clamping: runtime.bytesIn.load(ordering: .relaxed))
    report.bytesOut = Int(clamping: runtime.bytesOut.load(ordering: .relaxed))
    report.ends = SessionEnd.counts(runtime.count)
    return withRates(report, .init(kind: .backend, name: runtime.name))
  }

  private func traffic(_ runtime: ServerRuntime?, of backend: String) -> TrafficReport {
    guard let runtime else { return TrafficReport() }
    var report = TrafficReport()
    report.sessions = runtime.sessions.load(ordering: .relaxed)
    report.sessionsMaximum = runtime.sessionsMaximum.load(ordering: .relaxed)
    report.total = runtime.total.load(ordering: .relaxed)
    report.bytesIn = Int(clamping: runtime.bytesIn.load(ordering: .relaxed))
    report.bytesOut = Int(clamping: runtime.bytesOut.load(ordering: .relaxed))
    report.ends = SessionEnd.counts(runtime.count)
    return withRates(report, .init(kind: .server, backend: backend, name: runtime.name))
  }

  private func withRates(_ report: TrafficReport, _ key: TrafficSample.Key) -> TrafficReport {
    var report = report
    let rates = rates(key, report.total, report.bytesIn &+ report.bytesOut)
    report.rate = rates.sessions
    report.bytesRate = rates.bytes
    return report
  }

  /// Per second, since the older of two samples: over one to two seconds.
  private func rates(
    _ key: TrafficSample.Key, _ total: Int, _ bytes: Int
  ) -> (sessions: Double, bytes: Double) {
    guard let sample = samples.first, let before = sample.counts[key] else { return (0, 0) }
    let elapsed = Double(Clock.monotonic_us() &- sample.time_us) / 1_000_000
    guard elapsed > 0.1 else { return (0, 0) }
    func rate(_ now: Int, _ before: Int) -> Double {
      (Double(max(0, now &- before)) / elapsed * 10).rounded() / 10
    }
    return (rate(total, before.total), rate(bytes, before.bytes))
  }

  /// Once a second.
  func sampleTraffic() async {
    await countOpenBytes()
    guard let engine else { return }
    var sample = TrafficSample(time_us: Clock.monotonic_us())
    func add(_ key: TrafficSample.Key, _ traffic: TrafficReport) {
      sample.counts[key] = (traffic.total, traffic.bytesIn &+ traffic.bytesOut)
    }
    let accepted = engine.process.accepted.load(ordering: .relaxed)
    sample.counts[.init(kind: .process, name: "")] = (accepted, 0)
    for frontend in configuration.frontends {
      add(.init(kind: .frontend, name: frontend.name), traffic(engine.frontend(frontend.name)))
    }
    for backend in configuration.backends {
      add(.init(kind: .backend, name: backend.name), traffic(engine.backend(backend.name)))
      for server in backend.servers {
        let reference = ServerReference(backend: backend.name, server: server.name)
        add(
          .init(kind: .server, backend: backend.name, name: server.name),
          traffic(engine.server(reference), of: backend.name))
      }
    }
    samples = samples.suffix(1) + [sample]
  }
}

extension CheckResultReport {
  /// nil before the first check has finished, and for servers without checks.
  init?(_ snapshot: HealthSnapshot, words: (CheckReport) -> String) {
    guard let report = snapshot.lastReport, let progress = snapshot.progress else { return nil }
    self.init(
      status: report.status.code, words: words(report),
      duration_ms: Int(clamping: report.durationMilliseconds), health: progress.health,
      rise: progress.rise, fall: progress.fall)
  }
}
