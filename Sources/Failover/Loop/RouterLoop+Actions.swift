// What goes out: adverts, addresses, announcements, and words.

import Configuration
import Kernel
import VRRP

extension RouterLoop {
  func carryOut(_ action: RouterAction, of index: Int, at now_us: Microseconds) {
    switch action {
    case .send(let priority): send(index, priority: priority)
    case .acquire: acquire(index)
    case .release: release(index)
    case .announce(let cause): announceAddresses(index, cause)
    case .setTimer(let timer, let after_us):
      timers.set(index, timer, at: now_us &+ after_us)
    case .cancelTimer(let timer): timers.cancel(index, timer)
    case .transition(let state, let cause):
      changed(index, to: state, cause, at: now_us)
    case .wantsMaster: break  // The set has seen to it.
    case .remark(let remark): say(remark, of: index)
    }
  }

  // MARK: Adverts

  private func send(_ index: Int, priority: UInt8) {
    let runtime = runtimes[index]
    guard let interface = runtime.outgoing, let source = runtime.source else { return }
    let settings = set.routers[index].settings
    let advert = Advertisement(
      version: settings.version, id: settings.id, priority: priority,
      interval_us: settings.interval_us, addresses: settings.addresses,
      authentication: settings.password.map { .password($0) } ?? .none)
    var problem: KernelError?
    for (destination, hopLimit) in destinations(runtime.router) {
      let result = exchange.send(
        advert, from: source, to: destination, hopLimit: hopLimit, interface: interface,
        sumsPseudoHeader: settings.sumsPseudoHeader)
      if let result { problem = result } else { runtimes[index].sent &+= 1 }
    }
    // That the link is down or gone is told by the link's own events: ENETDOWN, ENODEV.
    if let code = problem?.code, code == 100 || code == 19 { return }
    if problem != nil, links.links[interface]?.isOperational != true { return }
    let code = problem?.code ?? 0
    if code != runtimes[index].sendProblem {
      runtimes[index].sendProblem = code
      log(
        problem == nil ? .notice : .warning,
        "(\(runtime.router.name)) "
          + (problem.map { "cannot send adverts: \($0)" } ?? "adverts can be sent again"),
        problem == nil ? .vipNote : .vipProblem)
    }
  }

  private func destinations(_ router: VirtualRouter) -> [(ProtocolAddress, UInt8)] {
    if !router.peers.isEmpty {
      return router.peers.map { (ProtocolAddress($0.address), router.unicastTTL) }
    }
    return [(ProtocolAddress(router.group), Wire.hopLimit)]
  }

  // MARK: Addresses

  /// Everything that the configuration asks for and that is not in place, and nothing else: also
  /// called when a master's configuration has changed.
  func acquire(_ index: Int) {
    let router = runtimes[index].router
    if router.promotesSecondaries {
      for name in Set([router.interface] + router.addresses.compactMap(\.interface)) {
        if let problem = InterfaceSetting.setPromotesSecondaries(name, true) {
          log(.warning, "(\(router.name)) promote_secondaries of \(name): \(problem)", .vipProblem)
        }
      }
    }
    takeBack(index)
    removeUnwanted(index)
    let wanted = wantedAddresses(index)
    for want in wanted where !runtimes[index].held.contains(want) {
      do throws(NetlinkError) {
        _ = try keeper.add(want.address, to: want.interface)
        runtimes[index].held.append(want)
      } catch {
        log(.err, "(\(router.name)) cannot add \(want.address.address): \(error)", .vipAddress)
      }
    }
    acquire(router.routes, \.heldRoutes, of: index)
    acquire(router.rules, \.heldRules, of: index)
    watchHolders()
  }

  /// What the configuration does not have any more. Of all routers before any of them adds: an
  /// address may have moved from one to another.
  func removeUnwanted(_ index: Int) {
    let wanted = wantedAddresses(index)
    let unwanted = runtimes[index].held.filter { !wanted.contains($0) }
    guard !unwanted.isEmpty else { return }
    // The same address with another prefix length, or on its way to another router.
    let staying = Set(
      runtimes.indices.filter { set.routers[$0].state == .master }
        .flatMap { wantedAddresses($0) }.map(\.address.address))
    for held in unwanted where staying.contains(held.address.address) { remove(held, of: index) }
    let leaving = unwanted.filter { !staying.contains($0.address.address) }
    if !leaving.isEmpty { depart(leaving, of: index) }
  }

  /// The kernel takes routes away with the address or the interface that they need.
  func reassertPaths(_ index: Int) {
    reassert(runtimes[index].heldRoutes, of: index)
    reassert(runtimes[index].heldRules, of: index)
  }

