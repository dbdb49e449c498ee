// Wires the modules: configuration into the engine, checks and names into server states, and
// signals into what is done with it all.

import Configuration
import Control
import Dashboard
import Failover
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
  /// A name that had no address at the start has one.
  case nameFound(String, IPAddress)
  case slowStart(ServerReference, permille: Int, ramp: Int)
  case drainStep(ServerReference, ramp: Int)
  case request(ControlRequest, answer: @Sendable (ControlAnswer) -> Void)
}

/// Where a daemon's configuration comes from.
enum ConfigurationSource: Sendable {
  /// Read at start and at every reload.
  case files([String], node: String? = nil)
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
  /// Where lines for the person who started the daemon go, and how they are written.
  private let say: @Sendable (String) -> Void
  private let logReader: EventLine.Reader
  let logFormat: LogFormat
  private let notify: @Sendable (DaemonNotice) -> Void
  private let events: AsyncStream<DaemonEvent>
  let post: AsyncStream<DaemonEvent>.Continuation
  var engine: ProxyEngine?
  var hub: LogHub?
  var health: HealthChecker?
  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  var names = NameWatch()
  /// Looks up names that have no address yet.
  var nameSearch: Task<Void, Never>?
  var ramps: [ServerReference: Int] = [:]
  var configuration = ProxyConfiguration()
  var failover: FailoverHalf?
  var capacity = Capacity(descriptors: 0, sessions: 0, pipesPerWorker: 0, workers: 0)

  let failoverOptions: FailoverOptions
  nonisolated let interruption = Interruption()
  let controlPlace: ControlPlace
  var control: ControlServer?
  let httpOptions: HTTPOptions
  var dashboard: DashboardServer?
  /// What `dashboard` runs with.
  var httpSettings: HTTPSettings?
  /// Everything has started, and nothing has been told to end.
  var isServing = false
  /// What happens from now on happens because the daemon ends.
  var isEnding = false
  let history = EventHistory()
  let started = WallClock.now
  /// Every node of a native file, and the name of this one; empty and nil for other files.
  var nodes: [FailoverSituation.Node] = []
  var thisNode: String?
  /// The files that were read last are a native file.
  var isNative = false
  /// A planned move has not come to its end.
  var isMoving = false
  /// The last changes of state of virtual routers, oldest first.
  var moves: [MoveReport] = []
  /// Servers that an operator has drained.
  var drained: Set<ServerReference> = []
  /// What every server's availability would be without that.
  var wanted: [ServerReference: ServerAvailability] = [:]
  /// Servers whose first check has ended, and those that one has reached.
  var checkedServers: Set<ServerReference> = []
  var reachedServers: Set<ServerReference> = []
  /// What the routers were told of the proxy.
  var observedPath: PathObservation?
  var readiness = Readiness()
  /// When a server's state changed last, in seconds since 1970.
  var serverSince: [ServerReference: Double] = [:]
  /// Servers of the files that were in force last.
  var knownServers: Set<ServerReference> = []
  var counters = ControlCounters()
  /// The last two, oldest first, and what takes them.
  var samples: [TrafficSample] = []
  var sampler: Task<Void, Never>?

  init(
    _ source: ConfigurationSource, failoverOptions: FailoverOptions = FailoverOptions(),
    control: ControlPlace = .none, http: HTTPOptions = HTTPOptions(),
    logFormat: LogFormat = .text, logReader: EventLine.Reader = .terminal,
    say: @escaping @Sendable (String) -> Void = Console.say,
    notify: @escaping @Sendable (DaemonNotice) -> Void = { _ in }
  ) {
    self.source = source
    self.failoverOptions = failoverOptions
    controlPlace = control
    httpOptions = http
    self.logFormat = logFormat
    self.logReader = logReader
    self.say = say
    self.notify = notify
    (events, post) = AsyncStream.makeStream()
  }

  /// A line of the daemon's own log, on standard error.
  func tell(
    _ event: EventName, _ level: LogLevel, _ text: String, subject: String? = nil,
    fields: [String: String] = [:]
  ) {
    let line = EventLine(event, level, text, subject: subject, fields: fields)
    say(line.rendered(logFormat, to: logReader, at: WallClock.now))
  }

