// One virtual router: its state, and the steps that its arms share. The arms themselves are in
// VRRPRouter+Machine.swift.

public struct VRRPRouter: Sendable {
  public internal(set) var settings: RouterSettings
  public internal(set) var state: RouterState = .initialize
  /// Between the start event and the stop event; a fault does not end it.
  public internal(set) var hasStarted = false
  /// Of its present role: what is compared, and what is advertised.
  public internal(set) var priority: UInt8
  public internal(set) var roles: RouterPriority
  /// The source of its advertisements, known from the start event on.
  public internal(set) var address: ProtocolAddress?
  /// Active_Adver_Interval: version 3 takes it from the master.
  public internal(set) var masterInterval_us: Microseconds
  /// Who was heard last as master, and with what priority.
  public internal(set) var master: (address: ProtocolAddress, priority: UInt8)?
  /// When the master-down timer runs out; only meaningful in the backup state.
  var masterDownAt_us: Microseconds = 0
  /// Until when a living master of lower priority is left alone.
  var preemptAt_us: Microseconds?
  /// Backup in a group that would be master.
  public internal(set) var wantsMaster = false
  /// The master resigned: the timer now running is the skew alone.
  var masterHasResigned = false
  /// Master that has not run for long, and now listens whether it has been replaced.
  var isListening = false
  /// A lower priority that is being ignored has been remarked upon.
  var remarkedLowerPriority: ProtocolAddress?
  /// The last advertisement that was discarded as backup for its lower priority.
  var passedOver: (priority: UInt8, source: ProtocolAddress, at_us: Microseconds)?

  public init(_ settings: RouterSettings) {
    self.settings = settings
    priority = settings.priority
    roles = RouterPriority(settings.priority)
    masterInterval_us = settings.interval_us
  }

  /// Active_Down_Interval; its skew is that of the present turn.
  public var masterDown_us: Microseconds {
    Timing.masterDown_us(
      version: settings.version, priority: roles.turn, masterInterval_us: masterInterval_us,
      adverts: settings.downTimerAdverts)
  }

  var skew_us: Microseconds {
    Timing.skew_us(
      version: settings.version, priority: roles.turn, masterInterval_us: masterInterval_us)
  }

  // MARK: Steps

  /// Adver_Timer starts again whenever an advertisement leaves (RFC 9568, 6.4.3 (715)).
  func advertise(emit: (RouterAction) -> Void) {
    emit(.send(priority: priority))
    emit(.setTimer(.advertise, after_us: settings.interval_us))
  }

  /// A master that listens whether it has been replaced draws no traffic; it announces afterwards.
  func announce(_ cause: AnnouncementCause, emit: (RouterAction) -> Void) {
    if !isListening { emit(.announce(cause)) }
  }

  mutating func leaveProtocol(emit: (RouterAction) -> Void) {
    hasStarted = false
    state = .initialize
    emit(.transition(to: .initialize, .stopped))
  }

  /// RFC 9568, section 6.4.1 (105)...(150) and 6.4.2 (305)...(345); the order is keepalived's:
  /// the advertisement first, so that no other node has the address when it appears here.
  mutating func becomeMaster(_ cause: TransitionCause, emit: (RouterAction) -> Void) {
    state = .master
    preemptAt_us = nil
    wantsMaster = false
    masterHasResigned = false
    isListening = false
    remarkedLowerPriority = nil
    passedOver = nil
    master = nil
    _ = setPriority(roles.master, emit: emit)
    masterInterval_us = settings.interval_us
    emit(.cancelTimer(.masterDown))
    emit(.send(priority: priority))
    emit(.acquire)
    emit(.announce(.becameMaster))
    emit(.setTimer(.advertise, after_us: settings.interval_us))
    if settings.announceDelay_us > 0 {
      emit(.setTimer(.announceAgain, after_us: settings.announceDelay_us))
    }
    if settings.announceRefresh_us > 0 {
      emit(.setTimer(.refresh, after_us: settings.announceRefresh_us))
    }
    emit(.transition(to: .master, cause))
  }

  mutating func becomeBackup(
    _ cause: TransitionCause, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) {
    state = .backup
    preemptAt_us = nil
    wantsMaster = false
    masterHasResigned = false
    remarkedLowerPriority = nil
    passedOver = nil
    _ = setPriority(roles.backup, emit: emit)
    restartMasterDown(masterDown_us, at: now_us, emit: emit)
    emit(.transition(to: .backup, cause))
  }

  /// Gives the addresses up, without a word to others.
  mutating func leaveMaster(emit: (RouterAction) -> Void) {
    isListening = false
    for timer in [RouterTimer.advertise, .announceAgain, .refresh, .lowerPriorityAnnounce] {
      emit(.cancelTimer(timer))
    }
    emit(.release)
  }

  mutating func restartMasterDown(
    _ after_us: Microseconds, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) {
    masterDownAt_us = now_us + after_us
    emit(.setTimer(.masterDown, after_us: after_us))
  }

  /// From initialize or fault: the owner is master at once unless it is told to listen,
  /// everybody else listens first. In a group even the owner asks.
  mutating func enter(
    _ cause: TransitionCause, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) {
    masterInterval_us = settings.interval_us
    master = nil
    let isHasty = priority == Wire.ownerPriority && !settings.ownerListensFirst
    if isHasty, !settings.isGrouped {
      becomeMaster(.owner, emit: emit)
      return
    }
    becomeBackup(cause, at: now_us, emit: emit)
    if isHasty { askGroup(at: now_us, emit: emit) }
  }

  /// Would be master, were it alone. Goes on waiting meanwhile.
  mutating func askGroup(at now_us: Microseconds, emit: (RouterAction) -> Void) {
    restartMasterDown(masterDown_us, at: now_us, emit: emit)
    if !wantsMaster {
      wantsMaster = true
      emit(.wantsMaster(true))
    }
  }

  mutating func stopWantingMaster(emit: (RouterAction) -> Void) {
    guard wantsMaster else { return }
    wantsMaster = false
    emit(.wantsMaster(false))
  }

  mutating func adoptInterval(
    of advert: Advertisement, from source: ProtocolAddress, emit: (RouterAction) -> Void
  ) {
    guard settings.version == .v3, advert.interval_us != masterInterval_us else { return }
    masterInterval_us = advert.interval_us
    emit(.remark(.adoptedInterval(advert.interval_us, from: source)))
  }

  /// A configuration that keeps the present priority keeps what it is in each role.
  mutating func takeConfiguredPriority(_ new: RouterSettings) {
    guard new.priority != priority else { return }
    priority = new.priority
    roles = RouterPriority(new.priority)
  }

  /// Takes a new priority without a change of state. True when it is another one.
  mutating func setPriority(_ new: UInt8, emit: (RouterAction) -> Void) -> Bool {
    guard new != priority, new != Wire.resigningPriority else { return false }
    emit(.remark(.priorityChanged(from: priority, to: new)))
    priority = new
    return true
  }

  /// The skew has changed with the priority or the settings: the running timer by as much.
  mutating func shiftMasterDown(
    from before_us: Microseconds, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) {
    let remaining_us = masterDownAt_us + (masterDown_us - before_us) - now_us
    restartMasterDown(max(0, remaining_us), at: now_us, emit: emit)
  }
}
