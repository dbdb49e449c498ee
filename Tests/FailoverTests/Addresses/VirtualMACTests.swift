// Virtual MAC interfaces: the settings are those that keepalived 2.2.7 was seen to make.

import Configuration
import Kernel
import Testing

@testable import Failover

@Suite(.serialized, .enabled(if: Namespace.isPossible, Namespace.need))
struct VirtualMACTests {
  private static func read(_ path: String) -> String? {
    try? SystemFile.read("/proc/sys/net/\(path)")
  }

  @Test func anIPv4RoutersInterface() throws {
    try Namespace.withCable {
      try SystemFile.write("/proc/sys/net/ipv4/conf/all/rp_filter", "1")
      let keeper = try AddressKeeper()
      let base = try #require(try LinkTable().link(named: "eth0"))
      let link = try keeper.createVirtualMACLink(
        named: "vrrp.51", base: base, id: 51, family: .v4)
      #expect(link.warnings == [])
      #expect(link.mac.description == "00:00:5e:00:01:33")
      #expect(link.index == (try Namespace.index("vrrp.51")))
      let shown = try Namespace.ip("-d -o link show dev vrrp.51")
      #expect(shown.contains("vrrp.51@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP>"))
      #expect(shown.contains("link/ether 00:00:5e:00:01:33"))
      #expect(shown.contains("macvlan mode private"))
      #expect(shown.contains("alias fairlead base=eth0 arp_ignore=0 arp_filter=0"))
      for (path, value) in [
        ("ipv4/conf/eth0/arp_ignore", "1"), ("ipv4/conf/eth0/arp_filter", "1"),
        ("ipv4/conf/vrrp.51/arp_ignore", "1"), ("ipv4/conf/vrrp.51/accept_local", "1"),
        ("ipv4/conf/vrrp.51/promote_secondaries", "1"), ("ipv4/conf/vrrp.51/rp_filter", "2"),
        ("ipv6/conf/vrrp.51/disable_ipv6", "1"), ("ipv4/conf/all/rp_filter", "1"),
      ] {
        #expect(Self.read(path) == value, "\(path)")
      }
      let second = try keeper.createVirtualMACLink(
        named: "vrrp.52", base: base, id: 52, family: .v4)
      #expect(try keeper.delete(link) == .removed)
      #expect(Self.read("ipv4/conf/eth0/arp_ignore") == "1")
      #expect(try keeper.delete(second) == .removed)
      #expect(try keeper.delete(second) == .absent)
      #expect(Self.read("ipv4/conf/eth0/arp_ignore") == "0")
      #expect(Self.read("ipv4/conf/eth0/arp_filter") == "0")
    }
  }

  @Test func anIPv6RoutersInterface() throws {
    try Namespace.withCable {
      let keeper = try AddressKeeper()
      let base = try #require(try LinkTable().link(named: "eth0"))
      let link = try keeper.createVirtualMACLink(
        named: "vrrp6.7", base: base, id: 7, family: .v6, linkLocal: IPAddress("fe80::1"))
      #expect(link.mac.description == "00:00:5e:00:02:07" && link.warnings == [])
      let shown = try Namespace.ip("-o addr show dev vrrp6.7")
      #expect(shown.contains("fe80::1/64 scope link nodad deprecated"))
      #expect(!shown.contains("fe80::200:5eff:fe00:207"))
      #expect(Self.read("ipv6/conf/vrrp6.7/addr_gen_mode") == "1")
      // The base is only IPv4's to arrange.
      #expect(Self.read("ipv4/conf/eth0/arp_ignore") == "0")
    }
  }

  @Test func aKilledRunsInterfaceIsFoundAndReplaced() throws {
    try Namespace.withCable {
      let base = try #require(try LinkTable().link(named: "eth0"))
      let old = try AddressKeeper().createVirtualMACLink(
        named: "vrrp.51", base: base, id: 51, family: .v4)
      let next = try AddressKeeper()
      let found = try next.leftovers()
      #expect(found.map(\.kind) == [.link(index: old.index, name: "vrrp.51")])
      let new = try next.createVirtualMACLink(named: "vrrp.51", base: base, id: 51, family: .v4)
      #expect(new.index != old.index)
      // What the base had before was not forgotten on the way.
      _ = try next.delete(new)
      #expect(Self.read("ipv4/conf/eth0/arp_ignore") == "0")

      _ = try next.createVirtualMACLink(named: "vrrp.51", base: base, id: 51, family: .v4)
      let last = try AddressKeeper()
      for leftover in try last.leftovers() { #expect(try last.remove(leftover) == .removed) }
      #expect(NetworkInterface.index(named: "vrrp.51") == nil)
      #expect(Self.read("ipv4/conf/eth0/arp_ignore") == "0")
    }
  }

  @Test func anotherProgramsInterfaceIsLeftAlone() throws {
    try Namespace.withCable {
      try Namespace.ip("link add link eth0 name vrrp.51 type macvlan mode bridge")
      let keeper = try AddressKeeper()
      let base = try #require(try LinkTable().link(named: "eth0"))
      let error = #expect(throws: NetlinkError.self) {
        _ = try keeper.createVirtualMACLink(named: "vrrp.51", base: base, id: 51, family: .v4)
      }
      #expect(error?.code == Errno.exists)
      #expect(try keeper.leftovers() == [])
      #expect(NetworkInterface.index(named: "vrrp.51") != nil)
    }
  }
}
