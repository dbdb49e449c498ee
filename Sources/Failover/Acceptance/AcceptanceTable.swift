// The table of nftables that drops packets to refused addresses, as messages. As nft(8) shows it:
//
//     table inet fairlead_accept {
//       set ipv4 { type ipv4_addr; flags constant; elements = { 10.0.0.179 } }
//       chain input {
//         type filter hook input priority filter - 10; policy accept;
//         iif "lo" accept
//         icmpv6 type nd-router-solicit accept
//         icmpv6 type 135-136 accept
//         ip daddr @ipv4 counter drop
//       }
//     }
//
// "accept" only ends this chain: what other tables say of such a packet is not changed. ARP does
// not pass here at all. What is forwarded is not looked at: being a router is the point.

import Configuration

enum AcceptanceTable {
  static let name = "fairlead_accept"
  static let chain = "input"
  static let comment = "fairlead: virtual routers with no_accept"
  /// Before the usual filters (0), behind connection tracking.
  static let priority: Int32 = -10
  /// Elements of one message: an attribute is at most 65,535 bytes, and one takes up to 44.
  static let elementsPerMessage = 1000

  /// A set with the rule that drops its members.
  struct AddressSet {
    var id: UInt32
    var name: String
    var type: UInt32
    var keys: [[UInt8]]
    var family: UInt8
    /// Of the destination, in the header.
    var offset: UInt32
    var count: UInt32
    var alsoByInterface = false
  }

  /// What a transaction consists of that puts this table in the place of whatever bears its name.
  static func messages(
    installing refused: RefusedAddresses, tableFlags: UInt32
  ) -> [NetlinkMessage] {
    var messages = messagesForRemoval()
    var table = creation(NetfilterMessage.newTable)
    table.attribute(TableAttribute.name, text: name)
    table.attribute(TableAttribute.flags, network: tableFlags)
    // One record of nft(8)'s own: | type 0 = comment | length | text with NUL |
    let text = Array(comment.utf8) + [0]
    table.attribute(TableAttribute.userData, [0, UInt8(truncatingIfNeeded: text.count)] + text)
    messages.append(table)

    let sets = sets(refused)
    for set in sets {
      messages.append(creation(of: set))
      for start in stride(from: 0, to: set.keys.count, by: elementsPerMessage) {
        messages.append(elements(set.keys[start...].prefix(elementsPerMessage), of: set))
      }
    }
    messages.append(chainCreation())
    messages += (exceptions() + sets.map(dropping)).map { $0.message(table: name, chain: chain) }
    return messages
  }

  /// Removing what is not there would be refused, so that it is made before; it is there for
  /// nobody between the two.
  static func messagesForRemoval() -> [NetlinkMessage] {
    var maybe = creation(NetfilterMessage.newTable)
    maybe.attribute(TableAttribute.name, text: name)
    var removal = NetlinkMessage(
      netfilter: NetfilterMessage.deleteTable, flags: RequestFlag.request)
    removal.attribute(TableAttribute.name, text: name)
    return [maybe, removal]
  }

  /// Refused with ENOENT when there is no such table.
  static func question() -> NetlinkMessage {
    var message = NetlinkMessage(
      netfilter: NetfilterMessage.getTable, flags: RequestFlag.request | RequestFlag.acknowledge)
    message.attribute(TableAttribute.name, text: name)
    return message
  }

  private static func creation(_ type: UInt16) -> NetlinkMessage {
    NetlinkMessage(netfilter: type, flags: RequestFlag.request | RequestFlag.create)
  }

  // MARK: Sets

  static func sets(_ refused: RefusedAddresses) -> [AddressSet] {
    let sets = [
      AddressSet(
        id: 1, name: "ipv4", type: SetAttribute.typeIPv4,
        keys: refused.ipv4.map(\.networkBytes), family: Netfilter.ipv4, offset: 16, count: 4),
      AddressSet(
        id: 2, name: "ipv6", type: SetAttribute.typeIPv6,
        keys: refused.ipv6.map(\.networkBytes), family: Netfilter.ipv6, offset: 24, count: 16),
      AddressSet(
        id: 3, name: "ipv6_link_local", type: SetAttribute.typeIPv6OnInterface,
        keys: refused.linkLocal.map { $0.address.networkBytes + nameKey($0.interface) },
        family: Netfilter.ipv6, offset: 24, count: 16, alsoByInterface: true),
    ]
    return sets.filter { !$0.keys.isEmpty }
  }

