// The values of the failover half: virtual routers, what they own and what they watch. Every
// dialect that describes a virtual IP is parsed into these types and nothing else.

/// A complete, checked configuration of the failover half.
public struct FailoverConfiguration: Equatable, Sendable {
  public var global = FailoverGlobals()
  /// In file order. Names are unique, and so is (interface, family, VRID).
  public var routers: [VirtualRouter] = []
  /// In file order; a router is in one group at most.
  public var groups: [SyncGroup] = []
  /// Names are unique within each kind; only what a router or a group refers to need run.
  public var scripts: [TrackedScript] = []
  public var files: [TrackedFile] = []
  public var processes: [TrackedProcess] = []
  /// Present while the daemon runs, whatever the routers' states.
  public var staticAddresses: [VirtualAddress] = []
  public var staticRoutes: [VirtualRoute] = []
  public var staticRules: [VirtualRule] = []
  public init() {}
}

/// Process-wide settings (keepalived.conf(5), "global_defs"). What a router may override has
/// already been put into the routers.
public struct FailoverGlobals: Equatable, Sendable {
  /// Name of this node in messages; nil = host name.
  public var routerID: String?
  /// Whom scripts run as when they name nobody; nil = `keepalived_script` if that user exists,
  /// otherwise root.
  public var scriptUser: ScriptUser?
  /// Scripts that somebody other than root could replace are not run.
  public var enforcesScriptSecurity = false
  /// Time after the start during which no router takes part.
  public var startupDelay: Duration = .zero
  /// Interfaces may be absent at the start and come later.
  public var allowsAbsentInterfaces = false
  /// Every change of state and priority is written to these; `all` also gets what other
  /// subsystems say (there are none here), `routers` the routers' only.
  public var fifos: [NotifyFIFO] = []
  /// States are written to the FIFOs again after a reload.
  public var writesStatesOnReload = false
  /// SCHED_RR priority of the thread that runs the routers, 1...99; nil = the daemon's default.
  public var realtimePriority: Int?
  /// `vrrp_no_swap`: nil = the daemon's default.
  public var locksMemory: Bool?
  /// Adverts of virtual router ids that are not configured are logged once.
  public var logsUnknownRouters = false
  /// Run before the routers start and after they have stopped.
  public var startupScript: ScriptCommand?
  public var startupScriptTimeout: Duration?
  public var shutdownScript: ScriptCommand?
  public var shutdownScriptTimeout: Duration?
  public init() {}
}

/// Protocol version, RFC 3768 or RFC 5798/9568.
public enum VRRPVersion: Int, Equatable, Sendable {
  case v2 = 2
  case v3 = 3
}

public enum AddressFamily: Hashable, Sendable {
  case v4, v6
}

extension IPAddress {
  public var family: AddressFamily {
    switch self {
    case .v4: .v4
    case .v6: .v6
    }
  }
}

