// Every finding with a cause of its own: what is changed in a healthy node, and what is then
// found beside what was fine before.

import Configuration
import VRRP

@testable import Doctor

struct Illness: Sendable, CustomStringConvertible {
  let kind: FindingKind
  /// What else follows from the same cause.
  let alongside: Set<FindingKind>
  let make: @Sendable (inout Subject, inout Facts) -> Void
  var description: String { kind.rawValue }

  init(
    _ kind: FindingKind, with alongside: Set<FindingKind> = [],
    _ make: @escaping @Sendable (inout Subject, inout Facts) -> Void
  ) {
    self.kind = kind
    self.alongside = alongside
    self.make = make
  }

  static let all = configuration + servers + network + wire + machine
}

extension Subject {
  var backend: Backend {
    get { proxy!.backends[0] }
    set { proxy!.backends[0] = newValue }
  }
  var frontend: Frontend {
    get { proxy!.frontends[0] }
    set { proxy!.frontends[0] = newValue }
  }
  var router: VirtualRouter {
    get { failover!.routers[0] }
    set { failover!.routers[0] = newValue }
  }
}

extension Facts {
  mutating func hold(_ address: IPAddress, isOurs: Bool) {
    interfaces[0].addresses.append(
      InterfaceFacts.Held(address, prefixLength: 24, isOurs: isOurs))
  }
  mutating func runDaemon() { machine.isDaemonRunning = true }
  mutating func silence() {
    wire.senders = []
    answers[0].macs = []
  }
}

extension Illness {
  static let configuration: [Illness] = [
    Illness(.nothingConfigured) { subject, facts in
      subject.proxy = nil
      subject.failover = nil
      facts.servers = []
    },
    Illness(.timeoutsGood) { _, _ in },
    Illness(.timeoutShort) { subject, _ in subject.frontend.timeoutClient = .seconds(35) },
    Illness(.timeoutShort) { subject, _ in subject.backend.timeoutTunnel = .seconds(60) },
    Illness(.timeoutMissing) { subject, _ in
      subject.frontend.timeoutClient = nil
      subject.backend.timeoutServer = nil
    },
    Illness(.checkGood) { _, _ in },
    Illness(.checkMissing) { subject, _ in subject.backend.servers[0].check = nil },
    Illness(.checkSuperficial) { subject, _ in subject.backend.check = .connect },
    Illness(.checkSuperficial) { subject, _ in subject.backend.check = .sslHello },
    Illness(.checkSuperficial) { subject, _ in
      subject.backend.check = Patient.readyz("/readyz", [100...599])
    },
    Illness(.checkPath) { subject, _ in subject.backend.check = Patient.readyz("/healthz") },
    Illness(.checkSlow) { subject, _ in
      for index in 0...1 { subject.backend.servers[index].check?.interval = .seconds(10) }
    },
    Illness(.serverSingle) { subject, facts in
      subject.backend.servers.removeLast()
      facts.servers.removeLast()
    },
    Illness(.serverLoop) { subject, _ in
      subject.backend.servers[1].host = .ip(Patient.virtual)
    },
    Illness(.serverLoop) { subject, facts in
      subject.backend.servers[1].host = .ip(facts.interfaces[0].addresses[0].address)
    },
    Illness(.addressUnserved) { subject, facts in
      subject.frontend.binds = [Bind(addresses: [.ip(IPAddress("127.0.0.1")!, port: 6443)])]
    },
    Illness(.priorityEqual) { subject, _ in
      var document = NativeDocument()
      var virtual = NativeVirtualAddress()
      virtual.addresses = subject.router.addresses
      virtual.nodes = [.init("a", priority: 100), .init("b", priority: 100)]
      document.virtualAddresses = [virtual]
      subject.document = document
    },
    Illness(.priorityEqual) { _, facts in facts.wire.senders = [Patient.sender(priority: 150)] },
    Illness(.takeover) { _, _ in },
    Illness(.takeoverSlow) { subject, facts in
      subject.router.version = .v2
      subject.router.advertisementInterval = .seconds(1)
    },
  ]

