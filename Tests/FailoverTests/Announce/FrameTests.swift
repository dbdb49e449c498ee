// Announcements against what keepalived 2.2.7 was seen to send, and what a watch makes of them.

import Configuration
import Kernel
import Testing

@testable import Failover

@Suite struct FrameTests {
  static let request = hex(
    """
    ffff ffff ffff f2ac a952 e7c5 0806 0001 0800 0604 0001 f2ac a952 e7c5 0a09 0064
    ffff ffff ffff 0a09 0064
    """)
  static let virtualRequest = hex(
    """
    ffff ffff ffff 0000 5e00 0133 0806 0001 0800 0604 0001 0000 5e00 0133 0a09 0065
    ffff ffff ffff 0a09 0065
    """)
  static let advertisement = hex(
    """
    3333 0000 0001 f2ac a952 e7c5 86dd 6000 0000 0020 3aff fd00 0000 0000 0000 0000 0000 0000
    0100 ff02 0000 0000 0000 0000 0000 0000 0001 8800 d6d8 2000 0000 fd00 0000 0000 0000 0000
    0000 0000 0100 0201 f2ac a952 e7c5
    """)
  static let routerAdvertisement = hex(
    """
    3333 0000 0001 0000 5e00 0234 86dd 6000 0000 0020 3aff fe80 0000 0000 0000 0000 0000 0000
    0100 ff02 0000 0000 0000 0000 0000 0000 0001 8800 7769 a000 0000 fe80 0000 0000 0000 0000
    0000 0000 0100 0201 0000 5e00 0234
    """)
  static let mac = MACAddress(hex("f2aca952e7c5"))!