/// One `vrrp_instance`: a virtual router this node takes part in.
public struct VirtualRouter: Equatable, Sendable {
  public var name: String
  /// Where it was written, for messages.
  public var origin: Origin
  public var interface: String
  /// VRID, 1...255.
  public var id: UInt8
  public var version: VRRPVersion = .v2
  public var family: AddressFamily = .v4
  /// `state MASTER`, or priority 255 without a state. A router starts as master only if this is
  /// true and its priority is 255; with a lower priority it only changes defaults.
  public var prefersMaster = false
  /// 1...255; 255 = owner of the addresses.
  public var priority: UInt8 = 100
  /// Whole seconds for version 2, 10 ms...40.95 s in steps of 10 ms for version 3.
  public var advertisementInterval: Duration = .seconds(1)
  /// Exactly eight bytes, zero-padded; nil = no authentication. Version 2 only.
  public var password: [UInt8]?
  /// Advertised addresses, in order; at most 255 minus what the MTU takes.
  public var addresses: [VirtualAddress] = []
  /// Present on the master, not advertised; either family.
  public var excludedAddresses: [VirtualAddress] = []
  public var routes: [VirtualRoute] = []
  public var rules: [VirtualRule] = []
  /// Source of adverts: `mcast_src_ip` or `unicast_src_ip`; nil = the interface's primary.
  public var source: IPAddress?
  /// The router is down while no interface has `source` (`track_src_ip`).
  public var tracksSource = false
  /// Not empty = unicast.
  public var peers: [UnicastPeer] = []
  /// TTL or hop limit of unicast adverts, default 255.
  public var unicastTTL: UInt8 = 255
  public var checksUnicastSource = false
  /// nil = 224.0.0.18 or ff02::12.
  public var multicastGroup: IPAddress?
  public var preemption: Preemption = .immediate
  /// Health of the proxy decides about the priority as well; nil = it does not.
  public var following: ProxyFollowing?
  /// Own interface down = fault; false with `dont_track_primary`.
  public var tracksOwnInterface = true
  public var trackedInterfaces: [TrackReference] = []
  public var trackedScripts: [TrackReference] = []
  public var trackedFiles: [TrackReference] = []
  public var trackedProcesses: [TrackReference] = []
  public var announcement = Announcement()
  /// nil = addresses live on the interface with its own MAC address.
  public var virtualMAC: VirtualMAC?
  /// Packets to the addresses are taken (RFC 9568, Accept_Mode). False drops them on non-owners.
  public var accepts = true
  public var isStrict = false
  /// Received address lists are compared only when the sender changes.
  public var skipsRepeatedAddressCheck = false
  public var sendsNoAdvertOnLowerPriority = false
  public var sendsAdvertOnHigherPriority = false
  /// A router of priority 255 ignores all adverts.
  public var ownerIgnoresAdverts = false
  /// Missed adverts that make a master dead, 1...100.
  public var downTimerAdverts = 3
  /// Version 3 over IPv4 with a checksum that leaves the pseudo-header out.
  public var checksumWithoutPseudoHeader = false
  public var promotesSecondaries = false
  public var notify = NotifyCommands()
  /// Priority changes are written to the FIFOs too.
  public var notifiesPriorityChanges = false

  public init(name: String, origin: Origin, interface: String, id: UInt8) {
    self.name = name
    self.origin = origin
    self.interface = interface
    self.id = id
  }
}

/// What a router of higher priority does when a living master has a lower one.
public enum Preemption: Equatable, Sendable {
  case immediate
  case never
  /// Only this long after it came up, 0...1000 s.
  case delayed(Duration)
}

/// A router whose priority follows what the proxy of its node can do. Its configured priority is
/// within 130...252.
public struct ProxyFollowing: Equatable, Sendable {
  /// How long a node must have been healthy before it takes the address from a healthy node.
  public var preemptDelay: Duration
  public init(preemptDelay: Duration) { self.preemptDelay = preemptDelay }
}

/// A `unicast_peer` line.
public struct UnicastPeer: Equatable, Sendable {
  public var address: IPAddress
  /// Packets with a smaller or larger TTL are dropped; nil = not checked.
  public var minimumTTL: UInt8?
  public var maximumTTL: UInt8?
  public init(_ address: IPAddress) { self.address = address }
}

/// Gratuitous ARP and unsolicited neighbour advertisement settings (keepalived.conf(5),
/// "vrrp_garp_*").
public struct Announcement: Equatable, Sendable {
  /// From becoming master to the second burst; zero = no second burst.
  public var delay: Duration = .seconds(5)
  /// Messages per address and burst, at least 1.
  public var count = 5
  /// Between bursts while master; zero = never.
  public var refresh: Duration = .zero
  public var refreshCount = 1
  /// From an advert of lower priority to the second burst.
  public var lowerPriorityDelay: Duration = .seconds(5)
  /// 0 = no burst on adverts of lower priority.
  public var lowerPriorityCount = 5
  /// Pause between two gratuitous ARP messages on one interface.
  public var arpInterval: Duration = .zero
  /// Pause between two neighbour advertisements on one interface.
  public var neighbourInterval: Duration = .zero
  public init() {}
}

/// `use_vmac`: a macvlan with 00:00:5e:00:01:VRID (IPv6: …:02:VRID), RFC 9568 section 7.3.
public struct VirtualMAC: Equatable, Sendable {
  /// Interface name, at most 15 bytes; nil = `vrrp.VRID` (IPv6: `vrrp6.VRID`).
  public var name: String?
  /// Adverts are sent and received on the underlying interface.
  public var sendsFromBase = false
  public init() {}
}
