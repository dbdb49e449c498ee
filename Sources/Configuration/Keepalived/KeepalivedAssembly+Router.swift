// One router: defaults of `global_defs`, and what keepalived makes of settings that do not go
// together. The order of the checks is keepalived's, since one decides what the next sees.

extension KeepalivedParser {
  /// Addresses that fit a packet on Ethernet; keepalived takes what the MTU leaves.
  static let mostAddresses: [AddressFamily: Int] = [.v4: 255, .v6: (1500 - 40 - 8) / 16]

  func basePriority(_ draft: RouterDraft) -> UInt8 {
    draft.priority ?? (draft.state?.isMaster == true ? 255 : 100)
  }

  /// nil when an error has been reported.
  func assemble(_ draft: RouterDraft) -> VirtualRouter? {
    if draft.id == nil, !hasError(at: draft) {
      report(
        .error, at: draft.place,
        "'\(draft.name)' has no 'virtual_router_id': 1…255, the same on all of its nodes")
    }
    if draft.interface == nil, !hasError(at: draft) {
      report(
        .error, at: draft.place,
        "'\(draft.name)' has no 'interface'"
          + (draft.peers.isEmpty ? "" : "; with unicast peers too, one must be named here"))
    }
    guard let interface = draft.interface, let id = draft.id else { return nil }
    var router = VirtualRouter(
      name: draft.name, origin: origin(draft.place), interface: interface, id: id)
    router.family = draft.family ?? .v4
    router.isStrict = draft.isStrict ?? globals.isStrict
    router.version = version(draft, router.family)
    router.priority = basePriority(draft)
    settleState(draft, &router)
    settleAuthentication(draft, &router)
    settleExchange(draft, &router)
    settleAddresses(draft, &router)
    settlePreemption(draft, &router)
    settleInterval(draft, &router)
    settleStrictness(draft, &router)
    settleAnnouncement(draft, &router)
    settleVirtualMAC(draft, &router)
    router.routes = draft.routes
    router.rules = draft.rules
    router.tracksOwnInterface = draft.tracksOwnInterface
    router.trackedInterfaces = draft.tracks.interfaces.map(\.reference)
    router.trackedScripts = draft.tracks.scripts.map(\.reference)
    router.trackedFiles = draft.tracks.files.map(\.reference)
    router.trackedProcesses = draft.tracks.processes.map(\.reference)
    router.skipsRepeatedAddressCheck =
      draft.skipsRepeatedAddressCheck ?? globals.skipsRepeatedAddressCheck
    router.ownerIgnoresAdverts = draft.ownerIgnoresAdverts ?? globals.ownerIgnoresAdverts
    router.checksumWithoutPseudoHeader =
      draft.checksumWithoutPseudoHeader ?? globals.checksumWithoutPseudoHeader
    router.notify = draft.notify
    router.notifiesPriorityChanges =
      draft.notifiesPriorityChanges ?? globals.notifiesPriorityChanges
    return router
  }

  /// A wrong value has been reported where it stands; that it is missing need not be.
  private func hasError(at draft: RouterDraft) -> Bool { brokenRouters.contains(draft.name) }

  private func version(_ draft: RouterDraft, _ family: AddressFamily) -> VRRPVersion {
    guard family == .v6 else { return draft.version?.value ?? globals.version ?? .v2 }
    if let version = draft.version, version.value == .v2 {
      report(.warning, at: version.place, "IPv6 needs version 3, which is taken")
    }
    return .v3
  }

  private func settleState(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    let isOwner = router.priority == 255
    router.prefersMaster = draft.state?.isMaster ?? isOwner
    guard router.isStrict, router.prefersMaster != isOwner else { return }
    if let state = draft.state {
      report(
        .warning, at: state.place,
        "in strict mode the state is MASTER if and only if the priority is 255; "
          + "\(isOwner ? "MASTER" : "BACKUP") is taken")
    }
    router.prefersMaster = isOwner
  }

  private func settleAuthentication(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    let place = draft.authenticationPlace ?? draft.password?.place ?? draft.place
    guard draft.authentication != .none else {
      if draft.password != nil {
        report(.warning, at: place, "'auth_pass' without 'auth_type PASS' is not used")
      }
      return
    }
    if router.isStrict || router.version == .v3 {
      let reason = router.version == .v3 ? "version 3 has none" : "strict mode knows none"
      return report(
        .warning, at: place, "the authentication is not used: \(reason); remove the block")
    }
    if draft.authentication == .header {
      return report(
        .error, at: place,
        "'auth_type AH' is not supported: peers that use it would drop our adverts, and two "
          + "nodes would hold the addresses; use 'auth_type PASS', or none, on every node")
    }
    guard let password = draft.password else {
      return report(
        .warning, at: place, "'auth_type PASS' without 'auth_pass': adverts carry no password")
    }
    router.password =
      password.bytes + [UInt8](repeating: 0, count: max(0, 8 - password.bytes.count))
  }