  static let servers: [Illness] = [
    Illness(.serverReady) { _, _ in },
    Illness(.serverUnresolved) { _, facts in
      facts.servers[0].connection = .unresolved("master-1")
      facts.servers[0].certificate = nil
    },
    Illness(.serverUnreachable) { _, facts in
      facts.servers[0].connection = .failed("Connection refused")
      facts.servers[0].certificate = nil
    },
    Illness(.serverWithoutTLS) { _, facts in
      facts.servers[0].tlsProblem = "the TLS handshake failed"
      facts.servers[0].certificate = nil
    },
    Illness(.serverNotReady) { _, facts in
      facts.servers[0].readiness = .status(500, milliseconds: 1)
    },
    Illness(.serverSilent) { _, facts in facts.servers[0].readiness = .none("no answer") },
    Illness(.serverAnonymous) { _, facts in
      facts.servers[0].readiness = .status(401, milliseconds: 1)
    },
    Illness(.checkFails) { _, facts in
      facts.servers[0].check = CheckWords(hasPassed: false, words: "Layer7 wrong status")
    },
    Illness(.serverNone, with: [.serverUnreachable]) { _, facts in
      for index in 0...1 {
        facts.servers[index].connection = .failed("No route to host")
        facts.servers[index].certificate = nil
      }
    },
    Illness(.certificateGood) { _, _ in },
    Illness(.certificateLacksAddress) { _, facts in
      facts.servers[1].certificate?.addresses = [Patient.peer]
    },
    Illness(.certificateLacksName) { subject, _ in subject.names = ["k8s.example.test"] },
    Illness(.certificateByName) { subject, facts in
      subject.names = ["api.example.test"]
      facts.servers[0].certificate?.addresses = []
    },
    Illness(.certificateByName) { subject, facts in
      facts.servers[0].certificate?.addresses = []
      facts.servers[0].certificate?.resolved["api.example.test"] = [Patient.virtual]
    },
    Illness(.certificateExpired) { _, facts in
      facts.servers[0].certificate?.validUntil = Int64(Patient.now) - 90_000
    },
    Illness(.certificateExpiring) { _, facts in
      facts.servers[0].certificate?.validUntil = Int64(Patient.now) + 29 * 86_400
    },
    Illness(.certificateEarly) { _, facts in
      facts.servers[0].certificate?.validFrom = Int64(Patient.now) + 600
    },
    Illness(.nameGood) { _, facts in
      facts.names = [NameFacts(name: "api.example.test", addresses: [Patient.virtual])]
    },
    Illness(.nameUnresolved) { _, facts in
      facts.names = [NameFacts(name: "api.example.test", addresses: [])]
    },
    Illness(.nameElsewhere) { _, facts in
      facts.names = [NameFacts(name: "api.example.test", addresses: [Patient.peer])]
    },
    Illness(.clockGood) { _, _ in },
    Illness(.clockSkew) { _, facts in facts.servers[0].clock?.date -= 5 },
    Illness(.clockSkew) { _, facts in
      for index in 0...1 { facts.servers[index].clock?.date += 60 }
    },
  ]

