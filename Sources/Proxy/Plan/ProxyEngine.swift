// The control plane's handle on the data plane: it starts the workers, turns configurations into
// what they need, and tells them of servers that come and go. Owned by one actor; not thread-safe.

import Configuration
import Kernel
import Synchronization

/// What checks and operators say of a server.
public enum ServerAvailability: Sendable, Equatable {
  /// Takes sessions; `weightPermille` below 1000 while slow start raises it.
  case up(weightPermille: Int)
  case down
  /// Takes no new sessions, keeps what it has (NOLB, drain).
  case draining
  /// `disabled`, or its name is not resolved.
  case maintenance

  public static var up: ServerAvailability { .up(weightPermille: 1000) }
}

/// Process-wide choices made at start.
public struct EngineOptions: Sendable {
  public var workers: Int
  /// The most sessions the process can ever hold; its limit at a time is `setLimit`.
  public var sessionCapacity: Int
  /// Pipes for splice(2) per worker; 0 = copy only.
  public var pipesPerWorker: Int
  public init(workers: Int, sessionCapacity: Int, pipesPerWorker: Int) {
    self.workers = workers
    self.sessionCapacity = sessionCapacity
    self.pipesPerWorker = pipesPerWorker
  }
}

public final class ProxyEngine {
  public let names = NameTable()
  public let process = ProcessRuntime()
  public let signal: RecordSignal
  /// One per worker, for the log thread.
  public let rings: [RecordRing]
  public let options: EngineOptions
  /// For whoever gives addresses of this node up, on a thread of their own.
  public let localAddresses: LocalAddresses

  let mailboxes: [Mailbox]
  private var threads: [ThreadHandle] = []
  private var openKeys: Set<String> = []
  /// Ports of our own listeners.
  private var openPorts: Set<UInt16> = []
  private var frontends: [String: FrontendRuntime] = [:]
  private var backends: [String: BackendRuntime] = [:]
  private var servers: [ServerReference: ServerRuntime] = [:]
  private var bindRuntimes: [String: BindRuntime] = [:]
  private var availability: [ServerReference: ServerAvailability] = [:]
  private var installed: [String: InstalledBackend] = [:]
  public private(set) var configuration = ProxyConfiguration()

  private struct InstalledBackend {
    let model: Backend
    let settings: BackendSettings
    let targets: [(reference: ServerReference, target: ServerTarget)]
  }

  /// Makes the workers; they wait until `apply`. Throws when descriptors or memory run out.
  public init(_ options: EngineOptions) throws(KernelError) {
    self.options = options
    signal = try RecordSignal()
    process.limit.store(options.sessionCapacity, ordering: .relaxed)
    var mailboxes: [Mailbox] = []
    for _ in 0..<options.workers { mailboxes.append(try Mailbox()) }
    self.mailboxes = mailboxes
    localAddresses = LocalAddresses(mailboxes, process)
    rings = (0..<options.workers).map { _ in RecordRing(capacity: Limits.recordRing) }
    for number in 0..<options.workers {
      let context = WorkerContext(
        number: number, process: process, mailbox: mailboxes[number], peers: mailboxes,
        ring: rings[number], signal: signal, sessionCapacity: options.sessionCapacity + 1,
        maximumPipes: options.pipesPerWorker, splices: options.pipesPerWorker > 0)
      let worker = try WorkerBox(context)
      threads.append(try System.startThread(named: "worker-\(number)") { worker.run() })
    }
  }

  // MARK: Applying a configuration

  /// Replaces the running configuration in place. All new listeners are bound before anything
  /// changes; when one cannot be, nothing changes and the error names it. Sessions go on.
  public func apply(
    _ new: ProxyConfiguration, addresses: [ServerReference: SocketAddress],
    logBinding: (Frontend) -> AccessLogBinding
  ) throws(BindError) {
    let wanted = specifications(of: new)
    let opened = try openSockets(wanted)
    let tables = installBackends(new, addresses: addresses)
    let assignments = assign(wanted, opened: opened, new: new, logBinding: logBinding)
    for (number, mailbox) in mailboxes.enumerated() {
      mailbox.post(.install(WorkerAssignment(listeners: assignments[number], tables: tables)))
    }
    openKeys = Set(wanted.map(\.key))
    openPorts = Set(wanted.compactMap(\.port))
    process.rateLimit.store(new.global.maxConnectionRate ?? 0, ordering: .relaxed)
    configuration = new
  }

  /// The sockets that are not open yet, by key. Throws the first failure; none stays open then.
  private func openSockets(
    _ wanted: [ListenerSpecification]
  ) throws(BindError) -> [String: [Int32]] {
    var opened: [String: [Int32]] = [:]
    var failure: BindError?
    // All looks for foreign listeners come before the first socket of ours is opened: our own
    // `*:80` and `127.0.0.1:80` may stand side by side.
    for specification in wanted where failure == nil {
      if !openKeys.contains(specification.key), !isOurs(specification) {
        failure = specification.probe()
      }
    }
    for specification in wanted where failure == nil {
      let key = specification.key
      if openKeys.contains(key) || opened[key] != nil { continue }
      switch specification.openAll(count: mailboxes.count) {
      case .success(let sockets): opened[key] = sockets
      case .failure(let error): failure = error
      }
    }
    guard let failure else { return opened }
    opened.values.joined().forEach(Socket.close)
    throw failure
  }

