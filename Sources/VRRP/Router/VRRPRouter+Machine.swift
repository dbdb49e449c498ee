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
      enter(.started, at: now_us, emit: emit)
    case (.initialize, .fault):
      state = .fault
      emit(.transition(to: .fault, .fault))
    case (.initialize, .priority(let new)): priority = new == 0 ? priority : new
    case (.initialize, .moved(let address)): self.address = address
    case (.initialize, .reconfigured(let new)):
      settings = new
      priority = new.priority
    case (.initialize, .advertisement), (.initialize, .timer), (.initialize, .recovered),
      (.initialize, .groupMaster), (.initialize, .groupBackup), (.initialize, .resumed),
      (.initialize, .stop):
      break

    // MARK: Backup, section 6.4.2
    case (.backup, .advertisement(let advert, let source)):
      hearAsBackup(advert, from: source, at: now_us, emit: emit)
    case (.backup, .timer(.masterDown)):
      if settings.isGrouped {
        askGroup(at: now_us, emit: emit)
      } else {
        becomeMaster(masterHasResigned ? .masterResigned : .masterDown, emit: emit)
      }
    case (.backup, .groupMaster): becomeMaster(.group, emit: emit)
    case (.backup, .groupBackup): stopWantingMaster(emit: emit)
    case (.backup, .priority(let new)):
      let before_us = masterDown_us
      if setPriority(new, emit: emit) { shiftMasterDown(from: before_us, at: now_us, emit: emit) }
    case (.backup, .reconfigured(let new)):
      let before_us = masterDown_us
      reconfigure(new)
      if masterDown_us != before_us { shiftMasterDown(from: before_us, at: now_us, emit: emit) }
    case (.backup, .moved(let address)): self.address = address
    case (.backup, .resumed):
      // What was due while nothing ran proves nothing: the master gets its time once more.
      restartMasterDown(masterDown_us, at: now_us, emit: emit)
    case (.backup, .fault):
      emit(.cancelTimer(.masterDown))
      stopWantingMaster(emit: emit)
      state = .fault
      emit(.transition(to: .fault, .fault))
    case (.backup, .stop):
      emit(.cancelTimer(.masterDown))
      stopWantingMaster(emit: emit)
      state = .initialize
      emit(.transition(to: .initialize, .stopped))
    case (.backup, .start), (.backup, .recovered), (.backup, .timer(.advertise)),
      (.backup, .timer(.announceAgain)), (.backup, .timer(.refresh)),
      (.backup, .timer(.lowerPriorityAnnounce)):
      break

    // MARK: Master, section 6.4.3 (Active)
    case (.master, .advertisement(let advert, let source)):
      hearAsMaster(advert, from: source, at: now_us, emit: emit)
    case (.master, .timer(.advertise)):
      emit(.send(priority: priority))
      emit(.setTimer(.advertise, after_us: settings.interval_us))
      if isListening {
        isListening = false
        emit(.announce(.resumed))
      }
    case (.master, .timer(.announceAgain)): emit(.announce(.becameMasterAgain))
    case (.master, .timer(.refresh)):
      emit(.announce(.refresh))
      emit(.setTimer(.refresh, after_us: settings.announceRefresh_us))
    case (.master, .timer(.lowerPriorityAnnounce)): emit(.announce(.lowerPriority))
    case (.master, .priority(let new)): _ = setPriority(new, emit: emit)
    case (.master, .reconfigured(let new)):
      let before = settings
      reconfigure(new)
      masterInterval_us = new.interval_us
      resumeAsMaster(after: before, emit: emit)
    case (.master, .moved(let address)):
      self.address = address
      emit(.send(priority: priority))
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
      emit(.transition(to: .fault, .fault))
    case (.master, .stop):
      emit(.send(priority: Wire.resigningPriority))
      leaveMaster(emit: emit)
      state = .initialize
      emit(.transition(to: .initialize, .stopped))
    case (.master, .start), (.master, .recovered), (.master, .groupMaster),
      (.master, .timer(.masterDown)):
      break

    // MARK: Fault, keepalived's
    case (.fault, .recovered): enter(.recovered, at: now_us, emit: emit)
    case (.fault, .priority(let new)): _ = setPriority(new, emit: emit)
    case (.fault, .reconfigured(let new)): reconfigure(new)
    case (.fault, .start(let address)), (.fault, .moved(let address)): self.address = address
    case (.fault, .stop):
      state = .initialize
      emit(.transition(to: .initialize, .stopped))
    case (.fault, .advertisement), (.fault, .timer), (.fault, .fault), (.fault, .groupMaster),
      (.fault, .groupBackup), (.fault, .resumed):
      break
    }
  }

  /// Section 6.4.2 (365)...(455).
  private mutating func hearAsBackup(
    _ advert: Advertisement, from source: ProtocolAddress, at now_us: Microseconds,
    emit: (RouterAction) -> Void
  ) {
    if advert.priority == Wire.resigningPriority {
      adoptInterval(of: advert, from: source, emit: emit)
      master = (source, advert.priority)
      masterHasResigned = true
      emit(.remark(.heardResignation(from: source)))
      restartMasterDown(skew_us, at: now_us, emit: emit)
      return
    }
    guard advert.priority >= priority || leavesAlone(advert.priority, at: now_us, emit: emit) else {
      // Discarded: its silence is what lets the timer run out, and that is the preemption.
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
    stopWantingMaster(emit: emit)
    restartMasterDown(masterDown_us, at: now_us, emit: emit)
  }

  /// Whether a living master of lower priority stays master (Preempt_Mode, preempt_delay).
  private mutating func leavesAlone(
    _ lower: UInt8, at now_us: Microseconds, emit: (RouterAction) -> Void
  ) -> Bool {
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
      if !isListening { emit(.send(priority: priority)) }
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
      return
    }
    if advert.priority == Wire.ownerPriority, priority == Wire.ownerPriority {
      emit(.remark(.heardOtherOwner(from: source)))
      _ = setPriority(Wire.ownerPriority - 1, emit: emit)
    }
    let isHigherAddress = address.map { source > $0 } ?? true
    guard advert.priority > priority || (advert.priority == priority && isHigherAddress) else {
      emit(.remark(.heardLowerPriority(advert.priority, from: source)))
      if !settings.isSilentToLowerPriority { emit(.send(priority: priority)) }
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
    if new.version == .v2 || new.interval_us != settings.interval_us {
      masterInterval_us = new.interval_us
    }
    settings = new
    priority = new.priority
    if new.preempt == .immediate || new.preempt == .never { preemptAt_us = nil }
  }

  /// Still master, under other settings: the others hear of it at once, and no address that
  /// stays is taken away (the shell knows which ones have changed).
  private func resumeAsMaster(after before: RouterSettings, emit: (RouterAction) -> Void) {
    emit(.send(priority: priority))
    emit(.acquire)
    emit(.setTimer(.advertise, after_us: settings.interval_us))
    if settings.announceRefresh_us != before.announceRefresh_us {
      emit(
        settings.announceRefresh_us > 0
          ? .setTimer(.refresh, after_us: settings.announceRefresh_us) : .cancelTimer(.refresh))
    }
    if settings.addresses != before.addresses { emit(.announce(.addressesChanged)) }
  }
}
