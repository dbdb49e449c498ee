// What the adverts on the wire say: who is master, who is a stranger, which ids are taken.

import Configuration
import VRRP

extension Judgement {
  /// A router's own view of what was heard on its interface.
  struct Hearing {
    /// Adverts that the router would take.
    var masters: [SenderFacts] = []
    /// The same id for other addresses.
    var foreign: [SenderFacts] = []
    /// The same addresses, but refused.
    var refused: [SenderFacts] = []

    init(_ router: VirtualRouter, _ wire: WireFacts) {
      let own = Set(router.addresses.map(\.address))
      for sender in wire.senders
      where sender.interface == router.interface && sender.id == router.id
        && sender.source.family == router.family && sender.refusal != .ownPacket
      {
        let theirs = Set(sender.content?.addresses ?? [])
        if !theirs.isEmpty, !own.isEmpty, theirs.isDisjoint(with: own) {
          foreign.append(sender)
        } else if sender.refusal == nil || sender.refusal == .ownerIgnores {
          if sender.content?.priority != Wire.resigningPriority { masters.append(sender) }
        } else {
          refused.append(sender)
        }
      }
    }

    /// Who still advertised when listening ended.
    var lastMaster: SenderFacts? { masters.max { $0.last_us < $1.last_us } }
  }

  static func wire(_ subject: Subject, _ facts: Facts) -> [Finding] {
    guard facts.wire.listened_s > 0 else { return [] }
    var findings: [Finding] = []
    for router in subject.routers {
      let hearing = Hearing(router, facts.wire)
      let isHere = isHeldByDaemon(router, facts)
      findings += masters(router, hearing, isHere: isHere, facts)
      findings += clashes(router, hearing)
      findings += hearing.refused.map { refused(router, $0) }
      findings += differences(router, hearing)
      findings += peers(router, hearing, facts)
    }
    return findings + otherIDs(subject, facts)
  }

  /// The running daemon of this node is this router's master.
  static func isHeldByDaemon(_ router: VirtualRouter, _ facts: Facts) -> Bool {
    facts.machine.isDaemonRunning
      && router.addresses.contains { virtual in
        facts.interfaces.contains { interface in
          interface.addresses.contains { $0.address == virtual.address && $0.isOurs }
        }
      }
  }

  // MARK: Masters

  private static func masters(
    _ router: VirtualRouter, _ hearing: Hearing, isHere: Bool, _ facts: Facts
  ) -> [Finding] {
    let rivals = lasting(hearing.masters)
    let names = rivals.map { "\($0.source)" } + (isHere ? ["this node"] : [])
    if names.count > 1 {
      return [
        Finding(
          .mastersSeveral, router.name,
          "has \(names.count) masters at once: \(Words.list(names))",
          remedy:
            "Let every node hear the others: allow IP protocol 112 in all firewalls, and check"
            + " that 'unicast_peer' lists or multicast reach all nodes.")
      ]
    }
    if let master = hearing.lastMaster, let content = master.content {
      return [
        Finding(
          .masterHeard, router.name,
          "\(master.source) is master: priority \(content.priority), every"
            + " \(Words.span(Double(content.interval_us) / 1e6))")
      ]
    }
    if isHere {
      return [Finding(.masterHere, router.name, "this node is master, and nobody else says so")]
    }
    let silence = "no master was heard within \(Words.span(facts.wire.listened_s))"
    if facts.machine.isDaemonRunning {
      return [
        Finding(
          .masterMissing, router.name, silence + ", and the daemon here is none either",
          remedy: "Look at 'fairlead status' for the reason (fault, or a start just now).")
      ]
    }
    // Those that were heard and refused are told one by one.
    if !hearing.refused.isEmpty { return [] }
    return [
      Finding(
        .networkSilent, router.name, silence + ": none runs, or its adverts do not get here",
        remedy: "If a node should be master now, allow IP protocol 112 in the firewalls between.")
    ]
  }

  /// Senders whose time overlaps: during a handover two are heard one after the other.
  private static func lasting(_ masters: [SenderFacts]) -> [SenderFacts] {
    let lasting = masters.filter { $0.count > 2 }
    guard lasting.count > 1 else { return lasting }
    return lasting.filter { one in
      lasting.contains { other in
        let overlap = min(one.last_us, other.last_us) - max(one.first_us, other.first_us)
        return one.source != other.source && overlap > (one.content?.interval_us ?? 0)
      }
    }
  }

  // MARK: Strangers

  private static func clashes(_ router: VirtualRouter, _ hearing: Hearing) -> [Finding] {
    hearing.foreign.map { sender in
      Finding(
        .routerIDClash, router.name,
        "\(sender.source) uses VRID \(router.id) too, for"
          + " \(Words.list(sender.content?.addresses ?? [])): another cluster in this network",
        remedy: "Give one of the two another 'virtual_router_id' (routerID in a fairlead.yaml), on"
          + " all its nodes.")
    }
  }