  /// A bind line whose options or address change joins the sockets it is about to replace.
  private func isOurs(_ specification: ListenerSpecification) -> Bool {
    guard let port = specification.port else { return false }
    return openPorts.contains(port)
  }

  private func specifications(of configuration: ProxyConfiguration) -> [ListenerSpecification] {
    configuration.frontends.filter { !$0.isDisabled }.flatMap { frontend in
      frontend.binds.flatMap { bind in bind.addresses.map { (bind, $0) } }
        .enumerated().map { position, line in
          let (bind, address) = line
          return ListenerSpecification(
            frontend: frontend, bind: bind, address: address,
            name: bind.name ?? "\(bind.id ?? position + 1)")
        }
    }
  }

  private func assign(
    _ wanted: [ListenerSpecification], opened: [String: [Int32]], new: ProxyConfiguration,
    logBinding: (Frontend) -> AccessLogBinding
  ) -> [[ListenerAssignment]] {
    var settings: [String: FrontendSettings] = [:]
    for frontend in new.frontends where !frontend.isDisabled {
      let runtime = frontends[frontend.name] ?? FrontendRuntime(name: frontend.name)
      frontends[frontend.name] = runtime
      settings[frontend.name] = FrontendSettings(
        frontend, runtime: runtime, name: names.id(for: frontend.name),
        backend: frontend.defaultBackend.flatMap { installed[$0]?.settings },
        log: logBinding(frontend))
    }
    var assignments = mailboxes.map { _ in [ListenerAssignment]() }
    var usedBinds: [String: BindRuntime] = [:]
    var seen: Set<String> = []
    for specification in wanted where seen.insert(specification.key).inserted {
      guard let frontend = settings[specification.frontend.name] else { continue }
      let limit = specification.bind.maxconn ?? 0
      let line = "\(specification.frontend.name)|\(specification.bind.addresses)|\(limit)"
      let bind = usedBinds[line] ?? bindRuntimes[line] ?? BindRuntime(limit: limit)
      usedBinds[line] = bind
      for number in mailboxes.indices {
        assignments[number].append(
          ListenerAssignment(
            key: specification.key, name: names.id(for: specification.name),
            descriptor: opened[specification.key]?[number] ?? -1,
            frontend: frontend, bind: bind,
            acceptsProxyHeader: specification.bind.acceptProxy, isTCP: specification.isTCP,
            isShared: specification.isShared))
      }
    }
    bindRuntimes = usedBinds
    return assignments
  }

  private func installBackends(
    _ new: ProxyConfiguration, addresses: [ServerReference: SocketAddress]
  ) -> [BalancingTable] {
    let former = installed
    installed = [:]
    var wantedServers: Set<ServerReference> = []
    var tables: [BalancingTable] = []
    for backend in new.backends where !backend.isDisabled {
      let runtime =
        backends[backend.name] ?? BackendRuntime(name: backend.name, slot: backends.count)
      backends[backend.name] = runtime
      let settings = BackendSettings(
        backend, runtime: runtime, name: names.id(for: backend.name))
      var targets: [(reference: ServerReference, target: ServerTarget)] = []
      for server in backend.servers {
        let reference = ServerReference(backend: backend.name, server: server.name)
        wantedServers.insert(reference)
        let target = makeTarget(
          server, reference, backend, runtime, fullconn: fullconn(of: backend, in: new),
          address: addresses[reference])
        targets.append((reference, target))
        // What the file says counts when it changes; otherwise what checks and operators said.
        let before = former[backend.name]?.model.servers.first { $0.name == server.name }
        if server.isDisabled != (before?.isDisabled ?? false) {
          availability[reference] = server.isDisabled ? .maintenance : nil
        }
      }
      let made = InstalledBackend(model: backend, settings: settings, targets: targets)
      installed[backend.name] = made
      tables.append(makeTable(made))
    }
    availability = availability.filter { wantedServers.contains($0.key) }
    servers = servers.filter { wantedServers.contains($0.key) }
    return tables
  }

  /// `fullconn`, or a tenth of what the frontends that lead here may carry (manual, `fullconn`).
  private func fullconn(of backend: Backend, in configuration: ProxyConfiguration) -> Int {
    if let set = backend.fullconn { return set }
    let limits = configuration.frontends.filter { $0.defaultBackend == backend.name }
      .map { $0.maxconn ?? process.limit.load(ordering: .relaxed) }
    return max(1, (limits.reduce(0, +) + 9) / 10)
  }

