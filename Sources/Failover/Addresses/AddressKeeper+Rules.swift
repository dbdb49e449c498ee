// Policy rules of a master: RTM_NEWRULE and RTM_DELRULE (ip-rule(8)).

import Configuration

extension AddressKeeper {
  /// Adds a rule. A rule with the same settings, whoever made it, is `alreadyThere` and left as
  /// it is.
  public func add(_ rule: VirtualRule) throws(NetlinkError) -> AddOutcome {
    do throws(NetlinkError) {
      try requests.request(
        AddressKeeper.message(
          rule, type: RouteMessage.newRule, flags: RequestFlag.create | RequestFlag.exclusive),
        "add \(AddressKeeper.text(rule))")
      return .added
    } catch {
      guard error.code == Errno.exists else { throw error }
      return .alreadyThere
    }
  }

  public func remove(_ rule: VirtualRule) throws(NetlinkError) -> RemoveOutcome {
    try removing {
      () throws(NetlinkError) in
      try requests.request(
        AddressKeeper.message(rule, type: RouteMessage.deleteRule, flags: 0),
        "remove \(AddressKeeper.text(rule))")
    }
  }

  static func text(_ rule: VirtualRule) -> String {
    var words = ["rule"]
    if rule.isInverted { words.append("not") }
    words.append("from " + (rule.source.map { "\($0.address)/\($0.length)" } ?? "all"))
    if let to = rule.destination { words.append("to \(to.address)/\(to.length)") }
    if let name = rule.inputInterface { words.append("iif \(name)") }
    if let name = rule.outputInterface { words.append("oif \(name)") }
    if let mark = rule.mark { words.append("fwmark 0x\(String(mark, radix: 16))") }
    words.append("table \(rule.table ?? RouteAttribute.mainTable)")
    return words.joined(separator: " ")
  }

  ///     | family u8 | dst bits u8 | src bits u8 | tos u8 | table u8 | 0 u8 | 0 u8 | action u8 |
  ///     | flags u32 |
  static func message(_ rule: VirtualRule, type: UInt16, flags: UInt16) -> NetlinkMessage {
    var message = NetlinkMessage(
      type: type, flags: RequestFlag.request | RequestFlag.acknowledge | flags)
    let table = rule.table ?? RouteAttribute.mainTable
    message.append(bytes: [
      RouteFamily.number(rule.family), rule.destination?.length ?? 0, rule.source?.length ?? 0, 0,
      UInt8(exactly: table) ?? 0, 0, 0, RuleAttribute.actionToTable,
    ])
    message.append(rule.isInverted ? RuleAttribute.inverted : UInt32(0))
    if let to = rule.destination, to.length > 0 {
      message.attribute(RuleAttribute.destination, masked(to).networkBytes)
    }
    if let from = rule.source, from.length > 0 {
      message.attribute(RuleAttribute.source, masked(from).networkBytes)
    }
    if let preference = rule.preference {
      message.attribute(RuleAttribute.preference, preference)
    }
    if let name = rule.inputInterface {
      message.attribute(RuleAttribute.inputInterface, text: name)
    }
    if let name = rule.outputInterface {
      message.attribute(RuleAttribute.outputInterface, text: name)
    }
    if let mark = rule.mark {
      message.attribute(RuleAttribute.mark, mark)
      message.attribute(RuleAttribute.markMask, rule.markMask ?? .max)
    }
    message.attribute(RuleAttribute.table, table)
    message.attribute(RuleAttribute.protocolNumber, byte: protocolNumber)
    return message
  }
}
