// Privileges, kernel settings and limits of this machine.

import Configuration

extension Judgement {
  static func machine(_ subject: Subject, _ facts: Facts) -> [Finding] {
    guard facts.machine.process.id > 0 else { return [] }
    return capabilities(subject, facts.machine) + neighbours(subject, facts)
      + limits(subject, facts.machine)
  }

  // MARK: Capabilities

  private static func capabilities(_ subject: Subject, _ machine: MachineFacts) -> [Finding] {
    let who =
      machine.isDaemonRunning ? "fairlead (process \(machine.process.id))" : "this user"
    var needed: [(Capability, String)] = []
    if !subject.routers.isEmpty {
      needed.append((.netAdmin, "put addresses on interfaces"))
      needed.append((.netRaw, "send adverts and announcements"))
    }
    let lowest = machine.settings["net/ipv4/ip_unprivileged_port_start"] ?? 1024
    let ports = subject.frontends.flatMap(Subject.listening).map(\.port)
    if let port = ports.filter({ Int($0) < lowest }).min() {
      needed.append((.netBindService, "listen on port \(port)"))
    }
    let have = machine.process.capabilities
    var findings = needed.filter { !$0.0.isIn(have) }.map { capability, use in
      Finding(
        .capabilityMissing, who, "lacks \(capability.name) to \(use)",
        remedy: "Run it as root, or with AmbientCapabilities=\(capability.name) in the systemd unit"
          + " (Packaging/fairlead.service).")
    }
    if findings.isEmpty, !needed.isEmpty {
      let names = needed.map(\.0.name).joined(separator: ", ")
      findings.append(Finding(.capabilitiesGood, who, "has \(names)"))
    }
    let useful = [Capability.sysNice, .ipcLock].filter { !$0.isIn(have) }
    if !subject.routers.isEmpty, !useful.isEmpty {
      findings.append(
        Finding(
          .capabilityUseful, who,
          "lacks \(useful.map(\.name).joined(separator: " and ")): elections may be late on a busy"
            + " machine",
          remedy: "Add them to AmbientCapabilities= in the systemd unit."))
    }
    return findings
  }

  // MARK: Neighbours: ARP, reverse paths

  private static func neighbours(_ subject: Subject, _ facts: Facts) -> [Finding] {
    let settings = facts.machine.settings
    var findings: [Finding] = []
    if !subject.routers.isEmpty {
      let read = ["net/ipv4/ip_nonlocal_bind", "net/ipv4/ip_forward"].compactMap { key in
        settings[key].map { "\(key.split(separator: "/").last ?? "") = \($0)" }
      }
      if !read.isEmpty {
        findings.append(
          Finding(
            .sysctlUnneeded, "sysctl", "\(read.joined(separator: ", ")): not needed by Fairlead"))
      }
    }
    var seen: Set<String> = []
    for router in subject.routers
    where router.family == .v4 && seen.insert(router.interface).inserted {
      let virtual = subject.virtualAddresses.filter {
        $0.router.interface == router.interface && $0.address.address.family == .v4
      }
      findings += arp(router, virtual.map(\.address), facts)
    }
    return findings
  }

  private static func setting(_ key: String, _ interface: String, _ facts: Facts) -> Int? {
    let own = facts.machine.settings["net/ipv4/conf/\(interface)/\(key)"]
    let all = facts.machine.settings["net/ipv4/conf/all/\(key)"]
    // The kernel takes the larger of the two (ip-sysctl.rst).
    return [own, all].compactMap { $0 }.max()
  }

