// The part of the checker that lives on the event loop: one entry per server, and how states
// travel from checks to servers and from servers to those that follow them.

import Configuration
import NIOCore

/// One watched server. Only touched on the event loop.
private final class Entry: @unchecked Sendable {
  var target: CheckTarget
  var probeTarget: ProbeTarget?
  /// What is asked of a server that is not ready.
  var livePlan: CheckPlan?
  var machine: CheckMachine
  var lastReport: CheckReport?
  var isInMaintenance: Bool
  /// The state the owner was last told.
  var told: ServerState = .up
  /// `told` comes from before the last reload.
  var isKnown = false
  /// Under way, the oldest first; several while a server that is up does not answer.
  var probes: [Probe] = []
  var timer: Scheduled<Void>?
  var followers: [Entry] = []
  weak var leader: Entry?

  init(_ target: CheckTarget, _ probeTarget: ProbeTarget?, _ livePlan: CheckPlan?) {
    self.target = target
    self.probeTarget = probeTarget
    self.livePlan = livePlan
    machine = CheckMachine(target.server.check ?? ServerCheck())
    isInMaintenance = target.server.isDisabled
  }

  /// Checked in another way than before: its state stays until a check says something else.
  func adopt(_ known: Entry) {
    guard isChecked, known.isChecked else { return }
    machine.adopt(known.machine)
    lastReport = known.lastReport
    isInMaintenance = known.isInMaintenance
    told = known.told
    if target.address == nil { target.address = known.target.address }
    isKnown = true
  }

  var isChecked: Bool { probeTarget != nil }
  var isResolved: Bool { !isChecked || target.address != nil || !needsAddress }
  var mayCheck: Bool { isChecked && !isInMaintenance && isResolved }

  /// Names need one; `clientDestination` never gets one and is not checked without `addr`.
  private var needsAddress: Bool {
    if case .name = target.server.host { return true }
    return false
  }

  func cancel() {
    timer?.cancel()
    timer = nil
    cancelProbes()
  }

  func cancelProbes() {
    for probe in probes { probe.cancel() }
    probes = []
  }
}

/// See `HealthChecker`, which this does the work of. Confined to `loop`.
final class HealthCore: @unchecked Sendable {
  private let loop: any EventLoop
  private let spreadPercent: Int
  private let node: String
  private let random: @Sendable () -> Double
  private let handler: HealthChecker.Handler
  private var entries: [ServerReference: Entry] = [:]
  private var order: [ServerReference] = []

  init(
    loop: any EventLoop, spreadPercent: Int, node: String,
    random: @escaping @Sendable () -> Double, handler: @escaping HealthChecker.Handler
  ) {
    self.loop = loop
    self.spreadPercent = spreadPercent
    self.node = node
    self.random = random
    self.handler = handler
  }

  // MARK: Targets

  func update(_ targets: [(CheckTarget, ProbeTarget?, CheckPlan?)]) {
    loop.preconditionInEventLoop()
    let old = entries
    entries = [:]
    order = []
    var new: [Entry] = []
    for (target, probeTarget, livePlan) in targets where entries[target.reference] == nil {
      let entry: Entry
      if let known = old[target.reference], known.target.isSameCheck(as: target) {
        entry = known
        keep(entry, target, probeTarget)
        entry.livePlan = livePlan
      } else {
        entry = Entry(target, probeTarget, livePlan)
        new.append(entry)
        if let known = old[target.reference], known.target.isSameServer(as: target) {
          entry.adopt(known)
          if target.address != entry.target.address { rebuild(entry) }
        }
      }
      entries[target.reference] = entry
      order.append(target.reference)
    }
    for (reference, entry) in old where entries[reference] !== entry { entry.cancel() }
    link()
    for entry in new where !entry.isKnown { entry.told = state(of: entry) }
    for reference in order {
      guard let entry = entries[reference] else { continue }
      // Only a server that follows another one now can have changed.
      publish(entry, entry.leader.map { .tracked($0.target.reference) } ?? .administrator)
    }
    let checked = new.filter(\.isChecked)
    let delays = CheckSchedule.startDelays(firstIntervals: checked.map(\.machine.nextInterval))
    for (entry, delay) in zip(checked, delays) where entry.mayCheck {
      schedule(entry, after: delay)
    }
  }

