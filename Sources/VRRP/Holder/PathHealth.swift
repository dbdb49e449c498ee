// Whether this node's proxy can serve, damped: what is seen now becomes a verdict only when it
// has lasted. One for the whole node; the routers that follow the proxy get its verdicts.

/// What is known of the node's way to its servers.
public enum PathVerdict: Equatable, Sendable {
  /// Nothing has been seen yet. Counts as unhealthy; the first start waits for better.
  case unknown
  case healthy
  case unhealthy
}

public struct PathHealth: Equatable, Sendable {
  /// The checks of servers have counted failures already; this bridges the moment in which the
  /// last server goes down and the first comes up, and a listener that is bound anew.
  public static let fall_us: Microseconds = 2 * Timing.second_us
  /// Longer than the fall, so that what is good and bad in turn counts as bad.
  public static let rise_us: Microseconds = 3 * Timing.second_us
  /// How long the first verdict may take: the first check of every server starts within an
  /// interval of a second and may take its timeout of two. Then nothing seen is unhealthy.
  public static let patience_us: Microseconds = 4 * Timing.second_us

  public private(set) var verdict = PathVerdict.unknown
  /// The other verdict is reached then, unless something else is seen before.
  public private(set) var next_us: Microseconds?
  /// It has been healthy: from then on, one good moment is not enough.
  private var hasBeenHealthy = false

  public init(startedAt now_us: Microseconds) { next_us = now_us + PathHealth.patience_us }

  /// What is seen now; told again and again or only when it changes. True when the verdict is
  /// another one.
  public mutating func see(isGood: Bool, at now_us: Microseconds) -> Bool {
    let before = verdict
    // What was due before this was seen comes first; what is seen counts all the same.
    _ = expire(at: now_us)
    switch (verdict, isGood) {
    case (.unknown, _): conclude(isGood ? .healthy : .unhealthy)
    case (.unhealthy, true):
      if hasBeenHealthy {
        next_us = next_us ?? now_us + PathHealth.rise_us
      } else {
        conclude(.healthy)
      }
    case (.healthy, false): next_us = next_us ?? now_us + PathHealth.fall_us
    case (.healthy, true), (.unhealthy, false): next_us = nil
    }
    return verdict != before
  }

  /// Time has passed. True when the verdict is another one.
  public mutating func expire(at now_us: Microseconds) -> Bool {
    guard let next_us, now_us >= next_us else { return false }
    conclude(verdict == .unhealthy ? .healthy : .unhealthy)
    return true
  }

  private mutating func conclude(_ new: PathVerdict) {
    next_us = nil
    if new == .healthy { hasBeenHealthy = true }
    verdict = new
  }
}
