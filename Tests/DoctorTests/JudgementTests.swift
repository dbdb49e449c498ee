// Each cause leads to its finding and to no other, and a healthy node to none.

import Configuration
import Testing

@testable import Doctor

@Suite struct JudgementTests {
  @Test func nothingIsFoundOnAHealthyNode() {
    #expect(Patient.complaints(Patient.subject(), Patient.facts()) == [])
  }

  @Test(arguments: Illness.all) func aCauseLeadsToItsFinding(_ illness: Illness) {
    var subject = Patient.subject()
    var facts = Patient.facts()
    illness.make(&subject, &facts)
    let findings = Judgement.findings(subject, facts)
    #expect(findings.contains { $0.kind == illness.kind })
    let expected = illness.alongside.union(illness.kind.severity > .ok ? [illness.kind] : [])
    #expect(Patient.complaints(subject, facts) == expected)
  }

  @Test func everyFindingHasACause() {
    #expect(Set(Illness.all.map(\.kind)) == Set(FindingKind.allCases))
  }

  @Test(arguments: Illness.all) func whatIsToBeMendedHasARemedy(_ illness: Illness) {
    var subject = Patient.subject()
    var facts = Patient.facts()
    illness.make(&subject, &facts)
    for finding in Judgement.findings(subject, facts) {
      #expect((finding.remedy == nil) == (finding.severity == .ok), "\(finding)")
      #expect(finding.remedy?.hasSuffix(".") ?? true, "\(finding)")
    }
  }

  @Test func aNativeFileNeedNotBeSlow() throws {
    var subject = Patient.subject()
    subject.router.version = .v2
    subject.router.advertisementInterval = .seconds(1)
    subject.router.password = Array("42Secure".utf8)
    func finding() throws -> Finding {
      let all = Judgement.findings(subject, Patient.facts())
      return try #require(all.first { $0.kind == .takeoverSlow })
    }
    #expect(try finding().severity == .note)
    subject.document = NativeDocument()
    #expect(try finding().severity == .warning)
    #expect(try finding().remedy?.hasPrefix("Remove 'password' on all nodes") == true)
  }

  @Test func theWorstComesFirstWithinItsArea() {
    var subject = Patient.subject()
    var facts = Patient.facts()
    subject.frontend.timeoutClient = .seconds(35)
    subject.backend.servers[1].host = .ip(Patient.virtual)
    facts.servers[0].connection = .failed("refused")
    let findings = Judgement.findings(subject, facts)
    for area in Area.allCases {
      let severities = findings.filter { $0.area == area }.map(\.severity)
      #expect(severities == severities.sorted(by: >))
    }
    #expect(findings.map(\.area.title) == findings.inOrder().map(\.area.title))
    #expect(findings.worst == .problem)
  }

  // MARK: Borders

  @Test(arguments: [(599.0, true), (600, false)])
  func tenMinutesOfSilenceAreEnough(seconds: Double, isShort: Bool) {
    var subject = Patient.subject()
    subject.backend.timeoutServer = .seconds(seconds)
    #expect(Patient.complaints(subject, Patient.facts()).contains(.timeoutShort) == isShort)
  }

  @Test func otherBackendsAreNotMeasuredByTheAPI() {
    var subject = Patient.subject()
    subject.frontend.binds = [Bind(addresses: [.ip(.v4(0), port: 80)])]
    subject.frontend.timeoutClient = .seconds(30)
    subject.backend.check = .connect
    for index in 0...1 {
      subject.backend.servers[index].port = .fixed(30080)
      subject.backend.servers[index].check?.tls = nil
    }
    #expect(Patient.complaints(subject, Patient.facts()) == [])
  }