  /// Takes over what a reload may change without touching the state.
  private func keep(_ entry: Entry, _ target: CheckTarget, _ probeTarget: ProbeTarget?) {
    let address = target.address ?? entry.target.address
    entry.target = target
    entry.target.address = address
    entry.probeTarget = probeTarget
    if target.address == nil, address != nil { rebuild(entry) }
  }

  private func link() {
    for entry in entries.values {
      entry.followers = []
      entry.leader = nil
    }
    for reference in order {
      guard let entry = entries[reference], let tracked = entry.target.server.track,
        let leader = entries[tracked], leader !== entry
      else { continue }
      entry.leader = leader
      leader.followers.insert(entry, at: 0)  // HAProxy tells the last declared first
    }
  }

  func stop() {
    loop.preconditionInEventLoop()
    for entry in entries.values { entry.cancel() }
    entries = [:]
    order = []
  }

  // MARK: Run-time changes

  func setMaintenance(_ reference: ServerReference, _ isInMaintenance: Bool) {
    loop.preconditionInEventLoop()
    guard let entry = entries[reference], entry.isInMaintenance != isInMaintenance else { return }
    entry.isInMaintenance = isInMaintenance
    resume(entry, cause: .administrator)
  }

  func setAddress(_ reference: ServerReference, _ address: Configuration.SocketAddress?) {
    loop.preconditionInEventLoop()
    guard let entry = entries[reference], entry.target.address != address else { return }
    let wasResolved = entry.isResolved
    entry.target.address = address
    rebuild(entry)
    if wasResolved != entry.isResolved { resume(entry, cause: .resolution) }
  }

  /// Enters or leaves a time without checks.
  private func resume(_ entry: Entry, cause: TransitionCause) {
    entry.cancel()
    if entry.mayCheck {
      entry.machine.restart()
      schedule(entry, after: .zero)
    }
    publish(entry, cause)
  }

  /// Puts the current address into the connections; TLS contexts are kept, no file is read.
  private func rebuild(_ entry: Entry) {
    guard let old = entry.probeTarget else { return }
    entry.probeTarget?.connections = old.connections.mapValues { connection in
      guard connection.followsServer else { return connection }
      var connection = connection
      connection.endpoint = entry.target.endpoint(nil, connection.port)
      return connection
    }
  }

  // MARK: Checks

  private func schedule(_ entry: Entry, after delay: Duration) {
    entry.timer?.cancel()
    entry.timer = loop.scheduleTask(in: TimeAmount(delay)) { [weak self, weak entry] in
      guard let self, let entry else { return }
      entry.timer = nil
      self.check(entry)
    }
  }

  private func check(_ entry: Entry) {
    guard entry.mayCheck, let target = entry.probeTarget else { return }
    let probe = Probe(
      target, on: loop, wasDown: entry.machine.state == .down, serverState: header(entry)
    ) { [weak self, weak entry] probe, report in
      guard let self, let entry else { return }
      self.finished(entry, probe, report)
    }
    entry.probes.append(probe)
    // Before it starts, since it may end at once.
    hedge(entry)
    probe.start()
  }

  /// While nothing comes, the next check is not held back.
  private func hedge(_ entry: Entry) {
    guard let delay = entry.target.server.check?.hedgeAfter,
      entry.probes.count < entry.machine.failuresToDown
    else { return }
    schedule(entry, after: max(Limits.shortestInterval, delay))
  }

  private func finished(_ entry: Entry, _ probe: Probe, _ report: CheckReport) {
    entry.probes.removeAll { $0 === probe }
    // An answer, whatever it says, is newer than the silence of the others.
    if !report.status.isTimeout { entry.cancelProbes() }
    entry.lastReport = report
    // No code: something else than a web server answered, or nothing did.
    if entry.machine.asksLive, report.status == .layer7WrongStatus, report.code != nil,
      entry.livePlan != nil
    {
      return askLive(entry, report, entry.machine.notReady(report.status))
    }
    conclude(entry, report, entry.machine.handle(report.status))
  }

