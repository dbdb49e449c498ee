// The proxy half of a daemon: its engine, its checks and names, and what is said of them.

import Configuration
import Glibc
import Health
import Kernel
import Proxy
import Telemetry

extension Daemon {
  var listenSummary: String {
    let addresses = configuration.frontends.filter { !$0.isDisabled }.flatMap { frontend in
      frontend.binds.flatMap { $0.addresses.map { "\($0)" } }
    }
    if addresses.isEmpty { return "no listener" }
    let shown = addresses.prefix(8).joined(separator: ", ")
    return "listening on " + shown + (addresses.count > 8 ? ", …" : "")
  }

  /// Starts workers, checks and the log. Nil when that went well, otherwise the reason why not.
  func startProxy(_ configuration: ProxyConfiguration) async -> String? {
    let listeners = configuration.frontends.reduce(0) { sum, frontend in
      sum + frontend.binds.reduce(0) { $0 + $1.addresses.count }
    }
    capacity = Capacity.determine(configuration.global, listeners: listeners)
    do {
      let engine = try ProxyEngine(
        EngineOptions(
          workers: capacity.workers, sessionCapacity: capacity.sessions,
          pipesPerWorker: capacity.pipesPerWorker))
      let hub = LogHub(
        names: engine.names, signal: engine.signal, rings: engine.rings,
        isJSON: logFormat == .json)
      try hub.start()
      self.engine = engine
      self.hub = hub
    } catch {
      return "cannot start: \(error)"
    }
    let post = self.post
    health = HealthChecker(
      group: group, spreadPercent: configuration.global.spreadChecks,
      node: configuration.global.node ?? System.hostName
    ) { post.yield(.health($0)) }
    if let problem = await apply(configuration) {
      engine?.stop()
      hub?.stop()
      return problem
    }
    writePIDFile()
    warnOfAbsentLogs()
    warnOfPrivileges()
    return nil
  }

  /// Makes a configuration the running one. Nil when that went well, otherwise the reason why
  /// nothing changed.
  func apply(_ new: ProxyConfiguration) async -> String? {
    guard let engine, let hub, let health else { return "not started" }
    let resolved: [ServerReference: Configuration.SocketAddress]
    do {
      resolved = try await NameWatch.initialAddresses(
        of: new, known: names.addresses, isNative: isNative)
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
    forgetRemovedServers()
    await synchroniseAvailability(resolved)
    awaitNames()
    observePath()
    applyLimit(new.global)
    return nil
  }

  func applyLimit(_ global: GlobalSettings) {
    let wanted = global.maxconn ?? capacity.sessions
    if wanted > capacity.sessions {
      tell(
        .processLimited, .warning,
        "maxconn \(wanted) needs more descriptors than the limit of"
          + " \(capacity.descriptors) allows; \(capacity.sessions) sessions at once are accepted")
    }
    engine?.setLimit(min(wanted, capacity.sessions))
  }

  /// Who wrote `user` or `chroot` expects root to be given up.
  func warnOfPrivileges() {
    let global = configuration.global
    guard geteuid() == 0, hasFiles else { return }
    if global.user != nil || global.group != nil || global.chroot != nil {
      tell(
        .processWarning, .warning,
        "running as root: 'user', 'group' and 'chroot' are not applied, so that a"
          + " reload can bind ports below 1024; start as that user with CAP_NET_BIND_SERVICE")
    }
  }

  /// A log that is not there is no reason not to serve, but somebody may miss it.
  func warnOfAbsentLogs() {
    var targets = Set(configuration.frontends.flatMap(\.log.targets).map(\.destination))
    targets.formUnion(configuration.backends.flatMap(\.logTargets).map(\.destination))
    for case .unixDatagram(let path) in targets where access(path, W_OK) != 0 {
      tell(
        .logUnavailable, .warning,
        "log \(path): \(KernelError.text(of: errno)); its lines are dropped until then")
    }
  }

  func writePIDFile() {
    guard let path = configuration.global.pidFile else { return }
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else {
      tell(
        .processWarning, .warning, "cannot write pid file \(path): \(KernelError.text(of: errno))")
      return
    }
    Console.write("\(getpid())\n", to: file)
    close(file)
  }

  /// HAProxy's words for a proxy that has stopped.
  func logStopped() {
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

  func logToAll(_ level: LogLevel, _ text: String) {
    hub?.log(
      level, text, to: configuration.global.logTargets, tag: configuration.global.logTag,
      hostName: configuration.global.logHostname)
  }
}