  private func release(_ index: Int) {
    announcements.removeAll(of: index)
    runtimes[index].restoreAt_us = nil
    depart(index)
  }

  private func remove(_ held: HeldAddress, of index: Int) {
    // First from our own list: the kernel's report of it must not look like somebody else's deed.
    runtimes[index].held.removeAll { $0 == held }
    takeAway(held, from: runtimes[index].router.name)
  }

  /// `router` has it no more.
  func takeAway(_ held: HeldAddress, from router: String) {
    saveSecondaries(of: held)
    do throws(NetlinkError) {
      _ = try keeper.remove(held.address, from: held.interface)
    } catch {
      // With the interface gone the address is gone as well.
      guard links.links[held.interface] != nil else { return }
      log(.err, "(\(router)) cannot remove \(held.address.address): \(error)", .vipAddress)
    }
  }

  /// After an interface was flushed ours may be the first address of its network, and the node's
  /// own a secondary one, which goes with the first unless the kernel is told otherwise.
  private func saveSecondaries(of held: HeldAddress) {
    let addresses = links.addresses(of: held.interface)
    guard held.address.address.family == .v4,
      addresses.contains(where: { $0.address == held.address.address && !$0.isSecondary }),
      addresses.contains(where: \.isSecondary), let link = links.links[held.interface],
      InterfaceSetting.promotesSecondaries(link.name) == false
    else { return }
    if let problem = InterfaceSetting.setPromotesSecondaries(link.name, true) {
      log(.warning, "cannot set promote_secondaries of \(link.name): \(problem)", .vipProblem)
    }
  }

  private func acquire<Path: KernelPath>(
    _ wanted: [Path], _ held: WritableKeyPath<RouterRuntime, [Path]>, of index: Int
  ) {
    for path in runtimes[index][keyPath: held] where !wanted.contains(path) {
      remove(path, held, of: index)
    }
    for path in wanted where !runtimes[index][keyPath: held].contains(path) {
      do throws(NetlinkError) {
        try path.add(by: keeper)
        runtimes[index][keyPath: held].append(path)
      } catch {
        log(.err, "(\(runtimes[index].router.name)) cannot add \(Path.word): \(error)", .vipProblem)
      }
    }
  }

  private func reassert<Path: KernelPath>(_ held: [Path], of index: Int) {
    for path in held {
      do throws(NetlinkError) { try path.add(by: keeper) } catch {
        log(
          .err, "(\(runtimes[index].router.name)) cannot put \(Path.word) back: \(error)",
          .vipProblem)
      }
    }
  }

  private func remove<Path: KernelPath>(
    _ path: Path, _ held: WritableKeyPath<RouterRuntime, [Path]>, of index: Int
  ) {
    runtimes[index][keyPath: held].removeAll { $0 == path }
    takeAway(path, from: runtimes[index].router.name)
  }

  func takeAway<Path: KernelPath>(_ path: Path, from router: String) {
    do throws(NetlinkError) { try path.remove(by: keeper) } catch {
      log(.err, "(\(router)) cannot remove \(Path.word): \(error)", .vipProblem)
    }
  }

  /// The addresses of a router with the interfaces that they belong on; those whose interface
  /// does not exist are left out.
  func wantedAddresses(_ index: Int) -> [HeldAddress] {
    let runtime = runtimes[index]
    return (runtime.router.addresses + runtime.router.excludedAddresses).compactMap { address in
      let interface: UInt32? =
        if let name = address.interface, !address.usesVirtualMAC {
          name == runtime.router.interface && runtime.virtualMAC != nil
            ? runtime.home : links.link(named: name)?.index
        } else {
          runtime.home
        }
      return interface.map { HeldAddress(address: address, interface: $0) }
    }
  }

  /// Masters care who else has their addresses, and who has just been one.
  func watchHolders() {
    var addresses: Set<IPAddress> = []
    var interfaces: Set<UInt32> = []
    for runtime in runtimes + departures.map(\.runtime) {
      for held in runtime.held {
        addresses.insert(held.address.address)
        interfaces.insert(held.interface)
      }
    }
    if let problem = duplicates.watch(addresses, on: interfaces) {
      log(.warning, "cannot watch for other holders of our addresses: \(problem)", .vipProblem)
    }
  }

  // MARK: Announcements