  static let network: [Illness] = [
    Illness(.interfaceGood) { _, _ in },
    Illness(.interfaceMissing) { subject, facts in
      facts.interfaces = []
      facts.wire = WireFacts()
      facts.answers = []
    },
    Illness(.interfaceDown) { _, facts in facts.interfaces[0].isUp = false },
    Illness(.interfaceDown) { _, facts in facts.interfaces[0].isRunning = false },
    Illness(.interfaceAddressless) { _, facts in facts.interfaces[0].addresses = [] },
    Illness(.addressOutside) { _, facts in
      facts.interfaces[0].addresses = [.init(IPAddress("10.9.0.131")!, prefixLength: 24)]
    },
    Illness(.addressPrefix) { subject, _ in subject.router.addresses[0].prefixLength = 26 },
    Illness(.addressUnusable) { _, facts in
      // Nodes of a /28 whose broadcast address is 10.0.0.191, and network 10.0.0.176.
      facts.interfaces[0].addresses = [.init(IPAddress("10.0.0.178")!, prefixLength: 30)]
    },
    Illness(.ipv6Disabled) { subject, facts in
      subject.router.family = .v6
      subject.router.addresses = []
      facts.wire = WireFacts()
      facts.answers = []
      facts.machine.settings["net/ipv6/conf/eth0/disable_ipv6"] = 1
    },
    Illness(.addressFree, with: [.networkSilent, .peersSilent]) { _, facts in facts.silence() },
    Illness(.addressHere, with: [.peersSilent]) { _, facts in
      facts.silence()
      facts.hold(Patient.virtual, isOurs: true)
      facts.runDaemon()
    },
    Illness(.addressHeld) { _, _ in },
    Illness(.addressDuplicate) { _, facts in facts.answers[0].macs.append("02:00:00:00:00:09") },
    Illness(.addressDuplicate, with: [.peersSilent]) { _, facts in
      facts.wire.senders = []
      facts.hold(Patient.virtual, isOurs: true)
      facts.runDaemon()
    },
    Illness(.addressStranger) { _, facts in facts.answers[0].macs = ["02:00:00:00:00:09"] },
    Illness(.addressStranger, with: [.networkSilent, .peersSilent]) { _, facts in
      facts.wire.senders = []
    },
    Illness(.addressStatic) { _, facts in
      facts.answers[0].macs = []
      facts.hold(Patient.virtual, isOurs: false)
    },
    Illness(.addressLeftover) { _, facts in
      facts.answers[0].macs = []
      facts.hold(Patient.virtual, isOurs: true)
    },
    Illness(.addressUnanswered) { _, facts in facts.answers[0].macs = [] },
  ]

  static let wire: [Illness] = [
    Illness(.masterHeard) { _, _ in },
    Illness(.masterHere, with: [.peersSilent]) { _, facts in
      facts.silence()
      facts.hold(Patient.virtual, isOurs: true)
      facts.runDaemon()
    },
    Illness(.masterMissing, with: [.peersSilent]) { _, facts in
      facts.silence()
      facts.runDaemon()
    },
    Illness(.networkSilent, with: [.peersSilent]) { _, facts in facts.silence() },
    Illness(.mastersSeveral) { _, facts in
      facts.answers[0].macs = []
      facts.hold(Patient.virtual, isOurs: true)
      facts.runDaemon()
    },
    Illness(.mastersSeveral, with: [.peerUnknown]) { _, facts in
      facts.wire.senders.append(Patient.sender(IPAddress("10.0.0.133")!))
    },
    Illness(.routerIDClash) { _, facts in
      var stranger = Patient.sender(IPAddress("10.0.0.50")!)
      stranger.content?.addresses = [IPAddress("10.0.0.99")!]
      stranger.refusal = .foreignAddresses
      facts.wire.senders.append(stranger)
    },
    Illness(.addressListDiffers) { _, facts in
      facts.wire.senders[0].content?.addresses.append(IPAddress("10.0.0.180")!)
    },
    refusal(.versionDiffers, .versionMismatch), refusal(.passwordDiffers, .badPassword),
    refusal(.intervalDiffers, .intervalMismatch), refusal(.transportDiffers, .wrongTransport),
    refusal(.peerUnknown, .unknownPeer), refusal(.advertRefused, .hopLimit),
    Illness(.peerUnknown, with: [.peersSilent]) { _, facts in
      facts.wire.senders[0].source = IPAddress("10.0.0.140")!
    },
    Illness(.routerIDsInUse) { _, facts in
      var other = Patient.sender(IPAddress("10.0.0.50")!)
      other.id = 7
      facts.wire.senders.append(other)
    },
    Illness(.peersSilent, with: [.networkSilent]) { _, facts in facts.silence() },
    Illness(.peerUnreachable, with: [.networkSilent]) { _, facts in
      facts.silence()
      facts.answers[1].macs = []
    },
  ]

