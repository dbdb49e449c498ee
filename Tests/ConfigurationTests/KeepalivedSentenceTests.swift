// What is easiest to get wrong in reading keepalived.conf, each under its own name; values were
// compared with keepalived 2.2.7. And the sentences: place, caret, nearest keyword.

import Testing

@testable import Configuration

@Suite struct KeepalivedSentenceTests {
  @Test(arguments: [
    ("0.5", 1), ("0.4", 1), ("1.4", 1), ("1.5", 2), ("0.01", 1), ("2", 2), ("255", 255),
    ("0", 1), ("0.005", 1), ("300", 1), ("1s", 1), ("-1", 1), ("x", 1),
  ]) func version2CarriesWholeSeconds(_ text: String, _ seconds: Int) {
    let result = instance("advert_int \(text)")
    #expect(result.router?.advertisementInterval == .seconds(seconds))
    #expect(result.warnings.count == (["2", "255"].contains(text) ? 0 : 1))
    #expect(result.router?.version == .v2)
  }

  @Test func theHalfSecondIsExplained() {
    let message = instance("priority 100", "advert_int 0.5").warnings.first ?? ""
    #expect(message.contains("0.5 becomes 1"))
    #expect(message.contains("takes over after 3.61 s"))
    #expect(message.contains("What was meant is 1.8 s: 'version 3'"))
  }

  @Test(arguments: [("0.5", 500), ("0.01", 10), ("0.255", 260), ("40.95", 40_950), ("50", 40_950)])
  func version3CarriesHundredths(_ text: String, _ milliseconds: Int) {
    let result = instance("version 3", "advert_int \(text)")
    #expect(result.router?.advertisementInterval == .milliseconds(milliseconds))
  }

  // MARK: State and priority

  @Test func priorityDefaults() {
    #expect(instance().router?.priority == 100 && instance().router?.prefersMaster == false)
    #expect(instance("state BACKUP").router?.priority == 100)
    let master = instance("state MASTER").router
    #expect(master?.priority == 255 && master?.prefersMaster == true)
    #expect(instance("priority 0").router?.priority == 100)
    #expect(instance("priority 256").router?.priority == 100)
  }

  /// keepalived 2.2.7: without a state the owner is master at once, with `state BACKUP` it waits.
  @Test func ownerStartsAsMasterUnlessItIsToldNotTo() {
    #expect(instance("priority 255").router?.prefersMaster == true)
    #expect(instance("priority 255", "state BACKUP").router?.prefersMaster == false)
    let again = instance("priority 255", "state BACKUP").configuration.map(KeepalivedDialect.print)
    #expect(keepalived(again ?? "").router?.prefersMaster == false)
  }

  @Test func stateIsMasterOnceItWas() {
    let result = instance("state MASTER", "state BACKUP", "priority 9")
    #expect(result.router?.prefersMaster == true && result.warnings.count == 1)
    #expect(instance("state BACKUP", "state MASTER").router?.prefersMaster == true)
    #expect(instance("state FOO").router?.prefersMaster == false)
  }

  @Test func preemption() {
    #expect(instance("nopreempt", "state BACKUP").router?.preemption == .never)
    #expect(instance("nopreempt", "preempt").router?.preemption == .immediate)
    for lines in ["state MASTER\n priority 9", "priority 255", "state BACKUP\n priority 255"] {
      let result = instance("nopreempt", lines)
      #expect(result.router?.preemption == .immediate && result.warnings.count == 1, "\(lines)")
    }
    let both = instance("nopreempt", "preempt_delay 5")
    #expect(both.router?.preemption == .never && both.warnings.count == 1)
    #expect(instance("preempt_delay 5", "state MASTER").router?.preemption == .immediate)
    #expect(instance("preempt_delay 1001").router?.preemption == .immediate)
    #expect(instance("preempt_delay 1000").router?.preemption == .delayed(.seconds(1000)))
  }

  // MARK: Authentication

  @Test(arguments: [
    ("42Secure", "42Secure", 0), ("cluster_api_vip", "cluster_", 1), ("a", "a\0\0\0\0\0\0\0", 0),
    ("\"with #!\"", "with #!\0", 0),
  ]) func passwordsHaveEightBytes(_ text: String, _ bytes: String, _ warnings: Int) {
    let result = instance("authentication {\n auth_type PASS\n auth_pass \(text)\n }")
    #expect(result.router?.password == Array(bytes.utf8))
    #expect(result.warnings.count == warnings)
  }

