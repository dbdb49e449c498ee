// What nftables messages consist of, above attributes: the header of nfnetlink, and the
// expressions of a rule, which a packet passes one after the other until one of them does not
// match.

extension NetlinkMessage {
  /// A message to nf_tables.
  ///
  ///     | header (16) | family u8 | version u8 = 0 | resource u16 = 0 | attributes … |
  init(netfilter type: UInt16, family: UInt8 = Netfilter.inet, flags: UInt16) {
    self.init(type: type, flags: flags)
    append(bytes: [family, 0, 0, 0])
  }

  /// The beginning or the end of a batch; its resource is the subsystem that the batch is for.
  static func batchMark(_ type: UInt16) -> NetlinkMessage {
    var message = NetlinkMessage(type: type, flags: RequestFlag.request)
    message.append(bytes: [Netfilter.noFamily, 0])
    message.append(Netfilter.subsystem.bigEndian)
    return message
  }

  mutating func attribute(_ type: UInt16, network value: UInt32) {
    attribute(type, value.bigEndian)
  }

  /// An attribute that says of itself that it contains others.
  mutating func group(_ type: UInt16, _ body: (inout NetlinkMessage) -> Void) {
    nested(type | Netfilter.nested, body)
  }
}

/// The expressions of one rule under construction.
struct FilterExpressions {
  /// Names of expressions with their data, in order.
  private var list: [(name: String, body: (inout NetlinkMessage) -> Void)] = []

  /// Loads what the kernel knows of a packet: `key` is one of NFT_META_*.
  mutating func load(_ key: UInt32, into register: UInt32 = RuleExpression.first) {
    list.append(
      (
        "meta",
        {
          $0.attribute(1, network: register)
          $0.attribute(2, network: key)
        }
      ))
  }

  /// Loads bytes of a header.
  mutating func load(_ header: UInt32, offset: UInt32, count: UInt32) {
    list.append(
      (
        "payload",
        {
          $0.attribute(1, network: RuleExpression.first)
          $0.attribute(2, network: header)
          $0.attribute(3, network: offset)
          $0.attribute(4, network: count)
        }
      ))
  }

  /// Goes on only when the first register compares so with `value`.
  mutating func require(_ comparison: UInt32, _ value: [UInt8]) {
    list.append(
      (
        "cmp",
        {
          $0.attribute(1, network: RuleExpression.first)
          $0.attribute(2, network: comparison)
          $0.group(3) { $0.attribute(RuleExpression.value, value) }
        }
      ))
  }

  /// Goes on only when what begins in the first register is in the set.
  mutating func requireMember(of set: String, id: UInt32) {
    list.append(
      (
        "lookup",
        {
          $0.attribute(1, text: set)
          $0.attribute(2, network: RuleExpression.first)
          $0.attribute(4, network: id)
        }
      ))
  }

  mutating func count() { list.append(("counter", { _ in })) }

  /// Ends the rule.
  mutating func decide(_ verdict: UInt32) {
    list.append(
      (
        "immediate",
        {
          $0.attribute(1, network: RuleExpression.verdictRegister)
          $0.group(2) {
            $0.group(RuleExpression.verdict) {
              $0.attribute(RuleExpression.verdictCode, network: verdict)
            }
          }
        }
      ))
  }

  /// The message that appends the rule to a chain.
  func message(table: String, chain: String) -> NetlinkMessage {
    var message = NetlinkMessage(
      netfilter: NetfilterMessage.newRule,
      flags: RequestFlag.request | RequestFlag.create | Netfilter.appendFlag)
    message.attribute(RuleExpression.table, text: table)
    message.attribute(RuleExpression.chain, text: chain)
    message.group(RuleExpression.expressions) { message in
      for (name, body) in list {
        message.group(RuleExpression.item) {
          $0.attribute(RuleExpression.name, text: name)
          $0.group(RuleExpression.data, body)
        }
      }
    }
    return message
  }
}
