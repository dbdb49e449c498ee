// What can happen to a virtual router, and what it then wants done.

public enum RouterState: String, CaseIterable, Sendable {
  /// Not started, or stopped (RFC 9568, section 6.4.1).
  case initialize
  case backup
  /// The RFC's Active.
  case master
  /// Something that it depends on has failed; it takes no part.
  case fault
}

public enum RouterTimer: String, CaseIterable, Sendable {
  /// Active_Down_Timer: the master has not been heard.
  case masterDown
  /// Adver_Timer: the next advertisement is due.
  case advertise
  /// The second announcement after becoming master.
  case announceAgain
  /// The next announcement of a master that repeats them.
  case refresh
  /// The second announcement after a lower priority was heard.
  case lowerPriorityAnnounce
}

public enum RouterEvent: Equatable, Sendable {
  /// Takes part from now on. `address` is the source of its advertisements, which decides ties.
  case start(address: ProtocolAddress)
  /// A packet that `RouterSettings.refusal` let pass.
  case advertisement(Advertisement, from: ProtocolAddress)
  /// The last `setTimer` of this timer has run out and was not cancelled.
  case timer(RouterTimer)
  /// Something that it depends on has failed.
  case fault
  /// Nothing that it depends on fails any more.
  case recovered
  /// What its priority is from now on, in each role.
  case priority(RouterPriority)
  /// Its group takes the addresses, or gives them up.
  case groupMaster
  case groupBackup
  /// The process was not run for at least a master-down interval. Comes before the packets that
  /// have queued up meanwhile.
  case resumed
  /// The configuration has changed, but not its identity.
  case reconfigured(RouterSettings)
  /// The address that its advertisements come from has changed.
  case moved(ProtocolAddress)
  /// Gives the addresses up for others to take, and goes on as backup.
  case resign
  case stop
}

/// Why addresses are announced; the settings say how often for each.
public enum AnnouncementCause: String, CaseIterable, Sendable {
  case becameMaster, becameMasterAgain, refresh, lowerPriority, resumed, addressesChanged
}

/// Why a router is in the state it is in.
public enum TransitionCause: Equatable, Sendable {
  case started, stopped, owner, masterDown, group, fault, recovered, resigned
  /// The master gave up with priority 0.
  case masterResigned
  case higherPriority(UInt8, from: ProtocolAddress)
  /// Equal priority and a higher address.
  case higherAddress(from: ProtocolAddress)
  /// A living master of a lower priority was let time out.
  case lowerPriority(UInt8, from: ProtocolAddress)
  /// Somebody took over while this process did not run.
  case takenOver(by: ProtocolAddress)
  /// An operator has moved the addresses here. No machine says this or the next: `HolderPriority`.
  case orderedHere
  /// An operator has moved them away; to whom, when that node was heard.
  case orderedAway(to: ProtocolAddress?)
}

/// What is worth a line in the log and changes no state.
public enum RouterRemark: Equatable, Sendable {
  /// As backup: the master's priority is lower than ours, so we let it time out.
  case ignoresLowerPriority(UInt8, from: ProtocolAddress)
  /// As master: forces a new election unless told to be silent.
  case heardLowerPriority(UInt8, from: ProtocolAddress)
  case heardResignation(from: ProtocolAddress)
  /// Somebody else uses our address.
  case heardOwnAddress(from: ProtocolAddress)
  /// Two owners of the same addresses: the configuration is wrong on one of them.
  case heardOtherOwner(from: ProtocolAddress)
  case adoptedInterval(Microseconds, from: ProtocolAddress)
  case preemptDelayStarted(Microseconds)
  case preemptDelayEnded
  case priorityChanged(from: UInt8, to: UInt8)
  /// The process was not run for long; listens for an interval before it goes on as master.
  case listensAfterStall
}

public enum RouterAction: Equatable, Sendable {
  /// To the group or to every peer.
  case send(priority: UInt8)
  /// Put addresses, routes and rules in place, or take them away.
  case acquire
  case release
  case announce(AnnouncementCause)
  /// Starts or restarts a timer.
  case setTimer(RouterTimer, after_us: Microseconds)
  case cancelTimer(RouterTimer)
  case transition(to: RouterState, TransitionCause)
  /// It would be master if its group agrees, or not any more.
  case wantsMaster(Bool)
  case remark(RouterRemark)
}