  @Test func passwordsThatDoNotCount() {
    let block = "authentication {\n auth_type PASS\n auth_pass x\n }"
    for line in ["version 3", "strict_mode"] {
      let result = instance(line, block)
      #expect(result.router?.password == nil && result.warnings.count == 1)
    }
    #expect(instance("authentication {\n auth_pass x\n }").router?.password == nil)
    #expect(instance("authentication {\n auth_type AH\n auth_pass x\n }").errors.count == 1)
  }

  // MARK: Peers and addresses

  @Test func emptyPeerListMeansMulticast() {
    let result = instance("unicast_peer {\n }")
    #expect(result.router?.peers == [] && result.errors == [] && result.warnings.count == 1)
    #expect(instance("unicast_fault_no_peer", "unicast_peer { }").errors.count == 1)
  }

  @Test func moreAddressesThanAnAdvertisementHolds() {
    let text = "vrrp_instance I {\n interface e\n virtual_router_id 1\n virtual_ipaddress {\n"
    let v4 = (0..<260).map { "10.0.\($0 / 256).\($0 % 256)\n" }.joined()
    let router = keepalived(text + v4 + "}\n}\n").router
    #expect(router?.addresses.count == 255 && router?.excludedAddresses.count == 5)
    let v6 = (0..<100).map { "fe80::\($0 + 1)\n" }.joined()
    let six = keepalived(text + v6 + "}\n}\n").router
    #expect(six?.addresses.count == 90 && six?.excludedAddresses.count == 10)
  }

  @Test func familiesDoNotMix() {
    let result = instance("virtual_ipaddress {\n fe80::1\n 10.0.0.9\n }")
    #expect(result.router?.family == .v6 && result.router?.version == .v3)
    #expect(result.router?.addresses.count == 1)
    // The second block's IPv4 address is as foreign.
    #expect(result.warnings.count == 2)
    let excluded = instance("virtual_ipaddress_excluded {\n fe80::1\n }")
    #expect(excluded.router?.excludedAddresses.count == 1 && excluded.warnings == [])
    let native = keepalived(
      "vrrp_instance I {\n interface e\n virtual_router_id 1\n native_ipv6\n"
        + " no_virtual_ipaddress\n virtual_ipaddress { fe80::1 }\n}\n")
    #expect(native.router?.family == .v6)
  }

  @Test func addressesAreHostsWithoutBroadcast() {
    let address = instance().router?.addresses.first
    #expect(address?.prefixLength == 32 && address?.broadcast == Broadcast.none)
    #expect(address?.scope == .global && address?.label == nil && address?.interface == nil)
  }

  @Test func strictMode() {
    let result = instance(
      "strict_mode", "state MASTER", "priority 100", "preempt_delay 5", "accept",
      "down_timer_adverts 5", "unicast_peer { 10.0.0.8 }")
    let router = result.router
    #expect(router?.prefersMaster == false && router?.preemption == .immediate)
    #expect(router?.accepts == false && router?.downTimerAdverts == 3)
    #expect(router?.announcement.lowerPriorityCount == 0 && router?.peers.count == 1)
    let empty = "vrrp_instance I {\n interface e\n virtual_router_id 1\n"
    #expect(keepalived(empty + "strict_mode\n}\n").errors.count == 1)
    #expect(keepalived(empty + "version 3\n}\n").errors.count == 1)
    #expect(keepalived(empty + "}\n").errors.isEmpty)
  }

