// What the failover half tells the rest of the program, and what it is told at its start.

import Configuration
import VRRP

/// A line for the log.
public struct FailoverNotice: Equatable, Sendable {
  public var level: LogLevel
  public var text: String
  public var event: EventName
  /// What the line is about, when that is a router's change of state.
  public var transition: RouterTransition?
  /// What the line is about, when that is what an operator or the proxy made of a router.
  public var standing: RouterStanding?

  public init(_ level: LogLevel, _ text: String, event: EventName) {
    self.level = level
    self.text = text
    self.event = event
  }

  init(_ level: LogLevel, _ text: String, transition: RouterTransition) {
    self.init(level, text, event: transition.event)
    self.transition = transition
  }

  init(_ level: LogLevel, _ text: String, standing: RouterStanding) {
    self.init(level, text, event: .vipPath)
    self.standing = standing
  }
}

/// What is known of a router's node, in words: why it has its priority.
public struct RouterStanding: Equatable, Sendable {
  public var router: String
  /// For example `unhealthy: no server of 'masters' is reachable`.
  public var words: String
}

/// A router's change of state.
public struct RouterTransition: Equatable, Sendable {
  public var router: String
  public var from: RouterState
  public var to: RouterState
  /// Why, in words.
  public var reason: String
  public var cause: TransitionCause
  /// How long the state before has lasted.
  public var lasted_us: Int64
  /// For a new master: how long nobody has been heard; nil when nobody ever was.
  public var silence_us: Int64?
}

extension RouterTransition {
  var event: EventName {
    switch to {
    case .master: .vipMaster
    case .backup: .vipBackup
    case .fault: .vipFault
    case .initialize: .vipStopped
    }
  }
}

extension TransitionCause {
  /// The metric label, in snake case.
  public var label: String {
    switch self {
    case .started: "started"
    case .stopped: "stopped"
    case .owner: "owner"
    case .masterDown: "master_down"
    case .group: "group"
    case .fault: "fault"
    case .recovered: "recovered"
    case .resigned: "resigned"
    case .masterResigned: "master_resigned"
    case .higherPriority: "higher_priority"
    case .higherAddress: "higher_address"
    case .lowerPriority: "lower_priority"
    case .takenOver: "taken_over"
    case .orderedHere: "ordered_here"
    case .orderedAway: "ordered_away"
    }
  }
}

/// How the thread that runs the routers is scheduled.
public struct FailoverOptions: Equatable, Sendable {
  /// SCHED_RR priority 1...99; 0 leaves the thread an ordinary one. Without permission it stays
  /// one, and that is said once.
  public var realtimePriority = 1
  /// mlockall(2) for what is in use.
  public var locksMemory = true
  /// The user asked for the above, so that a refusal is worth a warning.
  public var isExplicit = false
  public init() {}
}

/// In a word, what this node is worth as the holder of an address.
public enum RouterHealth: String, CaseIterable, Sendable {
  case healthy
  /// Healthy again, or since the start, for a short time only: it takes no address from a healthy
  /// node.
  case recovering
  /// It reaches no server, or nothing is known of them yet.
  case unhealthy
  /// By an operator, whatever else is known.
  case drained
}

/// What can be seen of one router from outside its thread.
public struct RouterStatus: Equatable, Sendable {
  public var name: String
  public var interface: String
  public var id: UInt8
  public var state: RouterState
  /// Effective priority.
  public var priority: UInt8
  /// Names of what is wrong, in words; empty unless in the fault state.
  public var faults: [String]
  /// Why it has this priority, in words; empty when nothing but the configuration decides.
  public var standing: String
  /// nil for a router that does not follow the proxy, unless the node is drained.
  public var health: RouterHealth?
  /// The master, as last heard.
  public var master: IPAddress?
  /// Microseconds of the monotonic clock of the last advert that was heard and taken; nil when
  /// none was.
  public var heardAt_us: Int64?
  /// Microseconds of the monotonic clock of the last change of state.
  public var since_us: Int64
  /// Why the state changed last, in words; empty before the first change.
  public var reason: String
  /// Refused packets by reason; reasons that never occurred are absent.
  public var drops: [DropReason: Int]
  public var advertsSent: Int
  public var advertsReceived: Int
  /// Microseconds from another node's last advert to this node's last takeover; nil before one.
  public var takeover_us: Int64?
}

extension RouterStatus {
  /// Every reason for which packets are refused, as words.
  public static var dropReasons: [String] { DropReason.allCases.map(\.rawValue) }
}
