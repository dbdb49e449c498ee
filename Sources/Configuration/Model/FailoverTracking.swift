// What virtual routers watch, and what they run when their state changes.

/// A reference from a router or a sync group to something watched.
public struct TrackReference: Hashable, Sendable {
  /// The interface's, script's, file's or process's name.
  public var name: String
  /// -253...253 added to the priority; nil = what the watched thing itself says. 0 = failure is
  /// a fault. Files also take up to ±254 times their value.
  public var weight: Int?
  /// The weight counts the other way round.
  public var isReversed = false
  public init(_ name: String, weight: Int? = nil) {
    self.name = name
    self.weight = weight
  }
}

/// User and group names, or numbers as text.
public struct ScriptUser: Hashable, Sendable {
  public var user: String
  /// nil = the user's primary group.
  public var group: String?
  public init(_ user: String, group: String? = nil) {
    self.user = user
    self.group = group
  }
}

/// A command with its arguments, already split: run without a shell.
public struct ScriptCommand: Hashable, Sendable {
  /// At least one element.
  public var words: [String]
  public var user: ScriptUser?
  public var origin: Origin
  public init(words: [String], user: ScriptUser? = nil, origin: Origin) {
    self.words = words
    self.user = user
    self.origin = origin
  }
}

/// A `vrrp_script`.
public struct TrackedScript: Equatable, Sendable {
  public var name: String
  public var command: ScriptCommand
  public var interval: Duration = .seconds(1)
  /// nil = the interval.
  public var timeout: Duration?
  /// -253...253, default of references.
  public var weight = 0
  public var isReversed = false
  /// Successes in a row that make it good, failures in a row that make it bad; at least 1.
  public var rise = 1
  public var fall = 1
  /// Counts as failed until its first result.
  public var startsFailed = false
  public init(name: String, command: ScriptCommand) {
    self.name = name
    self.command = command
  }
}

/// A `vrrp_track_file`: its text is a number, which times the weight is added to the priority.
public struct TrackedFile: Equatable, Sendable {
  public enum Initial: Equatable, Sendable {
    /// The file is left as it is.
    case keep
    /// Written at start: always, or only when there is no file.
    case create(value: Int, overwrites: Bool)
  }
  public var name: String
  public var path: String
  /// -254...254
  public var weight = 1
  public var isReversed = false
  public var initial: Initial = .keep
  public init(name: String, path: String) {
    self.name = name
    self.path = path
  }
}

/// A `vrrp_track_process`.
public struct TrackedProcess: Equatable, Sendable {
  public enum Arguments: Equatable, Sendable {
    /// Any arguments.
    case any
    case exact([String])
    /// The first ones (`param_match partial`).
    case initial([String])
    /// The first ones, and the last of them may go on (`param_match initial`).
    case prefix([String])
  }
  public var name: String
  /// Command name, or the path as the process was started.
  public var process: String
  public var arguments: Arguments = .any
  /// Compare the whole command line, not only the name in /proc/PID/comm.
  public var matchesFullCommand = false
  public var weight = 0
  public var isReversed = false
  /// Fewest processes that count as running.
  public var quorum = 1
  /// Most; nil = no limit.
  public var maximum: Int?
  /// How long it must have been up or down to count.
  public var forkDelay: Duration = .zero
  public var terminateDelay: Duration = .zero
  public init(name: String, process: String) {
    self.name = name
    self.process = process
  }
}

/// A `vrrp_sync_group`: its routers change state together.
public struct SyncGroup: Equatable, Sendable {
  public var name: String
  public var origin: Origin
  /// Names of routers, at least one.
  public var members: [String] = []
  public var trackedInterfaces: [TrackReference] = []
  public var trackedScripts: [TrackReference] = []
  public var trackedFiles: [TrackReference] = []
  public var trackedProcesses: [TrackReference] = []
  public var notify = NotifyCommands()
  /// Members may have different priorities (`sync_group_tracking_weight`).
  public var allowsWeights = false
  public init(name: String, origin: Origin) {
    self.name = name
    self.origin = origin
  }
}

/// Commands run on changes of state. The generic one gets four words appended: INSTANCE or
/// GROUP, the name, the state, the priority; the others get nothing.
public struct NotifyCommands: Equatable, Sendable {
  public var master: ScriptCommand?
  public var backup: ScriptCommand?
  public var fault: ScriptCommand?
  public var stop: ScriptCommand?
  public var deleted: ScriptCommand?
  /// A router that a reload removes is told as DELETED and not as FAULT: `notify_deleted`, with or
  /// without a command.
  public var reportsDeletion = false
  public var lowerPriorityHeard: ScriptCommand?
  public var any: ScriptCommand?
  public init() {}
}

/// `notify_fifo` or `vrrp_notify_fifo`.
public struct NotifyFIFO: Equatable, Sendable {
  public var path: String
  /// Whom it belongs to when it is made; nil = whom the script runs as.
  public var owner: ScriptUser?
  /// Kept running, with the path as last argument, to read it.
  public var script: ScriptCommand?
  public init(path: String) { self.path = path }
}
