// Decides whether a server is up: HAProxy's rise/fall counter and its choice of interval.
// A pure value: it has no clock, no socket and no logger.

import Configuration

/// What checks (or an administrator) say about a server.
public enum ServerState: Equatable, Hashable, Sendable {
  case up
  case down
  /// `disable-on-404` answered 404 (HAProxy's NOLB): alive, no new sessions.
  case stopping
  /// Says that it is not ready, and is alive: no new sessions, the old ones are closed gradually.
  case draining
  /// Not checked and not used: `disabled`, set so at run time, or its name has no address.
  case maintenance
}

/// The state of one server's checks (measured on HAProxy 2.6).
///
/// `health` counts from 0 to rise + fall - 1; from `rise` on the server is up. A server starts
/// at `rise`, the lowest value that is up, so that its first failure takes it down whatever
/// `fall` is, and its first success makes it fully up.
public struct CheckMachine: Equatable, Sendable {
  public let rise: Int
  public let fall: Int
  /// 0...rise+fall-1.
  public private(set) var health: Int
  /// Never `.maintenance`: that is not a check's business.
  public private(set) var state: ServerState = .up
  /// The last status, `.initializing` before the first check.
  public private(set) var status: CheckStatus = .initializing

  /// A wrong HTTP status is asked about once more (`ServerCheck.live`).
  public let asksLive: Bool
  /// Failures in a row while draining, 0..<fall.
  private var failures = 0

  private let interval: Duration
  private let fastInterval: Duration
  private let downInterval: Duration

  /// What one result changed.
  public struct Step: Equatable, Sendable {
    /// The state before and after, when it changed.
    public var transition: Transition?
    /// Time until the next check, before spreading.
    public var nextInterval: Duration
    /// The status or the health differs from before: `option log-health-checks` logs this check.
    public var isNews: Bool
  }

  public struct Transition: Equatable, Sendable {
    public var from: ServerState
    public var to: ServerState
    public init(from: ServerState, to: ServerState) {
      self.from = from
      self.to = to
    }
  }

  /// `rise` and `fall` below 1 count as 1.
  public init(_ check: ServerCheck) {
    rise = max(1, min(check.rise, 1 << 30))
    fall = max(1, min(check.fall, 1 << 30))
    interval = max(Limits.shortestInterval, check.interval)
    fastInterval = max(Limits.shortestInterval, check.fastInterval ?? check.interval)
    downInterval = max(Limits.shortestInterval, check.downInterval ?? check.interval)
    asksLive = check.live != nil
    health = rise
  }

  /// The same server with other settings: what is known of it stays, and the counting begins anew.
  public mutating func adopt(_ known: CheckMachine) {
    state = known.state
    status = known.status
    health = known.isUp ? (known.health == known.fullHealth ? fullHealth : rise) : 0
  }

  /// The highest health: fully up.
  public var fullHealth: Int { rise + fall - 1 }
  /// Up as far as checks say (a stopping server's checks pass).
  public var isUp: Bool { health >= rise }

  /// `UP` and `DOWN` count their way to the next change: `2/3 UP`, `1/2 DOWN`.
  public var progress: (count: Int, of: Int) {
    isUp ? (health - rise + 1, fall) : (health, rise)
  }

  /// Failures in a row that take it down from here; 0 when it is not up.
  var failuresToDown: Int { isUp ? health - rise + 1 : 0 }

  /// Time until the next check.
  public var nextInterval: Duration {
    if health == fullHealth { return interval }
    if state == .down && health == 0 { return downInterval }
    return fastInterval
  }

  /// A check ended.
  public mutating func handle(_ status: CheckStatus) -> Step {
    let healthBefore = health
    let statusBefore = self.status
    self.status = status
    let before = state
    switch status.result {
    case .failed where state == .draining:
      failDraining(isRefused: status == .layer4ConnectionProblem)
    case .failed:
      if health > 0 { health -= 1 }
      if health < rise { health = 0 }
      if health == 0 { state = .down }
    case .passed:
      recover()
      if isUp { state = .up }
    case .conditionallyPassed:
      recover()
      if isUp { state = .stopping }
    }
    return step(since: before, isNews: health != healthBefore || status != statusBefore)
  }

  /// The server answered with a status that means not ready, and `live` is asked next. That is
  /// the server's own word and counts at once; a server that is down only comes back alive when
  /// the answer is there.
  public mutating func notReady(_ status: CheckStatus) -> Step {
    let before = state
    let isNews = status != self.status || state == .up
    self.status = status
    if state == .up || state == .stopping {
      state = .draining
      failures = 0
    }
    health = 0
    return step(since: before, isNews: isNews)
  }

  /// What the question after `notReady` came to.
  /// - Parameter status: `.layer7OK` when it was answered as a living server does.
  public mutating func live(_ status: CheckStatus) -> Step {
    let before = state
    if status.result == .passed {
      state = .draining
      failures = 0
    } else if state == .draining {
      failDraining(isRefused: status == .layer4ConnectionProblem)
    }
    return step(since: before, isNews: state != before)
  }

  /// Who drains and takes no connections any more has ended.
  private mutating func failDraining(isRefused: Bool) {
    health = 0
    failures += 1
    if isRefused || failures >= fall {
      state = .down
      failures = 0
    }
  }

  private func step(since before: ServerState, isNews: Bool) -> Step {
    Step(
      transition: state == before ? nil : Transition(from: before, to: state),
      nextInterval: nextInterval, isNews: isNews)
  }

  /// The server leaves maintenance: up, but the first failure takes it down again.
  public mutating func restart() {
    health = rise
    state = .up
    failures = 0
  }

  private mutating func recover() {
    failures = 0
    guard health < fullHealth else { return }
    health += 1
    if health >= rise { health = fullHealth }
  }
}
