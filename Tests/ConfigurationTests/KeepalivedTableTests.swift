// Keyword by keyword, value by value: what a line makes of the model, and what it says.

import Foundation
import Testing

@testable import Configuration

/// A router with one more line in it.
private func instanceText(_ lines: String, vip: String = "10.0.0.9", id: Int = 7) -> String {
  "vrrp_instance V {\ninterface eth0\nvirtual_router_id \(id)\n\(lines)\n"
    + "virtual_ipaddress {\n\(vip)\n}\n}\n"
}

private func router(_ lines: String, vip: String = "10.0.0.9") throws -> VirtualRouter {
  try #require(parseFailover(instanceText(lines, vip: vip)).configuration?.routers.first)
}

@Suite struct KeepalivedTableTests {
  // MARK: Every keyword

  @Test func everyKeywordStandsInAFixtureOrIsIdle() throws {
    var seen: Set<String> = []
    for file in KeepalivedFixtures.files {
      for line in String(decoding: try Fixtures.bytes(file), as: UTF8.self).split(separator: "\n") {
        for word in line.split(whereSeparator: { $0 == " " || $0 == "{" }) {
          seen.insert("\(word)")
        }
      }
    }
    let missing = KeepalivedBlock.allCases.flatMap { block in
      KeepalivedKeywords.table(of: block).values.filter { keyword in
        !seen.contains(keyword.name) && effect(of: keyword, in: block) != .note
      }.map(\.name)
    }
    #expect(Set(missing).subtracting(Self.testedBelow) == [])
  }

  /// Stand in tests of this file only.
  static let testedBelow: Set<String> = [
    "vrrp_version", "vrrp_garp_lower_prio_delay", "vrrp_garp_lower_prio_repeat",
    "vrrp_mcast_group6", "vrrp_check_unicast_src", "skip_check_adv_addr", "check_unicast_src",
    "unicast_fault_no_peer", "preempt", "garp_master_delay", "garp_master_repeat",
    "garp_master_refresh_repeat", "owner_ignore_adverts", "v3_checksum_as_v2",
    "vrrp_notify_fifo_script", "terminate_delay", "sync_group_tracking_weight", "global_tracking",
    "arp_interval", "gna_interval", "na_interval", "vrrp_delay_after_boot",
    "vrrp_vmac_garp_intvl", "vmac_garp_intvl",
    "strict_mode", "smtp_alert_vrrp", "smtp_alert_checker",
  ]

  enum Effect { case nothing, note, more }

  /// What the keyword does, whatever its value: nothing must be the answer for none of them.
  private func effect(of keyword: KeepalivedKeyword, in block: KeepalivedBlock) -> Effect {
    let values = [
      "", "1", "2", "3", "on", "10.0.0.1", "224.0.0.5", "ff02::5", "eth1", "PASS", "/x",
    ]
    var strongest = Effect.nothing
    for value in values {
      let line = keyword.name + " " + value + (keyword.shape == .block ? " {\nx\n}" : "")
      let with = parseFailover(KeepalivedTableTests.wrapped(line, block))
      let without = parseFailover(KeepalivedTableTests.wrapped("", block))
      let added = with.diagnostics.filter { one in
        !without.diagnostics.contains { $0.message == one.message }
      }
      if with.configuration != without.configuration
        || added.contains(where: { $0.severity > .note })
      {
        return .more
      }
      if !added.isEmpty { strongest = .note }
    }
    return strongest
  }

  static func wrapped(_ line: String, _ block: KeepalivedBlock) -> String {
    let user = instanceText("track_script {\ns\n}\ntrack_file {\nf\n}\ntrack_process {\np\n}")
    let script = "vrrp_script s {\nscript /bin/true\n"
    let file = "track_file f {\nfile /x\n"
    let process = "vrrp_track_process p {\nprocess x\n"
    func all(_ s: String = "", _ f: String = "", _ p: String = "") -> String {
      user + script + s + "\n}\n" + file + f + "\n}\n" + process + p + "\n}\n"
    }
    switch block {
    case .top: return line + "\n"
    case .global: return "global_defs {\n\(line)\n}\n" + instanceText("")
    case .instance: return instanceText(line)
    case .group: return instanceText("") + "vrrp_sync_group G {\ngroup {\nV\n}\n\(line)\n}\n"
    case .script: return all(line)
    case .trackFile: return all("", line)
    case .trackProcess: return all("", "", line)
    case .authentication: return instanceText("authentication {\n\(line)\n}")
    case .arpGroup: return instanceText("") + "garp_group {\ninterface eth0\n\(line)\n}\n"
    }
  }

