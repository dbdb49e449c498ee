// Whether this node's proxy can serve, damped. One for the whole node; the routers that follow
// the proxy get its verdicts.
//
// Nodes notice the same event at different times: their checks are not in step. When all servers
// fail, or come back, nobody must take that difference for a reason to move the address. So the
// holder gets the benefit of the doubt in both directions: it is given up late and well at once,
// while everybody else is given up at once and well late.

/// What is known of the node's way to its servers.
public enum PathVerdict: Equatable, Sendable {
  /// Nothing has been seen yet. Counts as unhealthy; the first start waits for better.
  case unknown
  case healthy
  case unhealthy
}

/// How long what is seen must last.
public struct PathTimes: Equatable, Sendable {
  /// Bad, until a holder is unhealthy.
  public var hold_us: Microseconds
  /// Good, until a node without the address is healthy.
  public var rise_us: Microseconds
  /// Good, until a holder's hold is whole again: the rise, less twice the time between the
  /// moments in which two nodes notice the same. When others are healthy by what all have seen,
  /// the holder then has all of its hold, even if it saw the good late and sees the bad early.
  public var restore_us: Microseconds
  /// For the first verdict: the first check of every server starts within an interval and may
  /// take its timeout, two seconds by default. After that, nothing seen is bad.
  public var patience_us: Microseconds

  public init(
    hold_us: Microseconds, rise_us: Microseconds, restore_us: Microseconds,
    patience_us: Microseconds
  ) {
    self.hold_us = hold_us
    self.rise_us = rise_us
    self.restore_us = restore_us
    self.patience_us = patience_us
  }

  /// The checks of two nodes end within an interval of each other; half of one more and a second
  /// are for checks that are spread and for busy machines. What is good and bad in turn then
  /// counts as bad, unless it is good for the longer time.
  public init(checkInterval_us: Microseconds) {
    let interval_us = min(max(checkInterval_us, 0), 3600 * Timing.second_us)
    hold_us = max(2 * Timing.second_us, interval_us * 3 / 2 + Timing.second_us)
    rise_us = 2 * hold_us
    restore_us = min(hold_us, rise_us - 2 * interval_us)
    patience_us = interval_us + 3 * Timing.second_us
  }
}

/// A verdict for each role.
public struct PathState: Equatable, Sendable {
  /// Of a node without the address.
  public var asBackup: PathVerdict
  public var asHolder: PathVerdict
  /// It is bad at the moment, and a holder still has its hold. Whoever becomes holder now has not.
  public var isHolding: Bool

  public init(asBackup: PathVerdict, asHolder: PathVerdict, isHolding: Bool = false) {
    self.asBackup = asBackup
    self.asHolder = asHolder
    self.isHolding = isHolding
  }
}

public struct PathHealth: Equatable, Sendable {
  /// Takes effect with what is seen next.
  public var times: PathTimes
  /// Of a node without the address.
  public private(set) var verdict = PathVerdict.unknown
  /// Of the holder.
  public private(set) var holderVerdict = PathVerdict.unknown
  public var state: PathState {
    PathState(
      asBackup: verdict, asHolder: holderVerdict,
      isHolding: holderVerdict == .healthy && fallAt_us != nil)
  }
  /// A verdict changes by then, unless something else is seen before.
  public var next_us: Microseconds? {
    guard let riseAt_us, let fallAt_us else { return riseAt_us ?? fallAt_us }
    return min(riseAt_us, fallAt_us)
  }
  private var riseAt_us: Microseconds?
  /// At first: the end of patience.
  private var fallAt_us: Microseconds?
  /// Left of the hold; and since when it is good again.
  private var holdLeft_us: Microseconds
  private var goodSince_us: Microseconds?

  public init(startedAt now_us: Microseconds, times: PathTimes) {
    self.times = times
    holdLeft_us = times.hold_us
    fallAt_us = now_us + times.patience_us
  }

  /// What is seen now; told again and again or only when it changes. True when the state is
  /// another one.
  public mutating func see(isGood: Bool, at now_us: Microseconds) -> Bool {
    let before = state
    // What was due before this was seen comes first.
    _ = expire(at: now_us)
    if verdict == .unknown {
      conclude(isGood ? .healthy : .unhealthy)
      goodSince_us = isGood ? now_us : nil
    } else if isGood {
      seeGood(at: now_us)
    } else {
      seeBad(at: now_us)
    }
    return before != state
  }

  private mutating func seeGood(at now_us: Microseconds) {
    if let fallAt_us { holdLeft_us = max(0, fallAt_us - now_us) }
    fallAt_us = nil
    goodSince_us = goodSince_us ?? now_us
    holderVerdict = .healthy
    if verdict == .unhealthy { riseAt_us = riseAt_us ?? now_us + times.rise_us }
  }

  private mutating func seeBad(at now_us: Microseconds) {
    riseAt_us = nil
    verdict = .unhealthy
    // A short good time does not make the bad times before it forgotten.
    if let goodSince_us, now_us - goodSince_us >= times.restore_us { holdLeft_us = times.hold_us }
    goodSince_us = nil
    if holderVerdict == .healthy { fallAt_us = fallAt_us ?? now_us + holdLeft_us }
  }

  /// Time has passed. True when the state is another one.
  public mutating func expire(at now_us: Microseconds) -> Bool {
    let before = state
    if let riseAt_us, now_us >= riseAt_us {
      self.riseAt_us = nil
      verdict = .healthy
    }
    if let fallAt_us, now_us >= fallAt_us {
      self.fallAt_us = nil
      holdLeft_us = 0
      if verdict == .unknown { verdict = .unhealthy }
      holderVerdict = .unhealthy
    }
    return before != state
  }

  private mutating func conclude(_ new: PathVerdict) {
    fallAt_us = nil
    verdict = new
    holderVerdict = new
    holdLeft_us = times.hold_us
  }
}
