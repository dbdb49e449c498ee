// Requests against what ip(8) 6.1 sends for the same, and messages as a 6.18 kernel gives them.

import Configuration
import Testing

@testable import Failover

/// A message in a form in which the order of attributes does not count.
private struct Normal: Equatable, CustomStringConvertible {
  var type: UInt16
  var flags: UInt16
  var body: [UInt8]
  var attributes: [UInt16: [UInt8]] = [:]

  init(_ bytes: [UInt8], body size: Int) throws {
    let message = try #require(NetlinkReceived.all(in: bytes[...]).first)
    type = message.type
    flags = message.flags
    body = Array(message.payload.prefix(size))
    let read = message.attributes(behind: size)
    for number in UInt16(1)...64 {
      if let value = read[number] { attributes[number] = Array(value) }
    }
  }

  var description: String { "\(type) \(flags) \(body) \(attributes.sorted { $0.key < $1.key })" }
}

private func address(_ text: String) -> IPAddress { IPAddress(text)! }

private func route(_ destination: String, _ length: UInt8, _ hops: [(String?, UInt32)])
  -> (VirtualRoute, [AddressKeeper.ResolvedHop])
{
  var route = VirtualRoute(IPPrefix(address(destination), length: length))
  let resolved = hops.map { gateway, index in
    var hop = VirtualRoute.Hop()
    hop.gateway = gateway.map { address($0) }
    return AddressKeeper.ResolvedHop(hop: hop, interface: index)
  }
  route.hops = resolved.map(\.hop)
  return (route, resolved)
}

private let exclusive = RequestFlag.create | RequestFlag.exclusive

@Suite struct NetlinkRequestTests {
  /// Our number in place of none is the only difference that is wanted.
  private func expect(
    _ ours: NetlinkMessage, is theirs: String, body: Int, without number: UInt16? = nil
  ) throws {
    var mine = try Normal(ours.finished(sequence: 1), body: body)
    var expected = try Normal(hex(theirs), body: body)
    if let number { mine.attributes[number] = nil }
    if body == 8 {
      // ip(8) puts flags below 256 into the header, we always into the attribute.
      for index in [0, 1] {
        var it = index == 0 ? mine : expected
        if it.attributes[8] == nil { it.attributes[8] = [it.body[2], 0, 0, 0] }
        it.body[2] = 0
        if index == 0 { mine = it } else { expected = it }
      }
    }
    #expect(mine == expected)
  }

  @Test func addresses() throws {
    var labelled = VirtualAddress(address("10.9.0.100"), prefixLength: 24)
    labelled.broadcast = .ones
    labelled.label = "eth0:7"
    labelled.scope = .link
    try expect(
      AddressKeeper.message(adding: labelled, to: 3, replacing: false),
      is: """
        3c000000140005066e39016b00000000021800fd03000000080002000a0900640b000300657468303a370000
        080001000a090064080004000a0900ff
        """, body: 8, without: 11)

    var pointToPoint = VirtualAddress(address("10.9.0.101"), prefixLength: 32)
    pointToPoint.peer = address("10.8.0.1")
    pointToPoint.noPrefixRoute = true
    try expect(
      AddressKeeper.message(adding: pointToPoint, to: 3, replacing: false),
      is: """
        30000000140005066e39016b000000000220000003000000080002000a090065080001000a08000108000800
        00020000
        """, body: 8, without: 11)

    var home = VirtualAddress(address("fd00::100"), prefixLength: 64)
    home.isHome = true
    home.preferredLifetime = .seconds(100)
    try expect(
      AddressKeeper.message(adding: home, to: 3, replacing: false),
      is: """
        54000000140005066e39016b000000000a4012000300000014000200fd0000000000000000000000000001001
        4000100fd0000000000000000000000000001001400060064000000ffffffff0000000000000000
        """, body: 8, without: 11)

    // keepalived: a /128 is deprecated from the start, so that it is no source address.
    try expect(
      AddressKeeper.message(
        adding: VirtualAddress(address("fd00::101"), prefixLength: 128), to: 3, replacing: false),
      is: """
        54000000140005066e39016b000000000a8002000300000014000200fd0000000000000000000000000001011
        4000100fd0000000000000000000000000001011400060000000000ffffffff0000000000000000
        """, body: 8, without: 11)

    try expect(
      AddressKeeper.message(
        removing: VirtualAddress(address("10.9.0.100"), prefixLength: 24), from: 3),
      is: "28000000150005006e39016b000000000218000003000000080002000a090064080001000a090064",
      body: 8)
  }

