// Who holds each virtual address now, and whether it is who should.

import Configuration

extension Judgement {
  static func addresses(_ subject: Subject, _ facts: Facts) -> [Finding] {
    var seen: Set<String> = []
    return subject.virtualAddresses.flatMap { router, virtual -> [Finding] in
      let interface = virtual.interface ?? router.interface
      guard seen.insert("\(interface) \(virtual.address)").inserted else { return [] }
      let holder = facts.interfaces.first { each in
        each.addresses.contains { $0.address == virtual.address }
      }
      let answers = facts.answers.first {
        $0.address == virtual.address && $0.interface == interface
      }
      if let holder {
        return heldHere(virtual.address, on: holder, answers?.macs ?? [], facts)
      }
      guard let answers else { return [] }
      return [heldElsewhere(virtual.address, router, answers.macs, facts)]
    }
  }

  private static func heldHere(
    _ address: IPAddress, on interface: InterfaceFacts, _ macs: [String], _ facts: Facts
  ) -> [Finding] {
    let subject = "\(address)"
    let isOurs = interface.addresses.contains { $0.address == address && $0.isOurs }
    let isKeepaliveds = facts.machine.rivals.contains { $0.name == "keepalived" }
    var findings: [Finding] = []
    if !macs.isEmpty {
      findings.append(
        Finding(
          .addressDuplicate, subject,
          "is held by this node and answered for by \(Words.list(macs)) too",
          remedy: duplicateRemedy(address, interface.name)))
    }
    if !isOurs, !isKeepaliveds {
      let held = interface.addresses.first { $0.address == address }
      findings.append(
        Finding(
          .addressStatic, subject,
          "stands on \(interface.name) without Fairlead: it stays when the node fails over",
          remedy: "Take it out of the network configuration of this node, and off the interface:"
            + " 'ip address del \(address)/\(held?.prefixLength ?? address.hostLength) dev"
            + " \(interface.name)'."))
    } else if isOurs, !facts.machine.isDaemonRunning {
      findings.append(
        Finding(
          .addressLeftover, subject,
          "was left on \(interface.name) by a Fairlead that was killed",
          remedy: "Run 'fairlead cleanup', or start the daemon, which removes it."))
    }
    if findings.isEmpty {
      let who = isOurs ? "" : " (by keepalived)"
      findings.append(
        Finding(.addressHere, subject, "is held by this node on \(interface.name)\(who)"))
    }
    return findings
  }

  private static func heldElsewhere(
    _ address: IPAddress, _ router: VirtualRouter, _ macs: [String], _ facts: Facts
  ) -> Finding {
    let subject = "\(address)"
    let hearing = Hearing(router, facts.wire)
    let masters = hearing.masters + hearing.refused
    guard let mac = macs.first else {
      if let master = masters.first, facts.wire.listened_s > 0 {
        return Finding(
          .addressUnanswered, subject,
          "\(master.source) says that it is master, but nobody answers for the address",
          remedy: "Look at that node: 'ip address' should show it, and arp_ignore must let it"
            + " answer.")
      }
      return Finding(.addressFree, subject, "nobody holds it now")
    }
    if macs.count > 1 {
      return Finding(
        .addressDuplicate, subject, "is answered for by several: \(Words.list(macs))",
        remedy: duplicateRemedy(address, router.interface))
    }
    let family = router.family == .v4 ? "01" : "02"
    let number = String(router.id, radix: 16)
    let virtual = "00:00:5e:00:\(family):" + (number.count == 1 ? "0" : "") + number
    let expected = masters.flatMap { master in
      facts.answers.filter { $0.address == master.source }.flatMap(\.macs)
    }
    if masters.isEmpty, facts.wire.listened_s > 0 {
      return Finding(
        .addressStranger, subject, "is held by \(mac), though no master was heard",
        remedy: "Find that host ('ip neighbour', the switch's table) and take the address from it,"
          + " or choose another virtual address.")
    }
    if !expected.isEmpty, !expected.contains(mac), mac != virtual {
      return Finding(
        .addressStranger, subject,
        "is held by \(mac), but the master \(masters[0].source) is at \(Words.list(expected))",
        remedy: "Find that host ('ip neighbour', the switch's table) and take the address from it.")
    }
    let who = masters.first.map { "\($0.source), " } ?? ""
    return Finding(.addressHeld, subject, "is held by \(who)\(mac)")
  }

  private static func duplicateRemedy(_ address: IPAddress, _ interface: String) -> String {
    "Find who has it besides the master ('ip neighbour show \(address) dev \(interface)', the"
      + " switch's table) and take it away there; two masters mean that they do not hear each"
      + " other."
  }
}
