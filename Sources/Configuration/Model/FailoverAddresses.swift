// What a master owns: addresses, routes and rules, in iproute2's terms.

/// A line of `virtual_ipaddress` (keepalived.conf(5); attributes as in ip-address(8)).
public struct VirtualAddress: Hashable, Sendable {
  public var address: IPAddress
  /// Default 32 or 128.
  public var prefixLength: UInt8
  /// nil = the router's interface.
  public var interface: String?
  public var broadcast: Broadcast = .none
  public var scope: AddressScope = .global
  /// At most 15 bytes; nil = none given (the kernel then uses the interface's name).
  public var label: String?
  /// Point-to-point peer.
  public var peer: IPAddress?
  /// On the virtual MAC interface although `interface` names another.
  public var usesVirtualMAC = false
  public var isHome = false
  /// IPv6 `-nodad`: duplicate address detection is wanted; it is off otherwise.
  public var detectsDuplicates = false
  public var managesTemporary = false
  public var noPrefixRoute = false
  public var autojoins = false
  /// Interface of this address down does not matter.
  public var isUntracked = false
  /// Seconds; nil = forever, except for IPv6 /128, whose default is 0 (deprecated).
  public var preferredLifetime: PreferredLifetime = .standard

  public init(_ address: IPAddress, prefixLength: UInt8) {
    self.address = address
    self.prefixLength = prefixLength
  }
}

public enum Broadcast: Hashable, Sendable {
  case none
  case address(IPAddress)
  /// `brd +`: host bits all ones; `brd -`: all zeros.
  case ones, zeros
}

public enum PreferredLifetime: Hashable, Sendable {
  /// Forever; 0 for an IPv6 /128.
  case standard
  case forever
  case seconds(UInt32)
}

/// rt_scope: the kernel's number (0 global, 200 site, 253 link, 254 host, 255 nowhere).
public struct AddressScope: Hashable, Sendable {
  public var number: UInt8
  public init(number: UInt8) { self.number = number }
  public static let global = AddressScope(number: 0)
  public static let site = AddressScope(number: 200)
  public static let link = AddressScope(number: 253)
  public static let host = AddressScope(number: 254)
  public static let nowhere = AddressScope(number: 255)
}

/// A network, or the default route (`prefixLength` 0).
public struct IPPrefix: Hashable, Sendable {
  public var address: IPAddress
  public var length: UInt8
  public init(_ address: IPAddress, length: UInt8) {
    self.address = address
    self.length = length
  }
}

/// A line of `virtual_routes` or `static_routes`, ip-route(8).
public struct VirtualRoute: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    case unicast, blackhole, unreachable, prohibit, throwing = "throw", local
  }
  public struct Hop: Hashable, Sendable {
    public var gateway: IPAddress?
    public var interface: String?
    /// 1...256
    public var weight: Int = 1
    public var isOnLink = false
    public init() {}
  }
  public var kind: Kind = .unicast
  public var destination: IPPrefix
  /// Preferred source address.
  public var source: IPAddress?
  /// One for a plain route, more for a multipath route (`nexthop …`), none for blackholes.
  public var hops: [Hop] = []
  /// Routing table number; nil = main (254).
  public var table: UInt32?
  public var metric: UInt32?
  public var scope: AddressScope?
  /// rt_protocol; nil = ours, so that it can be found again.
  public var protocolNumber: UInt8?
  public var mtu: UInt32?
  public var advertisedMSS: UInt32?
  public var isUntracked = false
  public init(_ destination: IPPrefix) { self.destination = destination }
}

/// A line of `virtual_rules` or `static_rules`, ip-rule(8).
public struct VirtualRule: Hashable, Sendable {
  public var family: AddressFamily = .v4
  /// `from`, `to`; nil = all.
  public var source: IPPrefix?
  public var destination: IPPrefix?
  /// Priority (`preference`); nil = the kernel chooses.
  public var preference: UInt32?
  public var table: UInt32?
  public var inputInterface: String?
  public var outputInterface: String?
  public var mark: UInt32?
  public var markMask: UInt32?
  public var isInverted = false
  public var isUntracked = false
  public init() {}
}