  private func settleExchange(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    router.peers = draft.peers
    router.source = draft.unicastSource ?? draft.multicastSource
    if draft.tracksSource != nil {
      router.tracksSource = router.source != nil
      if router.source == nil, let place = draft.tracksSource {
        report(.warning, at: place, "there is no 'unicast_src_ip' or 'mcast_src_ip' to track")
      }
    }
    let group = draft.multicastGroup
    if router.peers.isEmpty {
      router.multicastGroup =
        group?.address ?? (router.family == .v4 ? globals.group4 : globals.group6)
      if let place = draft.faultsWithoutPeer {
        report(
          .error, at: place,
          "there is no unicast peer, so this router would never leave the fault state; list the "
            + "peers")
      } else if let place = draft.unicastPlace {
        report(
          .warning, at: place,
          "no unicast peer is listed, so adverts go to the multicast group, as in keepalived")
      }
      if let ttl = draft.unicastTTL {
        report(.warning, at: ttl.place, "without unicast peers this is not used")
      }
    } else {
      if let group {
        report(.warning, at: group.place, "with unicast peers this is not used")
      }
      router.unicastTTL = draft.unicastTTL?.value ?? 255
      router.checksUnicastSource = draft.checksUnicastSource ?? globals.checksUnicastSource
      let isRanged = router.peers.contains { $0.minimumTTL != nil || $0.maximumTTL != nil }
      if isRanged { router.checksUnicastSource = true }
    }
  }

  private func settleAddresses(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    let most = KeepalivedParser.mostAddresses[router.family] ?? 90
    router.addresses = draft.addresses.prefix(most).map(\.address)
    router.excludedAddresses = draft.excluded.map(\.address)
    if draft.addresses.count > most {
      report(
        .warning, at: draft.addresses[most].place,
        "an advert holds \(most) addresses; the \(draft.addresses.count - most) from here on are "
          + "not advertised ('virtual_ipaddress_excluded')")
      router.excludedAddresses += draft.addresses.dropFirst(most).map(\.address)
    }
    if draft.usesVirtualMACForAddresses != nil {
      let own = router.interface
      func settle(_ address: inout VirtualAddress) {
        if let name = address.interface, name != own { address.usesVirtualMAC = true }
      }
      for index in router.addresses.indices { settle(&router.addresses[index]) }
      for index in router.excludedAddresses.indices { settle(&router.excludedAddresses[index]) }
    }
    if router.addresses.isEmpty, !draft.allowsNoAddress {
      let isFatal = router.version == .v3 || router.isStrict
      report(
        isFatal ? .error : .warning, at: draft.place,
        "'\(draft.name)' has no virtual address"
          + (isFatal ? "; version 3 and strict mode need one" : ", so there is nothing to hold"))
    }
    if router.isStrict, case .v6(let high, _)? = router.addresses.first?.address,
      high >> 54 != 0x3fa, let place = draft.addresses.first?.place
    {
      report(.error, at: place, "in strict mode the first IPv6 address must be link-local (fe80::)")
    }
  }

  private func settlePreemption(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    var never = draft.neverPreempts
    if let place = never, router.priority == 255 {
      report(.warning, at: place, "'nopreempt' is not used: the owner (255) always preempts")
      never = nil
    }
    if let place = never, router.prefersMaster {
      report(
        .warning, at: place,
        "'nopreempt' is not used with 'state MASTER', as in keepalived: write 'state BACKUP' on "
          + "every node")
      never = nil
    }
    var delay = draft.preemptDelay
    if let known = delay, known.value > .zero {
      let reason: String? =
        router.isStrict
        ? "in strict mode"
        : router.prefersMaster
          ? "with 'state MASTER': write 'state BACKUP'" : never != nil ? "with 'nopreempt'" : nil
      if let reason {
        report(.warning, at: known.place, "'preempt_delay' is not used \(reason)")
        delay = nil
      }
    }
    if never != nil {
      router.preemption = .never
    } else if let delay, delay.value > .zero {
      router.preemption = .delayed(delay.value)
    }
  }

  private func settleInterval(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    guard let interval = draft.interval else { return }
    let adverts = Int64(draft.downTimerAdverts?.value ?? globals.downTimerAdverts)
    switch router.version {
    case .v2:
      let whole = max(1, (interval.microseconds + 500_000) / 1_000_000)
      router.advertisementInterval = .seconds(whole)
      guard whole * 1_000_000 != interval.microseconds else { return }
      let skew2 = Int64(256 - Int(router.priority)) * 1_000_000 / 256
      let skew3 = Int64(256 - Int(router.priority)) * interval.microseconds / 256
      let now = KeepalivedParser.rounded(adverts * whole * 1_000_000 + skew2)
      let meant = KeepalivedParser.rounded(adverts * interval.microseconds + skew3)
      report(
        .warning, at: interval.place,
        "(\(router.name)) version 2 carries whole seconds: \(interval.text) becomes \(whole), "
          + "as in keepalived, and a node of this priority takes over after \(now) s "
          + "(\(adverts) × \(whole) + skew). What was meant is \(meant) s: 'version 3' with "
          + "'advert_int \(interval.text)' and no 'authentication', on all nodes")
    case .v3:
      let steps = min(max(1, (interval.microseconds + 5_000) / 10_000), 4095)
      router.advertisementInterval = .milliseconds(steps * 10)
      if interval.microseconds > 40_950_000 {
        report(.warning, at: interval.place, "the longest interval of version 3 is 40.95 s")
      } else if steps * 10_000 != interval.microseconds {
        report(
          .warning, at: interval.place,
          "version 3 counts in steps of 0.01 s: "
            + "\(KeepalivedUnits.print(router.advertisementInterval)) is taken")
      }
    }
  }