  /// Ends `run` as SIGTERM does.
  nonisolated func requestStop() { post.yield(.signal(.sigterm)) }

  /// Serves until a signal ends it. The result is the process's exit status.
  func run() async -> Int32 {
    signal(SIGPIPE, SIG_IGN)
    let signals = await UnixSignalsSequence(
      trapping: .sigterm, .sigint, .sighup, .sigusr1, .sigusr2)
    let post = self.post
    let interruption = self.interruption
    let listener = Task {
      for await signal in signals {
        if signal == .sigterm || signal == .sigint { interruption.request() }
        post.yield(.signal(signal))
      }
    }
    defer { listener.cancel() }
    guard await start() else { return 1 }
    isServing = true
    tell(.processReady, .notice, "fairlead is ready: \(readySummary)")
    record(.processReady, .start, "fairlead \(Version.text) is ready")
    notify(.ready)
    for await event in events {
      switch event {
      case .signal(let signal) where signal == .sigterm || signal == .sigint || !hasFiles:
        await stop(.signal(signal))
        return 0
      case .signal(.sigusr1) where engine == nil:
        describeFailover()
      case .signal(.sigusr1):
        return await drain()
      case .signal(.sighup), .signal(.sigusr2):
        _ = await reload()
      case .signal: break
      case .request(let request, let answer): answer(await handle(request))
      case .health(let event):
        handle(event)
        notify(.health(event))
      case .resolution(let section, let event): handle(event, section: section)
      case .nameFound(let host, let address): adopt(address, for: host)
      case .slowStart(let server, let permille, let ramp):
        continueSlowStart(server, permille: permille, ramp: ramp)
      case .drainStep(let server, let ramp): continueDrain(server, ramp: ramp)
      }
    }
    return 0
  }

  // MARK: Start

  /// What it runs, with absolute names: who asks may be elsewhere. nil without files.
  var files: [String]? {
    guard case .files(let files, _) = source else { return nil }
    guard let folder = getcwd(nil, 0) else { return files }
    defer { free(folder) }
    return files.map { $0.hasPrefix("/") ? $0 : String(cString: folder) + "/" + $0 }
  }

  var hasFiles: Bool {
    if case .files = source { return true }
    return false
  }

  /// Reads the files and shows what is wrong with them.
  private func load() -> LoadedConfiguration {
    switch source {
    case .ready(let configuration):
      return LoadedConfiguration(halves: LoadedConfiguration.Halves(proxy: configuration))
    case .files(let files, let node):
      let loaded = ConfigurationLoader.load(files, node: node)
      isNative = loaded.document != nil
      show(loaded.diagnostics)
      for problem in loaded.problems { tell(.configurationProblem, .err, problem) }
      return loaded
    }
  }

  /// As a compiler shows them, with the line and a caret; one object each as JSON.
  private func show(_ diagnostics: [Diagnostic]) {
    for diagnostic in diagnostics where diagnostic.severity > .note {
      let level: LogLevel = diagnostic.severity == .error ? .err : .warning
      guard logFormat == .json else {
        let text = diagnostic.rendered(color: isatty(2) == 1)
        say(logReader == .journal ? EventLine.marked(text, level) : text)
        continue
      }
      tell(
        .configurationProblem, level, diagnostic.message,
        fields: [
          "file": diagnostic.file, "line": "\(diagnostic.line)", "column": "\(diagnostic.column)",
        ])
    }
  }

  /// The proxy first: an address should only come to a node that can serve it.
  private func start() async -> Bool {
    let loaded = load()
    guard let halves = loaded.halves else { return false }
    adoptNodes(of: loaded)
    if let problem = await startControl() {
      tell(.processStartFailed, .err, problem)
      return false
    }
    if let problem = await startHTTP(halves.http) {
      tell(.processStartFailed, .err, problem)
      await stopControl()
      return false
    }
    if let proxy = halves.proxy {
      if proxy.frontends.allSatisfy(\.isDisabled) {
        tell(
          .processStartFailed, .err, "no enabled listener found (check for 'bind' directives)")
        await stopHTTP()
        await stopControl()
        return false
      }
      if let problem = await startProxy(proxy) {
        tell(.processStartFailed, .err, problem)
        await stopHTTP()
        await stopControl()
        return false
      }
    }
    if let failover = halves.failover, let problem = await startFailover(failover) {
      tell(.processStartFailed, .err, problem)
      await stop()
      return false
    }
    return true
  }

