// What the filter puts into the kernel, as nft(8) shows it, and what it leaves alone.

import Configuration
import Foundation
import Testing

@testable import Failover

private enum Tables {
  static var isPossible: Bool {
    if ProcessInfo.processInfo.environment["CI"] != nil { return true }
    return Namespace.isPossible && FileManager.default.isExecutableFile(atPath: "/usr/sbin/nft")
  }

  static let need: Comment = "needs root, ip(8) of iproute2 and nft(8) of nftables"

  /// What nft(8) prints, and whether it succeeded.
  @discardableResult
  static func nft(_ words: String) throws -> (text: String, succeeded: Bool) {
    guard let pipe = popen("/usr/sbin/nft \(words) 2>&1", "r") else {
      throw CocoaError(.fileReadUnknown)
    }
    var text = ""
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, 4096, pipe) != nil {
      text += String(
        decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    return (text, pclose(pipe) == 0)
  }

  static var names: String {
    get throws { try nft("list tables").text }
  }
}

private func configuration(_ addresses: String..., accepts: Bool = false) -> FailoverConfiguration {
  var router = VirtualRouter(name: "VI_1", origin: Origin(), interface: "eth0", id: 51)
  router.addresses = addresses.map { VirtualAddress(IPAddress($0)!, prefixLength: 24) }
  router.accepts = accepts
  var configuration = FailoverConfiguration()
  configuration.routers = [router]
  return configuration
}

@Suite(.serialized, .enabled(if: Tables.isPossible, Tables.need))
struct AcceptanceFilterTests {
  @Test func theTableHasOneSetAndRulePerKind() throws {
    try Namespace.run {
      let filter = AcceptanceFilter()
      let wasLeft = try filter.start(
        configuration("10.0.0.179", "fd00::179", "fe80::179"))
      #expect(!wasLeft)
      let shown = try Tables.nft("list table inet fairlead_accept").text
      let lines = shown.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      for line in [
        "elements = { 10.0.0.179 }", "elements = { fd00::179 }",
        "elements = { fe80::179 . \"eth0\" }", "iif \"lo\" accept",
        "type filter hook input priority filter - 10; policy accept;",
        "icmpv6 type nd-router-solicit accept", "icmpv6 type 135-136 accept",
        "ip daddr @ipv4 counter packets 0 bytes 0 drop",
        "ip6 daddr @ipv6 counter packets 0 bytes 0 drop",
        "ip6 daddr . iifname @ipv6_link_local counter packets 0 bytes 0 drop",
        "comment \"fairlead: virtual routers with no_accept\"",
      ] {
        #expect(lines.contains(line), "\(line) in\n\(shown)")
      }
      filter.stop()
      #expect(try Tables.names.isEmpty)
    }
  }

  @Test func nothingIsMadeForRoutersThatAccept() throws {
    try Namespace.run {
      let filter = AcceptanceFilter()
      _ = try filter.start(configuration("10.0.0.179", accepts: true))
      #expect(try Tables.names.isEmpty)
      try filter.prepare(for: configuration("10.0.0.180", accepts: true))
      try filter.settle(configuration("10.0.0.180", accepts: true))
      #expect(try Tables.names.isEmpty)
    }
  }

  @Test func aReloadDropsBothUntilItIsThrough() throws {
    try Namespace.run {
      let filter = AcceptanceFilter()
      _ = try filter.start(configuration("10.0.0.1"))
      defer { filter.stop() }
      let next = configuration("10.0.0.2")
      func elements() throws -> [Bool] {
        let shown = try Tables.nft("list set inet fairlead_accept ipv4").text
        return ["10.0.0.1", "10.0.0.2"].map { shown.contains($0) }
      }
      try filter.prepare(for: next)
      #expect(try elements() == [true, true])
      try filter.settle(nil)
      #expect(try elements() == [true, false])
      try filter.prepare(for: next)
      try filter.settle(next)
      #expect(try elements() == [false, true])
      try filter.prepare(for: FailoverConfiguration())
      try filter.settle(FailoverConfiguration())
      #expect(try Tables.names.isEmpty)
    }
  }

  @Test func aReloadThatEndsAfterTheStopBringsNothingBack() throws {
    try Namespace.run {
      let filter = AcceptanceFilter()
      _ = try filter.start(configuration("10.0.0.1"))
      try filter.prepare(for: configuration("10.0.0.2"))
      filter.stop()
      try filter.settle(configuration("10.0.0.2"))
      #expect(try Tables.names.isEmpty)
    }
  }

  @Test func anotherTableStaysAndOursIsReplaced() throws {
    try Namespace.run {
      // As left behind by a run that was killed, on a kernel without owners of tables.
      try Tables.nft("add table inet fairlead_accept")
      try Tables.nft("add table inet other")
      let filter = AcceptanceFilter()
      let wasLeft = try filter.start(configuration("10.0.0.1", accepts: true))
      #expect(wasLeft)
      #expect(try Tables.names == "table inet other\n")
      #expect(try !AcceptanceFilter.removeLeftover())
      try Tables.nft("add table inet fairlead_accept")
      #expect(try AcceptanceFilter.removeLeftover())
      #expect(try Tables.names == "table inet other\n")
    }
  }

  /// A firewall that loads its rules anew flushes everything first. Kernels before 6.9 cannot
  /// keep it from that.
  @Test func flushingTheRulesetLeavesOursInPlace() throws {
    try Namespace.run {
      let filter = AcceptanceFilter()
      _ = try filter.start(configuration("10.0.0.1"))
      defer { filter.stop() }
      guard try Tables.nft("list table inet fairlead_accept").text.contains("flags owner") else {
        return
      }
      #expect(try Tables.nft("flush ruleset").succeeded)
      let shown = try Tables.nft("list set inet fairlead_accept ipv4").text
      #expect(shown.contains("10.0.0.1"))
    }
  }

  @Test func aTableThatSomebodyElseOwnsIsAnError() throws {
    try Namespace.run {
      let first = AcceptanceFilter()
      _ = try first.start(configuration("10.0.0.1"))
      defer { first.stop() }
      guard try Tables.nft("list table inet fairlead_accept").text.contains("flags owner") else {
        return
      }
      #expect(throws: FailoverError.self) {
        _ = try AcceptanceFilter().start(configuration("10.0.0.2"))
      }
    }
  }

  @Test func thousandsOfAddressesFit() throws {
    try Namespace.run {
      var many = configuration()
      many.routers[0].excludedAddresses = (UInt64(0)..<5000).map {
        VirtualAddress(.v6(high: 0xfd00 << 48, low: $0), prefixLength: 64)
      }
      let filter = AcceptanceFilter()
      _ = try filter.start(many)
      defer { filter.stop() }
      let shown = try Tables.nft("list set inet fairlead_accept ipv6").text
      #expect(shown.contains("fd00::1387"))
    }
  }
}
