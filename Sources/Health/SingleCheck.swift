// One check, carried out once and by itself: for a person who asks, not for the balancer.

import Configuration
import NIOCore

extension CheckTarget {
  /// What the configured check says now; nil when the server is not checked itself, or when
  /// there was no result within `limit`. Reads certificate files. Throws when the target cannot
  /// be checked as configured.
  public func carryOutOnce(
    on loop: any EventLoop, limit: Duration
  ) async throws(HealthError) -> CheckReport? {
    var contexts = TLSContexts()
    guard let target = try makeProbeTarget(contexts: &contexts) else { return nil }
    let promise = loop.makePromise(of: CheckReport?.self)
    loop.execute {
      let once = OneResult(promise)
      let probe = Probe(target, on: loop, wasDown: false, serverState: nil) { once.take($1) }
      loop.scheduleTask(in: TimeAmount(limit)) {
        probe.cancel()
        once.take(nil)
      }
      probe.start()
    }
    return (try? await promise.futureResult.get()) ?? nil
  }
}

/// The first of result and time limit; used on the loop only.
private final class OneResult: @unchecked Sendable {
  private var promise: EventLoopPromise<CheckReport?>?
  init(_ promise: EventLoopPromise<CheckReport?>) { self.promise = promise }

  func take(_ report: CheckReport?) {
    promise?.succeed(report)
    promise = nil
  }
}
