// Where routers live, and whether they can take part: interfaces, source addresses, tracking.

import Configuration
import Kernel
import VRRP

extension RouterLoop {
  /// Looks every interface up by its name again, and opens and closes sockets accordingly.
  func findInterfaces() {
    for index in runtimes.indices {
      let before = (runtimes[index].base, runtimes[index].virtualMAC, runtimes[index].held)
      defer { moveHoldings(index, before) }
      let base = links.link(named: runtimes[index].router.interface)
      if base?.index != runtimes[index].base {
        runtimes[index].base = base?.index
        runtimes[index].virtualMAC = nil
      }
      if let mac = runtimes[index].virtualMAC, links.links[mac.index] == nil {
        runtimes[index].virtualMAC = nil
      }
      if runtimes[index].router.virtualMAC != nil, runtimes[index].virtualMAC == nil, let base {
        createVirtualMAC(index, on: base)
      }
      runtimes[index].held.removeAll { links.links[$0.interface] == nil }
    }
    openSockets()
  }

  /// A master whose interface is another one now has its addresses there as well.
  private func moveHoldings(
    _ index: Int, _ before: (base: UInt32?, virtualMAC: VirtualMACLink?, held: [HeldAddress])
  ) {
    let runtime = runtimes[index]
    let isSame =
      before.base == runtime.base && before.virtualMAC == runtime.virtualMAC
      && before.held == runtime.held
    guard !isSame, set.routers[index].state == .master else { return }
    acquire(index)
    announceAddresses(index, .addressesChanged)
  }

  private func openSockets() {
    var needs: Set<ReceiveNeed> = []
    for runtime in runtimes + departures.map(\.runtime) {
      let router = runtime.router
      let group = router.peers.isEmpty ? router.group : nil
      var interfaces = [runtime.base]
      if router.virtualMAC?.sendsFromBase == false { interfaces.append(runtime.virtualMAC?.index) }
      for case let interface? in interfaces {
        guard let link = links.links[interface] else { continue }
        needs.insert(
          ReceiveNeed(interface: interface, name: link.name, family: router.family, group: group))
      }
    }
    do throws(KernelError) {
      try exchange.configure(needs, watch: watch)
    } catch {
      log(.err, "cannot open a VRRP socket: \(error)", .vipProblem)
    }
  }

  /// Without its interface a router is down; why is said once, not at every event of a link.
  private func createVirtualMAC(_ index: Int, on base: Link) {
    let router = runtimes[index].router
    guard let name = router.virtualMACName else { return }
    finishDepartures(ofLinkNamed: name)
    do throws(NetlinkError) {
      let made = try keeper.createVirtualMACLink(
        named: name, base: base, id: router.id, family: router.family,
        linkLocal: links.linkLocalIPv6(of: base.index))
      made.warnings.forEach { log(.warning, "(\(router.name)) \($0)", .vipProblem) }
      runtimes[index].virtualMAC = made
      runtimes[index].virtualMACProblem = nil
      // The table needs its name and MAC now; the rest of the news waits for its turn.
      unprocessed += try links.readEvents()
    } catch {
      guard runtimes[index].virtualMACProblem != "\(error)" else { return }
      runtimes[index].virtualMACProblem = "\(error)"
      log(.err, "(\(router.name)) cannot create interface \(name): \(error)", .vipProblem)
    }
  }

  func removeVirtualMAC(_ index: Int) {
    guard let link = runtimes[index].virtualMAC else { return }
    runtimes[index].virtualMAC = nil
    if !entrust(link) { delete(link, of: runtimes[index].router.name) }
  }

  func delete(_ link: VirtualMACLink, of router: String) {
    do throws(NetlinkError) { _ = try keeper.delete(link) } catch {
      log(.err, "(\(router)) cannot remove \(link.name): \(error)", .vipProblem)
    }
  }

  // MARK: Taking part

  /// What tracking says now. Interfaces are answered from the table of links.
  func outcome(_ index: Int) -> TrackingOutcome {
    for case .interface(let name) in runtimes[index].tracking.subjects {
      let isUp = links.link(named: name)?.isOperational ?? false
      results[.interface(name)] = isUp ? .good : .bad
    }
    return runtimes[index].tracking.evaluate(results)
  }

  /// Compares what is with what the machine was told, and tells it the difference.
  func evaluate(_ index: Int) {
    guard !isEnding else { return }
    let outcome = outcome(index)
    let now_us = Clock.monotonic_us()
    let source = sourceAddress(index)
    if source != runtimes[index].source {
      runtimes[index].source = source
      if let source { handle(index, .moved(source), at: now_us) }
    }
    shareLinkLocal(index)
    let faults = faults(index, outcome)
    if faults != runtimes[index].faults {
      runtimes[index].faults = faults
      hasNews = true
    }
    if !set.routers[index].hasStarted {
      begin(index, outcome, at: now_us)
      return
    }
    adoptPriority(index, tracked: outcome.priority, at: now_us)
    if !faults.isEmpty, !runtimes[index].isFaulty {
      runtimes[index].isFaulty = true
      handle(index, .fault, at: now_us)
    } else if faults.isEmpty, runtimes[index].isFaulty, !outcome.waits {
      runtimes[index].isFaulty = false
      handle(index, .recovered, at: now_us)
    }
  }