  private func makeTarget(
    _ server: Server, _ reference: ServerReference, _ backend: Backend,
    _ backendRuntime: BackendRuntime, fullconn: Int, address: SocketAddress?
  ) -> ServerTarget {
    let runtime = servers[reference] ?? ServerRuntime(name: server.name)
    servers[reference] = runtime
    var endpoint: NetworkEndpoint?
    if case .ip(let ip, let port) = address { endpoint = NetworkEndpoint(ip, port: port) }
    var prepared: KernelAddress?
    if let address, server.host != .clientDestination, case .fixed = server.port {
      prepared = try? KernelAddress(address)
    }
    let source = server.source ?? backend.source
    return ServerTarget(
      server, runtime: runtime, name: names.id(for: server.name), address: prepared,
      endpoint: endpoint, source: source?.address.flatMap { try? KernelAddress($0) },
      sourceInterface: source?.interface, backend: backendRuntime, fullconn: fullconn,
      keepsOrder: backend.balance == .leastConnections)
  }

  // MARK: Servers that come and go

  /// Makes a change of a server known to every worker. Unknown servers are ignored: a check may
  /// report once more after a reload has removed its server.
  public func setAvailability(_ value: ServerAvailability, of reference: ServerReference) {
    guard servers[reference] != nil, availability[reference] != value else { return }
    availability[reference] = value
    if case .up(let permille) = value {
      servers[reference]?.limitPermille.store(permille, ordering: .relaxed)
    }
    guard let backend = installed[reference.backend] else { return }
    let table = makeTable(backend)
    for mailbox in mailboxes { mailbox.post(.table(table)) }
    if case .up = value { return }
    // A worker that has not seen the new table yet may still queue a session there.
    if let runtime = servers[reference], runtime.queued > 0 || backend.settings.isDeterministic {
      for mailbox in mailboxes { mailbox.post(.reassign(from: runtime)) }
    }
  }

  public func availability(of reference: ServerReference) -> ServerAvailability {
    availability[reference] ?? .up
  }

  /// Ends every session on the server.
  public func endSessions(of reference: ServerReference, _ end: SessionEnd) {
    guard let runtime = servers[reference] else { return }
    for mailbox in mailboxes { mailbox.post(.endSessions(of: runtime, end)) }
  }

  /// Resets every session on the server, so that its clients come back at once; sessions that
  /// still connect to it go to another server.
  public func resetSessions(of reference: ServerReference, _ end: SessionEnd) {
    guard let runtime = servers[reference] else { return }
    for mailbox in mailboxes { mailbox.post(.resetSessions(of: runtime, end)) }
  }

  /// Ends up to `count` established sessions on the server, those that were silent for longest.
  public func endSessions(of reference: ServerReference, atMost count: Int, _ end: SessionEnd) {
    guard count > 0, let runtime = servers[reference] else { return }
    let quota = SessionQuota(count)
    for mailbox in mailboxes { mailbox.post(.endSome(of: runtime, end, quota)) }
  }

  private func makeTable(_ backend: InstalledBackend) -> BalancingTable {
    var active: [WeightedServer] = []
    var backups: [WeightedServer] = []
    let scaled = backend.targets.contains {
      if case .up(let permille) = availability(of: $0.reference) { return permille < 1000 }
      return false
    }
    for (reference, target) in backend.targets where target.weight > 0 && target.isReachable {
      guard case .up(let permille) = availability(of: reference) else { continue }
      let weight = scaled ? max(1, target.weight * 16 * permille / 1000) : target.weight
      let usable = WeightedServer(target: target, weight: weight)
      if target.isBackup { backups.append(usable) } else { active.append(usable) }
    }
    let chosen =
      !active.isEmpty ? active : backend.model.allBackups ? backups : Array(backups.prefix(1))
    return BalancingTable(
      backend: backend.settings, algorithm: backend.model.balance,
      hashType: backend.model.hashType, servers: chosen)
  }

  /// The most sessions at once from now on, at most the capacity.
  public func setLimit(_ maxconn: Int) {
    process.limit.store(min(maxconn, options.sessionCapacity), ordering: .relaxed)
    for mailbox in mailboxes { mailbox.post(.resumeAccepting) }
  }

  // MARK: Reading

  public func frontend(_ name: String) -> FrontendRuntime? { frontends[name] }
  public func backend(_ name: String) -> BackendRuntime? { backends[name] }
  public func server(_ reference: ServerReference) -> ServerRuntime? { servers[reference] }

  /// Servers that could take sessions now: those in use, and backups in reserve.
  public func usableServers(of backend: String) -> (active: Int, backup: Int) {
    guard let backend = installed[backend] else { return (0, 0) }
    var active = 0
    var backup = 0
    for (reference, target) in backend.targets {
      guard case .up = availability(of: reference), target.weight > 0, target.isReachable else {
        continue
      }
      if target.isBackup { backup += 1 } else { active += 1 }
    }
    return (active, backup)
  }

  // MARK: Stopping

  /// Stops accepting. Open sessions go on.
  public func drain() {
    for mailbox in mailboxes { mailbox.post(.drain) }
    openKeys = []
    openPorts = []
  }

  /// Ends every session and waits for the workers.
  public func stop() {
    for mailbox in mailboxes { mailbox.post(.stop) }
    for thread in threads { thread.join() }
    threads = []
  }
}

/// Carries a worker to its thread.
private final class WorkerBox: @unchecked Sendable {
  private var worker: Worker
  init(_ context: WorkerContext) throws(KernelError) { worker = try Worker.make(context) }
  func run() { worker.run() }
}
