// Wires the modules: configuration into the engine, checks and names into server states, and
// signals into what is done with it all.

import Configuration
import Glibc
import Health
import Kernel
import NIOCore
import NIOPosix
import Proxy
import Resolution
import Telemetry
import UnixSignals

/// Everything that can happen to a running daemon, handled one at a time.
enum DaemonEvent: Sendable {
  case signal(UnixSignal)
  case health(HealthEvent)
  case resolution(section: String, ResolutionEvent)
  case slowStart(ServerReference, permille: Int, ramp: Int)
}

/// Where a daemon's configuration comes from.
enum ConfigurationSource: Sendable {
  /// Read at start and at every reload.
  case files([String])
  /// Made by the program itself; every signal that ends or reloads a daemon ends this one.
  case ready(ProxyConfiguration)
}

/// What a daemon's owner in the same process may want to know as it happens.
enum DaemonNotice: Sendable {
  /// Listeners are bound.
  case ready
  /// After it has taken effect.
  case health(HealthEvent)
  /// All sessions end now.
  case stopping
}

actor Daemon {
  private let source: ConfigurationSource
  /// Where lines for the person who started the daemon go.
  private let say: @Sendable (String) -> Void
  private let notify: @Sendable (DaemonNotice) -> Void
  private let events: AsyncStream<DaemonEvent>
  private let post: AsyncStream<DaemonEvent>.Continuation
  private(set) var engine: ProxyEngine?
  private var hub: LogHub?
  private(set) var health: HealthChecker?
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private var names = NameWatch()
  var ramps: [ServerReference: Int] = [:]
  private(set) var configuration = ProxyConfiguration()
  private(set) var capacity = Capacity(descriptors: 0, sessions: 0, pipesPerWorker: 0, workers: 0)

  init(
    _ source: ConfigurationSource, say: @escaping @Sendable (String) -> Void = Console.say,
    notify: @escaping @Sendable (DaemonNotice) -> Void = { _ in }
  ) {
    self.source = source
    self.say = say
    self.notify = notify
    (events, post) = AsyncStream.makeStream()
  }

  /// Ends `run` as SIGTERM does.
  nonisolated func requestStop() { post.yield(.signal(.sigterm)) }

  /// Serves until a signal ends it. The result is the process's exit status.
  func run() async -> Int32 {
    signal(SIGPIPE, SIG_IGN)
    let signals = await UnixSignalsSequence(
      trapping: .sigterm, .sigint, .sighup, .sigusr1, .sigusr2)
    let post = self.post
    let listener = Task {
      for await signal in signals { post.yield(.signal(signal)) }
    }
    defer { listener.cancel() }
    guard await start() else { return 1 }
    say(
      "fairlead is ready: \(listenSummary), \(capacity.workers) workers, up to"
        + " \(engine?.process.limit.load(ordering: .relaxed) ?? 0) sessions")
    notify(.ready)
    for await event in events {
      switch event {
      case .signal(.sigterm), .signal(.sigint):
        await stop()
        return 0
      case .signal where !hasFiles:
        await stop()
        return 0
      case .signal(.sigusr1):
        return await drain()
      case .signal(.sighup), .signal(.sigusr2):
        await reload()
      case .signal: break
      case .health(let event):
        handle(event)
        notify(.health(event))
      case .resolution(let section, let event): handle(event, section: section)
      case .slowStart(let server, let permille, let ramp):
        continueSlowStart(server, permille: permille, ramp: ramp)
      }
    }
    return 0
  }

  private var listenSummary: String {
    let addresses = configuration.frontends.filter { !$0.isDisabled }.flatMap { frontend in
      frontend.binds.flatMap { $0.addresses.map { "\($0)" } }
    }
    if addresses.isEmpty { return "no listener" }
    let shown = addresses.prefix(8).joined(separator: ", ")
    return "listening on " + shown + (addresses.count > 8 ? ", …" : "")
  }

  // MARK: Start

  private var hasFiles: Bool {
    if case .files = source { return true }
    return false
  }

  /// Reads the files and shows what is wrong with them. Nil when they have errors.
  private func load() -> ProxyConfiguration? {
    switch source {
    case .ready(let configuration): return configuration
    case .files(let files):
      let loaded = ConfigurationLoader.load(files)
      Console.show(loaded.diagnostics)
      loaded.problems.forEach(say)
      return loaded.configuration
    }
  }

  private func start() async -> Bool {
    guard let configuration = load() else { return false }
    if configuration.frontends.allSatisfy(\.isDisabled) {
      say("error: no enabled listener found (check for 'bind' directives)")
      return false
    }
    let listeners = configuration.frontends.reduce(0) { sum, frontend in
      sum + frontend.binds.reduce(0) { $0 + $1.addresses.count }
    }
    capacity = Capacity.determine(configuration.global, listeners: listeners)
    do {
      let engine = try ProxyEngine(
        EngineOptions(
          workers: capacity.workers, sessionCapacity: capacity.sessions,
          pipesPerWorker: capacity.pipesPerWorker))
      let hub = LogHub(names: engine.names, signal: engine.signal, rings: engine.rings)
      try hub.start()
      self.engine = engine
      self.hub = hub
    } catch {
      say("error: cannot start: \(error)")
      return false
    }
    let post = self.post
    health = HealthChecker(
      group: group, spreadPercent: configuration.global.spreadChecks,
      node: configuration.global.node ?? System.hostName
    ) { post.yield(.health($0)) }
    if let problem = await apply(configuration) {
      say("error: \(problem)")
      engine?.stop()
      hub?.stop()
      return false
    }
    writePIDFile()
    return true
  }

  /// Makes a configuration the running one. Nil when that went well, otherwise the reason why
  /// nothing changed.
  private func apply(_ new: ProxyConfiguration) async -> String? {
    guard let engine, let hub, let health else { return "not started" }
    let resolved: [ServerReference: Configuration.SocketAddress]
    do {
      resolved = try await NameWatch.initialAddresses(of: new, known: names.addresses)
    } catch {
      return "\(error)"
    }
    let targets = checkTargets(of: new, resolved)
    do {
      // Checks first: they read certificate files, and nothing has changed if one is missing.
      let logged = await resolvedLogs(new)
      try engine.apply(logged, addresses: resolved) { frontend in
        hub.binding(for: frontend, global: new.global)
      }
      try health.update(targets: targets)
      try watchNames(of: logged, resolved)
      configuration = logged
      setMaintenance(of: logged, resolved)
    } catch {
      return "\(error)"
    }
    applyLimit(new.global)
    return nil
  }

  private func applyLimit(_ global: GlobalSettings) {
    let wanted = global.maxconn ?? capacity.sessions
    if wanted > capacity.sessions {
      say(
        "warning: maxconn \(wanted) needs more descriptors than the limit of"
          + " \(capacity.descriptors) allows; \(capacity.sessions) sessions at once are accepted")
    }
    engine?.setLimit(min(wanted, capacity.sessions))
  }

  private func checkTargets(
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

  /// Servers without an address are out until their name resolves.
  private func setMaintenance(
    of configuration: ProxyConfiguration,
    _ resolved: [ServerReference: Configuration.SocketAddress]
  ) {
    for backend in configuration.backends where !backend.isDisabled {
      for server in backend.servers {
        guard case .name = server.host else { continue }
        let reference = ServerReference(backend: backend.name, server: server.name)
        if resolved[reference] == nil {
          engine?.setAvailability(.maintenance, of: reference)
        } else if server.check == nil, server.track == nil, !server.isDisabled {
          engine?.setAvailability(.up, of: reference)
        }
      }
    }
  }

  /// Log targets by name get their address once; one that cannot be resolved is left out, loudly.
  private func resolvedLogs(_ configuration: ProxyConfiguration) async -> ProxyConfiguration {
    var result = configuration
    var known: [LogTarget.Destination: LogTarget.Destination] = [:]
    result.global.logTargets = await resolved(result.global.logTargets, &known)
    for index in result.frontends.indices {
      let targets = result.frontends[index].log.targets
      result.frontends[index].log.targets = await resolved(targets, &known)
    }
    for index in result.backends.indices {
      let targets = result.backends[index].logTargets
      result.backends[index].logTargets = await resolved(targets, &known)
    }
    return result
  }

  private func resolved(
    _ targets: [LogTarget], _ known: inout [LogTarget.Destination: LogTarget.Destination]
  ) async -> [LogTarget] {
    var kept: [LogTarget] = []
    for var target in targets {
      if case .udpName(let host, let port) = target.destination {
        if known[target.destination] == nil {
          if let address = await SystemResolver.lookUp(host) {
            known[target.destination] = .udp(.ip(address, port: port))
          } else {
            say("warning: log target '\(host)' cannot be resolved: it gets no lines")
          }
        }
        guard let found = known[target.destination] else { continue }
        target.destination = found
      }
      kept.append(target)
    }
    return kept
  }

  private func writePIDFile() {
    guard let path = configuration.global.pidFile else { return }
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else {
      say("warning: cannot write pid file \(path): \(KernelError.text(of: errno))")
      return
    }
    Console.write("\(getpid())\n", to: file)
    close(file)
  }

  // MARK: Reload, drain, stop

  private func reload() async {
    guard let new = load() else {
      say("reload failed: the files have errors; the running configuration stays")
      logToAll(.err, "Reload failed: the files have errors; the running configuration stays.")
      return
    }
    if let threads = new.global.threads, threads != capacity.workers {
      say("warning: nbthread \(threads) takes effect at the next start")
    }
    if let problem = await apply(new) {
      say("reload failed: \(problem); the running configuration stays")
      logToAll(.err, "Reload failed: \(problem); the running configuration stays.")
      return
    }
    say("reload done: \(listenSummary)")
    logToAll(.notice, "Reload done.")
  }

  /// Stops accepting and waits for the sessions, for at most `hard-stop-after`.
  private func drain() async -> Int32 {
    engine?.drain()
    health?.stop()
    say("draining: no new sessions; ends with the last one")
    let clock = ContinuousClock()
    let end = configuration.global.hardStopAfter.map { clock.now + $0 }
    let post = self.post
    let ticker = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(20))
        post.yield(.signal(.sigalrm))
      }
    }
    defer { ticker.cancel() }
    for await event in events {
      switch event {
      case .signal(.sigterm), .signal(.sigint):
        await stop()
        return 0
      case .signal:
        let left = engine?.process.sessions.load(ordering: .relaxed) ?? 0
        let isLate = end.map { clock.now >= $0 } ?? false
        if left == 0 || isLate {
          if isLate, left > 0 { say("hard-stop-after: ending \(left) sessions") }
          logStopped()
          await stop()
          return 0
        }
      default: break
      }
    }
    return 0
  }

  /// HAProxy's words for a proxy that has stopped.
  private func logStopped() {
    var seen: Set<String> = []
    let names = configuration.frontends.map(\.name) + configuration.backends.map(\.name)
    for name in names where seen.insert(name).inserted {
      let front = engine?.frontend(name)?.total.load(ordering: .relaxed) ?? 0
      let back = engine?.backend(name)?.total.load(ordering: .relaxed) ?? 0
      let text = "Proxy \(name) stopped (cumulated conns: FE: \(front), BE: \(back))."
      let targets =
        configuration.frontends.first { $0.name == name }?.log.targets
        ?? configuration.backend(named: name)?.logTargets ?? []
      hub?.log(.notice, text, to: targets, tag: configuration.global.logTag)
    }
  }

  private func stop() async {
    notify(.stopping)
    health?.stop()
    names.stop()
    engine?.stop()
    hub?.stop()
    if let path = configuration.global.pidFile { unlink(path) }
    try? await group.shutdownGracefully()
  }

  private func logToAll(_ level: LogLevel, _ text: String) {
    hub?.log(
      level, text, to: configuration.global.logTargets, tag: configuration.global.logTag,
      hostName: configuration.global.logHostname)
  }

  // MARK: Names

  private func watchNames(
    of configuration: ProxyConfiguration,
    _ resolved: [ServerReference: Configuration.SocketAddress]
  ) throws {
    let post = self.post
    try names.watch(configuration, resolved, group: group) { section, event in
      post.yield(.resolution(section: section, event))
    }
  }

  private func handle(_ event: ResolutionEvent, section: String) {
    guard let engine, let hub else { return }
    for change in names.changes(for: event, section: section, in: configuration) {
      do {
        try engine.apply(configuration, addresses: names.addresses) { frontend in
          hub.binding(for: frontend, global: configuration.global)
        }
      } catch {
        say("warning: \(error)")
      }
      health?.setAddress(change.server, change.address)
      let isChecked = change.model.check != nil || change.model.track != nil
      if !isChecked, !change.model.isDisabled {
        engine.setAvailability(change.address == nil ? .maintenance : .up, of: change.server)
      }
      logLines(change.lines, of: change.server.backend)
    }
  }

  // MARK: Health

  private func handle(_ event: HealthEvent) {
    guard let backend = configuration.backend(named: event.server.backend),
      let server = backend.servers.first(where: { $0.name == event.server.server })
    else { return }
    let log = HealthLog(
      event.server, isBackup: server.isBackup, logsChecks: backend.logHealthChecks)
    switch event {
    case .checked(_, let report, let progress):
      if backend.logHealthChecks, progress.isNews {
        logLines([log.check(report, progress, hasWeight: server.weight > 0)], of: backend.name)
      }
    case .transition(let reference, let from, let to, let cause):
      // Names in and out of maintenance are told where they are resolved.
      serverChanged(reference, server, backend, from: from, to: to)
      let counts = counts(of: reference, backend)
      if cause != .resolution {
        logLines(
          [log.transition(from: from, to: to, cause: cause, counts: counts)], of: backend.name)
      }
      if counts.active + counts.backup == 0, to != .up {
        logLines([HealthLog.noServer(backend.name, isListen: backend.isListen)], of: backend.name)
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
    switch to {
    case .up:
      if from == .down, let time = server.slowstart, time > .zero {
        startSlowStart(reference, over: time)
      } else {
        engine?.setAvailability(.up, of: reference)
      }
      if server.shutdownBackupSessionsOnUp {
        for other in backend.servers where other.isBackup {
          engine?.endSessions(
            of: ServerReference(backend: backend.name, server: other.name), .primaryCameBack)
        }
      }
    case .down:
      engine?.setAvailability(.down, of: reference)
      if server.shutdownSessionsOnDown { engine?.endSessions(of: reference, .serverWentDown) }
    case .stopping: engine?.setAvailability(.draining, of: reference)
    case .maintenance: engine?.setAvailability(.maintenance, of: reference)
    }
  }

  /// Raises the server's weight and limit step by step (manual, `slowstart`).
  private func startSlowStart(_ reference: ServerReference, over time: Duration) {
    let ramp = ramps[reference, default: 0]
    let post = self.post
    engine?.setAvailability(.up(weightPermille: 1), of: reference)
    Task {
      let steps = 20
      for step in 1...steps {
        try? await Task.sleep(for: time / steps)
        post.yield(.slowStart(reference, permille: step * 1000 / steps, ramp: ramp))
      }
    }
  }

  private func continueSlowStart(_ server: ServerReference, permille: Int, ramp: Int) {
    guard ramps[server] == ramp else { return }
    engine?.setAvailability(.up(weightPermille: permille), of: server)
  }

  /// To the backend's log targets and, for the person at the terminal, to standard error.
  private func logLines(_ lines: [HealthLine], of backendName: String) {
    guard let backend = configuration.backend(named: backendName) else { return }
    for line in lines {
      hub?.log(
        line.level, line.text, to: backend.logTargets,
        tag: backend.logTag ?? configuration.global.logTag,
        hostName: configuration.global.logHostname)
      say("[\(line.level <= .alert ? "ALERT" : "WARNING")] \(line.text)")
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
