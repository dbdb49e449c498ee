// What comes in: adverts, other holders of our addresses, and what tracking found.

import Configuration
import Kernel
import VRRP

extension RouterLoop {
  // MARK: Adverts

  func hear() {
    exchange.receive { packet in
      hear(packet)
    } refused: { interface, family, reason in
      // The packet did not get as far as to name a router: everybody's who listens there.
      for index in routersListening(on: interface, family: family) {
        runtimes[index].count(reason)
      }
    }
  }

  private func routersListening(on interface: UInt32, family: AddressFamily) -> [Int] {
    runtimes.indices.filter {
      runtimes[$0].router.family == family
        && (runtimes[$0].base == interface || runtimes[$0].virtualMAC?.index == interface)
    }
  }

  private func hear(_ packet: HeardPacket) {
    noteSuccessor(packet)
    let family: AddressFamily = packet.source.isV4 ? .v4 : .v6
    let listening = routersListening(on: packet.interface, family: family)
    // The id is read first, so that refusals can be told to the router that they concern.
    let id = packet.message.dropFirst().first
    guard let id, let index = listening.first(where: { runtimes[$0].router.id == id }) else {
      listening.forEach { runtimes[$0].count(id == nil ? .tooShort : .unknownRouter) }
      if let id { reportUnknown(id, from: packet.source) }
      return
    }
    let machine = set.routers[index]
    do throws(DropReason) {
      let advert = try Advertisement(
        decoding: packet.message, source: packet.source, destination: packet.destination,
        sumsPseudoHeader: machine.settings.sumsPseudoHeader)
      if let reason = machine.settings.refusal(
        of: advert, from: packet.source, to: packet.destination, hopLimit: packet.hopLimit,
        ownAddress: runtimes[index].source, priority: machine.priority)
      {
        throw reason
      }
      runtimes[index].received &+= 1
      compareLists(index, advert, from: packet.source)
      let now_us = Clock.monotonic_us()
      runtimes[index].heardAt_us = now_us
      handle(index, .advertisement(advert, from: packet.source), at: now_us)
    } catch {
      refuse(index, error, from: packet.source)
    }
  }

  private func refuse(_ index: Int, _ reason: DropReason, from source: ProtocolAddress) {
    runtimes[index].count(reason)
    if reason == .ownerIgnores { return }
    let clash = RouterRuntime.Clash(source: source, reason: reason)
    guard runtimes[index].clashes.count < Limits.clashes,
      runtimes[index].clashes.insert(clash).inserted
    else { return }
    let router = runtimes[index].router
    log(
      .warning,
      Wording.refusal(router.name, reason, from: IPAddress(source), id: router.id),
      .vipConflict)
  }

  /// A list that differs in part is taken, and said once per sender.
  private func compareLists(_ index: Int, _ advert: Advertisement, from source: ProtocolAddress) {
    let ours = runtimes[index].settings.addresses
    guard Set(advert.addresses) != Set(ours), !runtimes[index].router.skipsRepeatedAddressCheck
    else {
      runtimes[index].otherLists.remove(source)
      return
    }
    guard runtimes[index].otherLists.count < Limits.clashes,
      runtimes[index].otherLists.insert(source).inserted
    else { return }
    let theirs = advert.addresses.prefix(8).map { "\(IPAddress($0))" }.joined(separator: ", ")
    log(
      .warning,
      "(\(runtimes[index].router.name)) \(IPAddress(source)) advertises \(advert.addresses.count)"
        + " addresses (\(theirs)), we have \(ours.count): the lists should be the same on all"
        + " nodes (said once)", .vipConflict)
  }

  private func reportUnknown(_ id: UInt8, from source: ProtocolAddress) {
    guard configuration.global.logsUnknownRouters, unknownRouters.insert(id).inserted else {
      return
    }
    log(.info, "unknown VRID \(id) advertised by \(IPAddress(source))", .vipHeard)
  }

  // MARK: Other holders

  func hearHolders() {
    for heard in duplicates.readHeard() {
      noteAnnouncement(heard)
      for index in runtimes.indices where set.routers[index].state == .master {
        report(heard, of: index)
      }
    }
  }

  private func report(_ heard: HeardOwner, of index: Int) {
    let runtime = runtimes[index]
    guard
      runtime.held.contains(where: {
        $0.address.address == heard.address && $0.interface == heard.interface
      }),
      !links.links.values.contains(where: { $0.mac != nil && $0.mac == heard.mac })
    else { return }
    let holder = RouterRuntime.Holder(address: heard.address, mac: heard.mac)
    guard runtime.holders.count < Limits.reportedHolders,
      runtimes[index].holders.insert(holder).inserted
    else { return }
    log(
      .err,
      "(\(runtime.router.name)) duplicate address: \(heard.address) is also held by"
        + " \(heard.mac.map { "\($0)" } ?? "another host"), heard on"
        + " \(links.links[heard.interface]?.name ?? "the link") (said once)",
      .vipConflict)
  }

  // MARK: Tracking

  func take(_ report: TrackingReport) {
    results[report.subject] = report.result
    if let text = report.text { log(.notice, text, .vipTracking) }
    for index in runtimes.indices { evaluate(index) }
  }
}
