// What others are told of: changes of state and priority, as arguments and as FIFO lines.

import Configuration

/// The states that notify commands and FIFOs know (keepalived.conf(5), "notify").
public enum NotifyState: String, Sendable, Equatable, CaseIterable {
  case master = "MASTER"
  case backup = "BACKUP"
  case fault = "FAULT"
  /// The daemon stops.
  case stop = "STOP"
  /// A reload removed the router; told as FAULT unless `NotifyCommands.reportsDeletion`.
  case deleted = "DELETED"
}

public enum NotifySubject: Hashable, Sendable {
  case router(String)
  case group(String)

  var kind: String {
    switch self {
    case .router: "INSTANCE"
    case .group: "GROUP"
    }
  }

  var name: String {
    switch self {
    case .router(let name), .group(let name): name
    }
  }
}

/// Something to tell.
public enum NotifyEvent: Sendable, Equatable {
  /// A new state: FIFOs and commands. `priority` is the effective one; 0 for groups.
  case state(NotifySubject, NotifyState, priority: UInt8)
  /// The state as it is, for the FIFOs only (`fifo_write_vrrp_states_on_reload`).
  case restated(NotifySubject, NotifyState, priority: UInt8)
  /// A router's effective priority while `master` or `backup`; FIFOs only, and only if the router
  /// wants that (`notify_priority_changes`).
  case priority(String, NotifyState, UInt8)
  /// A master heard an advert of lower priority (`notify_master_rx_lower_pri`).
  case lowerPriorityHeard(String, priority: UInt8)

  var subject: NotifySubject {
    switch self {
    case .state(let subject, _, _), .restated(let subject, _, _): subject
    case .priority(let name, _, _), .lowerPriorityHeard(let name, _): .router(name)
    }
  }

  /// The third word of a FIFO line, and the priority.
  private func words(_ commands: NotifyCommands) -> (String, UInt8) {
    switch self {
    case .state(_, let state, let priority), .restated(_, let state, let priority):
      (commands.told(state).rawValue, priority)
    case .priority(_, let state, let priority): ("\(state.rawValue)_PRIORITY", priority)
    case .lowerPriorityHeard(_, let priority): ("MASTER_RX_LOWER_PRI", priority)
    }
  }

  /// `INSTANCE "VI_1" MASTER 100` and a line feed.
  func line(_ commands: NotifyCommands) -> String {
    let (word, priority) = words(commands)
    return "\(subject.kind) \"\(subject.name)\" \(word) \(priority)\n"
  }

  /// What to run, in this order: the command of that event, then the generic one with its four
  /// more arguments.
  func commands(_ commands: NotifyCommands) -> [ScriptCommand] {
    switch self {
    case .restated, .priority: return []
    case .lowerPriorityHeard: return commands.lowerPriorityHeard.map { [$0] } ?? []
    case .state(let subject, let state, let priority):
      let state = commands.told(state)
      var generic = commands.any
      generic?.words += [subject.kind, subject.name, state.rawValue, "\(priority)"]
      return [commands.command(for: state), generic].compactMap { $0 }
    }
  }
}

extension NotifyCommands {
  func told(_ state: NotifyState) -> NotifyState {
    state == .deleted && !reportsDeletion && deleted == nil ? .fault : state
  }

  func command(for state: NotifyState) -> ScriptCommand? {
    switch state {
    case .master: master
    case .backup: backup
    case .fault: fault
    case .stop: stop
    case .deleted: deleted
    }
  }
}
