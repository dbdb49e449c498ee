// A healthy node to begin with; every test makes it ill in one place.

import Configuration
import VRRP

@testable import Doctor

enum Patient {
  static let virtual = IPAddress("10.0.0.179")!
  static let peer = IPAddress("10.0.0.132")!
  static let now = 1_800_000_000.0
  static let peerMAC = "02:00:00:00:00:02"

  static func check() -> ServerCheck {
    var check = ServerCheck()
    check.interval = .seconds(1)
    check.tls = CheckTLS(verify: false)
    return check
  }

  static func server(_ name: String, _ address: String) -> Server {
    var server = Server(name: name, host: .ip(IPAddress(address)!), port: .fixed(6443))
    server.check = check()
    return server
  }

  /// `option httpchk GET /readyz` with `expect status`.
  static func readyz(_ path: String = "/readyz", _ statuses: [ClosedRange<Int>] = [200...200])
    -> CheckMethod
  {
    var request = HTTPRequest()
    request.method = "GET"
    request.uri = path
    return .http(
      HTTPCheck(steps: [
        .connect(CheckConnect()), .sendHTTP(request), .expectHTTP(HTTPExpect(.status(statuses))),
      ]))
  }

  static func router() -> VirtualRouter {
    var router = VirtualRouter(name: "VI_1", origin: Origin(), interface: "eth0", id: 51)
    router.version = .v3
    router.priority = 150
    router.advertisementInterval = .milliseconds(100)
    router.addresses = [VirtualAddress(virtual, prefixLength: 24)]
    router.peers = [UnicastPeer(peer)]
    return router
  }

  static func subject() -> Subject {
    var frontend = Frontend(name: "api")
    frontend.binds = [Bind(addresses: [.ip(.v4(0), port: 6443)])]
    frontend.defaultBackend = "masters"
    frontend.timeoutClient = .seconds(18_000)
    var backend = Backend(name: "masters")
    backend.servers = [server("a", "10.0.0.11"), server("b", "10.0.0.12")]
    backend.timeoutServer = .seconds(18_000)
    backend.timeoutCheck = .seconds(2)
    backend.check = readyz("/readyz", [200...200, 401...401])
    var failover = FailoverConfiguration()
    failover.routers = [router()]
    return Subject(
      proxy: ProxyConfiguration(frontends: [frontend], backends: [backend]), failover: failover,
      node: "lb-1")
  }

  static func certificate() -> CertificateFacts {
    CertificateFacts(
      names: ["kubernetes", "api.example.test"], addresses: [virtual],
      validFrom: Int64(now) - 86_400, validUntil: Int64(now) + 200 * 86_400)
  }

  static func serverFacts(_ name: String) -> ServerFacts {
    var facts = ServerFacts(
      ServerReference(backend: "masters", server: name), address: "10.0.0.11:6443",
      carriesAPI: true, connection: .established(milliseconds: 1))
    facts.readiness = .status(200, milliseconds: 2)
    facts.certificate = certificate()
    facts.clock = ClockFacts(date: now, sent: now + 0.2, received: now + 0.3)
    facts.check = CheckWords(hasPassed: true, words: "Layer7 check passed")
    return facts
  }

  static func sender(_ source: IPAddress = peer, priority: UInt8 = 200) -> SenderFacts {
    var sender = SenderFacts(
      interface: "eth0", source: source, isMulticast: false, id: 51,
      content: SenderFacts.Content(
        version: 3, priority: priority, interval_us: 100_000, addresses: [virtual]))
    sender.count = 30
    sender.last_us = 3_000_000
    return sender
  }

  static func facts() -> Facts {
    var facts = Facts()
    facts.now = now
    facts.servers = [serverFacts("a"), serverFacts("b")]
    facts.interfaces = [
      InterfaceFacts(
        "eth0",
        addresses: [InterfaceFacts.Held(IPAddress("10.0.0.131")!, prefixLength: 24)])
    ]
    facts.answers = [
      AddressAnswers(interface: "eth0", address: virtual, macs: [peerMAC]),
      AddressAnswers(interface: "eth0", address: peer, macs: [peerMAC]),
    ]
    facts.wire.listened_s = 3
    facts.wire.senders = [sender()]
    facts.machine.process = ProcessFacts(id: 100, name: "fairlead")
    facts.machine.process.capabilities = .max
    facts.machine.process.descriptors = 1_048_576
    facts.machine.settings = [
      "net/ipv4/ip_nonlocal_bind": 0, "net/ipv4/ip_forward": 0, "net/core/somaxconn": 4096,
      "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/eth0/arp_ignore": 0,
      "net/ipv4/conf/eth0/promote_secondaries": 1,
    ]
    facts.machine.sourcePorts = 32_768...60_999
    return facts
  }

  /// What is found beyond `ok`.
  static func complaints(_ subject: Subject, _ facts: Facts) -> Set<FindingKind> {
    Set(Judgement.findings(subject, facts).filter { $0.severity > .ok }.map(\.kind))
  }
}
