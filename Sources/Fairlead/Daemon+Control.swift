// What operators ask of a running daemon, carried out: status, reload, drain and undrain.

import Configuration
import Control
import Glibc
import Health
import Kernel
import Proxy

/// Where operators reach a daemon.
enum ControlPlace: Equatable, Sendable {
  case none
  /// `ControlClient.defaultPath`, if it can be used; a daemon without it runs all the same.
  case usual
  case path(String)
}

/// Instants as seconds since 1970.
enum WallClock {
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec / 1000) / 1_000_000
  }
}

extension Daemon {
  // MARK: The socket

  /// Nil when the socket is there, or need not be; otherwise the reason why not.
  func startControl() async -> String? {
    let path: String
    switch controlPlace {
    case .none: return nil
    case .usual: path = ControlClient.defaultPath
    case .path(let chosen): path = chosen
    }
    if controlPlace == .usual { mkdir("/run/fairlead", 0o755) }
    do {
      control = try await ControlServer.start(path: path, history: history) { [weak self] in
        await self?.answer($0) ?? .refused("the daemon ends")
      }
    } catch {
      guard controlPlace == .usual else { return "\(error)" }
      tell(
        .controlUnavailable, .warning,
        "\(error); no operator commands ('--control PATH' chooses another place)")
      return nil
    }
    startSampling()
    return nil
  }

  /// For rates; once.
  func startSampling() {
    guard sampler == nil else { return }
    sampler = Task { [weak self] in
      while !Task.isCancelled {
        await self?.sampleTraffic()
        try? await Task.sleep(for: .seconds(1))
      }
    }
  }

  func stopControl() async {
    sampler?.cancel()
    sampler = nil
    await control?.stop()
    control = nil
  }

  /// Looking never waits for what the daemon is busy with; changes take their turn.
  func answer(_ request: ControlRequest) async -> ControlAnswer {
    switch request.command {
    case .status:
      var status = await report()
      status.files = files
      status.nativeNode = thisNode
      return ControlAnswer(ok: true, status: status)
    case .events: return ControlAnswer(ok: true, events: history.events)
    case .sessions: return await listSessions(request)
    // Its outcome comes from the network: nothing else waits for that.
    case .failover: return await failover(request)
    case .drain where request.node == true: return await setNodeDrained(true)
    case .undrain where request.node == true: return await setNodeDrained(false)
    case .reload, .drain, .undrain:
      return await withCheckedContinuation { continuation in
        post.yield(.request(request) { continuation.resume(returning: $0) })
      }
    }
  }

  /// A request that changes something, in its turn.
  func handle(_ request: ControlRequest) async -> ControlAnswer {
    switch request.command {
    case .reload: return await reload()
    case .drain: return setDrained(request.server, true)
    case .undrain: return setDrained(request.server, false)
    case .status, .events, .sessions, .failover: return await answer(request)
    }
  }

  func record(
    _ event: EventName, _ kind: ControlEvent.Kind, of subject: String? = nil,
    from: String? = nil, to: String? = nil, _ text: String
  ) {
    history.add(
      ControlEvent(
        time: WallClock.now, event: event.rawValue, kind: kind, subject: subject, from: from,
        to: to, text: text))
  }

  // MARK: Servers

  /// What checks, names and files say of a server; an operator's drain goes before `up`.
  func setAvailability(_ value: ServerAvailability, of reference: ServerReference) {
    wanted[reference] = value
    var value = value
    switch value {
    case .up: if drained.contains(reference) { value = .draining }
    case .down, .draining: if readiness.isOpen(reference) { value = .up }
    case .maintenance: break
    }
    engine?.setAvailability(value, of: reference)
    observePath()
  }

  /// After a reload: who is gone is forgotten.
  func forgetRemovedServers() {
    let present = Set(configuration.allServers.map(\.0))
    drained.formIntersection(present)
    checkedServers.formIntersection(present)
    reachedServers.formIntersection(present)
    counters.keep(servers: present)
    wanted = wanted.filter { present.contains($0.key) }
    serverSince = serverSince.filter { present.contains($0.key) }
    // Those of the start are there since the start.
    if isServing { present.subtracting(knownServers).forEach { serverSince[$0] = WallClock.now } }
    knownServers = present
    readiness.keepOnly(present)
  }

