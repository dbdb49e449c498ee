// Servers that are not ready: sessions closed little by little while they drain, and sessions
// for those that may still serve when no server of a backend is ready.

import Configuration
import Control
import Health
import Kernel
import Proxy

/// What is known of servers that are not ready.
struct Readiness {
  /// Alive by their own word.
  var draining: Set<ServerReference> = []
  /// Those whose sessions are being closed.
  var drains: [ServerReference: Drain] = [:]
  /// Whether the last check's connection stood.
  var connected: [ServerReference: Bool] = [:]
  /// By backend, the servers that take sessions without being ready.
  var open: [String: [String]] = [:]
  /// Times a backend failed open since the start.
  var openings: [String: Int] = [:]

  struct Drain {
    var machine: DrainMachine
    var over: Duration
    /// `SessionEnd.serverDrained` of the server when it began.
    var endedBefore: Int
  }

  func isOpen(_ reference: ServerReference) -> Bool {
    open[reference.backend]?.contains(reference.server) == true
  }

  mutating func keepOnly(_ present: Set<ServerReference>) {
    draining.formIntersection(present)
    drains = drains.filter { present.contains($0.key) }
    connected = connected.filter { present.contains($0.key) }
    let backends = Set(present.map(\.backend))
    open = open.filter { backends.contains($0.key) }
    openings = openings.filter { backends.contains($0.key) }
  }
}

extension Daemon {
  private var now: Duration { .microseconds(Clock.monotonic_us()) }

  // MARK: Draining

  /// Begins to close the server's sessions, if they are to be closed at all.
  func startDrain(_ reference: ServerReference, over time: Duration?) {
    guard let time, !readiness.isOpen(reference), let runtime = engine?.server(reference) else {
      return
    }
    let sessions = runtime.sessions.load(ordering: .relaxed)
    readiness.drains[reference] = Readiness.Drain(
      machine: DrainMachine(sessions: sessions, over: time, at: now), over: time,
      endedBefore: runtime.count(.serverDrained))
    ramps[reference, default: 0] += 1
    continueDrain(reference, ramp: ramps[reference, default: 0])
  }

  func continueDrain(_ reference: ServerReference, ramp: Int) {
    guard ramps[reference] == ramp, let engine, let runtime = engine.server(reference),
      let step = readiness.drains[reference]?.machine.step(
        sessions: runtime.sessions.load(ordering: .relaxed), at: now)
    else { return }
    engine.endSessions(of: reference, atMost: step.close, .serverDrained)
    let post = self.post
    Task {
      try? await Task.sleep(for: step.next)
      post.yield(.drainStep(reference, ramp: ramp))
    }
  }

  private func stopDrain(_ reference: ServerReference) {
    guard readiness.drains.removeValue(forKey: reference) != nil else { return }
    ramps[reference, default: 0] += 1
  }

  /// Before the state takes effect.
  func noteReadiness(_ reference: ServerReference, _ state: ServerState) {
    stopDrain(reference)
    if state == .draining {
      readiness.draining.insert(reference)
    } else {
      readiness.draining.remove(reference)
    }
  }

  // MARK: Failing open

  /// A check's result may make a server one that can take sessions, or the opposite.
  func noteConnection(_ reference: ServerReference, _ report: CheckReport, _ backend: Backend) {
    let before = readiness.connected.updateValue(report.wasConnected, forKey: reference)
    if before != report.wasConnected { reviewFailOpen(of: backend) }
  }

  /// Lets servers that are not ready take sessions when there is no other, and ends that.
  func reviewFailOpen(of backend: Backend) {
    let name = backend.name
    let before = readiness.open[name] ?? []
    let candidates = backend.failsOpen ? backend.servers.map { candidate($0, name) } : []
    let chosen = FailOpen.choose(candidates)
    guard chosen != before else { return }
    readiness.open[name] = chosen.isEmpty ? nil : chosen
    // First who comes, then who goes: there is always somebody.
    for server in chosen where !before.contains(server) {
      let reference = ServerReference(backend: name, server: server)
      stopDrain(reference)
      setAvailability(wanted[reference] ?? .up, of: reference)
    }
    for server in backend.servers where before.contains(server.name) {
      if !chosen.contains(server.name) { close(server, of: name) }
    }
    tellFailOpen(backend, from: before, to: chosen)
    observePath()
  }

