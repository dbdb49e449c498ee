// HAProxy's lines about server states, word for word (measured;
// checked against haproxy 2.6.12). Pure functions: the caller knows the counts.

import Configuration

/// One line for a backend's log targets, without its end.
public struct HealthLine: Equatable, Sendable {
  public var level: LogLevel
  public var text: String
  public init(_ level: LogLevel, _ text: String) {
    self.level = level
    self.text = text
  }
}

/// The numbers that stand behind a state change; servers are counted after it.
public struct HealthCounts: Equatable, Sendable {
  /// Usable servers of the backend that are not backups (weight above 0).
  public var active: Int
  public var backup: Int
  /// Sessions that the server carries.
  public var sessions: Int
  /// Sessions taken from the server's queue back to the backend's.
  public var requeued: Int
  /// Sessions waiting for any server of the backend.
  public var queued: Int

  public init(active: Int, backup: Int, sessions: Int = 0, requeued: Int = 0, queued: Int = 0) {
    self.active = active
    self.backup = backup
    self.sessions = sessions
    self.requeued = requeued
    self.queued = queued
  }

  private var running: String { active == 0 && backup > 0 ? " Running on backup." : "" }

  fileprivate var left: String {
    " \(active) active and \(backup) backup servers left.\(running)"
      + " \(sessions) sessions active, \(requeued) requeued, \(queued) remaining in queue."
  }

  fileprivate var online: String {
    " \(active) active and \(backup) backup servers online.\(running)"
      + " \(requeued) sessions requeued, \(queued) total in queue."
  }
}

/// Words the lines of one server.
public struct HealthLog: Equatable, Sendable {
  public var reference: ServerReference
  public var isBackup: Bool
  /// `option log-health-checks`: check lines are logged, so state lines omit the reason.
  public var logsChecks: Bool

  public init(_ reference: ServerReference, isBackup: Bool, logsChecks: Bool) {
    self.reference = reference
    self.isBackup = isBackup
    self.logsChecks = logsChecks
  }

  private var name: String { "\(reference.backend)/\(reference.server)" }
  private var subject: String { "\(isBackup ? "Backup " : "")Server \(name)" }

  // MARK: Checks

  /// The line of `option log-health-checks`; the caller logs it when `progress.isNews`.
  /// - Parameter hasWeight: false for weight 0, which HAProxy words DRAIN.
  public func check(
    _ report: CheckReport, _ progress: HealthProgress, hasWeight: Bool = true
  ) -> HealthLine {
    let result =
      switch report.status.result {
      case .passed: "succeeded"
      case .conditionallyPassed: "conditionally succeeded"
      case .failed: "failed"
      }
    let count = progress.isUp ? progress.health - progress.rise + 1 : progress.health
    let limit = progress.isUp ? progress.fall : progress.rise
    let isDraining = report.live?.status.result == .passed
    let state = isDraining ? "DRAINING" : progress.isUp ? (hasWeight ? "UP" : "DRAIN") : "DOWN"
    return HealthLine(
      .notice,
      "Health check for \(isBackup ? "backup " : "")server \(name) \(result)"
        + "\(Self.reason(report)), status: \(count)/\(limit) \(state).")
  }

  /// `, reason: …, code: …, info: "…", check duration: …ms`
  static func reason(_ report: CheckReport) -> String {
    var words = ", reason: \(report.status.description)"
    if report.status.printsCode { words += ", code: \(report.code ?? 0)" }
    if let info = report.info, !info.isEmpty { words += ", info: \"\(info)\"" }
    if let live = report.live {
      words += ", alive: \(live.status.description)"
      if let code = live.code { words += ", code: \(code)" }
    }
    return words + ", check duration: \(report.durationMilliseconds)ms"
  }

  // MARK: States