  @Test(arguments: KeepalivedBlock.allCases) func noKeywordOnlyParses(_ block: KeepalivedBlock) {
    // Defaults that the values above say again, or settings that need another one.
    let exceptions: Set<String> = [
      "preempt", "accept", "check_unicast_src", "use_vmac_addr",
      "vrrp_notify_fifo_script", "group",
      "static_ipaddress", "no_virtual_ipaddress",
    ]
    for keyword in KeepalivedKeywords.table(of: block).values
    where !exceptions.contains(keyword.name) {
      #expect(effect(of: keyword, in: block) != .nothing, "\(keyword.name) in \(block)")
    }
  }

  // MARK: Instances

  @Test(arguments: [
    ("1", 2, Duration.seconds(1)), ("0.5", 2, .seconds(1)), ("0.4", 2, .seconds(1)),
    ("1.4", 2, .seconds(1)), ("1.5", 2, .seconds(2)), ("255", 2, .seconds(255)),
    ("0", 2, .seconds(1)), ("0.005", 2, .seconds(1)), ("300", 2, .seconds(1)),
    ("1s", 2, .seconds(1)), ("0.5", 3, .milliseconds(500)), ("0.01", 3, .milliseconds(10)),
    ("40.95", 3, .milliseconds(40_950)), ("50", 3, .milliseconds(40_950)),
    ("0.123", 3, .milliseconds(120)), ("0.1", 3, .milliseconds(100)),
  ]) func intervals(_ text: String, _ version: Int, _ expected: Duration) throws {
    let text = "version \(version)\nadvert_int \(text)"
    #expect(try router(text).advertisementInterval == expected)
  }

  @Test func statesAndPriorities() throws {
    #expect(try router("").priority == 100)
    #expect(try router("state MASTER").priority == 255)
    #expect(try router("state MASTER\npriority 7").priority == 7)
    #expect(try !router("priority 7").prefersMaster)
    #expect(try router("priority 255").prefersMaster)
    #expect(try router("state MASTER\nstate BACKUP").prefersMaster)
    #expect(try router("priority 300").priority == 100)
  }

  @Test func preemption() throws {
    #expect(try router("nopreempt").preemption == .never)
    #expect(try router("nopreempt\npreempt").preemption == .immediate)
    #expect(try router("nopreempt\nstate MASTER\npriority 9").preemption == .immediate)
    #expect(try router("nopreempt\npriority 255").preemption == .immediate)
    #expect(try router("preempt_delay 1.5").preemption == .delayed(.milliseconds(1500)))
    #expect(try router("preempt_delay 1001").preemption == .immediate)
    #expect(try router("preempt_delay 2\nnopreempt").preemption == .never)
    #expect(try router("preempt_delay 2\nstate MASTER\npriority 9").preemption == .immediate)
  }

  @Test(arguments: [
    ("42Secure", "42Secure"), ("abc", "abc\0\0\0\0\0"), ("ostest_api_vip", "ostest_a"),
    ("\"a b\"", "a b\0\0\0\0\0"), ("a\\b", "a\\b\0\0\0\0\0"), ("it's", "it's\0\0\0\0"),
    ("a#b", "a\0\0\0\0\0\0\0"), ("\"ab{cd\"", "ab{cd\0\0\0"), ("a\"b\"c", "a\0\0\0\0\0\0\0"),
  ]) func passwords(_ written: String, _ expected: String) throws {
    let text = "authentication {\nauth_type PASS\nauth_pass \(written)\n}"
    #expect(try router(text).password == Array(expected.utf8))
    #expect(try router("version 3\n" + text).password == nil)
  }

