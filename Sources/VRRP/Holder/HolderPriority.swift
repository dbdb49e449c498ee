// What changes a node's situation: verdicts, time, the router's state, and operators. The rule
// itself is in HolderRule.swift. No clock: the time is a parameter.

/// What can happen to it.
public enum HolderEvent: Equatable, Sendable {
  case path(PathState)
  /// The router has become master, or is none any more.
  case master(Bool)
  case drained(Bool)
  case stepDown
  case claim
  /// Whatever an operator ordered before is over.
  case withdraw
}

/// How an operator's order ended.
public enum HolderOutcome: Equatable, Sendable {
  /// Another node has the address now.
  case handedOver
  /// Nobody took it in time; it stays.
  case nobodyTook
  /// The address is here now.
  case took
  /// It did not come in time, or this node became unhealthy.
  case notTaken
  /// There was nothing to do: it is not here, or it is here already.
  case notHolder, alreadyHolder
  /// Refused: this node cannot serve.
  case unhealthy
  /// Refused: this node is drained.
  case isDrained
  /// Another order came before the end.
  case withdrawn
}

public struct HolderPriority: Equatable, Sendable {
  /// Relapses double the time of recovery, up to this.
  public static let longestRecovery_us: Microseconds = 600 * Timing.second_us

  public private(set) var situation: HolderSituation
  /// Time of recovery after the first loss; 0...
  public private(set) var preemptDelay_us: Microseconds
  /// As it counts for the present role.
  public private(set) var verdict = PathVerdict.unknown
  public private(set) var isMaster = false
  private var path = PathState(asBackup: .unknown, asHolder: .unknown)
  /// While recovering, when that ends.
  public private(set) var recoveredAt_us: Microseconds?
  private var healthySince_us: Microseconds?
  private var relapses = 0
  /// Until when an order may take.
  private var orderEnds_us: Microseconds?
  /// An operator waits to hear that the address has gone.
  private var isAwaited = false

  public init(
    preference: UInt8, follows: Bool, returns: Bool = true, preemptDelay_us: Microseconds = 0
  ) {
    situation = HolderSituation(preference: preference, follows: follows)
    situation.returns = returns
    situation.standing = follows ? .unhealthy : .settled
    self.preemptDelay_us = preemptDelay_us
  }

  public var priority: RouterPriority { situation.priority }

  /// The next moment at which something changes by itself.
  public var next_us: Microseconds? {
    guard let recoveredAt_us, let orderEnds_us else { return recoveredAt_us ?? orderEnds_us }
    return min(recoveredAt_us, orderEnds_us)
  }

  /// Other settings for the same router; what an operator ordered stays. Tracking calls it too.
  public mutating func configure(
    preference: UInt8, follows: Bool, returns: Bool, preemptDelay_us: Microseconds,
    at now_us: Microseconds
  ) {
    situation.preference = preference
    situation.returns = returns
    self.preemptDelay_us = preemptDelay_us
    guard situation.follows != follows else { return }
    situation.follows = follows
    recoveredAt_us = nil
    healthySince_us = nil
    relapses = 0
    situation.standing = follows ? .unhealthy : .settled
    if follows, verdict == .healthy { recover(at: now_us) }
  }

  /// `patience_us` is how long an order may take. The result ends an order, this one or one
  /// before it.
  public mutating func handle(
    _ event: HolderEvent, patience_us: Microseconds = 0, at now_us: Microseconds
  ) -> HolderOutcome? {
    switch event {
    case .path(let state):
      path = state
      return take(verdictOfRole, at: now_us)
    case .master(let isMaster):
      guard self.isMaster != isMaster else { return nil }
      self.isMaster = isMaster
      let outcome = change()
      // An order that ends with the verdict has ended with the change already.
      let other = take(verdictOfRole, at: now_us)
      return outcome ?? other
    case .drained(let isDrained):
      situation.isDrained = isDrained
      situation.order = .none
      isAwaited = isDrained && isMaster
      orderEnds_us = isAwaited ? now_us + patience_us : nil
      return isDrained && !isMaster ? .notHolder : nil
    case .stepDown:
      guard isMaster else { return .notHolder }
      situation.order = .steppingDown
      isAwaited = true
      orderEnds_us = now_us + patience_us
      return nil
    case .claim:
      if situation.isDrained { return .isDrained }
      if situation.follows, verdict != .healthy { return .unhealthy }
      isAwaited = false
      orderEnds_us = nil
      if isMaster {
        situation.order = .claimed
        return .alreadyHolder
      }
      situation.order = .claiming
      orderEnds_us = now_us + patience_us
      return nil
    case .withdraw:
      situation.order = .none
      isAwaited = false
      orderEnds_us = nil
      return nil
    }
  }

  /// Time has passed.
  public mutating func expire(at now_us: Microseconds) -> HolderOutcome? {
    if let recoveredAt_us, now_us >= recoveredAt_us {
      self.recoveredAt_us = nil
      situation.standing = .settled
    }
    guard let orderEnds_us, now_us >= orderEnds_us else { return nil }
    self.orderEnds_us = nil
    switch situation.order {
    case .claiming:
      situation.order = isMaster ? .claimed : .none
      return isMaster ? nil : .notTaken
    case .steppingDown: situation.order = .none
    case .none, .steppedDown, .claimed: break
    }
    guard isAwaited else { return nil }
    isAwaited = false
    return .nobodyTook
  }

  /// Who has become holder while its path is bad has nothing to hold on to.
  private var verdictOfRole: PathVerdict {
    guard isMaster else { return path.asBackup }
    return path.isHolding && verdict == .unhealthy ? .unhealthy : path.asHolder
  }

  private mutating func take(_ new: PathVerdict, at now_us: Microseconds) -> HolderOutcome? {
    guard new != verdict else { return nil }
    let before = verdict
    verdict = new
    guard situation.follows else { return nil }
    if new == .healthy {
      recover(at: now_us)
      return nil
    }
    if before == .healthy {
      // Long health makes up for what was before.
      let healthy_us = now_us - (healthySince_us ?? now_us)
      let longest_us = max(HolderPriority.longestRecovery_us, preemptDelay_us)
      relapses = healthy_us >= longest_us ? 0 : min(relapses + 1, 16)
    }
    healthySince_us = nil
    recoveredAt_us = nil
    situation.standing = .unhealthy
    switch situation.order {
    case .claiming:
      orderEnds_us = nil
      situation.order = .none
      return .notTaken
    case .claimed: situation.order = .none
    case .none, .steppingDown, .steppedDown: break
    }
    return nil
  }

  private mutating func recover(at now_us: Microseconds) {
    healthySince_us = now_us
    let longest_us = max(HolderPriority.longestRecovery_us, preemptDelay_us)
    let wait_us = min(preemptDelay_us << Microseconds(relapses), longest_us)
    guard wait_us > 0 else {
      situation.standing = .settled
      return
    }
    situation.standing = .recovering
    recoveredAt_us = now_us + wait_us
  }

  private mutating func change() -> HolderOutcome? {
    switch (situation.order, isMaster) {
    case (.claiming, true): return .took
    case (.steppedDown, true): situation.order = .none
    case (.steppingDown, false):
      situation.order = .steppedDown
      orderEnds_us = nil
    case (.claimed, false): situation.order = .none
    case (.none, _), (.steppingDown, true), (.claimed, true), (.claiming, false),
      (.steppedDown, false):
      break
    }
    guard isAwaited, !isMaster else { return nil }
    isAwaited = false
    orderEnds_us = nil
    return .handedOver
  }
}