  private static func refused(_ router: VirtualRouter, _ sender: SenderFacts) -> Finding {
    let source = "\(sender.source)"
    switch sender.refusal {
    case .versionMismatch:
      return Finding(
        .versionDiffers, router.name,
        "\(source) speaks version \(sender.content?.version ?? 0), this node"
          + " \(router.version.rawValue): each takes itself for the only master",
        remedy: "Write the same 'version' on all nodes.")
    case .authenticationType, .badPassword:
      return Finding(
        .passwordDiffers, router.name,
        "\(source) has another password or none: each takes itself for the only master",
        remedy: "Write the same 'authentication' block on all nodes (password in a fairlead.yaml).")
    case .intervalMismatch:
      return Finding(
        .intervalDiffers, router.name,
        "\(source) advertises every \(Words.span(Double(sender.content?.interval_us ?? 0) / 1e6)),"
          + " this node every \(Words.span(router.advertisementInterval)): version 2 refuses that",
        remedy: "Write the same 'advert_int' on all nodes.")
    case .wrongTransport:
      return Finding(
        .transportDiffers, router.name,
        "\(source) sends \(sender.isMulticast ? "multicast" : "unicast"), this node expects"
          + " \(sender.isMulticast ? "unicast" : "multicast")",
        remedy: "Use 'unicast_peer' on all nodes or on none.")
    case .unknownPeer: return unknownPeer(router, sender)
    case let reason?:
      return Finding(
        .advertRefused, router.name, "adverts of \(source) are refused: \(reason.rawValue)",
        remedy: "Look the reason up under \"Dropped packets\" in Documentation/failover.md.")
    case nil: return Finding(.masterHeard, router.name, "\(source) is master")
    }
  }

  private static func unknownPeer(_ router: VirtualRouter, _ sender: SenderFacts) -> Finding {
    Finding(
      .peerUnknown, router.name, "\(sender.source) advertises but is no configured peer",
      remedy: "Add it to 'unicast_peer' on all nodes (nodes in a fairlead.yaml), or stop it.")
  }

  private static func differences(_ router: VirtualRouter, _ hearing: Hearing) -> [Finding] {
    var findings: [Finding] = []
    let own = router.addresses.map(\.address)
    for sender in hearing.masters {
      guard let content = sender.content else { continue }
      if !content.addresses.isEmpty, Set(content.addresses) != Set(own) {
        findings.append(
          Finding(
            .addressListDiffers, router.name,
            "\(sender.source) advertises \(Words.list(content.addresses)), this node has"
              + " \(Words.list(own))",
            remedy: "Write the same addresses on all nodes; those without a place in an advert"
              + " belong into 'virtual_ipaddress_excluded'."))
      }
      if content.priority == router.priority, router.priority < Wire.ownerPriority {
        findings.append(
          Finding(
            .priorityEqual, router.name,
            "\(sender.source) has priority \(content.priority), as this node: the higher address"
              + " wins, after a fight",
            remedy: "Give each node a priority of its own, at least 2 apart.", area: .wire))
      }
      if !router.peers.isEmpty, !router.checksUnicastSource,
        !router.peers.contains(where: { $0.address == sender.source })
      {
        findings.append(unknownPeer(router, sender))
      }
    }
    return findings
  }

  // MARK: Peers

  private static func peers(
    _ router: VirtualRouter, _ hearing: Hearing, _ facts: Facts
  ) -> [Finding] {
    let heard = Set((hearing.masters + hearing.refused).map(\.source))
    var silent: [IPAddress] = []
    var findings: [Finding] = []
    for peer in router.peers.map(\.address) where !heard.contains(peer) {
      let answer = facts.answers.first {
        $0.address == peer && $0.interface == router.interface
      }
      if let answer, answer.macs.isEmpty {
        findings.append(
          Finding(
            .peerUnreachable, router.name, "peer \(peer) does not answer in the network",
            remedy: "Start that node, or correct its address in 'unicast_peer'."))
      } else {
        silent.append(peer)
      }
    }
    if !silent.isEmpty {
      findings.append(
        Finding(
          .peersSilent, router.name,
          "not heard: \(Words.list(silent)); that is right for backups, which say nothing in VRRP",
          remedy: "Ask there: 'fairlead status', or 'fairlead verify'."))
    }
    return findings
  }

  private static func otherIDs(_ subject: Subject, _ facts: Facts) -> [Finding] {
    var names: [String] = []
    for router in subject.routers where !names.contains(router.interface) {
      names.append(router.interface)
    }
    return names.compactMap { name in
      let own = subject.routers.filter { $0.interface == name }
      let others = facts.wire.senders.filter { sender in
        sender.interface == name
          && !own.contains { $0.id == sender.id && $0.family == sender.source.family }
      }
      guard !others.isEmpty else { return nil }
      let words = others.sorted { $0.id < $1.id }.map { sender in
        "\(sender.id) (\(sender.source)"
          + (sender.content.map { " for \(Words.list($0.addresses))" } ?? "") + ")"
      }
      return Finding(
        .routerIDsInUse, name, "VRIDs in use by others: \(Words.list(words))",
        remedy: "Take other ids for new virtual routers in this network.")
    }
  }
}
