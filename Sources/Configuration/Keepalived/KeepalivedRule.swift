// Lines of virtual_rules and static_rules, in ip-rule(8)'s words.

extension KeepalivedParser {
  static let foreignRuleWords: Set<String> = [
    "tos", "dsfield", "realms", "goto", "nop", "blackhole", "prohibit", "unreachable", "uidrange",
    "l3mdev", "protocol", "ipproto", "ip_proto", "sport", "dport", "tun_id", "tunnel-id",
    "suppress_prefixlength", "suppress_prefixlen", "suppress_ifgroup", "sup_group", "sup_pl",
    "type", "nat", "map-to",
  ]
  static let ruleWords = [
    "from", "to", "table", "lookup", "priority", "preference", "order", "fwmark", "iif", "dev",
    "oif", "not", "no_track", "inet", "inet6", "track_group",
  ]

  /// nil when the line cannot be used; what is wrong has then been reported.
  func rule(_ line: KeepalivedStatement) -> VirtualRule? {
    var reader = RuleReader(parser: self, line: line)
    guard var rule = reader.read() else { return nil }
    if rule.preference == nil {
      let preference = freePreferences[rule.family] ?? 1
      freePreferences[rule.family] = max(1, preference - 1)
      rule.preference = preference
      warning(
        line, 0,
        "a rule without 'preference' gets \(preference), as in keepalived; say which you want")
    }
    return rule
  }
}

/// Reads one rule. Anything wrong drops the whole rule: half a rule matches too much.
struct RuleReader: KeepalivedPathReader {
  static let subject = "rule"
  let parser: KeepalivedParser
  let line: KeepalivedStatement
  var index = 0
  var isBroken = false
  var family: AddressFamily?
  var rule = VirtualRule()

  init(parser: KeepalivedParser, line: KeepalivedStatement) {
    self.parser = parser
    self.line = line
  }

  mutating func read() -> VirtualRule? {
    while index < line.words.count, !isBroken {
      step(line.words[index].text)
      index += 1
    }
    guard !isBroken else { return nil }
    guard rule.table != nil else {
      fail(0, "a rule needs a 'table'")
      return nil
    }
    rule.family = family ?? .v4
    return rule
  }

  private mutating func step(_ word: String) {
    switch word {
    case "inet", "inet6":
      let wanted: AddressFamily = word == "inet" ? .v4 : .v6
      if let family, family != wanted { fail(index, "'\(word)' contradicts the addresses") }
      family = wanted
    case "from": if let network = network() { rule.source = network }
    case "to": if let network = network() { rule.destination = network }
    case "table", "lookup":
      guard let text = value() else { return }
      guard let table = KeepalivedTables.number(text), table > 0 else {
        return fail(index, "routing table '\(text)' is not known by name here: use its number")
      }
      rule.table = table
    case "priority", "preference", "order":
      guard let text = value() else { return }
      guard let number = KeepalivedUnits.integer(text), let preference = UInt32(exactly: number)
      else { return fail(index, "'\(text)' is not a preference") }
      rule.preference = preference
    case "fwmark":
      guard let text = value() else { return }
      mark(text)
    case "iif", "dev", "oif":
      guard value() != nil else { return }
      guard let name = parser.interface(line, index) else {
        isBroken = true
        return
      }
      if word == "oif" { rule.outputInterface = name } else { rule.inputInterface = name }
    case "not": rule.isInverted = true
    case "no_track": rule.isUntracked = true
    case "track_group":
      guard value() != nil else { return }
      parser.warning(line, index - 1, "'track_group' is not supported: nothing follows this rule")
    case _ where KeepalivedParser.foreignRuleWords.contains(word):
      fail(index, "'\(word)' is not supported")
    default:
      let near = Spelling.nearest(to: word, among: KeepalivedParser.ruleWords)
      fail(index, "unknown word '\(word)' of a rule", near: near)
    }
  }

  private mutating func network() -> IPPrefix? {
    guard let text = value() else { return nil }
    if text == "all" || text == "any" || text == "default" { return nil }
    guard let parsed = parser.prefix(text), !parsed.isTooLong else {
      fail(index, "'\(text)' is not a network")
      return nil
    }
    if let family, family != parsed.address.family {
      fail(index, "IPv4 and IPv6 are mixed in this line")
      return nil
    }
    family = parsed.address.family
    let most: UInt8 = parsed.address.family == .v4 ? 32 : 128
    return IPPrefix(parsed.address, length: parsed.length ?? most)
  }

  /// `MARK` or `MARK/MASK`, decimal or `0x…`.
  private mutating func mark(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let numbers = parts.map { part -> UInt32? in
      part.lowercased().hasPrefix("0x")
        ? UInt32(part.dropFirst(2), radix: 16)
        : KeepalivedUnits.integer(String(part)).flatMap { UInt32(exactly: $0) }
    }
    guard let mark = numbers[0], numbers.allSatisfy({ $0 != nil }) else {
      return fail(index, "'\(text)' is not a mark")
    }
    rule.mark = mark
    rule.markMask = numbers.count > 1 ? numbers[1] : nil
  }
}