  @Test func theNumberIsOurs() throws {
    let message = AddressKeeper.message(
      adding: VirtualAddress(address("10.9.0.100"), prefixLength: 24), to: 3, replacing: true)
    let normal = try Normal(message.finished(sequence: 7), body: 8)
    #expect(normal.attributes[11] == [0x66])
    #expect(normal.flags == 0x505)
  }

  @Test(
    arguments: [
      (Broadcast.ones, 24, "10.9.0.255"), (.zeros, 24, "10.9.0.0"), (.ones, 30, "10.9.0.103"),
      (.ones, 31, nil), (.zeros, 32, nil), (.none, 24, nil),
      (.address(.v4(0x0102_0304)), 32, "1.2.3.4"), (.ones, 0, "255.255.255.255"),
    ] as [(Broadcast, UInt8, String?)])
  func broadcasts(_ broadcast: Broadcast, _ length: UInt8, _ expected: String?) {
    var it = VirtualAddress(address("10.9.0.100"), prefixLength: length)
    it.broadcast = broadcast
    #expect(AddressKeeper.broadcast(of: it) == expected.map { address($0) })
    it = VirtualAddress(address("fd00::1"), prefixLength: 64)
    it.broadcast = broadcast
    #expect(AddressKeeper.broadcast(of: it) == nil)
  }

  @Test func routes() throws {
    var (plain, hops) = route("192.168.5.0", 24, [("10.9.0.5", 3)])
    plain.table = 1000
    plain.metric = 10
    plain.source = address("10.9.0.100")
    plain.mtu = 1400
    plain.advertisedMSS = 1300
    try expect(
      AddressKeeper.message(adding: plain, hops: hops, flags: exclusive),
      is: """
        60000000180005066f39016b0000000002180000006600010000000008000100c0a80500080005000a090005
        08000f00e8030000080006000a000000080007000a0900640800040003000000140008000800020078050000
        0800080014050000
        """, body: 12)

    var (multipath, twoHops) = route("192.168.6.0", 24, [("10.9.0.5", 3), ("10.77.0.6", 3)])
    twoHops[0].hop.weight = 2
    twoHops[1].hop.isOnLink = true
    try expect(
      AddressKeeper.message(adding: multipath, hops: twoHops, flags: exclusive),
      is: """
        48000000180005066f39016b0000000002180000fe6600010000000008000100c0a806002400090010000001
        03000000080005000a0900051000040003000000080005000a4d0006
        """, body: 12, without: 15)

    let (other, sixHop) = route("192.168.9.0", 24, [("fe80::5", 3)])
    try expect(
      AddressKeeper.message(adding: other, hops: sixHop, flags: exclusive),
      is: """
        44000000180005066f39016b0000000002180000fe6600010000000008000100c0a80900160012000a00fe80
        000000000000000000000000000500000800040003000000
        """, body: 12, without: 15)

    (multipath, _) = route("192.168.7.0", 24, [])
    multipath.kind = .blackhole
    try expect(
      AddressKeeper.message(adding: multipath, hops: [], flags: exclusive),
      is: "24000000180005066f39016b0000000002180000fe6600060000000008000100c0a80700",
      body: 12, without: 15)

    let (six, hop) = route("fd01::", 64, [("fd00::5", 3)])
    var metric = six
    metric.metric = 5
    try expect(
      AddressKeeper.message(adding: metric, hops: hop, flags: exclusive),
      is: """
        54000000180005066f39016b000000000a400000fe6600010000000014000100fd0100000000000000000000
        0000000014000500fd00000000000000000000000000000508000600050000000800040003000000
        """, body: 12, without: 15)
  }

