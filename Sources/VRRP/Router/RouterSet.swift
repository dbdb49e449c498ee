// The routers of one node and the groups that tie some of them together. A group is master
// together, backup together, and down together (keepalived.conf(5), "vrrp_sync_group").

/// An action of one router, or a change of a whole group.
public enum RouterSetAction: Equatable, Sendable {
  case router(Int, RouterAction)
  /// Every member has reached this state.
  case group(Int, RouterState)
}

public struct RouterSet: Sendable {
  public private(set) var routers: [VRRPRouter]
  /// The routers of each group, as indices.
  public let groups: [[Int]]
  public private(set) var groupStates: [RouterState]
  private let groupOf: [Int?]
  /// Routers that fail for reasons of their own, not because a fellow does.
  private var hasOwnFault: [Bool]

  /// Members of groups become `isGrouped`. A router belongs to one group at most.
  public init(_ settings: [RouterSettings], groups: [[Int]] = []) {
    self.init(
      adopting: settings.map { VRRPRouter($0) },
      hasOwnFault: Array(repeating: false, count: settings.count), groups: groups)
  }

  /// Routers with the states that they have reached elsewhere, in a new arrangement: after a
  /// change of the configuration. Both arrays are of the same length.
  public init(adopting routers: [VRRPRouter], hasOwnFault: [Bool], groups: [[Int]]) {
    precondition(routers.count == hasOwnFault.count, "a fault flag for every router")
    var groupOf = [Int?](repeating: nil, count: routers.count)
    for (number, members) in groups.enumerated() {
      for member in members {
        precondition(groupOf[member] == nil, "a router is in one group at most")
        groupOf[member] = number
      }
    }
    self.groups = groups
    self.groupOf = groupOf
    self.hasOwnFault = hasOwnFault
    self.routers = routers
    for index in routers.indices { self.routers[index].settings.isGrouped = groupOf[index] != nil }
    groupStates = groups.map { members in
      let states = Set(members.map { routers[$0].state })
      return (states.count == 1 ? states.first : nil) ?? .initialize
    }
  }

  /// Whether a router fails for a reason of its own.
  public func hasOwnFault(_ index: Int) -> Bool { hasOwnFault[index] }

  /// Takes an event of one router; what follows from it for its group is done as well.
  /// `emit` must not look at this set (exclusive access): collect the actions, or take what they
  /// need beforehand.
  public mutating func handle(
    _ index: Int, _ event: RouterEvent, at now_us: Microseconds,
    emit: (RouterSetAction) -> Void
  ) {
    var event = event
    if case .reconfigured(var settings) = event {
      settings.isGrouped = groupOf[index] != nil
      event = .reconfigured(settings)
    }
    guard let group = groupOf[index] else {
      if event == .fault { hasOwnFault[index] = true }
      if event == .recovered { hasOwnFault[index] = false }
      routers[index].handle(event, at: now_us) { emit(.router(index, $0)) }
      return
    }
    switch event {
    case .fault:
      hasOwnFault[index] = true
      for member in groups[group] { step(member, .fault, at: now_us, emit: emit) }
    case .recovered:
      hasOwnFault[index] = false
      if !hasFault(group) {
        for member in groups[group] { step(member, .recovered, at: now_us, emit: emit) }
      }
    case .start:
      // A fault first: nothing is started that has to be taken back at once.
      if hasFault(group) { step(index, .fault, at: now_us, emit: emit) }
      step(index, event, at: now_us, emit: emit)
    case .reconfigured:
      step(index, event, at: now_us, emit: emit)
      if hasFault(group) {
        for member in groups[group] { step(member, .fault, at: now_us, emit: emit) }
      }
    default: step(index, event, at: now_us, emit: emit)
    }
    settle(group, at: now_us, emit: emit)
  }

  /// After `init(adopting:)`: who was down for a fellow that it does not have any more comes up,
  /// and new fellows agree on a state.
  public mutating func settleAll(at now_us: Microseconds, emit: (RouterSetAction) -> Void) {
    for index in routers.indices where routers[index].state == .fault && !hasOwnFault[index] {
      if let group = groupOf[index], hasFault(group) { continue }
      step(index, .recovered, at: now_us, emit: emit)
    }
    for group in groups.indices {
      if hasFault(group) {
        for member in groups[group] where routers[member].state != .fault {
          step(member, .fault, at: now_us, emit: emit)
        }
      }
      settle(group, at: now_us, emit: emit)
    }
  }

  private func hasFault(_ group: Int) -> Bool {
    groups[group].contains { hasOwnFault[$0] }
  }

  private mutating func step(
    _ index: Int, _ event: RouterEvent, at now_us: Microseconds,
    emit: (RouterSetAction) -> Void
  ) {
    routers[index].handle(event, at: now_us) { emit(.router(index, $0)) }
  }

  /// When every member is master or would be, all of them are; when one has to be backup, all
  /// are. Members that have not started, or have stopped, do not speak for the others.
  private mutating func settle(
    _ group: Int, at now_us: Microseconds, emit: (RouterSetAction) -> Void
  ) {
    let members = groups[group]
    if members.allSatisfy({ routers[$0].state == .master || routers[$0].wantsMaster }) {
      for member in members where routers[member].state != .master {
        step(member, .groupMaster, at: now_us, emit: emit)
      }
    } else if members.contains(where: { routers[$0].state == .backup }) {
      for member in members where routers[member].state == .master {
        step(member, .groupBackup, at: now_us, emit: emit)
      }
    }
    guard let first = members.first else { return }
    let state = routers[first].state
    if members.allSatisfy({ routers[$0].state == state }), groupStates[group] != state {
      groupStates[group] = state
      emit(.group(group, state))
    }
  }
}
