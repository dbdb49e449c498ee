// The machine: every pair of state and event has its arm, with the section of RFC 9568 that it
// implements; what keepalived adds to the RFC is named as such. No clock, no socket, no log.

extension VRRPRouter {
  /// Takes one event at a moment of the monotonic clock and emits what is to be done, in order.
  public mutating func handle(
    _ event: RouterEvent, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) {
    switch (state, event) {
    // MARK: Initialize, section 6.4.1
    case (.initialize, .start(let address)):
      self.address = address
      hasStarted = true
      enter(.started, at: now_us, emit: emit)
    case (.initialize, .fault):
      state = .fault
      emit(.transition(to: .fault, .fault))
    case (.initialize, .priority(let new)):
      guard new.isPossible else { break }
      roles = new
      priority = new.backup
    case (.initialize, .moved(let address)): self.address = address
    case (.initialize, .reconfigured(let new)):
      settings = new
      takeConfiguredPriority(new)
    case (.initialize, .advertisement), (.initialize, .timer), (.initialize, .recovered),
      (.initialize, .groupMaster), (.initialize, .groupBackup), (.initialize, .resumed),
      (.initialize, .resign), (.initialize, .stop):
      break

    // MARK: Backup, section 6.4.2
    case (.backup, .advertisement(let advert, let source)):
      hearAsBackup(advert, from: source, at: now_us, emit: emit)
    case (.backup, .timer(.masterDown)):
      if settings.isGrouped {
        askGroup(at: now_us, emit: emit)
      } else {
        becomeMaster(masterDownCause, emit: emit)
      }
    case (.backup, .groupMaster): becomeMaster(.group, emit: emit)
    case (.backup, .groupBackup): stopWantingMaster(emit: emit)
    case (.backup, .priority(let new)):
      changeAsBackup(new, at: now_us, emit: emit)
    case (.backup, .reconfigured(let new)):
      reconfigureAsBackup(new, at: now_us, emit: emit)
    case (.backup, .moved(let address)): self.address = address
    case (.backup, .resumed):
      // What was due while nothing ran proves nothing: the master gets its time once more.
      masterHasResigned = false
      passedOver = nil
      stopWantingMaster(emit: emit)
      restartMasterDown(masterDown_us, at: now_us, emit: emit)
    case (.backup, .fault):
      emit(.cancelTimer(.masterDown))
      stopWantingMaster(emit: emit)
      state = .fault
      emit(.transition(to: .fault, .fault))
    case (.backup, .stop):
      emit(.cancelTimer(.masterDown))
      stopWantingMaster(emit: emit)
      leaveProtocol(emit: emit)
    case (.backup, .start), (.backup, .recovered), (.backup, .timer(.advertise)),
      (.backup, .timer(.announceAgain)), (.backup, .timer(.refresh)),
      (.backup, .timer(.lowerPriorityAnnounce)), (.backup, .resign):
      break

    // MARK: Master, section 6.4.3 (Active)
    case (.master, .advertisement(let advert, let source)):
      hearAsMaster(advert, from: source, at: now_us, emit: emit)
    case (.master, .timer(.advertise)):
      advertise(emit: emit)
      if isListening {
        isListening = false
        emit(.announce(.resumed))
      }
    case (.master, .timer(.announceAgain)): announce(.becameMasterAgain, emit: emit)
    case (.master, .timer(.refresh)):
      announce(.refresh, emit: emit)
      if settings.announceRefresh_us > 0 {
        emit(.setTimer(.refresh, after_us: settings.announceRefresh_us))
      }
    case (.master, .timer(.lowerPriorityAnnounce)): announce(.lowerPriority, emit: emit)
    case (.master, .priority(let new)):
      guard new.isPossible else { break }
      roles = new
      _ = setPriority(new.master, emit: emit)
    case (.master, .reconfigured(let new)):
      let before = settings
      reconfigure(new)
      masterInterval_us = new.interval_us
      resumeAsMaster(after: before, emit: emit)
    case (.master, .moved(let address)):
      self.address = address
      if !isListening { advertise(emit: emit) }
    case (.master, .resumed):
      isListening = true
      emit(.remark(.listensAfterStall))
      emit(.setTimer(.advertise, after_us: settings.interval_us))
    case (.master, .groupBackup):
      leaveMaster(emit: emit)
      becomeBackup(.group, at: now_us, emit: emit)
    case (.master, .fault):
      // Twice, as keepalived does: one lost packet would cost the others a master-down interval.
      emit(.send(priority: Wire.resigningPriority))
      emit(.send(priority: Wire.resigningPriority))
      leaveMaster(emit: emit)
      state = .fault
      _ = setPriority(roles.backup, emit: emit)
      emit(.transition(to: .fault, .fault))
    case (.master, .resign):
      emit(.send(priority: Wire.resigningPriority))
      leaveMaster(emit: emit)
      becomeBackup(.resigned, at: now_us, emit: emit)
    case (.master, .stop):
      emit(.send(priority: Wire.resigningPriority))
      leaveMaster(emit: emit)
      leaveProtocol(emit: emit)
    case (.master, .start), (.master, .recovered), (.master, .groupMaster),
      (.master, .timer(.masterDown)):
      break

    // MARK: Fault, keepalived's
    case (.fault, .recovered):
      if hasStarted {
        enter(.recovered, at: now_us, emit: emit)
      } else {
        state = .initialize
        emit(.transition(to: .initialize, .recovered))
      }
    case (.fault, .priority(let new)):
      guard new.isPossible else { break }
      roles = new
      _ = setPriority(new.backup, emit: emit)
    case (.fault, .reconfigured(let new)): reconfigure(new)
    case (.fault, .start(let address)):
      self.address = address
      hasStarted = true
    case (.fault, .moved(let address)): self.address = address
    case (.fault, .stop): leaveProtocol(emit: emit)
    case (.fault, .advertisement), (.fault, .timer), (.fault, .fault), (.fault, .groupMaster),
      (.fault, .groupBackup), (.fault, .resumed), (.fault, .resign):
      break
    }
  }