  /// Not ready counts at once; whether the server is alive is asked then.
  private func askLive(_ entry: Entry, _ ready: CheckReport, _ first: CheckMachine.Step) {
    publish(entry, .check(ready))
    guard entry.mayCheck, var target = entry.probeTarget,
      let plan = entry.livePlan
    else { return }
    target.plan = plan
    let probe = Probe(target, on: loop, wasDown: false, serverState: nil) {
      [weak self, weak entry] probe, answer in
      guard let self, let entry else { return }
      entry.probes.removeAll { $0 === probe }
      var report = ready
      report.live = LiveAnswer(status: answer.status, code: answer.code)
      report.duration += answer.duration
      entry.lastReport = report
      var step = entry.machine.live(answer.status)
      step.isNews = step.isNews || first.isNews
      self.conclude(entry, report, step)
    }
    entry.timer?.cancel()
    entry.timer = nil
    entry.probes.append(probe)
    probe.start()
  }

  private func conclude(_ entry: Entry, _ report: CheckReport, _ step: CheckMachine.Step) {
    var progress = self.progress(entry)
    progress.isNews = step.isNews
    // Those that are still without an answer are the next ones.
    if entry.probes.isEmpty {
      var interval = step.nextInterval
      if entry.target.server.check?.countsFromStart == true {
        interval -= min(interval, report.duration)
      }
      schedule(
        entry,
        after: CheckSchedule.spread(
          interval, percent: spreadPercent, random: spreadPercent > 0 ? random() : 0.5))
    }
    handler(.checked(entry.target.reference, report, progress))
    publish(entry, .check(report))
  }

  private func progress(_ entry: Entry) -> HealthProgress {
    HealthProgress(
      health: entry.machine.health, rise: entry.machine.rise, fall: entry.machine.fall,
      isNews: false)
  }

  /// The value of `x-haproxy-server-state`, in HAProxy's words.
  private func header(_ entry: Entry) -> String? {
    guard case .http(_, sendState: true) = entry.probeTarget?.plan.kind else { return nil }
    let machine = entry.machine
    let reference = entry.target.reference
    var state = machine.state == .stopping ? "NOLB" : machine.isUp ? "UP" : "DOWN"
    if machine.isUp, machine.health < machine.fullHealth {
      state += " \(machine.progress.count)/\(machine.fall)"
    } else if !machine.isUp, machine.health > 0 {
      state += " \(machine.health)/\(machine.rise)"
    }
    let address = entry.target.address?.endpoint
    let weight = entry.target.server.weight
    return "\(state); address=\(address?.ipAddress ?? "unix"); port=\(address?.port ?? 0); "
      + "name=\(reference.backend)/\(reference.server); node=\(node); "
      + "weight=\(weight)/\(weight); scur=0/0; qcur=0"
  }

  // MARK: States

  private func state(of entry: Entry) -> ServerState {
    var entry = entry
    for _ in 0..<Limits.trackDepth {
      if entry.isInMaintenance || !entry.isResolved { return .maintenance }
      guard let leader = entry.leader else { return entry.isChecked ? entry.machine.state : .up }
      entry = leader
    }
    return .up  // a loop; the configuration refuses those
  }

  private func publish(_ entry: Entry, _ cause: TransitionCause, depth: Int = 0) {
    let state = state(of: entry)
    guard state != entry.told, depth < Limits.trackDepth else { return }
    let before = entry.told
    entry.told = state
    let reference = entry.target.reference
    handler(.transition(reference, from: before, to: state, cause: cause))
    for follower in entry.followers { publish(follower, .tracked(reference), depth: depth + 1) }
  }

  func snapshot() -> [HealthSnapshot] {
    loop.preconditionInEventLoop()
    return order.compactMap { reference in
      guard let entry = entries[reference] else { return nil }
      return HealthSnapshot(
        reference: reference, state: state(of: entry),
        progress: entry.isChecked ? progress(entry) : nil, lastReport: entry.lastReport,
        isChecking: !entry.probes.isEmpty)
    }
  }
}
