// Texts in the manner of keepalived.conf: some well formed, some damaged, some mere noise.

/// Makes keepalived.conf texts for fuzzing. The same seed gives the same texts.
public struct KeepalivedTexts {
  private var random: SeededRandom
  private let words: [[UInt8]]
  private let corpus: [[UInt8]]

  /// `keywords` are the language's own words; `corpus` whole files to damage, possibly none.
  public init(seed: UInt64, keywords: [String], corpus: [[UInt8]] = []) {
    random = SeededRandom(seed: seed)
    words = (keywords + KeepalivedTexts.values).map { Array($0.utf8) }
    self.corpus = corpus
  }

  /// Values at the edges of what keywords take, and pieces of the language around them.
  static let values = [
    "0", "1", "-1", "2", "3", "100", "254", "255", "256", "0.5", "0.005", "40.96", "1.5", "300",
    "99999999999999999999", "9223372036854775807", "0x10", "10.0.0.179/26", "10.0.0.1",
    "10.0.0.1/33", "0.0.0.0", "224.0.0.18", "fd00::1", "fe80::1/64", "ff02::12", "::/0", "eth0",
    "eth1", "averyveryverylongname", "MASTER", "BACKUP", "PASS", "AH", "42Secure", "a\\", "\"a b\"",
    "\"\"", "\"a", "'", "\"'x y' \\\"z\\\" \\x41 \\044\"", "{", "}", "{ }", "!", "#", "\\", "$A",
    "${A}", "${B}", "${_HASH}", "${_BANG}", "${_PWD}", "${_ENV HOME}", "${_RANDOM 1 5}", "${_X",
    "$A=${B}${B}", "$B=x y", "@one", "@^one", "@two", "~SEQ(N, 1, 3)", "~SEQx(N,0x9,2,0xf)",
    "~LST(N, a, b)", "~LST({N,M}, {1,2}, {3,4})", "~SEQ(N,1,99999999)", "weight", "reverse",
    "on", "off", "dev", "via", "src", "table", "metric", "scope", "link", "brd", "+", "label",
    "peer", "home", "no_track", "nexthop", "from", "to", "default", "blackhole", "inet6",
    "preference", "fwmark", "min_ttl", "max_ttl", "include", "self.conf", "*.conf", "VI_1", "VI_2",
    "chk", "é", "\u{1F600}", "/bin/true", "\"/bin/sh -c 'exit 0'\"", "user", "root",
  ]

  /// The next text is the first one of that seed.
  public mutating func reseed(_ seed: UInt64) { random = SeededRandom(seed: seed) }

  public mutating func next() -> [UInt8] {
    var text: [UInt8]
    switch random.below(8) {
    case 0: text = noise()
    case 1 where !corpus.isEmpty, 2 where !corpus.isEmpty: text = random.pick(corpus)
    default: text = file()
    }
    // Half of what is well formed stays so.
    if random.below(2) == 0 {
      for _ in 0...random.below(3) { damage(&text) }
    }
    return text
  }

  private mutating func noise() -> [UInt8] {
    var text: [UInt8] = []
    for _ in 0...random.below(40) {
      text += random.pick(words)
      text.append(random.below(3) == 0 ? 10 : 32)
    }
    return text
  }

  // MARK: Damage

  private mutating func damage(_ text: inout [UInt8]) {
    let at = random.below(text.count)
    switch random.below(6) {
    case 0 where !text.isEmpty: text[at] = UInt8(truncatingIfNeeded: random.next())
    case 1 where !text.isEmpty: text.removeSubrange(at..<min(text.count, at + 1 + random.below(9)))
    case 2: text.insert(contentsOf: [32] + random.pick(words) + [32], at: at)
    case 3:
      // A line of words.
      var line: [UInt8] = [10]
      for _ in 0...random.below(4) { line += random.pick(words) + [32] }
      text.insert(contentsOf: line + [10], at: at)
    case 4 where !text.isEmpty:
      let end = min(text.count, at + random.below(80))
      text.insert(contentsOf: Array(text[at..<end]), at: random.below(text.count))
    default:
      if let brace = text[at...].firstIndex(where: { $0 == 123 || $0 == 125 }) {
        text.remove(at: brace)
      }
    }
  }

  // MARK: Well-formed files