  /// Starts a router when nothing speaks against it. One that fails before is told so, and comes
  /// up with its recovery.
  private func begin(_ index: Int, _ outcome: TrackingOutcome, at now_us: Microseconds) {
    guard startAt_us == 0 else { return }
    adoptPriority(index, tracked: outcome.priority, at: now_us)
    // An address should only come to a node of which is known whether it can serve.
    if runtimes[index].holder.situation.follows, path.verdict == .unknown { return }
    guard runtimes[index].faults.isEmpty else {
      if !runtimes[index].isFaulty {
        runtimes[index].isFaulty = true
        handle(index, .fault, at: now_us)
      }
      return
    }
    guard !outcome.waits, let source = runtimes[index].source else { return }
    handle(index, .start(address: source), at: now_us)
    if runtimes[index].isFaulty {
      runtimes[index].isFaulty = false
      handle(index, .recovered, at: now_us)
    }
  }

  private func faults(_ index: Int, _ outcome: TrackingOutcome) -> [FaultCause] {
    let runtime = runtimes[index]
    let router = runtime.router
    var faults: [FaultCause] = []
    if let base = runtime.base {
      if router.tracksOwnInterface, links.links[base]?.isOperational != true {
        faults.append(.interfaceDown(router.interface))
      }
    } else {
      faults.append(.interfaceMissing(router.interface))
    }
    if let name = router.virtualMACName, runtime.base != nil {
      let link = runtime.virtualMAC.flatMap { links.links[$0.index] }
      if link == nil {
        faults.append(.interfaceMissing(name))
      } else if link?.isOperational != true {
        faults.append(.interfaceDown(name))
      }
    }
    if runtime.source == nil || lacksLinkLocal(index)
      || (router.tracksSource && !isPresent(router.source))
    {
      faults.append(.noSource)
    }
    for address in router.addresses + router.excludedAddresses where !address.isUntracked {
      guard let name = address.interface, name != router.interface else { continue }
      let fault =
        links.link(named: name).map { link -> FaultCause? in
          link.isOperational ? nil : .interfaceDown(name)
        } ?? .interfaceMissing(name)
      if let fault, !faults.contains(fault) { faults.append(fault) }
    }
    return faults + outcome.faults.map { .tracked($0) }
  }

  /// The interface that sends from a copy of its base's link-local address, and that address. The
  /// kernel drops the copy when the interface goes down, and the base may come to its own late.
  private func sharedLinkLocal(_ index: Int) -> (interface: UInt32, address: IPAddress)? {
    let runtime = runtimes[index]
    guard runtime.router.family == .v6, runtime.router.source == nil,
      runtime.router.virtualMAC?.sendsFromBase == false, let link = runtime.virtualMAC,
      let source = runtime.source
    else { return nil }
    return (link.index, IPAddress(source))
  }

  private func shareLinkLocal(_ index: Int) {
    guard let (interface, address) = sharedLinkLocal(index),
      links.links[interface]?.isOperational == true, !links.has(address, on: interface)
    else { return }
    var copy = VirtualAddress(address, prefixLength: 64)
    copy.scope = .link
    copy.preferredLifetime = .seconds(0)
    let held = Set(runtimes[index].held.map(\.address.address))
    do throws(NetlinkError) {
      for old in links.addresses(of: interface)
      where old.address.isLinkLocalIPv6 && old.isOurs && !held.contains(old.address) {
        _ = try keeper.remove(VirtualAddress(old.address, prefixLength: 64), from: interface)
      }
      _ = try keeper.add(copy, to: interface)
      unprocessed += try links.readEvents()
    } catch {
      log(.err, "(\(runtimes[index].router.name)) cannot copy \(address): \(error)", .vipProblem)
    }
  }

  /// It could become master and hold the addresses without a word to anybody.
  private func lacksLinkLocal(_ index: Int) -> Bool {
    sharedLinkLocal(index).map { !links.has($0.address, on: $0.interface) } ?? false
  }

  private func isPresent(_ address: IPAddress?) -> Bool {
    address.map { !links.holders(of: $0).isEmpty } ?? true
  }

  /// The configured source, or the base interface's own address; never one that a router holds.
  /// A virtual MAC interface bears the same link-local address.
  private func sourceAddress(_ index: Int) -> ProtocolAddress? {
    let runtime = runtimes[index]
    if let source = runtime.router.source { return ProtocolAddress(source) }
    guard let base = runtime.base else { return nil }
    let virtual = Set(
      runtimes.flatMap { $0.router.addresses + $0.router.excludedAddresses }.map(\.address))
    let found =
      switch runtime.router.family {
      case .v4:
        links.addresses(of: base).first {
          $0.address.family == .v4 && !$0.isSecondary && !$0.isOurs
            && !virtual.contains($0.address)
        }?.address
      case .v6: links.linkLocalIPv6(of: base, besides: virtual)
      }
    return found.map { ProtocolAddress($0) }
  }
}