  @Test func hostBitsOfADestinationAreCleared() {
    #expect(AddressKeeper.masked(IPPrefix(address("10.1.2.3"), length: 8)) == address("10.0.0.0"))
    #expect(AddressKeeper.masked(IPPrefix(address("10.1.2.3"), length: 0)) == address("0.0.0.0"))
    #expect(AddressKeeper.masked(IPPrefix(address("10.1.2.3"), length: 32)) == address("10.1.2.3"))
    for (length, text) in [
      (0, "::"), (64, "fd00:0:0:1::"), (65, "fd00::1:8000:0:0:0"), (16, "fd00::"),
    ] {
      #expect(
        AddressKeeper.masked(IPPrefix(address("fd00::1:ffff:0:0:1"), length: UInt8(length)))
          == address(text))
    }
    #expect(
      AddressKeeper.masked(IPPrefix(address("fd00::1"), length: 128)) == address("fd00::1"))
  }

  @Test func rules() throws {
    var rule = VirtualRule()
    rule.isInverted = true
    rule.source = IPPrefix(address("192.168.7.0"), length: 24)
    rule.destination = IPPrefix(address("10.0.0.0"), length: 8)
    rule.inputInterface = "eth0"
    rule.mark = 0x10
    rule.markMask = 0xff
    rule.table = 1000
    rule.preference = 500
    try expect(
      AddressKeeper.message(rule, type: RouteMessage.newRule, flags: exclusive),
      is: """
        60000000200005066f39016b0000000002081800000000010200000008000200c0a80700080001000a000000
        09000300657468300000000008000a001000000008001000ff00000008000f00e803000008000600f4010000
        0500150066000000
        """, body: 12)
  }

  @Test func virtualMACLinks() throws {
    try expect(
      AddressKeeper.message(
        creating: "vrrp.51", base: 3, mac: MACAddress(virtualRouter: 51, family: .v4)),
      is: """
        5c000000100005067039016b00000000000000000000000000000000000000000a00010000005e0001330000
        08000500030000000c000300767272702e3531001c0012000b0001006d6163766c616e000c00020008000100
        01000000
        """, body: 16)
  }
}

@Suite struct NetlinkReadingTests {
  static let macvlan = hex(
    """
    cc0000001000020007000000a2650000000001000400000043100100000000000c000300767272702e35310005
    0010000600000008000400dc05000031001400666169726c65616420626173653d65746830206172705f69676e
    6f72653d30206172705f66696c7465723d30000000000a00010000005e00013300000a000200ffffffffffff00
    003c0012000c0001006d6163766c616e002c00020008000100010000000600020000000000080006000000000008
    000700e803000008000800e80300000800050003000000
    """)
  static let secondary = hex(
    """
    500000001400020007000000a26500000220800003000000080001000a080001080002000a09006509000300
    6574683000000000080008008002000014000600ffffffffffffffff8e3f14008e3f1400
    """)
  static let linkLocal = hex(
    """
    500000001400020007000000a26500000a40c0fd0400000014000100fe8000000000000002005efffe000133
    14000600ffffffffffffffff4d4014004d40140008000800c000000005000b0003000000
    """)
  static let route = hex(
    """
    500000001800020007000000a265000002180000fe6600010000000008000f00fe00000008000100c0a80600
    240009001000000103000000080005000a0900051000040003000000080005000a4d0006
    """)

  static func first(_ bytes: [UInt8]) throws -> NetlinkReceived {
    try #require(NetlinkReceived.all(in: bytes[...]).first)
  }

