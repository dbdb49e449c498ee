// Gives addresses up in the order that hurts clients least: the successor first, then the
// sessions, then the addresses. Documentation/decisions/0012-leaving.md has the reasons and the
// figures. Without a proxy in the process everything goes at once.

import Configuration
import Kernel
import VRRP

extension RouterLoop {
  /// Takes what the router holds off it; it goes now or soon.
  func depart(_ index: Int) {
    var runtime = runtimes[index]
    runtimes[index].held = []
    runtimes[index].heldRoutes = []
    runtimes[index].heldRules = []
    let now_us = Clock.monotonic_us()
    guard output.addressUser != nil, runtime.router.accepts, !runtime.held.isEmpty else {
      finish(Departure(runtime, waiting_us: 0, at: now_us))
      return
    }
    runtime.restoreAt_us = nil
    let waiting_us = Departure.waiting_us(
      for: runtime, state: set.routers[index].state, isLinkUp: isLinkUp(runtime))
    departures.append(Departure(runtime, waiting_us: waiting_us, at: now_us))
  }

  /// Addresses that a master does not have in its new configuration; nobody takes them over.
  func depart(_ leaving: [HeldAddress], of index: Int) {
    var runtime = runtimes[index]
    runtimes[index].held.removeAll(where: leaving.contains)
    runtime.held = leaving
    runtime.heldRoutes = []
    runtime.heldRules = []
    let departure = Departure(runtime, waiting_us: 0, at: Clock.monotonic_us())
    if output.addressUser == nil { finish(departure) } else { departures.append(departure) }
  }

  /// A router is about to add its addresses: what has not gone yet stays.
  func takeBack(_ index: Int) {
    guard let user = output.addressUser else { return }
    let wanted = wantedAddresses(index)
    let identity = runtimes[index].router.identity
    for number in departures.indices {
      runtimes[index].held += departures[number].give(back: wanted)
      guard departures[number].runtime.router.identity == identity else { continue }
      runtimes[index].heldRoutes += departures[number].runtime.heldRoutes
      runtimes[index].heldRules += departures[number].runtime.heldRules
      departures[number].runtime.heldRoutes = []
      departures[number].runtime.heldRules = []
    }
    finishDepartures { $0.runtime.held.isEmpty }
    let addresses = wanted.map(\.address.address)
    closedAddresses.subtract(addresses)
    user.arrive(addresses)
  }

  /// Somebody else has given the node an address that had left it.
  func noteArrival(_ address: IPAddress) {
    guard closedAddresses.contains(address),
      !departures.contains(where: { $0.runtime.held.contains { $0.address.address == address } })
    else { return }
    closedAddresses.remove(address)
    output.addressUser?.arrive([address])
  }

  /// The virtual MAC interface of a router that is gone goes with the last address on it.
  func entrust(_ link: VirtualMACLink) -> Bool {
    guard
      let number = departures.firstIndex(where: {
        $0.runtime.held.contains { $0.interface == link.index }
      })
    else { return false }
    departures[number].link = link
    return true
  }

  // MARK: What makes them go

  func noteSuccessor(_ packet: HeardPacket) {
    let head = packet.message.prefix(3)
    guard !departures.isEmpty, head.count == 3, let priority = head.last, priority > 0 else {
      return
    }
    let family: AddressFamily = packet.source.isV4 ? .v4 : .v6
    for number in departures.indices {
      let runtime = departures[number].runtime
      guard runtime.router.family == family, head.dropFirst().first == runtime.router.id,
        runtime.base == packet.interface, runtime.source != packet.source
      else { continue }
      departures[number].hearAdvert(at: Clock.monotonic_us())
    }
  }

  func noteAnnouncement(_ heard: HeardOwner) {
    guard !departures.isEmpty,
      !links.links.values.contains(where: { $0.mac != nil && $0.mac == heard.mac })
    else { return }
    for number in departures.indices {
      guard
        departures[number].runtime.held.contains(where: {
          $0.address.address == heard.address && $0.interface == heard.interface
        })
      else { continue }
      departures[number].hearAnnouncement(at: Clock.monotonic_us())
    }
  }

  func noteEnded(_ ticket: Int, sessions: Int) {
    let done = departures.filter { $0.ticket == ticket }
    if sessions > 0, !done.isEmpty {
      let names = done.map { "(\($0.runtime.router.name))" }.joined(separator: " ")
      log(
        .notice, "\(names) reset \(sessions) sessions on addresses that leave this node", .vipNote)
    }
    for number in departures.indices where departures[number].ticket == ticket {
      departures[number].endReset(at: Clock.monotonic_us())
    }
  }

  /// Does what is due. One order to the proxy for all routers that leave together.
  func followDepartures() {
    guard !departures.isEmpty else { return }
    resetSessions(at: Clock.monotonic_us())
    let now_us = Clock.monotonic_us()
    for departure in departures where departure.step(at: now_us) == .remove && !departure.isReset {
      log(
        .warning,
        "(\(departure.runtime.router.name)) the proxy has not reset all sessions in time; the"
          + " addresses go now", .vipProblem)
    }
    finishDepartures { $0.step(at: now_us) == .remove }
  }

  private func resetSessions(at now_us: Microseconds) {
    let due = departures.indices.filter { departures[$0].step(at: now_us) == .reset }
    guard !due.isEmpty, let user = output.addressUser else { return }
    lastTicket += 1
    let ticket = lastTicket
    let kept = Set(runtimes.flatMap(\.held).map(\.address.address))
    var leaving: Set<IPAddress> = []
    for number in due {
      departures[number].beginReset(ticket, at: now_us)
      leaving.formUnion(departures[number].runtime.held.map(\.address.address))
    }
    leaving.subtract(kept)
    if leaving.isEmpty {
      for number in due { departures[number].endReset(at: now_us) }
      return
    }
    closedAddresses.formUnion(leaving)
    let mailbox = self.mailbox
    user.leave(Array(leaving)) { mailbox.post(.ended(ticket: ticket, sessions: $0)) }
  }

  /// Before an interface of that name can be made again.
  func finishDepartures(ofLinkNamed name: String) {
    finishDepartures { $0.link?.name == name }
  }

  private func finishDepartures(where isDone: (Departure) -> Bool) {
    let done = departures.filter(isDone)
    guard !done.isEmpty else { return }
    departures.removeAll(where: isDone)
    done.forEach(finish)
  }

  /// In the reverse of the order in which they came.
  private func finish(_ departure: Departure) {
    let name = departure.runtime.router.name
    departure.runtime.heldRules.reversed().forEach { takeAway($0, from: name) }
    departure.runtime.heldRoutes.reversed().forEach { takeAway($0, from: name) }
    departure.runtime.held.reversed().forEach { takeAway($0, from: name) }
    if let link = departure.link { delete(link, of: name) }
    watchHolders()
  }

  private func isLinkUp(_ runtime: RouterRuntime) -> Bool {
    let interfaces = Set(runtime.held.map(\.interface) + [runtime.outgoing].compactMap { $0 })
    return interfaces.allSatisfy { links.links[$0]?.isOperational == true }
  }
}
