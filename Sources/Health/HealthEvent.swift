// What the checker tells its owner.

import Configuration

/// Something about one server's health.
public enum HealthEvent: Equatable, Sendable {
  /// A check finished. Comes before the transition it causes, if any.
  case checked(ServerReference, CheckReport, HealthProgress)
  /// The state changed. Followers (`track`) come after the server they follow.
  case transition(
    ServerReference, from: ServerState, to: ServerState, cause: TransitionCause)
}

/// Where rise and fall stand after a check.
public struct HealthProgress: Equatable, Sendable {
  /// 0...rise+fall-1.
  public var health: Int
  public var rise: Int
  public var fall: Int
  /// health >= rise.
  public var isUp: Bool
  /// The status or the health differs from the check before: `option log-health-checks` logs it.
  public var isNews: Bool

  public init(health: Int, rise: Int, fall: Int, isNews: Bool = true) {
    self.health = health
    self.rise = rise
    self.fall = fall
    isUp = health >= rise
    self.isNews = isNews
  }
}

public enum TransitionCause: Equatable, Sendable {
  case check(CheckReport)
  /// The followed server changed.
  case tracked(ServerReference)
  /// `setMaintenance`.
  case administrator
  /// The server's name lost or gained its address.
  case resolution
}

/// One server as it stands.
public struct HealthSnapshot: Equatable, Sendable {
  public var reference: ServerReference
  public var state: ServerState
  /// nil for a server that is not checked itself.
  public var progress: HealthProgress?
  /// nil before the first check has finished.
  public var lastReport: CheckReport?
  /// A check is running (`* ` before the status in statistics).
  public var isChecking: Bool
}