  @Test func links() throws {
    let link = try #require(Link(try Self.first(Self.macvlan)))
    #expect(link.name == "vrrp.51" && link.index == 4 && link.parent == 3)
    #expect(link.mac?.description == "00:00:5e:00:01:33" && link.mtu == 1500)
    #expect(link.kind == "macvlan" && link.isUp && link.isRunning && link.isOperational)
    let settings = try #require(VirtualMACLink.settings(inAliasOf: link))
    #expect(
      settings == [
        InterfaceSetting(.v4, "eth0", "arp_ignore", 0),
        InterfaceSetting(.v4, "eth0", "arp_filter", 0),
      ])
  }

  @Test(arguments: [
    "fairlead", "fairlead base=../..", "fairlead base=.. x=1", "another base=eth0", "",
    "fairlead base=eth0/../x arp_ignore=1",
  ])
  func aliasesThatAreNotOurs(_ alias: String) throws {
    var link = try #require(Link(try Self.first(Self.macvlan)))
    link.alias = alias
    #expect(VirtualMACLink.settings(inAliasOf: link) == nil)
    link.alias = "fairlead base=eth0 forwarding=1 arp_ignore=x arp_filter=1"
    #expect(
      VirtualMACLink.settings(inAliasOf: link) == [InterfaceSetting(.v4, "eth0", "arp_filter", 1)])
    link.kind = "veth"
    #expect(VirtualMACLink.settings(inAliasOf: link) == nil)
  }

  @Test func addresses() throws {
    let peer = try #require(LinkAddress(try Self.first(Self.secondary)))
    #expect(peer.address == address("10.9.0.101") && peer.prefixLength == 32)
    #expect(peer.flags == 0x280 && peer.interface == 3 && peer.scope == .global && !peer.isOurs)
    let local = try #require(LinkAddress(try Self.first(Self.linkLocal)))
    #expect(local.address == address("fe80::200:5eff:fe00:133") && local.isTentative)
    #expect(local.scope == .link && local.protocolNumber == 3 && !local.hasFailedDuplicateDetection)
  }

  @Test func routes() throws {
    let key = try #require(RouteKey(try Self.first(Self.route)))
    #expect(key.destination == IPPrefix(address("192.168.6.0"), length: 24))
    #expect(key.table == 254 && key.metric == 0 && key.protocolNumber == 0x66 && !key.isCached)
  }

  @Test func severalMessagesInOneDatagram() {
    let all = Self.macvlan + Self.secondary + Self.route
    #expect(NetlinkReceived.all(in: all[...]).map(\.type) == [16, 20, 24])
    #expect(NetlinkReceived.all(in: all.dropLast(1)).map(\.type) == [16, 20])
  }

  @Test func refusals() throws {
    let refused = NetlinkReceived(
      type: 2, flags: RequestFlag.acknowledgeText, sequence: 1,
      payload: (hex("ef ff ff ff") + [UInt8](repeating: 0, count: 16)
        + hex("0c 00 01 00 6e 6f 74 20 6e 6f 77 00"))[...])
    let failure = try #require(RouteSocket.failure(in: refused, "add it"))
    #expect(failure == NetlinkError(what: "add it", code: 17, explanation: "not now"))
    #expect("\(failure)" == "add it: File exists (not now)")
    #expect(
      RouteSocket.failure(
        in: NetlinkReceived(type: 2, flags: 0, sequence: 1, payload: hex("00000000")[...]), "")
        == nil)
    for bytes in [hex("000000"), hex("00000080")] {
      #expect(
        RouteSocket.failure(
          in: NetlinkReceived(type: 2, flags: 0, sequence: 1, payload: bytes[...]), "") != nil)
    }
  }

  /// Whatever the bytes, reading ends, and without a trap.
  @Test func anyBytes() {
    var random = Seeded(state: 0x5eed)
    let samples = [Self.macvlan, Self.secondary, Self.linkLocal, Self.route]
    for round in 0..<40_000 {
      var bytes: [UInt8]
      if round % 4 == 0 {
        bytes = (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      } else {
        bytes = samples[round % samples.count]
        for _ in 0..<Int(random.next() % 6) {
          bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        bytes.removeLast(min(bytes.count, Int(random.next() % 8)))
      }
      Self.readEverything(NetlinkReceived.all(in: bytes[...]))
      let body = NetlinkReceived(type: 20, flags: 0x200, sequence: 0, payload: bytes[...])
      Self.readEverything([body])
    }
  }

  private static func readEverything(_ messages: [NetlinkReceived]) {
    for message in messages {
      if let link = Link(message) { _ = VirtualMACLink.settings(inAliasOf: link) }
      _ = LinkAddress(message)
      _ = RouteKey(message)
      _ = RouteSocket.failure(in: message, "")
      let attributes = message.attributes(behind: 12)
      _ = attributes.nested(18)?.text(1)
      _ = attributes.byte(21)
    }
  }
}

/// Repeatable randomness (splitmix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &+ 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
