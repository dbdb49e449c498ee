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
  let say: @Sendable (String) -> Void
  private let notify: @Sendable (DaemonNotice) -> Void
  private let events: AsyncStream<DaemonEvent>
  let post: AsyncStream<DaemonEvent>.Continuation
  var engine: ProxyEngine?
  var hub: LogHub?
  var health: HealthChecker?
  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  var names = NameWatch()
  var ramps: [ServerReference: Int] = [:]
  var configuration = ProxyConfiguration()
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
    warnOfAbsentLogs()
    warnOfPrivileges()
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
    let logged = await resolvedLogs(new)
    let binding = { (frontend: Frontend) in hub.binding(for: frontend, global: new.global) }
    do {
      try engine.apply(logged, addresses: resolved, logBinding: binding)
    } catch {
      return "\(error)"
    }
    do {
      try health.update(targets: checkTargets(of: new, resolved))
      try watchNames(of: logged, resolved)
    } catch {
      // A certificate file that went away since the files were looked at: back to what ran.
      try? engine.apply(configuration, addresses: names.addresses, logBinding: binding)
      return "\(error)"
    }
    configuration = logged
    await synchroniseAvailability(resolved)
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

  /// Who wrote `user` or `chroot` expects root to be given up.
  private func warnOfPrivileges() {
    let global = configuration.global
    guard geteuid() == 0, hasFiles else { return }
    if global.user != nil || global.group != nil || global.chroot != nil {
      say(
        "warning: running as root: 'user', 'group' and 'chroot' are not applied, so that a"
          + " reload can bind ports below 1024; start as that user with CAP_NET_BIND_SERVICE")
    }
  }

  /// A log that is not there is no reason not to serve, but somebody may miss it.
  private func warnOfAbsentLogs() {
    var targets = Set(configuration.frontends.flatMap(\.log.targets).map(\.destination))
    targets.formUnion(configuration.backends.flatMap(\.logTargets).map(\.destination))
    for case .unixDatagram(let path) in targets where access(path, W_OK) != 0 {
      say("warning: log \(path): \(KernelError.text(of: errno)); its lines are dropped until then")
    }
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
          await stop(drained: true)
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

  private func stop(drained: Bool = false) async {
    notify(.stopping)
    health?.stop()
    health = nil  // Its loop ends below; asking it for a snapshot then would never return.
    names.stop()
    engine?.stop()
    if drained { logStopped() }
    hub?.stop()
    if let path = configuration.global.pidFile { unlink(path) }
    try? await group.shutdownGracefully()
  }

  private func logToAll(_ level: LogLevel, _ text: String) {
    hub?.log(
      level, text, to: configuration.global.logTargets, tag: configuration.global.logTag,
      hostName: configuration.global.logHostname)
  }
}