  /// The server that an operator means.
  func findServer(_ name: String?) -> Result<ServerReference, RefusedRequest> {
    func refused(_ problem: String) -> Result<ServerReference, RefusedRequest> {
      .failure(RefusedRequest(problem: problem))
    }
    guard let name else { return refused("which server? (backend/server)") }
    let found = configuration.allServers.map(\.0).filter {
      "\($0.backend)/\($0.server)" == name || $0.server == name
    }
    let exact = found.filter { "\($0.backend)/\($0.server)" == name }
    guard let reference = exact.first ?? found.first else {
      return refused("there is no server '\(name)'")
    }
    guard !exact.isEmpty || found.count == 1 else {
      let names = found.map { "\($0.backend)/\($0.server)" }.joined(separator: ", ")
      return refused("'\(name)' may be each of \(names)")
    }
    return .success(reference)
  }

  private func setDrained(_ name: String?, _ isDrained: Bool) -> ControlAnswer {
    let reference: ServerReference
    switch findServer(name) {
    case .success(let found): reference = found
    case .failure(let refused): return .refused(refused.problem)
    }
    let full = "\(reference.backend)/\(reference.server)"
    guard drained.contains(reference) != isDrained else {
      let text = isDrained ? "is drained already" : "is not drained"
      return ControlAnswer(ok: true, messages: ["\(full) \(text)"])
    }
    if isDrained { drained.insert(reference) } else { drained.remove(reference) }
    let backend = configuration.backend(named: reference.backend)
    if isDrained { backend.map(reviewFailOpen) }
    setAvailability(wanted[reference] ?? .up, of: reference)
    if !isDrained { backend.map(reviewFailOpen) }
    serverSince[reference] = WallClock.now
    let messages = isDrained ? drainMessages(reference, full) : ["\(full) is no longer drained"]
    let event: EventName = isDrained ? .serverDrained : .serverUndrained
    record(event, .server, of: full, to: state(of: reference).rawValue, messages[0])
    tell(event, .notice, messages[0], subject: full)
    for message in messages.dropFirst() { tell(.backendEmpty, .warning, message, subject: full) }
    logToAll(.notice, messages[0])
    return ControlAnswer(
      ok: true, messages: [messages[0]] + messages.dropFirst().map { "warning: \($0)" })
  }

  private func drainMessages(_ reference: ServerReference, _ full: String) -> [String] {
    let sessions = engine?.server(reference)?.sessions.load(ordering: .relaxed) ?? 0
    var messages = [
      "\(full) is drained: no new sessions, \(sessions) \(sessions == 1 ? "goes" : "go") on"
    ]
    let usable = engine?.usableServers(of: reference.backend) ?? (active: 0, backup: 0)
    if usable.active + usable.backup == 0 {
      messages.append(
        "no other server of '\(reference.backend)' takes sessions: new ones fail")
    }
    return messages
  }

  func state(of reference: ServerReference) -> ServerReport.State {
    switch wanted[reference] ?? .up {
    case .up: drained.contains(reference) ? .drained : .up
    case .down: .down
    case .draining: readiness.draining.contains(reference) ? .draining : .stopping
    case .maintenance: .maintenance
    }
  }

  /// A server's state as checks or names have changed it.
  func recordChange(
    of reference: ServerReference, from: ServerState, to: ServerState, _ cause: TransitionCause
  ) {
    let backend = configuration.backend(named: reference.backend)
    let server = backend?.servers.first { $0.name == reference.server }
    serverSince[reference] = WallClock.now
    let reason =
      switch cause {
      case .check(let report): checkWords(report, server, backend)
      case .tracked(let leader): "as \(leader.backend)/\(leader.server), which it follows"
      case .administrator: "by configuration"
      case .resolution: to == .maintenance ? "its name has no address" : "its name has an address"
      }
    let name = "\(reference.backend)/\(reference.server)"
    record(
      to.event, .server, of: name, from: from.word, to: to.word, "\(name) is \(to.word) (\(reason))"
    )
  }
}

extension ServerState {
  var event: EventName {
    switch self {
    case .up: .serverUp
    case .down: .serverDown
    case .stopping, .draining: .serverStopping
    case .maintenance: .serverMaintenance
    }
  }

  var word: String {
    switch self {
    case .up: "up"
    case .down: "down"
    case .stopping: "stopping"
    case .draining: "draining"
    case .maintenance: "maintenance"
    }
  }
}

extension CheckReport {
  /// For example `Layer7 wrong status, code 503: Service Unavailable`.
  var words: String {
    var words = status.description
    if let code, status.printsCode { words += ", code \(code)" }
    if let info, !info.isEmpty { words += ": \(info)" }
    return words
  }
}
