// The messages of the packet filter against what nft(8) 1.0.6 sends for the same.

import Configuration
import Testing

@testable import Failover

/// What nft(8) sends; its set has the number 1 as ours.
private enum Reference {
  static let table = hex(
    """
    60000000000a010001000000000000000100000014000100666169726c6561645f6163636570740008000200
    000000002f0006000029666169726c6561643a207669727475616c20726f75746572732077697468206e6f5f
    6163636570740000
    """)
  static let chain = hex(
    """
    5c000000030a010404000000000000000100000014000100666169726c6561645f616363657074000a000300
    696e7075740000000b00070066696c7465720000080005000000000114000480080001000000000108000200
    fffffff6
    """)
  static let loopback = hex(
    """
    b8000000060a010c05000000000000000100000014000100666169726c6561645f616363657074000a000200
    696e7075740000008400048024000180090001006d6574610000000014000280080002000000000408000100
    000000012c00018008000100636d700020000280080001000000000108000200000000000c00038008000100
    01000000300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c000280
    0800010000000001
    """)
  static let solicitations = hex(
    """
    68010000060a010c06000000000000000100000014000100666169726c6561645f616363657074000a000200
    696e7075740000003401048024000180090001006d6574610000000014000280080002000000000f08000100
    000000012c00018008000100636d700020000280080001000000000108000200000000000c00038005000100
    0a00000024000180090001006d6574610000000014000280080002000000001008000100000000012c000180
    08000100636d700020000280080001000000000108000200000000000c000380050001003a00000034000180
    0c0001007061796c6f6164002400028008000100000000010800020000000002080003000000000008000400
    000000012c00018008000100636d700020000280080001000000000108000200000000000c00038005000100
    85000000300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c000280
    0800010000000001
    """)
  static let neighbours = hex(
    """
    94010000060a010c07000000000000000100000014000100666169726c6561645f616363657074000a000200
    696e7075740000006001048024000180090001006d6574610000000014000280080002000000000f08000100
    000000012c00018008000100636d700020000280080001000000000108000200000000000c00038005000100
    0a00000024000180090001006d6574610000000014000280080002000000001008000100000000012c000180
    08000100636d700020000280080001000000000108000200000000000c000380050001003a00000034000180
    0c0001007061796c6f6164002400028008000100000000010800020000000002080003000000000008000400
    000000012c00018008000100636d700020000280080001000000000108000200000000050c00038005000100
    870000002c00018008000100636d700020000280080001000000000108000200000000030c00038005000100
    88000000300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c000280
    0800010000000001
    """)
  static let dropping = hex(
    """
    30010000060a010c08000000000000000100000014000100666169726c6561645f616363657074000a000200
    696e707574000000fc00048024000180090001006d6574610000000014000280080002000000000f08000100
    000000012c00018008000100636d700020000280080001000000000108000200000000000c00038005000100
    02000000340001800c0001007061796c6f616400240002800800010000000001080002000000000108000300
    000000100800040000000004300001800b0001006c6f6f6b7570000020000280080002000000000109000100
    69707634000000000800040000000001140001800c000100636f756e7465720004000280300001800e000100
    696d6d6564696174650000001c0002800800010000000000100002800c0002800800010000000000
    """)
}

private func address(_ text: String) -> IPAddress { IPAddress(text)! }

private func router(
  _ name: String, _ addresses: [String], excluded: [String] = [], accepts: Bool = false
) -> VirtualRouter {
  var router = VirtualRouter(name: name, origin: Origin(), interface: "eth0", id: 51)
  router.addresses = addresses.map { VirtualAddress(address($0), prefixLength: 24) }
  router.excludedAddresses = excluded.map { VirtualAddress(address($0), prefixLength: 64) }
  router.accepts = accepts
  return router
}

private func refused(_ routers: VirtualRouter...) -> RefusedAddresses {
  var configuration = FailoverConfiguration()
  configuration.routers = routers
  return RefusedAddresses(configuration)
}

