// The table of interfaces against changes that ip(8) makes, in a namespace of each test's own.

import Configuration
import Kernel
import Testing

@testable import Failover

@Suite(.serialized, .enabled(if: Namespace.isPossible, Namespace.need))
struct LinkTableTests {
  /// Reads events until one is `wanted`, at most 10 s; all that came.
  static func events(
    _ table: LinkTable, until wanted: (LinkEvent) -> Bool
  ) throws -> [LinkEvent] {
    var all: [LinkEvent] = []
    let end = Clock.monotonic_us() + 10_000_000
    while Clock.monotonic_us() < end {
      let new = try table.readEvents()
      all += new
      if new.contains(where: wanted) { return all }
      System.waitReadable(table.descriptor, timeout_ms: 100)
    }
    Issue.record("the event did not come; came: \(all)")
    return all
  }

  @Test func whatIsThereAtTheStart() throws {
    try Namespace.withCable {
      try Namespace.ip("addr add 10.9.0.2/24 dev eth0 scope link")
      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      try Namespace.ip("addr add 10.0.0.3/24 dev eth0")
      try Namespace.ip("addr add fe80::1/64 dev eth0 nodad")
      try Namespace.ip("addr add fd00::1/64 dev eth0 nodad")
      let table = try LinkTable()
      let link = try #require(table.link(named: "eth0"))
      #expect(link.index == (try Namespace.index("eth0")))
      #expect(link.isOperational && link.kind == "veth" && link.mtu == 1500 && link.mac != nil)
      #expect(link.parent == table.link(named: "far0")?.index)
      #expect(table.link(named: "lo")?.isOperational == true && table.link(named: "no") == nil)
      #expect(table.primaryIPv4(of: link.index) == IPAddress("10.0.0.1"))
      #expect(table.linkLocalIPv6(of: link.index) == IPAddress("fe80::1"))
      #expect(table.addresses(of: link.index).count == 5)
      #expect(table.has(IPAddress("10.0.0.3")!, on: link.index))
      #expect(!table.has(IPAddress("10.0.0.4")!, on: link.index))
      #expect(table.holders(of: IPAddress("fd00::1")!) == [link.index])
      #expect(table.primaryIPv4(of: 999) == nil)
    }
  }

  @Test func changesAreTold() throws {
    try Namespace.withCable {
      let table = try LinkTable()
      let index = try Namespace.index("eth0")
      let address = IPAddress("10.0.0.1")!
      _ = try table.readEvents()

      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      var came = try Self.events(table) { $0 == .addressAdded(index, address) }
      // A cable that has just come up has news of its own.
      let isOurs = { (event: LinkEvent) in
        event == .addressAdded(index, address) || event == .addressRemoved(index, address)
      }
      #expect(came.filter(isOurs) == [.addressAdded(index, address)])
      #expect(table.primaryIPv4(of: index) == address)

      try Namespace.ip("addr del 10.0.0.1/24 dev eth0")
      came = try Self.events(table) { $0 == .addressRemoved(index, address) }
      #expect(came.filter(isOurs) == [.addressRemoved(index, address)])
      #expect(table.addresses(of: index).allSatisfy { $0.address != address })

      // The other end goes down: this one stays up and no longer runs.
      try Namespace.ip("link set far0 down")
      _ = try Self.events(table) { $0 == .linkChanged(index) }
      #expect(table.links[index]?.isUp == true)
      #expect(table.links[index]?.isOperational == false)
      try Namespace.ip("link set far0 up")
      _ = try Self.events(table) { $0 == .linkChanged(index) }
      #expect(table.links[index]?.isOperational == true)

      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      try Namespace.ip("link set eth0 down")
      try Namespace.ip("link set eth0 name wan0 mtu 1400")
      try Namespace.ip("link del wan0")
      came = try Self.events(table) { $0 == .linkRemoved(index, name: "wan0") }
      #expect(came.contains(.addressRemoved(index, address)))
      #expect(table.links[index] == nil && table.link(named: "wan0") == nil)
      #expect(table.addresses(of: index) == [])
    }
  }

  @Test func anOverrunLosesNothing() throws {
    try Namespace.withCable {
      // The smallest queue the kernel gives holds a few messages.
      let table = try LinkTable(queue_bytes: 1)
      let index = try Namespace.index("eth0")
      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      _ = try Self.events(table) { $0 == .addressAdded(index, IPAddress("10.0.0.1")!) }
      let keeper = try AddressKeeper()
      for number in UInt32(0)..<300 {
        _ = try keeper.add(
          VirtualAddress(.v4(0x0a01_0000 + number), prefixLength: 32), to: index)
      }
      try Namespace.ip("addr del 10.0.0.1/24 dev eth0")
      var came: [LinkEvent] = []
      while System.waitReadable(table.descriptor, timeout_ms: 0) { came += try table.readEvents() }
      #expect(came.contains(.addressRemoved(index, IPAddress("10.0.0.1")!)))
      for number in UInt32(0)..<300 {
        #expect(came.filter { $0 == .addressAdded(index, .v4(0x0a01_0000 + number)) }.count == 1)
      }
      #expect(table.addresses(of: index).count == 300)
    }
  }

  @Test func duplicateAddressesOfIPv6AreTold() throws {
    try Namespace.withCable {
      let table = try LinkTable()
      let index = try Namespace.index("eth0")
      let address = IPAddress("fd00::1")!
      try Namespace.ip("addr add fd00::1/64 dev far0 nodad")
      var wanted = VirtualAddress(address, prefixLength: 64)
      wanted.detectsDuplicates = true
      let keeper = try AddressKeeper()
      #expect(try keeper.add(wanted, to: index) == .added)
      let came = try Self.events(table) { $0 == .duplicateDetected(index, address) }
      #expect(came.contains(.addressAdded(index, address)))
      #expect(!table.has(address, on: index))
      #expect(table.has(address, on: try Namespace.index("far0")))
      // The same without detection is usable at once.
      #expect(try keeper.remove(wanted, from: index) == .removed)
      wanted.detectsDuplicates = false
      #expect(try keeper.add(wanted, to: index) == .added)
      _ = try Self.events(table) { $0 == .addressAdded(index, address) }
      #expect(table.has(address, on: index))
      #expect(table.addresses(of: index).first?.isTentative == false)
    }
  }
}