  @Test func twoRoutersWithOneNumber() {
    func pair(_ interface: String, _ address: String) -> FailoverParseResult {
      keepalived(
        "vrrp_instance A {\n interface e\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.1 }\n}\n"
          + "vrrp_instance B {\n interface \(interface)\n virtual_router_id 1\n"
          + " virtual_ipaddress { \(address) }\n}\n")
    }
    #expect(
      pair("e", "10.0.0.2").errors.first?.contains("both use the virtual router id 1") == true)
    #expect(pair("f", "10.0.0.2").errors == [])
    #expect(pair("e", "fe80::2").errors == [])
  }

  // MARK: Grammar

  @Test func blocksOnOneLineAndCommentsAnywhere() {
    let result = keepalived(
      "vrrp_instance I { # a\n interface eth0 ! b\n virtual_router_id 1#c\n"
        + " virtual_ipaddress { 10.0.0.1 }\n}\n")
    #expect(result.diagnostics == [] && result.router?.addresses.count == 1)
    let below = keepalived(
      "vrrp_instance I\n{\n interface eth0\n virtual_router_id \\\n 7\n"
        + " virtual_ipaddress\n {\n 10.0.0.1\n }\n}\n")
    #expect(below.diagnostics == [] && below.router?.id == 7)
  }

  @Test func conditionsFollowTheConfigurationID() {
    let text = "@testhost priority 5"
    #expect(instance(text).router?.priority == 5)
    #expect(instance("@^testhost priority 5").router?.priority == 100)
    #expect(instance("@other priority 5").router?.priority == 100)
    #expect(instance("@^other priority 5").router?.priority == 5)
  }

  @Test func definitions() {
    let before = "$P=${Q}7\n$Q=5\n"
    #expect(instance("priority $P", before: before).router?.priority == 57)
    #expect(instance("priority ${P}", before: before).router?.priority == 57)
    #expect(instance("priority 1${Q}", before: before).router?.priority == 15)
    #expect(instance("priority $NONE").router?.priority == 100)
  }

  @Test func missingIncludesAreNoErrors() {
    #expect(instance(before: "include /none/*.conf").errors == [])
    #expect(instance(before: "include /none/a.conf").errors == [])
    #expect(instance(before: "includea /none/a.conf").errors.count == 1)
  }

  @Test func scriptsAreSplitWithoutAShell() {
    func words(_ text: String) -> [String]? {
      instance(
        "track_script { c }", before: "vrrp_script c {\n script \(text)\n}"
      ).configuration?.scripts.first?.command.words
    }
    #expect(words("\"/bin/sh -c 'a | b'\"") == ["/bin/sh", "-c", "a | b"])
    #expect(words("\"/usr/bin/killall -0 haproxy\"") == ["/usr/bin/killall", "-0", "haproxy"])
    #expect(words("/bin/true") == ["/bin/true"])
    #expect(words("\"/a \\\"b c\\\"\"") == ["/a", "b c"])
  }

  @Test func ipvsIsOneWarning() {
    let result = instance(
      before: "virtual_server 10.0.0.1 80 {\n real_server a {\n x {\n }\n }\n}\n"
        + "virtual_server_group g {\n}\nSSL {\n}")
    #expect(result.errors == [] && result.warnings.count == 1)
    #expect(result.warnings[0].contains("'virtual_server 10.0.0.1 80', 'virtual_server_group g'"))
  }

  // MARK: Sentences

  /// The text under the caret.
  private func marked(_ diagnostic: Diagnostic) -> String {
    let bytes = Array(diagnostic.sourceLine.utf8)
    let start = min(max(0, diagnostic.column - 1), bytes.count)
    let end = min(bytes.count, start + diagnostic.length)
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  @Test(arguments: [
    ("prioritty 5", "prioritty", "did you mean 'priority'"),
    ("track_scirpt { a }", "track_scirpt", "did you mean 'track_script'"),
    ("virtual_ipadress { 10.0.0.9 }", "virtual_ipadress", "did you mean 'virtual_ipaddress'"),
    ("\tpriority   900", "900", "1…255"), ("priority 5 6", "6", "one value"),
    ("advert_int 0.5", "0.5", "0.5 becomes 1"), ("script /x", "script", "belongs in 'vrrp_script'"),
    ("unicast_peer { 10.0.0.9 mn_ttl 5\n }", "mn_ttl", "unknown option"),
    ("router_id x # y", "router_id", "belongs in 'global_defs'"),
  ]) func placeOfAMistake(_ line: String, _ word: String, _ text: String) throws {
    let result = instance(line)
    let diagnostic = try #require(result.diagnostics.first { $0.message.contains(text) })
    #expect(result.diagnostics.filter { $0.severity != .note }.count == 1)
    #expect(diagnostic.file == "k.conf" && diagnostic.line == 5)
    #expect(marked(diagnostic) == word)
    let lines = diagnostic.rendered().split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines.last?.filter { $0 == "^" }.count == 1)
  }

  @Test func missingBracesAreNamedWhereTheyOpen() {
    let open = keepalived("global_defs {\n router_id x\n")
    #expect(open.diagnostics.first?.line == 1 && open.errors == [])
    #expect(open.warnings.first?.contains("never closed") == true)
    let extra = keepalived("global_defs {\n}\n}\n")
    #expect(extra.diagnostics.first?.line == 3)
    let nested = keepalived("global_defs {\nvrrp_instance I {\n interface e\n}\n")
    #expect(nested.warnings.contains { $0.contains("a '}' is missing before this line") })
  }

  @Test func includedFilesAreNamed() {
    var options = KeepalivedFixtures.options()
    options.readFile = { (_: String) throws(ConfigurationFileError) -> [UInt8] in
      Array("global_defs {\n rooter_id x\n}\n".utf8)
    }
    let result = keepalived("\ninclude sub/a.conf\n", options: options)
    #expect(result.diagnostics.first?.file == "./sub/a.conf" && result.diagnostics.first?.line == 2)
  }
}