  private static func refusal(_ kind: FindingKind, _ reason: DropReason) -> Illness {
    Illness(kind) { _, facts in facts.wire.senders[0].refusal = reason }
  }

  static let machine: [Illness] = [
    Illness(.capabilitiesGood) { _, _ in },
    Illness(.capabilityMissing) { _, facts in
      facts.machine.process.capabilities &= ~(1 << Capability.netRaw.rawValue)
    },
    Illness(.capabilityMissing) { subject, facts in
      subject.frontend.binds.append(Bind(addresses: [.ip(.v4(0), port: 443)]))
      facts.machine.process.capabilities &= ~(1 << Capability.netBindService.rawValue)
    },
    Illness(.capabilityUseful) { _, facts in
      facts.machine.process.capabilities &= ~(1 << Capability.sysNice.rawValue)
    },
    Illness(.sysctlUnneeded) { _, _ in },
    Illness(.arpReplyOff) { _, facts in
      facts.machine.settings["net/ipv4/conf/eth0/arp_ignore"] = 8
    },
    Illness(.arpReplyOff) { subject, facts in
      subject.router.addresses[0].prefixLength = 32
      facts.machine.settings["net/ipv4/conf/all/arp_ignore"] = 2
    },
    Illness(.arpFlux) { _, facts in
      facts.interfaces.append(
        InterfaceFacts(
          "eth1", addresses: [.init(IPAddress("10.0.0.135")!, prefixLength: 24)]))
    },
    Illness(.reversePathStrict) { subject, facts in
      subject.router.virtualMAC = VirtualMAC()
      facts.machine.settings["net/ipv4/conf/all/rp_filter"] = 1
    },
    Illness(.promoteSecondaries) { _, facts in
      facts.machine.settings["net/ipv4/conf/eth0/promote_secondaries"] = 0
    },
    Illness(.backlogSmall) { _, facts in facts.machine.settings["net/core/somaxconn"] = 128 },
    Illness(.sourcePortsFew) { subject, _ in subject.proxy?.global.maxconn = 100_000 },
    Illness(.descriptorsFew) { _, facts in facts.machine.process.descriptors = 1024 },
    Illness(.descriptorsFew) { subject, facts in
      subject.proxy?.global.maxconn = 10_000
      facts.machine.process.descriptors = 16_384
    },
    Illness(.conntrackFull) { _, facts in
      facts.machine.settings["net/netfilter/nf_conntrack_max"] = 1000
      facts.machine.settings["net/netfilter/nf_conntrack_count"] = 900
    },
    Illness(.unexamined) { _, facts in facts.gaps = [Gap(.wire, "adverts", "not permitted")] },
    Illness(.portFree) { _, _ in },
    Illness(.portOwn) { _, facts in
      facts.runDaemon()
      facts.machine.listeners = [
        ListenerFacts(.v4(0), port: 6443, process: facts.machine.process)
      ]
    },
    Illness(.portTaken) { _, facts in
      facts.machine.listeners = [
        ListenerFacts(
          .v6(high: 0, low: 0), port: 6443, process: ProcessFacts(id: 7, name: "kube-apiserver"))
      ]
    },
    Illness(.haproxyHere) { _, facts in
      facts.machine.rivals = [ProcessFacts(id: 8, name: "haproxy")]
    },
    Illness(.keepalivedHere) { _, facts in
      facts.machine.rivals = [ProcessFacts(id: 8, name: "keepalived")]
    },
    Illness(.daemonHere) { _, facts in facts.runDaemon() },
  ]
}
