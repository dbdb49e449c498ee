// Runs the checks of all servers on one event loop: one timer or one probe per server, never
// both; the machine decides, this acts.

import Configuration
import NIOCore

/// Checks servers and tells what it finds.
///
/// All methods may be called from any thread and take effect in order. Events are delivered on
/// the event loop, one at a time; the callback must not block.
public final class HealthChecker: Sendable {
  public typealias Handler = @Sendable (HealthEvent) -> Void

  private let loop: any EventLoop
  private let core: HealthCore

  /// - Parameters:
  ///   - group: one of its loops runs all checks.
  ///   - spreadPercent: `spread-checks`, 0...50.
  ///   - node: the host's name for `http-check send-state`.
  ///   - random: 0...1, for spreading.
  ///   - handler: receives every event, on the event loop.
  public init(
    group: any EventLoopGroup, spreadPercent: Int = 0, node: String = "",
    random: @escaping @Sendable () -> Double = { Double.random(in: 0...1) },
    handler: @escaping Handler
  ) {
    loop = group.next()
    core = HealthCore(
      loop: loop, spreadPercent: spreadPercent, node: node, random: random, handler: handler)
  }

  /// Starts checking. Reads certificate files on the calling thread.
  /// - Throws: when a target cannot be checked as configured; nothing changes then.
  public func start(targets: [CheckTarget]) throws(HealthError) { try update(targets: targets) }

  /// Replaces the targets. A server whose check did not change keeps its state, its timer and
  /// what was set at run time; the checks of removed servers stop; new ones start spread out.
  /// Initial states are no events: new servers are up, or in maintenance, or as the server
  /// they follow; `snapshot` tells.
  public func update(targets: [CheckTarget]) throws(HealthError) {
    var contexts = TLSContexts()
    var prepared: [(CheckTarget, ProbeTarget?, CheckPlan?)] = []
    for target in targets {
      let probeTarget = try target.makeProbeTarget(contexts: &contexts)
      prepared.append((target, probeTarget, try target.makeLivePlan()))
    }
    let result = prepared
    loop.execute { [core] in core.update(result) }
  }

  /// Stops all checks without further events.
  public func stop() { loop.execute { [core] in core.stop() } }

  /// Takes a server out (no checks) or puts it back: up, until its next check fails.
  public func setMaintenance(_ server: ServerReference, _ isInMaintenance: Bool) {
    loop.execute { [core] in core.setMaintenance(server, isInMaintenance) }
  }

  /// The server's name resolved to another address, or (nil) to none: then it is in maintenance.
  public func setAddress(_ server: ServerReference, _ address: Configuration.SocketAddress?) {
    loop.execute { [core] in core.setAddress(server, address) }
  }

  /// All servers, in the order of the targets.
  public func snapshot() async -> [HealthSnapshot] {
    let future = loop.submit { [core] in core.snapshot() }
    return (try? await future.get()) ?? []  // fails only when the loop has been shut down
  }
}
