// The client side: listening addresses, admission, client timeouts, access log.

public struct Frontend: Equatable, Sendable {
  public var name: String
  /// From a `listen` section: logs say "proxy" rather than "backend".
  public var isListen: Bool = false
  /// At least one, unless `disabled`.
  public var binds: [Bind] = []
  /// Concurrent sessions; nil = bounded by the process limit only. Excess waits in the backlog.
  public var maxconn: Int?
  /// listen(2) backlog; nil derives it from maxconn.
  public var backlog: Int?
  /// New sessions per second (`rate-limit sessions`); nil = no limit.
  public var sessionRateLimit: Int?
  /// Where sessions go. Nil = every session ends at once, logged as `<NOSRV>`.
  public var defaultBackend: String?
  /// `timeout client`: inactivity on the client side; nil = none.
  public var timeoutClient: Duration?
  /// `timeout client-fin`; nil = timeoutClient.
  public var timeoutClientFin: Duration?
  public var log = AccessLogSettings()
  public var keepalive = KeepaliveSettings()  // option clitcpka, clitcpka-*
  /// `option nolinger`: close client connections with RST.
  public var noLinger: Bool = false
  /// `disabled`: parsed, never started.
  public var isDisabled: Bool = false
  public var id: Int?
  public var description: String?
  public init(name: String) { self.name = name }
}

/// One `bind` line (a list or port range gives several addresses).
public struct Bind: Equatable, Sendable {
  public var addresses: [SocketAddress]
  public var name: String?
  /// SO_BINDTODEVICE.
  public var interface: String?
  public var familyMode: FamilyMode = .systemDefault
  /// Concurrent connections on this bind line; nil = no limit.
  public var maxconn: Int?
  public var backlog: Int?
  /// PROXY protocol v1 or v2 is required as the first bytes.
  public var acceptProxy: Bool = false
  /// IP_TRANSPARENT.
  public var transparent: Bool = false
  /// TCP_DEFER_ACCEPT.
  public var deferAccept: Bool = false
  /// TCP_FASTOPEN.
  public var tcpFastOpen: Bool = false
  /// TCP_MAXSEG; nil = kernel's.
  public var maxSegmentSize: Int?
  /// TCP_USER_TIMEOUT.
  public var tcpUserTimeout: Duration?
  /// For Unix sockets: permission bits, owner, group.
  public var mode: UInt16?
  public var owner: String?
  public var group: String?
  public var id: Int?
  /// Where the line stands, for run-time messages ("file:line").
  public var origin: String = ""

  /// IPV6_V6ONLY on listening IPv6 sockets.
  public enum FamilyMode: Equatable, Sendable { case systemDefault, v4v6, v6only }
  public init(addresses: [SocketAddress]) { self.addresses = addresses }
  /// `origin` says where, not what: two binds that differ only in it are the same.
  public static func == (a: Bind, b: Bind) -> Bool {
    a.addresses == b.addresses && a.name == b.name && a.interface == b.interface
      && a.familyMode == b.familyMode && a.maxconn == b.maxconn && a.backlog == b.backlog
      && a.acceptProxy == b.acceptProxy && a.transparent == b.transparent
      && a.deferAccept == b.deferAccept && a.tcpFastOpen == b.tcpFastOpen
      && a.maxSegmentSize == b.maxSegmentSize && a.tcpUserTimeout == b.tcpUserTimeout
      && a.mode == b.mode && a.owner == b.owner && a.group == b.group && a.id == b.id
  }
}

/// SO_KEEPALIVE and its three knobs; nil leaves the kernel's value.
public struct KeepaliveSettings: Equatable, Sendable {
  public var enabled: Bool = false
  /// Probes before giving up (TCP_KEEPCNT).
  public var count: Int?
  /// Idle time before the first probe (TCP_KEEPIDLE, whole seconds).
  public var idle: Duration?
  /// Time between probes (TCP_KEEPINTVL, whole seconds).
  public var interval: Duration?
  public init() {}
}