  @Test func gratuitousARP() {
    #expect(
      Frames.gratuitousARP(.request, address: 0x0a09_0064, mac: Self.mac) == Self.request)
    #expect(
      Frames.gratuitousARP(
        .request, address: 0x0a09_0065, mac: MACAddress(virtualRouter: 51, family: .v4))
        == Self.virtualRequest)
    // The reply differs in its operation and its target's hardware address.
    let reply = Frames.gratuitousARP(.reply, address: 0x0a09_0064, mac: Self.mac)
    var expected = Self.request
    expected[21] = 2
    expected.replaceSubrange(32..<38, with: Self.mac.bytes)
    #expect(reply == expected)
  }

  @Test func neighbourAdvertisements() {
    #expect(
      Frames.neighbourAdvertisement(
        high: 0xfd00 << 48, low: 0x100, mac: Self.mac, isRouter: false) == Self.advertisement)
    #expect(
      Frames.neighbourAdvertisement(
        high: 0xfe80 << 48, low: 0x100, mac: MACAddress(virtualRouter: 52, family: .v6),
        isRouter: true) == Self.routerAdvertisement)
  }

  /// RFC 5227, section 2.1.1: nobody can learn from the sender's address 0.0.0.0.
  @Test func arpProbes() {
    let probe = Frames.arpProbe(address: 0x0a09_0064, mac: Self.mac)
    var expected = Self.request
    expected.replaceSubrange(28..<32, with: [0, 0, 0, 0])
    expected.replaceSubrange(32..<38, with: [0, 0, 0, 0, 0, 0])
    #expect(probe == expected)
    #expect(HeardOwner(arp: probe[14...], interface: 3)?.address.isUnspecified == true)
  }

  /// RFC 4861, section 7.2.2, to the group of RFC 4291, section 2.7.1.
  @Test func neighbourSolicitations() {
    let target = IPAddress("fd00:10::1:23:4567")!
    let source = IPAddress("fe80::1")!
    let frame = Frames.neighbourSolicitation(for: target, from: source, mac: Self.mac)
    let group: [UInt8] = IPAddress("ff02::1:ff23:4567")!.networkBytes
    #expect(
      Array(frame[..<14]) == [0x33, 0x33, 0xff, 0x23, 0x45, 0x67] + Self.mac.bytes + [0x86, 0xdd])
    #expect(Array(frame[14..<22]) == [0x60, 0, 0, 0, 0, 32, 58, 255])
    #expect(Array(frame[22..<38]) == source.networkBytes && Array(frame[38..<54]) == group)
    #expect(frame[54] == 135 && Array(frame[62..<78]) == target.networkBytes)
    #expect(Array(frame[78...]) == [1, 1] + Self.mac.bytes)
    // The checksum over the pseudo-header and the message, itself included, is zero.
    let whole = source.networkBytes + group + [0, 0, 0, 32, 0, 0, 0, 58] + frame[54...]
    #expect(Frames.checksum(whole) == 0)
  }

  @Test func heardOwners() {
    let arp = HeardOwner(arp: Self.request[14...], interface: 3)
    #expect(arp == HeardOwner(interface: 3, address: .v4(0x0a09_0064), mac: Self.mac))
    let advertised = HeardOwner(advertisement: Self.advertisement[54...], interface: 4)
    #expect(
      advertised
        == HeardOwner(interface: 4, address: .v6(high: 0xfd00 << 48, low: 0x100), mac: Self.mac))
    // Without the option: the address, but nobody's MAC.
    let short = HeardOwner(advertisement: Self.advertisement[54..<78], interface: 4)
    #expect(short != nil && short?.mac == nil)
    #expect(HeardOwner(arp: Self.request[14..<41], interface: 3) == nil)
    #expect(HeardOwner(advertisement: Self.advertisement[54..<77], interface: 3) == nil)
  }

  @Test func anyBytes() {
    var random = Seeded(state: 7)
    for round in 0..<20_000 {
      var bytes = Array(round % 2 == 0 ? Self.request[14...] : Self.advertisement[54...])
      for _ in 0..<3 {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      bytes += (0..<Int(random.next() % 40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      bytes.removeFirst(Int(random.next() % 3))
      bytes.removeLast(min(bytes.count, Int(random.next() % 60)))
      _ = HeardOwner(arp: bytes[...], interface: 1)
      _ = HeardOwner(advertisement: bytes[...], interface: 1)
    }
  }

  @Test func macAddresses() {
    #expect("\(MACAddress(virtualRouter: 255, family: .v6))" == "00:00:5e:00:02:ff")
    #expect(
      MACAddress([1, 2, 3, 4, 5]) == nil && MACAddress([UInt8](repeating: 0, count: 8)) == nil)
    #expect(MACAddress(Self.mac.bytes) == Self.mac)
  }
}

@Suite struct DuplicateFilterTests {
  /// What the kernel does with a program.
  private func kept(_ program: PacketFilter, _ packet: ArraySlice<UInt8>) -> UInt32 {
    let bytes = Array(packet)
    func load(_ offset: UInt32, _ size: Int) -> UInt32? {
      guard Int(offset) + size <= bytes.count else { return nil }
      return bytes[Int(offset)..<(Int(offset) + size)].reduce(0) { $0 << 8 | UInt32($1) }
    }
    var accumulator: UInt32 = 0
    var at = 0
    while true {
      let step = program.steps[at]
      at += 1
      switch step.code {
      case 0x20, 0x28:
        guard let value = load(step.value, step.code == 0x20 ? 4 : 2) else { return 0 }
        accumulator = value
      case 0x15: at += Int(accumulator == step.value ? step.onTrue : step.onFalse)
      default: return step.value
      }
    }
  }

  @Test(arguments: [1, 2, 200, 500, 501])
  func arp(_ count: Int) {
    let addresses = Set((0..<count).map { IPAddress.v4(0x0a09_0064 + UInt32($0)) })
    let filter = DuplicateFilter.arp(addresses)
    #expect(filter.steps.count <= PacketFilter.maximumSteps)
    let mac = FrameTests.mac
    for number in [UInt32(0x0a09_0064), 0x0a09_0064 + UInt32(count) - 1] {
      let frame = Frames.gratuitousARP(.reply, address: number, mac: mac)
      #expect(kept(filter, frame[14...]) > 0)
    }
    let other = Frames.gratuitousARP(.request, address: 0x0a09_0063, mac: mac)
    #expect((kept(filter, other[14...]) > 0) == (count > DuplicateFilter.maximumIPv4))
  }

  @Test(arguments: [1, 3, 200, 201])
  func advertisements(_ count: Int) {
    let addresses = Set(
      (0..<count).map { IPAddress.v6(high: 0xfd00 << 48, low: 0x100 + UInt64($0)) })
    let filter = DuplicateFilter.advertisements(addresses)
    #expect(filter.steps.count <= PacketFilter.maximumSteps)
    func message(_ high: UInt64, _ low: UInt64) -> ArraySlice<UInt8> {
      Frames.neighbourAdvertisement(high: high, low: low, mac: FrameTests.mac, isRouter: false)[
        54...]
    }
    #expect(kept(filter, message(0xfd00 << 48, 0x100)) > 0)
    #expect(kept(filter, message(0xfd00 << 48, 0xff + UInt64(count))) > 0)
    let isOpen = count > DuplicateFilter.maximumIPv6
    for (high, low) in [(UInt64(0xfd01) << 48, UInt64(0x100)), (0xfd00 << 48, 0xff)] {
      #expect((kept(filter, message(high, low)) > 0) == isOpen)
    }
  }

  @Test func nothingToWatchLetsNothingThrough() {
    #expect(DuplicateFilter.arp([]) == .dropAll)
    #expect(DuplicateFilter.arp([.v6(high: 1, low: 1)]) == .dropAll)
    #expect(DuplicateFilter.advertisements([.v4(1)]) == .dropAll)
  }
}