  /// Section 6.4.2 (365)...(455).
  private mutating func hearAsBackup(
    _ advert: Advertisement, from source: ProtocolAddress, at now_us: Microseconds,
    emit: (RouterAction) -> Void
  ) {
    if advert.priority == Wire.resigningPriority {
      if master?.address == source { master = nil }
      masterHasResigned = true
      passedOver = nil
      emit(.remark(.heardResignation(from: source)))
      restartMasterDown(skew_us, at: now_us, emit: emit)
      return
    }
    guard advert.priority >= priority || leavesAlone(advert.priority, at: now_us, emit: emit) else {
      // Discarded: its silence is what lets the timer run out, and that is the preemption.
      passedOver = (advert.priority, source, now_us)
      if remarkedLowerPriority != source {
        remarkedLowerPriority = source
        emit(.remark(.ignoresLowerPriority(advert.priority, from: source)))
      }
      return
    }
    if advert.priority >= priority, preemptAt_us != nil {
      preemptAt_us = nil
      emit(.remark(.preemptDelayEnded))
    }
    adoptInterval(of: advert, from: source, emit: emit)
    master = (source, advert.priority)
    masterHasResigned = false
    remarkedLowerPriority = nil
    passedOver = nil
    stopWantingMaster(emit: emit)
    restartMasterDown(masterDown_us, at: now_us, emit: emit)
  }

  /// Why the master-down timer has run out. Nobody was accepted meanwhile; who was passed over was
  /// there.
  private var masterDownCause: TransitionCause {
    if masterHasResigned { return .masterResigned }
    return passedOver.map { .lowerPriority($0.priority, from: $0.source) } ?? .masterDown
  }

  /// A new priority. A master that was passed over, and that is good enough now, has been heard
  /// after all: otherwise the timer that runs against it would make two masters.
  private mutating func changeAsBackup(
    _ new: RouterPriority, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) {
    guard new.isPossible else { return }
    let before_us = masterDown_us
    roles = new
    let isOther = setPriority(new.backup, emit: emit)
    if let heard = passedOver, heard.priority >= priority {
      passedOver = nil
      let elapsed_us = max(0, now_us - heard.at_us)
      restartMasterDown(max(0, masterDown_us - elapsed_us), at: now_us, emit: emit)
    } else if isOther || masterDown_us != before_us {
      shiftMasterDown(from: before_us, at: now_us, emit: emit)
    }
  }