  /// An interface name as a register has it: 16 bytes, the rest zero.
  private static func nameKey(_ interface: String) -> [UInt8] {
    let bytes = Array(interface.utf8.prefix(15))
    return bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
  }

  private static func creation(of set: AddressSet) -> NetlinkMessage {
    var message = creation(NetfilterMessage.newSet)
    message.attribute(SetAttribute.table, text: name)
    message.attribute(SetAttribute.name, text: set.name)
    message.attribute(SetAttribute.flags, network: SetAttribute.constantFlag)
    message.attribute(SetAttribute.keyType, network: set.type)
    message.attribute(SetAttribute.keyLength, network: set.count + (set.alsoByInterface ? 16 : 0))
    message.attribute(SetAttribute.id, network: set.id)
    return message
  }

  private static func elements(
    _ keys: ArraySlice<[UInt8]>, of set: AddressSet
  ) -> NetlinkMessage {
    var message = creation(NetfilterMessage.newSetElements)
    message.attribute(SetAttribute.elementTable, text: name)
    message.attribute(SetAttribute.elementSet, text: set.name)
    message.group(SetAttribute.elements) { message in
      for key in keys {
        message.group(RuleExpression.item) {
          $0.group(SetAttribute.elementKey) { $0.attribute(RuleExpression.value, key) }
        }
      }
    }
    return message
  }

  // MARK: Chain and rules

  private static func chainCreation() -> NetlinkMessage {
    var message = creation(NetfilterMessage.newChain)
    message.attribute(ChainAttribute.table, text: name)
    message.attribute(ChainAttribute.name, text: chain)
    message.group(ChainAttribute.hook) {
      $0.attribute(ChainAttribute.hookNumber, network: Netfilter.localInput)
      $0.attribute(ChainAttribute.hookPriority, network: UInt32(bitPattern: priority))
    }
    message.attribute(ChainAttribute.policy, network: Netfilter.accept)
    message.attribute(ChainAttribute.type, text: "filter")
    return message
  }

  private static func exceptions() -> [FilterExpressions] {
    // The host talks to its own addresses over lo, which is interface 1 of every namespace.
    var loopback = FilterExpressions()
    loopback.load(RuleExpression.inputInterface)
    loopback.require(RuleExpression.equal, withUnsafeBytes(of: UInt32(1)) { Array($0) })
    loopback.decide(Netfilter.accept)
    // Neighbour solicitations and advertisements must not be dropped (RFC 9568 section 6.1), and
    // hosts ask the router at its virtual address for advertisements (RFC 4861 section 6.2.6).
    // A router has no use for the other two: advertisements of others, and redirects.
    return [loopback, accepting(types: 133, 133), accepting(types: 135, 136)]
  }

  /// ICMPv6 of these types.
  private static func accepting(types low: UInt8, _ high: UInt8) -> FilterExpressions {
    var rule = FilterExpressions()
    rule.load(RuleExpression.family)
    rule.require(RuleExpression.equal, [Netfilter.ipv6])
    rule.load(RuleExpression.transport)
    rule.require(RuleExpression.equal, [58])
    rule.load(RuleExpression.transportHeader, offset: 0, count: 1)
    if low == high {
      rule.require(RuleExpression.equal, [low])
    } else {
      rule.require(RuleExpression.atLeast, [low])
      rule.require(RuleExpression.atMost, [high])
    }
    rule.decide(Netfilter.accept)
    return rule
  }

  private static func dropping(_ set: AddressSet) -> FilterExpressions {
    var rule = FilterExpressions()
    rule.load(RuleExpression.family)
    rule.require(RuleExpression.equal, [set.family])
    rule.load(RuleExpression.networkHeader, offset: set.offset, count: set.count)
    if set.alsoByInterface {
      rule.load(RuleExpression.inputName, into: RuleExpression.second)
    }
    rule.requireMember(of: set.name, id: set.id)
    rule.count()
    rule.decide(Netfilter.drop)
    return rule
  }
}