  private mutating func file() -> [UInt8] {
    var text = ""
    if random.below(3) == 0 { text += global() }
    if random.below(3) == 0 { text += script("chk") }
    if random.below(6) == 0 {
      text += "track_file tf {\n  file \"/run/a b\"\n  weight \(random.below(300) - 20)\n}\n"
    }
    if random.below(6) == 0 {
      text += "vrrp_track_process tp {\n  process haproxy -f \"a b\"\n  quorum 2\n"
      text += random.pick(["", "  param_match initial\n", "  param_match partial\n"]) + "}\n"
    }
    let count = 1 + random.below(2)
    for number in 1...count { text += instance(number) }
    if random.below(4) == 0 {
      text += "vrrp_sync_group G {\n  group {\n    VI_1\n    VI_2\n  }\n"
      text += random.pick(["", "  track_script {\n    chk weight 3\n  }\n"]) + "}\n"
    }
    if random.below(8) == 0 { text += "virtual_server 10.0.0.9 80 {\n  delay_loop 6\n}\n" }
    return Array(text.utf8)
  }

  private mutating func global() -> String {
    var text = "global_defs {\n"
    for _ in 0...random.below(4) {
      text += random.pick([
        "  router_id lb-1\n", "  vrrp_version 3\n", "  vrrp_strict\n",
        "  vrrp_garp_interval 0.01\n",
        "  enable_script_security\n", "  script_user nobody nogroup\n", "  vrrp_min_garp\n",
        "  notification_email {\n    a@example.com b@example.com\n  }\n",
        "  smtp_server 127.0.0.1\n",
        "  notify_fifo /run/f\n", "  vrrp_garp_master_delay 2\n", "  vrrp_skip_check_adv_addr\n",
      ])
    }
    return text + "}\n"
  }

  private mutating func script(_ name: String) -> String {
    "vrrp_script \(name) {\n  script "
      + random.pick([
        "\"/usr/bin/killall -0 haproxy\"", "/bin/true", "\"/bin/sh -c 'a \\\"b\\\" $X'\"",
      ])
      + "\n  interval \(random.pick(["1", "2", "0.5"]))\n  weight \(random.below(40) - 20)\n"
      + random.pick(["", "  user root\n", "  fall 3\n  rise 2\n"]) + "}\n"
  }

  private mutating func instance(_ number: Int) -> String {
    let isSix = random.below(5) == 0
    var text = "vrrp_instance VI_\(number) {\n  interface eth0\n"
    text += "  virtual_router_id \(50 + number)\n"
    text += random.pick(["  state MASTER\n", "  state BACKUP\n", ""])
    text += random.pick(["  priority 150\n", "  priority 255\n", "  priority 1\n", ""])
    text += random.pick(["  advert_int 1\n", "  advert_int 0.5\n", "  advert_int 7.77\n", ""])
    text += "  virtual_ipaddress {\n"
    for _ in 0...random.below(3) { text += "    " + address(isSix) + "\n" }
    text += "  }\n"
    for _ in 0..<random.below(5) { text += setting(isSix) }
    return text + "}\n"
  }

  private mutating func address(_ isSix: Bool) -> String {
    let host = 1 + random.below(250)
    let text = isSix ? "fd00::\(host)/64" : "10.0.0.\(host)/26"
    return text
      + random.pick([
        "", " dev eth1", " label eth0:1", " scope link", " no_track", " brd +", " -nodad home",
        " preferred_lft 0", " peer " + (isSix ? "fd00::9" : "10.9.9.9/30"), " use_vmac",
      ])
  }

  private mutating func setting(_ isSix: Bool) -> String {
    random.pick([
      "  authentication {\n    auth_type PASS\n    auth_pass 42Secure\n  }\n",
      "  nopreempt\n", "  preempt_delay 30\n", "  version 3\n", "  strict_mode on\n",
      "  use_vmac\n", "  garp_master_refresh 60\n", "  dont_track_primary\n", "  no_accept\n",
      "  track_script {\n    chk weight -4 reverse\n  }\n", "  track_interface {\n    eth1\n  }\n",
      "  track_file {\n    tf\n  }\n", "  track_process {\n    tp weight 9\n  }\n",
      "  unicast_peer {\n    " + (isSix ? "fe80::2" : "10.0.0.2 min_ttl 64") + "\n  }\n",
      "  notify \"/bin/echo 'a b'\" root\n", "  notify_master /bin/true\n",
      "  virtual_routes {\n    10.1.0.0/16 via 10.0.0.2 dev eth0 metric 5\n"
        + "    10.2.0.0/16 nexthop via 10.0.0.3 weight 2 nexthop dev eth1\n"
        + "    blackhole fd01::/32\n  }\n",
      "  virtual_rules {\n    from 10.0.0.0/8 table 100\n    to fd00::/8 iif eth0 table 5\n  }\n",
      "  virtual_ipaddress_excluded {\n    fd00::77/128\n    10.7.7.7 dev lo\n  }\n",
      "  smtp_alert\n", "  unicast_src_ip " + (isSix ? "fe80::1" : "10.0.0.1") + "\n",
    ])
  }
}