  private static func arp(
    _ router: VirtualRouter, _ virtual: [VirtualAddress], _ facts: Facts
  ) -> [Finding] {
    let name = router.interface
    guard facts.interface(name) != nil else { return [] }
    var findings: [Finding] = []
    let ignore = setting("arp_ignore", name, facts)
    let hidden = virtual.filter {
      ignore == 8 || (ignore == 2 && $0.prefixLength == 32) || (ignore == 3 && isLocal($0.scope))
    }
    if let first = hidden.first, router.virtualMAC == nil {
      findings.append(
        Finding(
          .arpReplyOff, name,
          "arp_ignore = \(ignore ?? 0): ARP for \(first.address)/\(first.prefixLength) is not"
            + " answered, so neighbours do not find it",
          remedy: set("arp_ignore", 1, name)))
    }
    let twins = facts.interfaces.filter { other in
      other.name != name && other.isUp
        && other.own(.v4).contains { held in
          virtual.contains { $0.address.shares(held.prefixLength, with: held.address) }
            && held.prefixLength > 0
        }
    }.map(\.name)
    if !twins.isEmpty, (ignore ?? 0) < 1, setting("arp_filter", name, facts) != 1 {
      findings.append(
        Finding(
          .arpFlux, name,
          "\(Words.list(twins)) is in the same network, and answers ARP for \(name)'s addresses"
            + " too",
          remedy: "Set 'sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2'."
        ))
    }
    if setting("rp_filter", name, facts) == 1, !twins.isEmpty || router.virtualMAC != nil {
      findings.append(
        Finding(
          .reversePathStrict, name,
          "rp_filter = 1 drops packets that come in on another interface than answers leave by",
          remedy: set("rp_filter", 2, name)))
    }
    let shared = virtual.contains { address in
      facts.interface(name)?.own(.v4).contains {
        $0.prefixLength == address.prefixLength
          && $0.address.shares($0.prefixLength, with: address.address)
      } ?? false
    }
    if shared, setting("promote_secondaries", name, facts) == 0, !router.promotesSecondaries {
      findings.append(
        Finding(
          .promoteSecondaries, name,
          "promote_secondaries = 0: when the interface's own address goes (DHCP), the virtual one"
            + " goes with it until Fairlead puts it back",
          remedy: set("promote_secondaries", 1, name)))
    }
    return findings
  }

  private static func isLocal(_ scope: AddressScope) -> Bool { scope.number >= 254 }

  private static func set(_ key: String, _ value: Int, _ interface: String) -> String {
    "Set 'sysctl -w net/ipv4/conf/\(interface)/\(key)=\(value)', and the same for 'all' if that is"
      + " larger; keep it in /etc/sysctl.d."
  }

  // MARK: Limits

  private static func limits(_ subject: Subject, _ machine: MachineFacts) -> [Finding] {
    guard !subject.frontends.isEmpty else { return [] }
    var findings: [Finding] = []
    if let backlog = machine.settings["net/core/somaxconn"], backlog < 4096 {
      findings.append(
        Finding(
          .backlogSmall, "net.core.somaxconn",
          "is \(backlog): bursts of new connections beyond it are dropped",
          remedy: "Set 'sysctl -w net.core.somaxconn=4096'."))
    }
    let wanted = subject.proxy?.global.maxconn
    let descriptors = machine.process.descriptors
    if let wanted, descriptors < 2 * wanted + 128 {
      findings.append(
        Finding(
          .descriptorsFew, "descriptors",
          "\(descriptors) may be open, and maxconn \(wanted) takes \(2 * wanted + 128)",
          remedy: "Set LimitNOFILE=1048576 in the systemd unit, or a smaller maxconn."))
    } else if wanted == nil, descriptors < 4096 {
      findings.append(
        Finding(
          .descriptorsFew, "descriptors",
          "\(descriptors) may be open: room for about \(max(0, (descriptors - 128) / 2)) sessions",
          remedy: "Set LimitNOFILE=1048576 in the systemd unit (or 'ulimit -Hn')."))
    }
    return findings + sourcePorts(subject, machine) + conntrack(wanted, machine)
  }

  private static func sourcePorts(_ subject: Subject, _ machine: MachineFacts) -> [Finding] {
    guard let range = machine.sourcePorts, let wanted = subject.proxy?.global.maxconn else {
      return []
    }
    return subject.backends.compactMap { backend in
      let servers = backend.servers.filter { !$0.isDisabled && !$0.isBackup }.count
      // A port may be used once towards each server, by everybody on this machine.
      guard servers > 0, wanted > range.count * servers else { return nil }
      return Finding(
        .sourcePortsFew, backend.name,
        "maxconn \(wanted) needs more than the \(range.count) source ports towards each of"
          + " \(Words.count(servers, "server", "servers"))",
        remedy: "Set 'sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"', or a smaller maxconn."
      )
    }
  }

  private static func conntrack(_ wanted: Int?, _ machine: MachineFacts) -> [Finding] {
    guard let most = machine.settings["net/netfilter/nf_conntrack_max"], most > 0 else { return [] }
    let used = machine.settings["net/netfilter/nf_conntrack_count"] ?? 0
    let needed = 2 * (wanted ?? 0)
    guard used * 5 > most * 4 || needed > most else { return [] }
    return [
      Finding(
        .conntrackFull, "nf_conntrack",
        "\(used) of \(most) entries are used"
          + (needed > most ? ", and maxconn \(wanted ?? 0) takes \(needed)" : "")
          + ": beyond that packets are dropped",
        remedy: "Set 'sysctl -w net.netfilter.nf_conntrack_max=\(max(262_144, 2 * needed))', or"
          + " leave this traffic untracked.")
    ]
  }
}