  /// Whether a living master of lower priority stays master (Preempt_Mode, preempt_delay).
  private mutating func leavesAlone(
    _ lower: UInt8, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) -> Bool {
    if roles.overridesPreemptMode { return false }
    switch settings.preempt {
    case .immediate: return false
    case .never: return true
    case .delayed(let delay_us):
      guard let preemptAt_us else {
        self.preemptAt_us = now_us + delay_us
        emit(.remark(.preemptDelayStarted(delay_us)))
        return delay_us > 0
      }
      return now_us < preemptAt_us
    }
  }

  /// Section 6.4.3 (700)...(830).
  private mutating func hearAsMaster(
    _ advert: Advertisement, from source: ProtocolAddress, at now_us: Microseconds,
    emit: (RouterAction) -> Void
  ) {
    if advert.priority == Wire.resigningPriority {
      emit(.remark(.heardResignation(from: source)))
      if !isListening { advertise(emit: emit) }
      return
    }
    if source == address {
      emit(.remark(.heardOwnAddress(from: source)))
      return
    }
    if isListening {
      // Others found us dead and one of them is master now; it stays master for the moment.
      leaveMaster(emit: emit)
      adoptInterval(of: advert, from: source, emit: emit)
      becomeBackup(.takenOver(by: source), at: now_us, emit: emit)
      master = (source, advert.priority)
      return
    }
    if advert.priority == Wire.ownerPriority, priority == Wire.ownerPriority {
      emit(.remark(.heardOtherOwner(from: source)))
      roles = RouterPriority(Wire.ownerPriority - 1)
      _ = setPriority(Wire.ownerPriority - 1, emit: emit)
    }
    let isHigherAddress = address.map { source > $0 } ?? true
    guard advert.priority > priority || (advert.priority == priority && isHigherAddress) else {
      emit(.remark(.heardLowerPriority(advert.priority, from: source)))
      if !settings.isSilentToLowerPriority { advertise(emit: emit) }
      if settings.announcesToLowerPriority {
        emit(.announce(.lowerPriority))
        if settings.lowerPriorityDelay_us > 0 {
          emit(.setTimer(.lowerPriorityAnnounce, after_us: settings.lowerPriorityDelay_us))
        }
      }
      return
    }
    if settings.answersHigherPriority { emit(.send(priority: priority)) }
    let cause: TransitionCause =
      advert.priority > priority
      ? .higherPriority(advert.priority, from: source) : .higherAddress(from: source)
    leaveMaster(emit: emit)
    adoptInterval(of: advert, from: source, emit: emit)
    becomeBackup(cause, at: now_us, emit: emit)
    master = (source, advert.priority)
  }

  private mutating func reconfigure(_ new: RouterSettings) {
    // In version 3 the interval of a master that is heard is the master's, whatever ours is now.
    if new.version == .v2 || master == nil { masterInterval_us = new.interval_us }
    settings = new
    takeConfiguredPriority(new)
    if new.preempt == .immediate || new.preempt == .never { preemptAt_us = nil }
  }

  /// A change of the priority shifts the running timer; other changes of the master's time start
  /// it again, so that a shorter interval alone never makes a living master late.
  private mutating func reconfigureAsBackup(
    _ new: RouterSettings, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) {
    let before = (masterDown_us, masterInterval_us, settings.downTimerAdverts)
    reconfigure(new)
    if masterInterval_us != before.1 || settings.downTimerAdverts != before.2 {
      restartMasterDown(masterDown_us, at: now_us, emit: emit)
    } else if masterDown_us != before.0 {
      shiftMasterDown(from: before.0, at: now_us, emit: emit)
    }
  }

  /// Still master, under other settings: the others hear of it at once, and no address that
  /// stays is taken away (the shell knows which ones have changed).
  private func resumeAsMaster(after before: RouterSettings, emit: (RouterAction) -> Void) {
    if !isListening { advertise(emit: emit) }
    emit(.acquire)
    if settings.announceRefresh_us != before.announceRefresh_us {
      emit(
        settings.announceRefresh_us > 0
          ? .setTimer(.refresh, after_us: settings.announceRefresh_us) : .cancelTimer(.refresh))
    }
    if settings.addresses != before.addresses { announce(.addressesChanged, emit: emit) }
  }
}
