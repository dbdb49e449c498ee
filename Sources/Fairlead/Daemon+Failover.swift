// The failover half of a daemon: virtual routers on their own thread, what they watch, and what
// is run when their state changes.

import Configuration
import Control
import Failover
import Kernel

/// The parts of a running failover half.
struct FailoverHalf: Sendable {
  var configuration: FailoverConfiguration
  let engine: FailoverEngine
  let tracker: Tracker
  let notifier: Notifier
  /// Lines of the log that may wait for their turn; more are dropped.
  static let waitingNotices = 8192
  /// Ends `printing` when nothing is said any more.
  let notices: AsyncStream<FailoverNotice>.Continuation
  /// Puts what the routers say into words on the console: their own thread never waits for that.
  let printing: Task<Void, Never>

  var summary: String {
    let routers = configuration.routers
    let names = routers.prefix(8).map { router in
      let addresses = (router.addresses + router.excludedAddresses).prefix(3)
        .map { "\($0.address)" }.joined(separator: ", ")
      return "\(router.name) (\(addresses.isEmpty ? "no address" : addresses) on"
        + " \(router.interface))"
    }
    return (routers.count == 1 ? "virtual router " : "\(routers.count) virtual routers ")
      + names.joined(separator: ", ") + (routers.count > 8 ? ", …" : "")
  }
}

extension Daemon {
  /// Nil when the routers run, otherwise the reason why not; nothing is left running then.
  func startFailover(_ configuration: FailoverConfiguration) async -> String? {
    let global = configuration.global
    if let script = global.startupScript {
      let running = Task {
        await LifecycleScript.run(script, timeout: global.startupScriptTimeout, globals: global)
      }
      if let problem = await interruption.run(running) {
        tell(.vipScript, .warning, "startup_script: \(problem)")
      }
    }
    // Told to stop meanwhile: the signal itself is handled next.
    if interruption.isRequested { return nil }
    let (stream, notices) = AsyncStream.makeStream(
      of: FailoverNotice.self, bufferingPolicy: .bufferingOldest(FailoverHalf.waitingNotices))
    let printing = Task { for await notice in stream { self.tell(notice) } }
    let log: @Sendable (FailoverNotice) -> Void = { notices.yield($0) }
    let notifier = Notifier { log(FailoverNotice(.warning, $0, event: .vipScript)) }
    let engine: FailoverEngine
    do {
      engine = try FailoverEngine(
        options: failoverOptions, log: log, notify: notifier.post, adopt: notifier.update,
        addressUser: addressUser)
    } catch {
      return "\(error)"
    }
    let tracker = Tracker(
      report: engine.report, log: { log(FailoverNotice(.notice, $0, event: .vipTracking)) })
    do {
      try await engine.start(configuration)
    } catch {
      await notifier.stop()
      notices.finish()
      await printing.value
      return "\(error)"
    }
    interruption.setEngine(engine)
    await tracker.update(configuration)
    failover = FailoverHalf(
      configuration: configuration, engine: engine, tracker: tracker, notifier: notifier,
      notices: notices, printing: printing)
    if let observedPath { engine.setPath(observedPath) }
    return nil
  }

  /// The proxy's sessions on virtual addresses end before these leave the node.
  private var addressUser: AddressUser? {
    engine.map { AddressUser(leave: $0.localAddresses.leave, arrive: $0.localAddresses.arrive) }
  }

  func reloadFailover(_ new: FailoverConfiguration?) async -> String? {
    guard let half = failover else {
      if let new { return await startFailover(new) }
      return nil
    }
    guard let new else {
      await stopFailover()
      return nil
    }
    // Scripts first, so that a router never waits for a result that nobody is going to produce.
    await half.tracker.update(new)
    if let problem = await half.engine.reload(new) {
      await half.tracker.update(half.configuration)
      return problem
    }
    failover?.configuration = new
    counters.keep(routers: Set(new.routers.map(\.name)))
    return nil
  }

  /// Masters resign, addresses go, and only then everything else.
  func stopFailover() async {
    guard let half = failover else { return }
    failover = nil
    interruption.setEngine(nil)
    half.engine.stop()
    await half.tracker.stop()
    await half.notifier.stop()
    let global = half.configuration.global
    if let script = global.shutdownScript,
      let problem = await LifecycleScript.run(
        script, timeout: global.shutdownScriptTimeout, globals: global)
    {
      half.notices.yield(FailoverNotice(.warning, "shutdown_script: \(problem)", event: .vipScript))
    }
    half.notices.finish()
    await half.printing.value
  }

  private func tell(_ notice: FailoverNotice) {
    let subject = notice.transition?.router ?? notice.standing?.router
    tell(notice.event, notice.level, notice.text, subject: subject)
    logToAll(notice.level, notice.text)
    if let change = notice.transition {
      counters.count(change)
      let move = MoveReport(
        time: WallClock.now, router: change.router, from: change.from.rawValue,
        to: change.to.rawValue, reason: change.reason,
        lasted: Double(change.lasted_us) / 1_000_000,
        silence: change.silence_us.map { Double($0) / 1_000_000 })
      moves = moves.suffix(ControlLimits.moves - 1) + [move]
      record(
        notice.event, .router, of: change.router, from: change.from.rawValue,
        to: change.to.rawValue,
        "\(change.router) is \(change.to.rawValue) (\(change.reason))")
    }
    if let change = notice.standing {
      record(notice.event, .router, of: change.router, "\(change.router) is now \(change.words)")
    }
  }

  /// SIGUSR1 without a proxy to drain: who is what, and what was not understood.
  func describeFailover() {
    for status in failover?.engine.status ?? [] {
      var line =
        "(\(status.name)) \(status.state.rawValue.uppercased()), priority \(status.priority),"
        + " VRID \(status.id) on \(status.interface), \(status.advertsSent) adverts sent,"
        + " \(status.advertsReceived) taken"
      if let master = status.master { line += ", master \(master)" }
      if !status.standing.isEmpty { line += ", \(status.standing)" }
      if !status.faults.isEmpty { line += ", " + status.faults.joined(separator: ", ") }
      for (reason, count) in status.drops.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        line += ", \(count) dropped: \(reason.rawValue)"
      }
      tell(.processStatus, .notice, line, subject: status.name)
    }
  }
}