/// Attributes as text in which their order counts only among those of one number.
private func tree(_ bytes: ArraySlice<UInt8>) -> String {
  var found: [(type: UInt16, text: String)] = []
  var rest = bytes
  while let length = rest.number(UInt16.self, at: 0), length >= 4, length <= rest.count,
    let type = rest.number(UInt16.self, at: 2)
  {
    let value = rest.prefix(Int(length)).dropFirst(4)
    let isGroup = type & 0x8000 != 0
    found.append((type & 0x3fff, isGroup ? "{\(tree(value))}" : "\(Array(value))"))
    rest = rest.dropFirst((Int(length) + 3) & ~3)
  }
  let types = Set(found.map(\.type)).sorted()
  return types.flatMap { type in found.filter { $0.type == type } }
    .map { "\($0.type)=\($0.text)" }.joined(separator: " ")
}

private func normal(_ bytes: [UInt8]) throws -> String {
  let message = try #require(NetlinkReceived.all(in: bytes[...]).first)
  return "\(message.type) \(message.payload.first ?? 255) \(tree(message.payload.dropFirst(4)))"
}

@Suite struct AcceptanceTableTests {
  private func messages(_ refused: RefusedAddresses) -> [[UInt8]] {
    AcceptanceTable.messages(installing: refused, tableFlags: 0)
      .map { $0.finished(sequence: 1) }
  }

  @Test func messagesAreThoseOfTheReference() throws {
    let all = try messages(refused(router("a", ["10.0.0.179"]))).map(normal)
    // Made, removed and made again; a set, its elements, a chain, four rules.
    #expect(all.count == 3 + 2 + 1 + 4)
    #expect(try all[2] == normal(Reference.table))
    #expect(try all[5] == normal(Reference.chain))
    #expect(try all[6] == normal(Reference.loopback))
    #expect(try all[7] == normal(Reference.solicitations))
    #expect(try all[8] == normal(Reference.neighbours))
    #expect(try all[9] == normal(Reference.dropping))
  }

  @Test func onlyTheLastMessageAsksForAnAnswer() {
    let message = AcceptanceTable.messagesForRemoval()[1]
    let silent = message.finished(sequence: 7)
    let asking = message.finished(sequence: 7, acknowledged: true)
    #expect(silent[6] & 0x4 == 0 && asking[6] & 0x4 != 0)
    #expect(silent.count == asking.count && silent[8...] == asking[8...])
  }

  @Test func batchMarksNameTheSubsystem() {
    let mark = NetlinkMessage.batchMark(NetfilterMessage.batchBegin).finished(sequence: 2)
    #expect(mark == hex("14000000 1000 0100 02000000 00000000 00 00 000a"))
  }

  @Test func manyAddressesAreSplitSoThatNoAttributeOverflows() throws {
    var many = RefusedAddresses()
    for number in UInt64(0)..<2500 { many.ipv6.insert(.v6(high: 1 << 60, low: number)) }
    let elements = AcceptanceTable.messages(installing: many, tableFlags: 0)
      .map { $0.finished(sequence: 1) }
      .filter { $0[4] == 0x0c && $0[5] == 0x0a }
    #expect(elements.count == 3)
    #expect(elements.allSatisfy { $0.count < 65_535 })
  }

  // MARK: Which addresses

  @Test func onlyRoutersThatDoNotAcceptAndDoNotOwn() {
    var owner = router("owner", ["10.0.0.3"])
    owner.priority = 255
    let result = refused(
      router("open", ["10.0.0.1"], accepts: true),
      router("closed", ["10.0.0.2"], excluded: ["fd00::2"]), owner)
    #expect(result.ipv4 == [address("10.0.0.2")])
    #expect(result.ipv6 == [address("fd00::2")])
    #expect(result.linkLocal.isEmpty && !result.isEmpty)
    #expect(refused(owner).isEmpty)
  }

  @Test func linkLocalAddressesCountOnTheirInterfaceOnly() {
    var six = router("six", ["fe80::1", "fd00::1"])
    six.family = .v6
    #expect(refused(six).linkLocal == [.init(address: address("fe80::1"), interface: "eth0")])
    #expect(refused(six).ipv6 == [address("fd00::1")])
    six.virtualMAC = VirtualMAC()
    #expect(
      refused(six).linkLocal == [
        .init(address: address("fe80::1"), interface: "eth0"),
        .init(address: address("fe80::1"), interface: "vrrp6.51"),
      ])
  }
}
