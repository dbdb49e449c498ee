// Interfaces and their addresses as the kernel describes them.

import Configuration

/// A network interface.
public struct Link: Equatable, Sendable {
  public let index: UInt32
  public var name: String
  /// Set up by the administrator (IFF_UP).
  public var isUp: Bool
  /// The kernel's word that packets can pass (IFF_RUNNING): carrier, and not held down.
  public var isRunning: Bool
  public var mac: MACAddress?
  /// Bytes of an IP packet.
  public var mtu: UInt32
  /// "macvlan", "veth", "bond" …; nil for hardware and loopback.
  public var kind: String?
  /// The interface below (macvlan, VLAN) or the other end (veth); it may be in another network
  /// namespace and then says nothing here.
  public var parent: UInt32?
  public var alias: String?

  /// Whether a router may run on it: up and running, as keepalived judges it.
  public var isOperational: Bool { isUp && isRunning }

  /// RTM_NEWLINK or RTM_DELLINK.
  ///
  ///     | family u8 | pad u8 | type u16 | index i32 | flags u32 | change u32 |
  init?(_ message: NetlinkReceived) {
    guard let index = message.payload.number(Int32.self, at: 4), index > 0,
      let flags = message.payload.number(UInt32.self, at: 8), message.payload.count >= 16
    else { return nil }
    let attributes = message.attributes(behind: 16)
    guard let name = attributes.text(LinkAttribute.name) else { return nil }
    self.index = UInt32(index)
    self.name = name
    isUp = flags & LinkFlag.up != 0
    isRunning = flags & LinkFlag.running != 0
    mac = attributes[LinkAttribute.address].flatMap { MACAddress($0) }
    mtu = attributes.word(LinkAttribute.mtu) ?? 0
    kind = attributes.nested(LinkAttribute.info)?.text(LinkAttribute.infoKind)
    parent = attributes.word(LinkAttribute.link)
    alias = attributes.text(LinkAttribute.alias)
  }
}

/// An address of an interface.
public struct LinkAddress: Hashable, Sendable {
  public let interface: UInt32
  public let address: IPAddress
  public let prefixLength: UInt8
  public var scope: AddressScope
  /// IFA_PROTO: who added it, 0 = not told.
  public var protocolNumber: UInt8
  /// IFA_F_* of linux/if_addr.h.
  public var flags: UInt32

  /// IPv4: another address of the same network came first.
  public var isSecondary: Bool { address.family == .v4 && flags & AddressFlag.secondary != 0 }
  /// IPv6: duplicate address detection has not ended; nothing can be sent from it.
  public var isTentative: Bool { flags & AddressFlag.tentative != 0 }
  /// IPv6: somebody else has this address; it is not used.
  public var hasFailedDuplicateDetection: Bool {
    flags & AddressFlag.duplicateDetectionFailed != 0
  }
  /// Added by this program, in this or an earlier run.
  public var isOurs: Bool { protocolNumber == AddressKeeper.protocolNumber }

  /// RTM_NEWADDR or RTM_DELADDR.
  ///
  ///     | family u8 | prefix length u8 | flags u8 | scope u8 | index u32 |
  init?(_ message: NetlinkReceived) {
    let body = message.payload
    guard let family = body.number(UInt8.self, at: 0), let prefix = body.number(UInt8.self, at: 1),
      let shortFlags = body.number(UInt8.self, at: 2), let scope = body.number(UInt8.self, at: 3),
      let index = body.number(UInt32.self, at: 4)
    else { return nil }
    let attributes = message.attributes(behind: 8)
    // IFA_ADDRESS is the peer's where the two differ.
    guard
      let bytes = attributes[AddressAttribute.local] ?? attributes[AddressAttribute.address],
      let address = IPAddress(networkBytes: bytes),
      family == RouteFamily.number(address.family)
    else { return nil }
    interface = index
    self.address = address
    prefixLength = prefix
    self.scope = AddressScope(number: scope)
    protocolNumber = attributes.byte(AddressAttribute.protocolNumber) ?? 0
    flags = attributes.word(AddressAttribute.flags) ?? UInt32(shortFlags)
  }
}

enum RouteFamily {
  /// AF_INET or AF_INET6.
  static func number(_ family: AddressFamily) -> UInt8 {
    switch family {
    case .v4: 2
    case .v6: 10
    }
  }
}