  /// The line of a transition as the checker tells it.
  public func transition(
    from: ServerState, to: ServerState, cause: TransitionCause, counts: HealthCounts,
    wasDraining: Bool = false
  ) -> HealthLine {
    // Losing a server that took no new sessions anyway is no alarm.
    let tookNone = from == .stopping || from == .draining || wasDraining
    let loss: LogLevel = tookNone ? .notice : .alert
    let words = self.words(cause)
    if from == .maintenance, to != .draining { return leaveMaintenance(cause, isUp: to != .down) }
    switch to {
    case .up: return HealthLine(.notice, "\(subject) is UP\(words).\(counts.online)")
    case .stopping: return HealthLine(.notice, "\(subject) is stopping\(words).\(counts.online)")
    case .draining:
      let level: LogLevel = from == .up ? .warning : .notice
      return HealthLine(level, "\(subject) is draining\(words).\(counts.left)")
    case .down: return HealthLine(loss, "\(subject) is DOWN\(words).\(counts.left)")
    case .maintenance:
      if from == .down {
        return HealthLine(.notice, "\(subject) was DOWN and now enters maintenance\(words).")
      }
      return HealthLine(loss, "\(subject) is going DOWN for maintenance\(words).\(counts.left)")
    }
  }

  private func words(_ cause: TransitionCause) -> String {
    switch cause {
    case .check(let report): logsChecks ? "" : Self.reason(report)
    case .tracked(let other): " via \(other.backend)/\(other.server)"
    case .administrator: ""
    case .resolution: " (DNS NX status)"
    }
  }

  private func leaveMaintenance(_ cause: TransitionCause, isUp: Bool) -> HealthLine {
    let state = isUp ? "UP" : "DOWN"
    switch cause {
    case .tracked: return HealthLine(.notice, "\(subject) is \(state)/READY (leaving maintenance).")
    case .resolution, .administrator, .check:
      return HealthLine(.notice, "\(subject) is \(state)/READY (leaving forced maintenance).")
    }
  }

  /// A server stops taking new sessions (weight 0 or `drain`).
  public func entersDrain(isDown: Bool = false, counts: HealthCounts) -> HealthLine {
    HealthLine(
      .notice, "\(subject) enters drain state.\(isDown ? counts.left : counts.online)")
  }

  public func leavesDrain(isDown: Bool = false) -> HealthLine {
    HealthLine(.notice, "\(subject) is \(isDown ? "DOWN" : "UP") (leaving forced drain).")
  }

  // MARK: Names

  /// Why a name lost its address, as HAProxy words it: `DNS NX status`, `DNS timeout status` …
  public func losesAddress(
    from: ServerState, _ reason: String, counts: HealthCounts, wasDraining: Bool = false
  ) -> HealthLine {
    if from == .down {
      return HealthLine(.notice, "\(subject) was DOWN and now enters maintenance (\(reason)).")
    }
    return HealthLine(
      from == .stopping || from == .draining || wasDraining ? .notice : .alert,
      "\(subject) is going DOWN for maintenance (\(reason)).\(counts.left)")
  }

  /// The two lines of a server whose name has an address again.
  public func regainsAddress(host: String) -> [HealthLine] {
    [
      HealthLine(.notice, "\(subject) ('\(host)') is UP/READY (resolves again)."),
      HealthLine(.notice, "\(subject) administratively READY thanks to valid DNS answer."),
    ]
  }

  /// - Parameter source: `resolvers/nameserver`, or `DNS cache`.
  public func changesAddress(from: String?, to: String, by source: String) -> HealthLine {
    HealthLine(
      .notice, "\(name) changed its IP from \(from ?? "(none)") to \(to) by \(source).")
  }

  // MARK: Backends

  /// No server of the backend is ready, and those of `servers` take its sessions nevertheless.
  public static func failsOpen(_ backend: String, _ servers: [String]) -> HealthLine {
    HealthLine(
      .alert,
      "backend \(backend) fails open: no server is ready; sessions go to"
        + " \(servers.joined(separator: ", ")) nevertheless")
  }

  /// That is over. - Parameter reason: for example `masters/m1 is ready`.
  public static func failsOpenNoLonger(_ backend: String, _ reason: String) -> HealthLine {
    HealthLine(.warning, "backend \(backend) no longer fails open: \(reason)")
  }

  /// The backend has lost its last usable server.
  public static func noServer(_ backend: String, isListen: Bool) -> HealthLine {
    HealthLine(
      .emerg, "\(isListen ? "proxy" : "backend") \(backend) has no server available!")
  }
}
