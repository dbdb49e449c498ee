// A macvlan interface that carries a virtual router's MAC address (RFC 9568, section 7.3), and
// the settings without which two interfaces on one network answer for each other's addresses.

import Configuration

/// A virtual MAC interface of this program.
public struct VirtualMACLink: Equatable, Sendable {
  public let name: String
  public let index: UInt32
  /// Name of the interface below.
  public let base: String
  public let mac: MACAddress
  /// Settings that could not be made, one sentence each: the addresses may then be answered for
  /// with the base's MAC too.
  public let warnings: [String]

  /// A left-over interface is told by the beginning of its alias; the rest are settings of its
  /// base from before: `fairlead base=eth0 arp_ignore=0 arp_filter=0`.
  static let aliasWord = "fairlead"

  static func alias(base: String, saved: [InterfaceSetting]) -> String {
    ([aliasWord, "base=\(base)"] + saved.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
  }

  /// The settings in an alias of ours; nil when the interface is not of our making.
  static func settings(inAliasOf link: Link) -> [InterfaceSetting]? {
    guard link.kind == "macvlan", let alias = link.alias else { return nil }
    let words = alias.split(separator: " ")
    guard words.first == aliasWord[...], words.count >= 2, words[1].hasPrefix("base=") else {
      return nil
    }
    let base = String(words[1].dropFirst(5))
    guard !base.contains("/"), base != ".." else { return nil }
    return words.dropFirst(2).compactMap { word in
      let parts = word.split(separator: "=")
      guard parts.count == 2, baseKeys.contains(String(parts[0])), let value = Int(parts[1])
      else { return nil }
      return InterfaceSetting(.v4, base, String(parts[0]), value)
    }
  }

  /// On the base of an IPv4 virtual MAC: it answers ARP only for its own addresses, and only
  /// where a reply would leave by it.
  static let baseKeys = ["arp_ignore", "arp_filter"]

  /// Before the interface comes up. It must not make a link-local address from the virtual MAC,
  /// which the other nodes would make too.
  static func settings(
    of name: String, family: AddressFamily, allReversePath: Int
  ) -> [InterfaceSetting] {
    switch family {
    case .v4:
      [
        InterfaceSetting(.v6, name, "disable_ipv6", 1),
        InterfaceSetting(.v4, name, "arp_ignore", 1),
        InterfaceSetting(.v4, name, "accept_local", 1),
        InterfaceSetting(.v4, name, "promote_secondaries", 1),
        // The route back leads through the base. The larger of this and conf/all counts, so
        // that a strict "all" can be loosened here (2) without changing it for every interface.
        InterfaceSetting(.v4, name, "rp_filter", allReversePath == 0 ? 0 : 2),
      ]
    case .v6:
      [
        // IN6_ADDR_GEN_MODE_NONE
        InterfaceSetting(.v6, name, "addr_gen_mode", 1),
        InterfaceSetting(.v6, name, "accept_ra", 0),
        InterfaceSetting(.v6, name, "autoconf", 0),
      ]
    }
  }
}

extension AddressKeeper {
  /// Creates a macvlan in private mode with the virtual router's MAC on `base`, sets it up and
  /// (IPv6, when `linkLocal` is given) copies the base's link-local address to it, deprecated, as
  /// the source of adverts. An interface of that name that an earlier run left is replaced; any
  /// other is EEXIST.
  public func createVirtualMACLink(
    named name: String, base: Link, id: UInt8, family: AddressFamily, linkLocal: IPAddress? = nil
  ) throws(NetlinkError) -> VirtualMACLink {
    let what = "create the virtual MAC interface \(name) on \(base.name)"
    let mac = MACAddress(virtualRouter: id, family: family)
    try removeLeftoverLink(named: name)
    try requests.request(
      AddressKeeper.message(creating: name, base: base.index, mac: mac), what)
    guard let index = try index(of: name) else {
      throw NetlinkError(what: what, code: Errno.noDevice)
    }
    do throws(NetlinkError) {
      let warnings = try prepare(name, index, base: base, family: family, linkLocal, what)
      return VirtualMACLink(
        name: name, index: index, base: base.name, mac: mac, warnings: warnings)
    } catch {
      try? requests.request(AddressKeeper.message(deleting: index), what)
      throw error
    }
  }

  /// Deletes it with all its addresses; with the last one on a base, the base's settings are
  /// what they were before the first.
  public func delete(_ link: VirtualMACLink) throws(NetlinkError) -> RemoveOutcome {
    let outcome = try removing {
      () throws(NetlinkError) in
      try requests.request(
        AddressKeeper.message(deleting: link.index),
        "delete the virtual MAC interface \(link.name)")
    }
    if let saved = savedSettings[link.base], try !hasVirtualMACLink(on: link.base) {
      for setting in saved { _ = setting.write() }
      savedSettings[link.base] = nil
    }
    return outcome
  }