  func announceAddresses(
    _ index: Int, _ cause: AnnouncementCause, only: [HeldAddress]? = nil
  ) {
    let runtime = runtimes[index]
    let settings = runtime.router.announcement
    for _ in 0..<max(0, runtime.router.announcementCount(cause)) {
      for held in only ?? runtime.held {
        let pause =
          held.address.address.family == .v4 ? settings.arpInterval : settings.neighbourInterval
        announcements.append(
          PendingAnnouncement(
            router: index, address: held.address.address, interface: held.interface,
            pause_us: pause.microseconds))
      }
    }
    // The first ones leave now: a client waits for them.
    for announcement in announcements.takeDue(at: Clock.monotonic_us()) { announce(announcement) }
  }

  func announce(_ announcement: PendingAnnouncement) {
    guard let link = links.links[announcement.interface], let mac = link.mac else { return }
    let isRouter =
      announcement.address.family == .v6 && InterfaceSetting.isForwardingIPv6(link.name)
    if let problem = announcer.announce(
      announcement.address, on: link.index, mac: mac, isRouter: isRouter)
    {
      log(
        .warning, "cannot announce \(announcement.address) on \(link.name): \(problem)", .vipProblem
      )
    }
  }

  // MARK: Words

  private func changed(
    _ index: Int, to state: RouterState, _ cause: TransitionCause, at now_us: Microseconds
  ) {
    let lasted_us = now_us - runtimes[index].since_us
    runtimes[index].since_us = now_us
    let silence_us = state == .master ? runtimes[index].heardAt_us.map { now_us - $0 } : nil
    if let silence_us { runtimes[index].takeover_us = silence_us }
    if state == .initialize || state == .fault { runtimes[index].heardAt_us = nil }
    runtimes[index].forgetHolders()
    runtimes[index].hasMoved = true
    hasNews = true
    // Back to waiting for its start, with its group: nothing that anybody has been told of.
    if state == .initialize, cause == .recovered { return }
    let name = runtimes[index].router.name
    let faults = runtimes[index].faults.map(\.words)
    let cause = runtimes[index].holder.cause(cause, to: state)
    let reason = Wording.reason(cause, faults: faults)
    let change = RouterTransition(
      router: name, from: runtimes[index].toldState, to: state, reason: reason,
      cause: cause, lasted_us: lasted_us, silence_us: silence_us)
    runtimes[index].reason = reason
    runtimes[index].toldState = state
    output.log(
      FailoverNotice(
        .notice, Wording.transition(name, to: state, cause, faults: faults), transition: change))
    let shown = isDeleting && state == .initialize ? .deleted : NotifyState(state)
    output.notify(.state(.router(name), shown, priority: set.routers[index].priority))
  }

  func groupChanged(_ group: Int, to state: RouterState) {
    let name = configuration.groups[group].name
    log(.notice, "VRRP_Group(\(name)) is now \(NotifyState(state).rawValue)", .vipNote)
    output.notify(.state(.group(name), NotifyState(state), priority: 0))
  }

  private func say(_ remark: RouterRemark, of index: Int) {
    hasNews = true
    let runtime = runtimes[index]
    let name = runtime.router.name
    let priority = set.routers[index].priority
    switch remark {
    case .heardLowerPriority(let lower, let source):
      output.notify(.lowerPriorityHeard(name, priority: lower))
      guard runtimes[index].remarkedLower.insert(source).inserted else { return }
    case .ignoresLowerPriority(_, let source), .heardOwnAddress(let source):
      guard runtimes[index].remarkedLower.insert(source).inserted else { return }
    case .priorityChanged(_, let new) where runtime.router.notifiesPriorityChanges:
      let state = set.routers[index].state
      if state == .master || state == .backup {
        output.notify(.priority(name, NotifyState(state), new))
      }
    case .heardResignation, .heardOtherOwner, .adoptedInterval,
      .preemptDelayStarted, .preemptDelayEnded, .priorityChanged, .listensAfterStall:
      break
    }
    output.log(
      Wording.remark(
        name, remark, ours: priority, isSilent: runtime.router.sendsNoAdvertOnLowerPriority))
  }
}

extension RouterRemark {
  var event: EventName {
    switch self {
    case .ignoresLowerPriority, .heardLowerPriority, .heardResignation, .adoptedInterval:
      .vipHeard
    case .heardOwnAddress, .heardOtherOwner: .vipConflict
    case .preemptDelayStarted, .preemptDelayEnded: .vipNote
    case .priorityChanged: .vipPriority
    case .listensAfterStall: .vipStall
    }
  }
}

extension NotifyState {
  init(_ state: RouterState) {
    self =
      switch state {
      case .initialize: .stop
      case .backup: .backup
      case .master: .master
      case .fault: .fault
      }
  }
}

extension VirtualRouter {
  /// The multicast group of its adverts.
  var group: IPAddress {
    multicastGroup ?? IPAddress(family == .v4 ? Wire.multicastV4 : Wire.multicastV6)
  }
}