  private var readySummary: String {
    var parts: [String] = []
    if let engine {
      parts.append(
        "\(listenSummary), \(capacity.workers) workers, up to"
          + " \(engine.process.limit.load(ordering: .relaxed)) sessions")
    }
    if let failover { parts.append(failover.summary) }
    if let dashboard { parts.append("dashboard at \(dashboard.url)") }
    return parts.joined(separator: "; ")
  }

  // MARK: Reload, drain, stop

  /// The outcome, with the diagnostics of the files, for whoever asked for it.
  func reload() async -> ControlAnswer {
    let loaded = load()
    var messages = loaded.diagnostics.filter { $0.severity > .note }
      .map { $0.rendered(color: false) }
    messages += loaded.problems
    var problem: String?
    if let new = loaded.halves {
      let before = configuration
      problem = checkHTTP(new.http)
      if problem == nil { problem = await reloadProxy(new.proxy) }
      if problem == nil {
        problem = await reloadFailover(new.failover)
        // Both halves change, or neither does.
        if problem != nil, engine != nil { _ = await apply(before) }
        if problem == nil { adoptNodes(of: loaded) }
      }
    } else {
      problem = "the files have errors"
    }
    if let problem {
      let text = "\(problem); the running configuration stays"
      tell(.reloadFailed, .err, "reload failed: \(text)")
      logToAll(.err, "Reload failed: \(text).")
      record(.reloadFailed, .reload, to: "failed", "reload failed: \(text)")
      return ControlAnswer(ok: false, messages: messages + ["reload failed: \(text)"])
    }
    if let problem = await reloadHTTP(loaded.halves?.http) {
      tell(.dashboardUnavailable, .warning, problem)
      messages.append("warning: \(problem)")
    }
    let text = "reload done: \(readySummary)"
    tell(.reloadDone, .notice, text)
    logToAll(.notice, "Reload done.")
    record(.reloadDone, .reload, to: "done", text)
    return ControlAnswer(ok: true, messages: messages + [text])
  }

  private func reloadProxy(_ new: ProxyConfiguration?) async -> String? {
    guard let new else {
      return engine == nil ? nil : "the files have no proxy any more; that takes a restart"
    }
    guard engine != nil else { return "a proxy beside virtual addresses takes a restart" }
    if let threads = new.global.threads, threads != capacity.workers {
      tell(.reloadPartial, .warning, "nbthread \(threads) takes effect at the next start")
    }
    return await apply(new)
  }

  /// Stops accepting and waits for the sessions, for at most `hard-stop-after`.
  private func drain() async -> Int32 {
    isServing = false
    isEnding = true
    tellDraining()
    // Clients go where new sessions are taken.
    await stopFailover()
    engine?.drain()
    health?.stop()
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
      case .signal(let signal) where signal == .sigterm || signal == .sigint:
        await stop(.signal(signal))
        return 0
      case .signal:
        let left = engine?.process.sessions.load(ordering: .relaxed) ?? 0
        let isLate = end.map { clock.now >= $0 } ?? false
        if left == 0 || isLate {
          await stop(left > 0 ? .hardStop : .drained)
          return 0
        }
      case .request(_, let answer):
        answer(.refused("the daemon is draining: it ends with its last session"))
      default: break
      }
    }
    return 0
  }

  /// Without a cause it never ran, and why is told elsewhere.
  private func stop(_ cause: StopCause? = nil) async {
    isServing = false
    isEnding = true
    notify(.stopping)
    if let cause { tellStopping(cause) }
    await stopFailover()
    await stopHTTP()
    await stopControl()
    health?.stop()
    health = nil  // Its loop ends below; asking it for a snapshot then would never return.
    nameSearch?.cancel()
    names.stop()
    engine?.stop()
    if cause == .drained || cause == .hardStop { logStopped() }
    hub?.stop()
    if let path = configuration.global.pidFile { unlink(path) }
    try? await group.shutdownGracefully()
    if cause != nil { tell(.processStopped, .notice, "fairlead has stopped") }
  }
}