  private func prepare(
    _ name: String, _ index: UInt32, base: Link, family: AddressFamily, _ linkLocal: IPAddress?,
    _ what: String
  ) throws(NetlinkError) -> [String] {
    var wanted = VirtualMACLink.settings(
      of: name, family: family,
      allReversePath: InterfaceSetting.read(.v4, "all", "rp_filter") ?? 0)
    if family == .v4 {
      if savedSettings[base.name] == nil {
        savedSettings[base.name] = VirtualMACLink.baseKeys.compactMap { key in
          InterfaceSetting.read(.v4, base.name, key).map {
            InterfaceSetting(.v4, base.name, key, $0)
          }
        }
      }
      wanted += VirtualMACLink.baseKeys.map { InterfaceSetting(.v4, base.name, $0, 1) }
    }
    let alias = VirtualMACLink.alias(base: base.name, saved: savedSettings[base.name] ?? [])
    try requests.request(AddressKeeper.message(aliasing: index, alias), what)
    var warnings: [String] = []
    for setting in wanted {
      // Without IPv6 in the kernel there is nothing to turn off.
      if setting.family == .v6, family == .v4,
        InterfaceSetting.read(.v6, name, setting.key) == nil
      {
        continue
      }
      if let error = setting.write() {
        warnings.append("\(setting.interface): \(setting.key) = \(setting.value): \(error)")
      }
    }
    try requests.request(AddressKeeper.message(settingUp: index), what)
    if family == .v6, let linkLocal {
      var address = VirtualAddress(linkLocal, prefixLength: 64)
      address.preferredLifetime = .seconds(0)
      _ = try add(address, to: index)
    }
    return warnings
  }

  private func virtualMACLinks() throws(NetlinkError) -> [Link] {
    var message = NetlinkMessage(
      type: RouteMessage.getLink, flags: RequestFlag.request | RequestFlag.dump)
    message.append(bytes: [UInt8](repeating: 0, count: 16))
    return try requests.dump(message, "list interfaces").compactMap { Link($0) }
  }

  private func index(of name: String) throws(NetlinkError) -> UInt32? {
    try virtualMACLinks().first { $0.name == name }?.index
  }

  private func hasVirtualMACLink(on base: String) throws(NetlinkError) -> Bool {
    try virtualMACLinks().contains {
      VirtualMACLink.settings(inAliasOf: $0) != nil
        && $0.alias?.split(separator: " ").dropFirst().first == "base=\(base)"
    }
  }

  private func removeLeftoverLink(named name: String) throws(NetlinkError) {
    for leftover in try leftovers() {
      guard case .link(_, name) = leftover.kind else { continue }
      _ = try remove(leftover)
    }
  }

  // MARK: Messages

  ///     | family u8 | pad u8 | type u16 | index i32 | flags u32 | change u32 |
  private static func linkMessage(
    _ type: UInt16, flags: UInt16, index: UInt32, set: UInt32 = 0
  ) -> NetlinkMessage {
    var message = NetlinkMessage(
      type: type, flags: RequestFlag.request | RequestFlag.acknowledge | flags)
    message.append(UInt32(0))
    message.append(index)
    message.append(set)
    message.append(set)
    return message
  }

  static func message(creating name: String, base: UInt32, mac: MACAddress) -> NetlinkMessage {
    var message = linkMessage(
      RouteMessage.newLink, flags: RequestFlag.create | RequestFlag.exclusive, index: 0)
    message.attribute(LinkAttribute.name, text: name)
    message.attribute(LinkAttribute.link, base)
    message.attribute(LinkAttribute.address, mac.bytes)
    message.nested(LinkAttribute.info) { info in
      info.attribute(LinkAttribute.infoKind, Array("macvlan".utf8))
      info.nested(LinkAttribute.infoData) {
        $0.attribute(LinkAttribute.macvlanMode, LinkAttribute.macvlanModePrivate)
      }
    }
    return message
  }

  static func message(aliasing index: UInt32, _ alias: String) -> NetlinkMessage {
    var message = linkMessage(RouteMessage.newLink, flags: 0, index: index)
    message.attribute(LinkAttribute.alias, Array(alias.utf8))
    return message
  }

  static func message(settingUp index: UInt32) -> NetlinkMessage {
    linkMessage(RouteMessage.newLink, flags: 0, index: index, set: LinkFlag.up)
  }

  static func message(deleting index: UInt32) -> NetlinkMessage {
    linkMessage(RouteMessage.deleteLink, flags: 0, index: index)
  }
}