  @Test func passwordsCutInTheMiddleOfACharacterSurvivePrinting() throws {
    let text = "authentication {\nauth_type PASS\nauth_pass Schl\u{FC}ssel\n}"
    let configuration = try #require(
      parseFailover(instanceText(text.replacingOccurrences(of: "Schl", with: "Schlues")))
        .configuration)
    #expect(configuration.routers[0].password?.count == 8)
    let again = parseFailover(KeepalivedDialect.print(configuration))
    #expect(again.configuration == configuration)
  }

  @Test func families() throws {
    let six = try router("version 2", vip: "fe80::1\n10.0.0.1")
    #expect(six.family == .v6)
    #expect(six.version == .v3)
    #expect(six.addresses.count == 1)
    let excluded = try router("virtual_ipaddress_excluded {\nfd00::1\n}")
    #expect(excluded.family == .v4)
    #expect(excluded.excludedAddresses.count == 1)
    #expect(
      try router("unicast_peer {\n10.0.0.3\n}", vip: "10.0.0.4\nfd00::1").addresses.count == 1)
    #expect(parseFailover(instanceText("native_ipv6")).errors.count == 1)
  }

  @Test func moreAddressesThanAPacketHolds() throws {
    let many = (0..<300).map { "10.1.\($0 / 200).\($0 % 200 + 1)" }.joined(separator: "\n")
    let four = try router("", vip: many)
    #expect(four.addresses.count == 255)
    #expect(four.excludedAddresses.count == 45)
    let six = try router("", vip: (1...100).map { "fe80::\($0)" }.joined(separator: "\n"))
    #expect(six.addresses.count == 90)
    #expect(six.excludedAddresses.count == 10)
    let others = try router("use_vmac_addr", vip: "10.1.1.1\n10.1.1.2 dev eth0\n10.1.1.3 dev eth1")
    #expect(others.addresses.map(\.usesVirtualMAC) == [false, false, true])
  }

  @Test func unicast() throws {
    let empty = parseFailover(instanceText("unicast_peer {\n}\nunicast_src_ip 10.0.0.1"))
    #expect(empty.configuration?.routers[0].peers == [])
    #expect(empty.warnings.count == 1)
    let peers = try router("unicast_peer {\n10.0.0.2\n10.0.0.3 min_ttl 200\n}")
    #expect(peers.peers.map(\.minimumTTL) == [nil, 200])
    #expect(peers.checksUnicastSource)
    #expect(try router("check_unicast_src\nunicast_peer {\n10.0.0.2\n}").checksUnicastSource)
    #expect(parseFailover(instanceText("unicast_fault_no_peer")).errors.count == 1)
    #expect(try router("use_vmac\nunicast_peer {\n10.0.0.2\n}").virtualMAC?.sendsFromBase == true)
  }

  @Test func announcements() throws {
    func settled(_ global: String, _ own: String) throws -> Announcement {
      let text = "global_defs {\n\(global)\n}\n" + instanceText(own)
      return try #require(parseFailover(text).configuration?.routers.first).announcement
    }
    let shared = try settled(
      "vrrp_garp_master_delay 7\nvrrp_garp_master_repeat 3\nvrrp_garp_lower_prio_repeat 0",
      "garp_master_delay 9\ngarp_master_repeat 4\ngarp_master_refresh_repeat 2")
    #expect(shared.delay == .seconds(9))
    #expect(shared.count == 4)
    #expect(shared.refreshCount == 2)
    // As measured: the default is the global master delay, not the instance's.
    #expect(shared.lowerPriorityDelay == .seconds(7))
    #expect(shared.lowerPriorityCount == 0)
    let least = try settled("vrrp_min_garp\nvrrp_garp_lower_prio_delay 3", "")
    #expect(least.delay == .zero)
    #expect(least.count == 1)
    #expect(least.lowerPriorityDelay == .seconds(3))
    #expect(least.lowerPriorityCount == 1)
    let group = "}\ngarp_group {\ninterface eth0\narp_interval 0.5\nna_interval 0.25\n"
    #expect(try settled(group, "").arpInterval == .milliseconds(500))
    #expect(try settled(group, "").neighbourInterval == .milliseconds(250))
  }

  // MARK: Tracking

  @Test func weightsInGroupsAndOfOwners() throws {
    let script = "vrrp_script s {\nscript /bin/true\nweight 5\n}\n"
    let track = "track_script {\ns\n}\ntrack_interface {\neth1 weight 4\n}"
    let group = "vrrp_sync_group G {\ngroup {\nV\n}\n"
    let alone = parseFailover(script + instanceText(track))
    #expect(alone.configuration?.routers[0].trackedScripts == [TrackReference("s")])
    let member = parseFailover(script + instanceText(track) + group + "}\n")
    #expect(member.configuration?.routers[0].trackedScripts == [])
    #expect(member.configuration?.routers[0].trackedInterfaces == [TrackReference("eth1")])
    let weighted = parseFailover(
      script + instanceText(track) + group + "sync_group_tracking_weight\n}\n")
    #expect(weighted.configuration?.routers[0].trackedScripts == [TrackReference("s")])
    let owner = parseFailover(script + instanceText(track + "\npriority 255"))
    #expect(owner.configuration?.routers[0].trackedScripts == [])
    let shared = parseFailover(
      script + instanceText("priority 255") + group
        + "track_script {\ns weight 3\n}\nglobal_tracking\n}")
    #expect(shared.configuration?.groups[0].trackedScripts == [TrackReference("s", weight: 0)])
  }

  @Test(arguments: [
    ("\"/bin/sh -c 'a  b' \\\"x y\\\" q\\ r\"", ["/bin/sh", "-c", "a  b", "x y", "q", "r"]),
    ("/bin/true -0 haproxy", ["/bin/true"]), ("\"/bin/true\" \"x y\"", ["/bin/true"]),
    ("'/bin/true one \"two three\" \\x41 \\n'", ["/bin/true", "one", "two three", "A"]),
    ("/bin/tr\"ue\" x", ["/bin/true"]),
    ("\"/bin/true  $HOME \\$X\"", ["/bin/true", "$HOME", "$X"]),
  ]) func commandsAreSplitAsMeasured(_ text: String, _ words: [String]) throws {
    let result = parseFailover(
      "vrrp_script s {\nscript \(text)\n}\n" + instanceText("track_script {\ns\n}"))
    #expect(result.configuration?.scripts.first?.command.words == words)
  }

  @Test func processes() throws {
    func process(_ lines: String) throws -> TrackedProcess {
      let text =
        "vrrp_track_process p {\n\(lines)\n}\n" + instanceText("track_process {\np\n}")
      return try #require(parseFailover(text).configuration?.processes.first)
    }
    #expect(try process("process x").arguments == .any)
    #expect(try process("process x a \"b c\"").arguments == .exact(["a", "b c"]))
    #expect(try process("process x a\nparam_match partial").arguments == .initial(["a"]))
    #expect(try process("process x a\nparam_match initial").arguments == .prefix(["a"]))
    #expect(try process("process x\nterminate_delay 2").terminateDelay == .seconds(2))
    #expect(try process("process x\nquorum_max 0").maximum == 0)
  }

  @Test func globalsForAll() throws {
    let result = parseFailover(
      "global_defs {\nvrrp_version 3\nvrrp_mcast_group6 ff02::99\nvrrp_check_unicast_src\n"
        + "vrrp_delay_after_boot 3\nvrrp_vmac_garp_intvl 3\nvrrp_notify_fifo /run/f\n"
        + "vrrp_notify_fifo_script \"/bin/r x\"\n}\n"
        + instanceText(
          "v3_checksum_as_v2\nowner_ignore_adverts\nskip_check_adv_addr\nvmac_garp_intvl 3",
          vip: "fe80::7"))
    let router = try #require(result.configuration?.routers.first)
    #expect(router.version == .v3)
    #expect(router.multicastGroup == IPAddress("ff02::99"))
    #expect(router.checksumWithoutPseudoHeader)
    #expect(router.ownerIgnoresAdverts)
    #expect(router.skipsRepeatedAddressCheck)
    #expect(result.configuration?.global.fifos.first?.script?.words == ["/bin/r", "x"])
    #expect(result.warnings.count == 3)
  }

  @Test func strictness() throws {
    let strict = try router("strict_mode")
    #expect(strict.isStrict)
    #expect(!strict.accepts)
    #expect(strict.sendsNoAdvertOnLowerPriority)
    #expect(strict.announcement.lowerPriorityCount == 0)
    #expect(try router("strict_mode\npriority 255").accepts)
    #expect(try router("strict_mode\nversion 3\naccept").accepts)
    let off = parseFailover("global_defs {\nvrrp_strict\n}\n" + instanceText("strict_mode off"))
    #expect(off.configuration?.routers[0].isStrict == false)
  }

  @Test(arguments: [
    ("smtp_alert", 1), ("smtp_alert true", 1), ("smtp_alert_vrrp yes", 1), ("smtp_alert off", 0),
    ("smtp_alert_checker on", 1), ("smtp_server 127.0.0.1", 0),
  ]) func mailIsSaidOnce(_ line: String, _ warnings: Int) {
    let result = parseFailover(
      "global_defs {\nnotification_email_from a@b\n\(line)\nsmtp_connect_timeout 3\n}\n"
        + instanceText(""))
    #expect(result.diagnostics.count == 1)
    #expect(result.warnings.count == warnings)
  }

  // MARK: Recognition

  @Test(arguments: [
    ("! a\n", true), ("# a\n\nglobal_defs {\n", true), ("vrrp_instance A{\n", true),
    ("$A=1\n", true), ("include x\n", true), ("static_routes\n{\n", true), ("global\n", false),
    ("frontends:\n", false), ("", false), ("defaults\n mode tcp\n", false), ("version: 1\n", false),
  ]) func recognition(_ text: String, _ expected: Bool) {
    #expect(KeepalivedDialect.recognises(Array(text.utf8)) == expected)
  }
}
