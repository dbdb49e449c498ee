// Interfaces that carry virtual addresses, and whether the addresses fit them.

import Configuration

extension Judgement {
  static func interfaces(_ subject: Subject, _ facts: Facts) -> [Finding] {
    var findings: [Finding] = []
    for (name, routers) in routersByInterface(subject) {
      guard let interface = facts.interface(name) else {
        findings.append(
          Finding(
            .interfaceMissing, name,
            "there is no such interface (there are \(Words.list(facts.interfaces.map(\.name))))",
            remedy: "Correct 'interface' in the configuration, or bring the interface up first."))
        continue
      }
      let own = condition(of: interface, routers, facts)
      let placed = subject.virtualAddresses.filter { router, address in
        (address.interface ?? router.interface) == name
      }
      let fits = placed.flatMap { fit($0.router, $0.address, interface) }
      if own.isEmpty, fits.isEmpty {
        let held = interface.addresses.filter { !$0.isOurs && !$0.address.isLinkLocal }
        findings.append(
          Finding(
            .interfaceGood, name,
            "is up, with \(Words.list(held.map { "\($0.address)/\($0.prefixLength)" }))"))
      }
      findings += own + fits
    }
    return findings
  }

  /// Each interface once, in file order.
  private static func routersByInterface(_ subject: Subject) -> [(String, [VirtualRouter])] {
    var names: [String] = []
    for name in subject.routers.map(\.interface)
      + subject.virtualAddresses.compactMap(\.address.interface)
    where !names.contains(name) {
      names.append(name)
    }
    return names.map { name in (name, subject.routers.filter { $0.interface == name }) }
  }

  private static func condition(
    of interface: InterfaceFacts, _ routers: [VirtualRouter], _ facts: Facts
  ) -> [Finding] {
    guard interface.isUp, interface.isRunning else {
      return [
        Finding(
          .interfaceDown, interface.name,
          interface.isUp ? "has no carrier" : "is down",
          remedy: interface.isUp
            ? "Check the cable, the switch port or the virtual machine's network."
            : "Bring it up: 'ip link set \(interface.name) up'.")
      ]
    }
    let families = Set(routers.map(\.family))
    var findings: [Finding] = []
    let disabled = "net/ipv6/conf/\(interface.name)/disable_ipv6"
    if families.contains(.v6), facts.machine.settings[disabled] == 1 {
      findings.append(
        Finding(
          .ipv6Disabled, interface.name, "IPv6 is disabled, but a virtual address is IPv6",
          remedy: "Enable it: 'sysctl -w net/ipv6/conf/\(interface.name)/disable_ipv6=0'."))
    } else if families.contains(.v6),
      !interface.own(.v6).contains(where: { $0.address.isLinkLocal })
    {
      findings.append(addressless(interface, "link-local IPv6 address", "fe80::1/64"))
    }
    let needsIPv4 = routers.contains { $0.family == .v4 && $0.source == nil }
    if needsIPv4, interface.own(.v4).isEmpty {
      findings.append(addressless(interface, "IPv4 address of its own", "10.0.0.11/24"))
    }
    return findings
  }

  private static func addressless(
    _ interface: InterfaceFacts, _ what: String, _ example: String
  ) -> Finding {
    Finding(
      .interfaceAddressless, interface.name, "has no \(what), from which adverts are sent",
      remedy: "Give it one, for example 'ip address add \(example) dev \(interface.name)'.")
  }

  private static func fit(
    _ router: VirtualRouter, _ virtual: VirtualAddress, _ interface: InterfaceFacts
  ) -> [Finding] {
    let address = virtual.address
    let subject = "\(address)/\(virtual.prefixLength)"
    if address.isLinkLocal { return [] }
    let networks = interface.own(address.family).filter {
      $0.address != address && !$0.address.isLinkLocal
        && $0.address.shares($0.prefixLength, with: address)
    }
    guard let network = networks.max(by: { $0.prefixLength < $1.prefixLength }) else {
      // Without any address of its own there is nothing to compare with, and that is said.
      guard interface.own(address.family).contains(where: { !$0.address.isLinkLocal }) else {
        return []
      }
      return [
        Finding(
          .addressOutside, subject,
          "is in none of the networks of \(interface.name): neighbours need a route to it",
          remedy: "Take an address of the interface's network, or another interface.")
      ]
    }
    if let what = reserved(address, network) {
      return [
        Finding(
          .addressUnusable, subject, "is the \(what) address of \(interface.name)'s network",
          remedy: "Take another, free address of that network.")
      ]
    }
    if virtual.prefixLength != network.prefixLength, virtual.prefixLength != address.hostLength {
      return [
        Finding(
          .addressPrefix, subject,
          "has another prefix length than \(interface.name)'s network (/\(network.prefixLength))",
          remedy: "Write /\(network.prefixLength) or /\(address.hostLength).")
      ]
    }
    return []
  }

  private static func reserved(_ address: IPAddress, _ network: InterfaceFacts.Held) -> String? {
    guard case .v4(let number) = address, network.prefixLength < 31 else { return nil }
    let host = UInt32.max >> UInt32(network.prefixLength)
    if number & host == 0 { return "network" }
    return number & host == host ? "broadcast" : nil
  }
}
