// What probes read: dates, tables of the kernel, addresses of certificates, networks.

import Configuration
import Testing

@testable import Doctor

@Suite struct ReadingTests {
  @Test(
    arguments: [
      ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
      ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
      ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
    ] as [(String, Int64)])
  func datesAreSecondsSince1970(text: String, seconds: Int64) {
    #expect(HTTPDate.seconds(text) == seconds)
  }

  @Test(arguments: [
    "", "GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
    "Sun, 06 Nov 1994 08::37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
  ])
  func otherDatesAreNone(text: String) {
    #expect(HTTPDate.seconds(text) == nil)
  }

  @Test func listenersAreReadFromTheKernelsTable() {
    let lines: [Substring] = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
      "   0: 0100007F:1F90 00000000:0000 0A 0:0 00:00000000 00000000     0        0 4711 1 0",
      "   1: 0100007F:1F91 0100007F:1F90 01 0:0 00:00000000 00000000     0        0 4712 1 0",
      "   2: 00000000000000000000000000000000:192B 0:0000 0A 0:0 0:0 0 0 0 4713 1",
      "   3: 0000000000000000FFFF0000B300000A:192B 0:0000 0A 0:0 0:0 0 0 0 4714 1",
      "   4: 0100007F:XXXX 00000000:0000 0A 0:0 0:0 0 0 0 4715 1", "   5: 01:0001 0 0A", "",
    ]
    #expect(
      ListenerTable.rows(of: lines) == [
        .init(address: IPAddress("127.0.0.1")!, port: 8080, inode: "4711"),
        .init(address: .v6(high: 0, low: 0), port: 6443, inode: "4713"),
        .init(address: IPAddress("10.0.0.179")!, port: 6443, inode: "4714"),
      ])
  }

  @Test func ourOwnListenersAndProcessAreSeen() {
    let facts = MachineProbe.examine(Patient.subject())
    #expect(facts.process.id > 0)
    #expect(facts.process.descriptors > 0)
    #expect(facts.settings["net/ipv4/ip_forward"] != nil)
    #expect(facts.sourcePorts != nil)
  }

  @Test func networksAreComparedByTheirPrefix() {
    let a = IPAddress("10.0.0.179")!
    #expect(a.shares(26, with: IPAddress("10.0.0.131")!))
    #expect(!a.shares(26, with: IPAddress("10.0.0.1")!))
    #expect(a.shares(0, with: IPAddress("192.0.2.1")!))
    #expect(!a.shares(32, with: IPAddress("10.0.0.178")!))
    let six = IPAddress("fd00:10::1")!
    #expect(six.shares(64, with: IPAddress("fd00:10::2")!))
    #expect(!six.shares(128, with: IPAddress("fd00:10::2")!))
    #expect(six.shares(127, with: IPAddress("fd00:10::")!))
    #expect(!six.shares(0, with: a))
  }

  @Test func wildcardListenersOverlapEverythingOfTheirFamily() {
    let any4 = IPAddress.v4(0)
    let any6 = IPAddress.v6(high: 0, low: 0)
    let one = IPAddress("10.0.0.179")!
    #expect(any4.overlaps(one) && one.overlaps(any4) && any6.overlaps(one) && one.overlaps(any6))
    #expect(any4.overlaps(any6) && any6.overlaps(any4))
    #expect(!one.overlaps(IPAddress("10.0.0.180")!))
    #expect(!any4.overlaps(IPAddress("fd00::1")!))
  }

  @Test(arguments: [
    (0.361, "0.36 s"), (7.0, "7 s"), (35.0, "35 s"), (600, "10 min"), (18_000, "5 h"),
    (90, "90 s"), (0.1, "0.1 s"), (12.34, "12.3 s"), (1234.4, "1234 s"),
  ])
  func timesAreReadable(seconds: Double, text: String) {
    #expect(Words.span(seconds) == text)
  }

  @Test func whatTheNetworkSaysCannotWriteToTheTerminal() {
    #expect(Printable.text(Array("a\u{1b}[2Jb\n".utf8)) == "a?[2Jb?")
    #expect(Printable.text(Array(repeating: 65, count: 1000)).count == 253)
  }
}
