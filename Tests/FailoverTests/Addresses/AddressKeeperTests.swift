// What the keeper puts into the kernel, as ip(8) shows it.

import Configuration
import Kernel
import Testing

@testable import Failover

private func address(_ text: String) -> IPAddress { IPAddress(text)! }
private func prefix(_ text: String, _ length: UInt8) -> IPPrefix {
  IPPrefix(IPAddress(text)!, length: length)
}

@Suite(.serialized, .enabled(if: Namespace.isPossible, Namespace.need))
struct AddressKeeperTests {
  @Test func addressesComeAndGo() throws {
    try Namespace.withCable {
      let keeper = try AddressKeeper()
      let index = try Namespace.index("eth0")
      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      var plain = VirtualAddress(address("10.0.0.179"), prefixLength: 24)
      plain.broadcast = .ones
      plain.label = "eth0:vip"
      #expect(try keeper.add(plain, to: index) == .added)
      #expect(try keeper.add(plain, to: index) == .alreadyThere)
      var shown = try Namespace.ip("-o addr show dev eth0")
      #expect(shown.contains("10.0.0.179/24 brd 10.0.0.255 scope global secondary eth0:vip"))

      var pointToPoint = VirtualAddress(address("10.5.0.1"), prefixLength: 32)
      pointToPoint.peer = address("10.6.0.1")
      pointToPoint.scope = .link
      #expect(try keeper.add(pointToPoint, to: index) == .added)
      for text in ["fd00::179", "fe80::179"] {
        #expect(
          try keeper.add(VirtualAddress(address(text), prefixLength: 128), to: index) == .added)
      }
      var six = VirtualAddress(address("fd00::180"), prefixLength: 64)
      six.noPrefixRoute = true
      six.isHome = true
      six.managesTemporary = true
      #expect(try keeper.add(six, to: index) == .added)
      shown = try Namespace.ip("-o addr show dev eth0")
      #expect(shown.contains("10.5.0.1 peer 10.6.0.1/32 scope link eth0"))
      #expect(shown.contains("fd00::179/128 scope global nodad deprecated"))
      #expect(shown.contains("fe80::179/128 scope link nodad deprecated"))
      #expect(shown.contains("fd00::180/64 scope global nodad home mngtmpaddr noprefixroute"))
      #expect(!shown.contains("tentative"))

      for it in [plain, pointToPoint, six] {
        #expect(try keeper.remove(it, from: index) == .removed)
        #expect(try keeper.remove(it, from: index) == .absent)
      }
      shown = try Namespace.ip("-o addr show dev eth0")
      #expect(shown.contains("10.0.0.1/24") && shown.contains("fd00::179"))
      #expect(!shown.contains("10.0.0.179") && !shown.contains("fd00::180"))
      #expect(try keeper.remove(plain, from: 999) == .absent)
    }
  }

  @Test func multicastAddressesJoinTheirGroup() throws {
    try Namespace.withCable {
      let keeper = try AddressKeeper()
      var group = VirtualAddress(address("ff05::179"), prefixLength: 128)
      group.autojoins = true
      group.preferredLifetime = .forever
      // A group as an address of an interface is for IPv4 and IPv6 alike a thing of "autojoin".
      _ = try keeper.add(group, to: try Namespace.index("eth0"))
      #expect(try Namespace.ip("maddr show dev eth0").contains("ff05::179"))
    }
  }

  @Test func refusalsSayWhatAndWhy() throws {
    try Namespace.withCable {
      let keeper = try AddressKeeper()
      let it = VirtualAddress(address("10.0.0.179"), prefixLength: 24)
      do {
        let error = #expect(throws: NetlinkError.self) { _ = try keeper.add(it, to: 999) }
        #expect(error?.code == Errno.noDevice)
        #expect(
          error?.description.hasPrefix("add 10.0.0.179/24 to interface 999: No such device") == true
        )
      }
      var route = VirtualRoute(prefix("10.7.0.0", 16))
      var hop = VirtualRoute.Hop()
      hop.interface = "nowhere0"
      route.hops = [hop]
      #expect(throws: NetlinkError.self) { _ = try keeper.add(route) }
      #expect(try keeper.remove(route) == .absent)
      route.hops[0].interface = nil
      route.hops[0].gateway = address("10.200.0.1")
      do {
        let error = #expect(throws: NetlinkError.self) { _ = try keeper.add(route) }
        #expect(error?.explanation?.contains("gateway") == true)
      }
    }
  }

  static func routes() -> [(VirtualRoute, String)] {
    var hop = VirtualRoute.Hop()
    hop.interface = "eth0"
    var direct = VirtualRoute(prefix("192.168.1.7", 24))
    direct.hops = [hop]
    var full = VirtualRoute(prefix("192.168.2.0", 24))
    hop.gateway = address("10.0.0.5")
    full.hops = [hop]
    full.table = 1000
    full.metric = 10
    full.mtu = 1400
    full.advertisedMSS = 1300
    full.source = address("10.0.0.1")
    var many = VirtualRoute(prefix("192.168.3.0", 24))
    var second = hop
    second.gateway = address("10.77.0.6")
    second.isOnLink = true
    second.weight = 3
    many.hops = [hop, second]
    var black = VirtualRoute(prefix("192.168.4.0", 24))
    black.kind = .blackhole
    var standard = VirtualRoute(prefix("0.0.0.0", 0))
    standard.hops = [hop]
    var six = VirtualRoute(prefix("fd01::", 64))
    hop.gateway = address("fd00::5")
    six.hops = [hop]
    var sixBlack = VirtualRoute(prefix("fd02::", 64))
    sixBlack.kind = .unreachable
    return [
      (direct, "192.168.1.0/24 dev eth0 proto 102 scope link"),
      (
        full,
        "192.168.2.0/24 via 10.0.0.5 dev eth0 table 1000 proto 102 src 10.0.0.1 metric 10 "
          + "mtu 1400 advmss 1300"
      ),
      (many, "nexthop via 10.77.0.6 dev eth0 weight 3 onlink"),
      (black, "blackhole 192.168.4.0/24 proto 102"),
      (standard, "default via 10.0.0.5 dev eth0 proto 102"),
      (six, "fd01::/64 via fd00::5 dev eth0 proto 102 metric 1024"),
      (sixBlack, "unreachable fd02::/64 dev lo proto 102 metric 1024"),
    ]
  }

  @Test func routesComeAndGo() throws {
    try Namespace.withCable {
      let keeper = try AddressKeeper()
      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      try Namespace.ip("addr add fd00::1/64 dev eth0 nodad")
      let routes = Self.routes()
      for (route, _) in routes {
        #expect(try keeper.add(route) == .added)
        #expect(try keeper.add(route) == .alreadyThere)
      }
      let shown =
        try Namespace.ip("route show table all") + Namespace.ip("-6 route show table all")
      for (_, line) in routes { #expect(shown.contains(line), "\(shown)") }
      for (route, _) in routes {
        #expect(try keeper.remove(route) == .removed)
        #expect(try keeper.remove(route) == .absent)
      }
      #expect(!(try Namespace.ip("route show table all")).contains("proto 102"))
      #expect(!(try Namespace.ip("-6 route show table all")).contains("proto 102"))
    }
  }

  @Test func routesOfOthersAreLeftAlone() throws {
    try Namespace.withCable {
      let keeper = try AddressKeeper()
      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      try Namespace.ip("route add default via 10.0.0.9")
      let ours = try #require(Self.routes().first { $0.0.destination.length == 0 }).0
      do {
        let error = #expect(throws: NetlinkError.self) { _ = try keeper.add(ours) }
        #expect(error?.code == Errno.exists)
      }
      #expect(try keeper.remove(ours) == .absent)
      #expect(try Namespace.ip("route").contains("default via 10.0.0.9"))
    }
  }

  @Test func rulesComeAndGo() throws {
    try Namespace.withCable {
      let keeper = try AddressKeeper()
      var rule = VirtualRule()
      rule.source = prefix("10.0.0.179", 32)
      rule.table = 1000
      rule.preference = 500
      rule.mark = 0x10
      rule.markMask = 0xff
      rule.inputInterface = "eth0"
      rule.isInverted = true
      var six = VirtualRule()
      six.family = .v6
      six.destination = prefix("fd00::", 64)
      six.table = 100
      #expect(try keeper.add(rule) == .added)
      #expect(try keeper.add(rule) == .alreadyThere)
      #expect(try keeper.add(six) == .added)
      #expect(
        try Namespace.ip("rule").contains(
          "500:\tnot from 10.0.0.179 fwmark 0x10/0xff iif eth0 lookup 1000 proto 102"))
      #expect(try Namespace.ip("-6 rule").contains("to fd00::/64 lookup 100 proto 102"))
      for it in [rule, six] {
        #expect(try keeper.remove(it) == .removed)
        #expect(try keeper.remove(it) == .absent)
      }
      #expect(!(try Namespace.ip("rule")).contains("102"))
    }
  }

  @Test func leftoversAreFoundAndOnlyThey() throws {
    try Namespace.withCable {
      let index = try Namespace.index("eth0")
      try Namespace.ip("addr add 10.0.0.1/24 dev eth0")
      try Namespace.ip("addr add fd00::1/64 dev eth0 nodad")
      try Namespace.ip("rule add from 10.0.0.1 table 7")
      let before = try Self.everything()
      do {
        let keeper = try AddressKeeper()
        for text in ["10.0.0.179", "fd00::179"] {
          let it = VirtualAddress(address(text), prefixLength: 32)
          _ = try keeper.add(it, to: index)
        }
        for (route, _) in Self.routes() { _ = try keeper.add(route) }
        var rule = VirtualRule()
        rule.source = prefix("10.0.0.179", 32)
        rule.table = 1000
        _ = try keeper.add(rule)
        rule.family = .v6
        rule.source = nil
        _ = try keeper.add(rule)
      }
      // A program that knows nothing of what was added, as after SIGKILL.
      let next = try AddressKeeper()
      let found = try next.leftovers()
      #expect(found.count == 2 + Self.routes().count + 2, "\(found)")
      #expect(found.contains { $0.kind == .address(address("fd00::179"), interface: index) })
      #expect(found.contains { "\($0)" == "address 10.0.0.179/32 on interface \(index)" })
      for leftover in found { #expect(try next.remove(leftover) == .removed, "\(leftover)") }
      #expect(try next.leftovers() == [])
      for leftover in found { #expect(try next.remove(leftover) == .absent, "\(leftover)") }
      #expect(try Self.everything() == before)
    }
  }

  static func everything() throws -> [String] {
    try ["-br addr", "route show table all", "-6 route show table all", "rule", "-6 rule"].map {
      try Namespace.ip($0)
    }
  }

  @Test func promotionOfSecondaries() throws {
    try Namespace.withCable {
      try SystemFile.write("/proc/sys/net/ipv4/conf/eth0/promote_secondaries", "0")
      #expect(InterfaceSetting.promotesSecondaries("eth0") == false)
      #expect(InterfaceSetting.setPromotesSecondaries("eth0", true) == nil)
      #expect(InterfaceSetting.promotesSecondaries("eth0") == true)
      #expect(InterfaceSetting.promotesSecondaries("nowhere0") == nil)
      #expect(InterfaceSetting.setPromotesSecondaries("nowhere0", true)?.code == 2)
      #expect(!InterfaceSetting.isForwardingIPv6("eth0"))
      try SystemFile.write("/proc/sys/net/ipv6/conf/eth0/forwarding", "1")
      #expect(InterfaceSetting.isForwardingIPv6("eth0"))
    }
  }
}
