// What an earlier run left behind when it was killed: found by our protocol number, or by the
// alias of a virtual MAC interface.

import Configuration

/// Something in the kernel that this program made.
public struct Leftover: Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Equatable, Sendable {
    case address(IPAddress, interface: UInt32)
    case route
    case rule
    /// A macvlan with a virtual MAC; its addresses go with it.
    case link(index: UInt32, name: String)
  }
  public let kind: Kind
  /// Such as "address 10.0.0.179/26 on interface 2".
  public let description: String
  /// The kernel's own description, given back to it with the message type that deletes: exactly
  /// this and nothing like it.
  let removal: [UInt8]
  let removalType: UInt16
  /// Settings that the base had before, of a link.
  let settings: [InterfaceSetting]
}

extension AddressKeeper {
  /// Everything of ours in this network namespace; links first, rules before routes before
  /// addresses, so that removing in this order finds each.
  public func leftovers() throws(NetlinkError) -> [Leftover] {
    var found: [Leftover] = []
    for message in try list(RouteMessage.getLink, body: 16, "list interfaces") {
      guard let link = Link(message), let settings = VirtualMACLink.settings(inAliasOf: link)
      else { continue }
      found.append(
        Leftover(
          kind: .link(index: link.index, name: link.name),
          description: "virtual MAC interface \(link.name)",
          removal: Array(message.payload.prefix(16)), removalType: RouteMessage.deleteLink,
          settings: settings))
    }
    for message in try list(RouteMessage.getRule, body: 12, "list rules") {
      let attributes = message.attributes(behind: 12)
      guard attributes.byte(RuleAttribute.protocolNumber) == AddressKeeper.protocolNumber
      else { continue }
      let preference = attributes.word(RuleAttribute.preference) ?? 0
      found.append(
        Leftover(
          kind: .rule, description: "rule of preference \(preference)",
          removal: Array(message.payload), removalType: RouteMessage.deleteRule, settings: []))
    }
    for message in try list(RouteMessage.getRoute, body: 12, "list routes") {
      guard let key = RouteKey(message), key.protocolNumber == AddressKeeper.protocolNumber,
        !key.isCached
      else { continue }
      found.append(
        Leftover(
          kind: .route,
          description:
            "route \(key.destination.address)/\(key.destination.length) of table \(key.table)",
          removal: Array(message.payload), removalType: RouteMessage.deleteRoute, settings: []))
    }
    for message in try list(RouteMessage.getAddress, body: 8, "list addresses") {
      guard let address = LinkAddress(message), address.isOurs else { continue }
      found.append(
        Leftover(
          kind: .address(address.address, interface: address.interface),
          description:
            "address \(address.address)/\(address.prefixLength) on interface \(address.interface)",
          removal: Array(message.payload), removalType: RouteMessage.deleteAddress, settings: []))
    }
    return found
  }

  /// `absent` when it went meanwhile, for instance an address with its interface.
  public func remove(_ leftover: Leftover) throws(NetlinkError) -> RemoveOutcome {
    let outcome = try removing {
      () throws(NetlinkError) in
      var message = NetlinkMessage(
        type: leftover.removalType, flags: RequestFlag.request | RequestFlag.acknowledge)
      message.append(bytes: leftover.removal)
      try requests.request(message, "remove \(leftover.description)")
    }
    // What cannot be written now could not be changed either.
    for setting in leftover.settings { _ = setting.write() }
    return outcome
  }

  private func list(
    _ type: UInt16, body: Int, _ what: String
  ) throws(NetlinkError) -> [NetlinkReceived] {
    var message = NetlinkMessage(type: type, flags: RequestFlag.request | RequestFlag.dump)
    message.append(bytes: [UInt8](repeating: 0, count: body))
    return try requests.dump(message, what)
  }
}