  @Test func aHungServerIsFoundAfterIntervalTimeoutsAndPauses() {
    var check = ServerCheck()
    // The defaults of HAProxy: 2 s, and a whole check may take as long.
    #expect(Judgement.detection_s(check, timeout: nil) == 8)
    check.interval = .seconds(1)
    #expect(Judgement.detection_s(check, timeout: .seconds(2)) == 7)
    check.fastInterval = .milliseconds(500)
    #expect(Judgement.detection_s(check, timeout: .milliseconds(100)) == 2.1)
    // The defaults of the native file.
    check.fastInterval = nil
    check.hedgeAfter = .milliseconds(400)
    #expect(abs(Judgement.detection_s(check, timeout: nil) - 2.8) < 1e-9)
  }

  @Test(arguments: [
    // Date, sent, received; how far ahead the server is at least.
    (100.0, 100.2, 100.3, 0.0), (100, 99.9, 100.1, 0), (100, 101.5, 101.6, -0.5),
    (103, 100, 100.5, 2.5),
  ])
  func theDateHeaderCountsWholeSeconds(
    date: Double, sent: Double, received: Double, offset: Double
  ) {
    let facts = ClockFacts(date: date, sent: sent, received: received)
    #expect(abs(facts.offset_s - offset) < 1e-9)
  }

  @Test func oneWrongClockAmongAgreeingServersIsOurs() throws {
    var facts = Patient.facts()
    for index in 0...1 { facts.servers[index].clock?.date -= 60 }
    let found = Judgement.clock(facts)
    #expect(found.count == 1)
    #expect(found[0].subject == "this node")
    #expect(found[0].text.contains("ahead of all 2 servers"))
  }

  @Test func aHandoverIsNotTwoMasters() {
    var facts = Patient.facts()
    var second = Patient.sender(IPAddress("10.0.0.133")!)
    facts.wire.senders[0].last_us = 1_000_000
    second.first_us = 1_300_000
    facts.wire.senders.append(second)
    #expect(!Patient.complaints(Patient.subject(), facts).contains(.mastersSeveral))
  }

  @Test func aVirtualMACIsTheMasters() {
    var facts = Patient.facts()
    facts.answers[0].macs = ["00:00:5e:00:01:33"]
    #expect(Patient.complaints(Patient.subject(), facts) == [])
  }

  @Test func ownAdvertsAreNoStrangers() {
    var facts = Patient.facts()
    var own = Patient.sender(IPAddress("10.0.0.131")!)
    own.refusal = .ownPacket
    facts.wire.senders.append(own)
    #expect(Patient.complaints(Patient.subject(), facts) == [])
  }

  @Test func aLocalAPIServerIsToldHowToMakeRoom() throws {
    var facts = Patient.facts()
    facts.machine.listeners = [
      ListenerFacts(
        .v6(high: 0, low: 0), port: 6443, process: ProcessFacts(id: 7, name: "kube-apiserver"))
    ]
    let found = Judgement.ports(Patient.subject(), facts)
    let taken = try #require(found.first { $0.kind == .portTaken })
    #expect(taken.text.contains("kube-apiserver (process 7) listens on [::]:6443"))
    #expect(taken.remedy?.contains("'bind 10.0.0.179:6443'") == true)
    #expect(taken.remedy?.contains("--bind-address") == true)
    // Only IPv6 on our side: a socket for IPv4 alone is not in the way.
    var subject = Patient.subject()
    var bind = Bind(addresses: [.ip(.v6(high: 0, low: 0), port: 6443)])
    bind.familyMode = .v6only
    subject.frontend.binds = [bind]
    facts.machine.listeners = [ListenerFacts(.v4(0), port: 6443)]
    #expect(!Judgement.ports(subject, facts).contains { $0.kind == .portTaken })
  }

  @Test func wildcardsInCertificatesCoverOneLabel() {
    var certificate = Patient.certificate()
    certificate.names = ["*.example.test"]
    #expect(certificate.isFor("API.example.test"))
    #expect(!certificate.isFor("a.b.example.test"))
    #expect(certificate.isFor("10.0.0.179"))
    #expect(!certificate.isFor("10.0.0.180"))
  }
}