  /// Hundredths are enough for people.
  private static func rounded(_ microseconds: Int64) -> String {
    KeepalivedUnits.print(microseconds: (microseconds + 5_000) / 10_000 * 10_000)
  }

  private func settleStrictness(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    let isStrict = router.isStrict
    let isOwner = router.priority == 255
    router.downTimerAdverts = draft.downTimerAdverts?.value ?? globals.downTimerAdverts
    if isStrict, router.downTimerAdverts != 3 {
      if let place = draft.downTimerAdverts?.place {
        report(.warning, at: place, "in strict mode 3 adverts are missed before a takeover")
      }
      router.downTimerAdverts = 3
    }
    router.accepts = draft.accepts?.value ?? (!isStrict || isOwner)
    if isStrict, router.version == .v2, !isOwner, draft.accepts?.value == true {
      if let place = draft.accepts?.place {
        report(.warning, at: place, "'accept' is not used in strict mode with version 2")
      }
      router.accepts = false
    }
    router.sendsNoAdvertOnLowerPriority =
      isStrict
      || (draft.sendsNoAdvertOnLowerPriority?.value ?? globals.sendsNoAdvertOnLowerPriority)
    if isStrict, let setting = draft.sendsNoAdvertOnLowerPriority, !setting.value {
      report(.warning, at: setting.place, "strict mode sends no advert on a lower priority")
    }
    router.sendsAdvertOnHigherPriority =
      !isStrict
      && (draft.sendsAdvertOnHigherPriority?.value ?? globals.sendsAdvertOnHigherPriority)
    if isStrict, let setting = draft.sendsAdvertOnHigherPriority, setting.value {
      report(.warning, at: setting.place, "strict mode sends no advert on a higher priority")
    }
  }

  private func settleAnnouncement(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    let own = draft.announcement
    let shared = globals.announcement
    let usual = globals.usesMinimumAnnouncement ? (Duration.zero, 1) : (Duration.seconds(5), 5)
    var result = Announcement()
    result.delay = own.delay ?? shared.delay ?? usual.0
    result.count = own.count ?? shared.count ?? usual.1
    result.refresh = own.refresh ?? shared.refresh ?? .zero
    result.refreshCount = own.refreshCount ?? shared.refreshCount ?? 1
    // The defaults are the global master values, not the instance's own.
    result.lowerPriorityDelay =
      own.lowerPriorityDelay ?? shared.lowerPriorityDelay ?? shared.delay ?? usual.0
    result.lowerPriorityCount =
      own.lowerPriorityCount ?? shared.lowerPriorityCount ?? shared.count ?? usual.1
    if router.isStrict {
      result.lowerPriorityDelay = .zero
      result.lowerPriorityCount = 0
    }
    result.arpInterval = globals.arpInterval
    result.neighbourInterval = globals.neighbourInterval
    if let group = arpGroups[router.interface] {
      result.arpInterval = group.arpInterval ?? result.arpInterval
      result.neighbourInterval = group.neighbourInterval ?? result.neighbourInterval
    }
    router.announcement = result
  }

  private func settleVirtualMAC(_ draft: RouterDraft, _ router: inout VirtualRouter) {
    router.promotesSecondaries = draft.promotesSecondaries != nil
    guard var setting = draft.virtualMAC else {
      if let place = draft.sendsFromBase {
        report(.warning, at: place, "without 'use_vmac' this is not used")
      }
      return
    }
    if let place = draft.promotesSecondaries {
      report(.note, at: place, "this is always so on a virtual MAC interface")
      router.promotesSecondaries = false
    }
    setting.sendsFromBase = draft.sendsFromBase != nil
    if setting.sendsFromBase, router.isStrict, router.peers.isEmpty {
      if let place = draft.sendsFromBase {
        report(.warning, at: place, "'vmac_xmit_base' is not used in strict mode")
      }
      setting.sendsFromBase = false
    }
    if !setting.sendsFromBase, !router.peers.isEmpty {
      if let place = draft.virtualMACPlace {
        report(
          .warning, at: place, "unicast with 'use_vmac' needs 'vmac_xmit_base', which is taken")
      }
      setting.sendsFromBase = true
    }
    router.virtualMAC = setting
  }
}