  private func candidate(_ server: Server, _ backend: String) -> FailOpen.Candidate {
    let reference = ServerReference(backend: backend, server: server.name)
    let state: ServerState =
      switch wanted[reference] ?? .up {
      case .up: .up
      case .down: .down
      case .draining: .draining
      case .maintenance: .maintenance
      }
    return FailOpen.Candidate(
      server.name, state, isDrained: drained.contains(reference), weight: server.weight,
      wasConnected: readiness.connected[reference] ?? false)
  }

  /// The server is what its checks say again.
  private func close(_ server: Server, of backend: String) {
    let reference = ServerReference(backend: backend, server: server.name)
    let state = wanted[reference] ?? .up
    setAvailability(state, of: reference)
    switch state {
    case .up, .maintenance: break
    case .down:
      if server.resetsSessionsOnDown { engine?.resetSessions(of: reference, .serverWentDown) }
    case .draining:
      if readiness.draining.contains(reference) {
        startDrain(reference, over: server.check?.drainOver)
      }
    }
  }

  private func tellFailOpen(_ backend: Backend, from before: [String], to chosen: [String]) {
    let line: HealthLine
    if chosen.isEmpty {
      let ready = backend.servers.first {
        let reference = ServerReference(backend: backend.name, server: $0.name)
        if case .up = wanted[reference] ?? .up { return !drained.contains(reference) }
        return false
      }
      line = HealthLog.failsOpenNoLonger(
        backend.name,
        ready.map { "\(backend.name)/\($0.name) is ready" } ?? "no server accepts connections")
    } else {
      if before.isEmpty { readiness.openings[backend.name, default: 0] += 1 }
      line = HealthLog.failsOpen(backend.name, chosen.map { "\(backend.name)/\($0)" })
    }
    let event: EventName = chosen.isEmpty ? .backendFailOpenEnded : .backendFailOpen
    logLines([line], of: backend.name, as: event)
    record(event, .failOpen, of: backend.name, to: chosen.isEmpty ? "ended" : "open", line.text)
  }

  // MARK: Words

  /// For example `/readyz 500, /livez 200: draining, 12 of 40 sessions closed`.
  func words(_ report: CheckReport, _ reference: ServerReference, _ backend: Backend) -> String {
    let server = backend.servers.first { $0.name == reference.server }
    var words = checkWords(report, server, backend)
    if readiness.draining.contains(reference) {
      words += ": draining"
      if let drain = self.drain(of: reference) {
        words += ", \(drain.closed) of \(drain.began) sessions closed"
      }
    }
    if readiness.isOpen(reference) { words += "; takes sessions, since no server is ready" }
    return words
  }

  /// For example `/readyz 500, /livez 200`.
  func checkWords(_ report: CheckReport, _ server: Server?, _ backend: Backend?) -> String {
    guard let live = server?.check?.live, case .http(let check) = backend?.check,
      let code = report.code, report.status.printsCode
    else { return report.words }
    let ready = "\(check.path) \(code)"
    guard let answer = report.live else { return ready }
    return ready + ", \(live) \(answer.code.map(String.init) ?? answer.status.description)"
  }

  func drain(of reference: ServerReference) -> DrainReport? {
    guard let drain = readiness.drains[reference], let runtime = engine?.server(reference) else {
      return nil
    }
    return DrainReport(
      began: drain.machine.began,
      closed: max(0, runtime.count(.serverDrained) - drain.endedBefore),
      over_s: Double(drain.over.components.seconds)
        + Double(drain.over.components.attoseconds / 1_000_000_000_000_000) / 1000)
  }
}

extension HTTPCheck {
  /// The path of its request.
  fileprivate var path: String {
    for case .sendHTTP(let request) in steps { return request.uri }
    return "/"
  }
}
