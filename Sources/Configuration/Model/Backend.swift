// The server side: servers, balancing, queueing, retries, checks.

public struct Backend: Equatable, Sendable {
  public var name: String
  public var isListen: Bool = false
  public var balance: Balance = .roundRobin
  /// For `source`: how the hash picks a server.
  public var hashType = HashType()
  /// In file order; may be empty (every session then ends with SC).
  public var servers: [Server] = []
  /// `timeout connect`; nil = none.
  public var timeoutConnect: Duration?
  /// `timeout server`: inactivity on the server side; nil = none.
  public var timeoutServer: Duration?
  /// `timeout server-fin`; nil = timeoutServer.
  public var timeoutServerFin: Duration?
  /// `timeout queue`; nil = timeoutConnect.
  public var timeoutQueue: Duration?
  /// `timeout tunnel`: replaces client and server timeouts in TCP mode; nil = they stand.
  public var timeoutTunnel: Duration?
  /// `timeout check`; nil = a whole check has one interval.
  public var timeoutCheck: Duration?
  /// Connection attempts after the first; default 3.
  public var retries: Int = 3
  /// `option redispatch [N]`: nil = off; -1 = on the last retry only; N > 0 = every N-th.
  public var redispatch: Int?
  /// `fullconn`: load at which dynamic server limits (minconn) reach maxconn; nil = derived.
  public var fullconn: Int?
  public var abortOnClose: Bool = false
  /// `option allbackups`: all backup servers share the load, not only the first usable.
  public var allBackups: Bool = false
  public var keepalive = KeepaliveSettings()  // option srvtcpka, srvtcpka-*
  public var noLinger: Bool = false
  public var logHealthChecks: Bool = false
  /// Where server state changes are logged: the backend's own targets.
  public var logTargets: [LogTarget] = []
  public var logTag: String?
  public var check: CheckMethod = .connect
  /// Without any usable server, those that are not ready but can be connected to take sessions.
  /// HAProxy has no such thing.
  public var failsOpen: Bool = false
  /// `source`: local address of connections to servers.
  public var source: SourceAddress?
  public var isDisabled: Bool = false
  public var id: Int?
  public var description: String?
  public init(name: String) { self.name = name }
}

public enum Balance: Equatable, Sendable {
  case roundRobin
  case staticRoundRobin
  case leastConnections
  case first
  case source
  /// Best of `draws` random servers, 1...255; default 2.
  case random(draws: Int)
}

public struct HashType: Equatable, Sendable {
  public enum Method: Equatable, Sendable { case mapBased, consistent }
  public enum Function: Equatable, Sendable { case sdbm, djb2, wt6, crc32, none }
  public var method: Method = .mapBased
  /// nil = the method's default (address XOR for `source`).
  public var function: Function?
  public var avalanche: Bool = false
  public init() {}
}

public struct SourceAddress: Equatable, Sendable {
  /// nil with only an interface.
  public var address: SocketAddress?
  public var interface: String?
  public init(address: SocketAddress?, interface: String? = nil) {
    self.address = address
    self.interface = interface
  }
}

/// One server, `default-server` already applied.
public struct Server: Equatable, Sendable {
  public var name: String
  public var host: ServerHost
  public var port: ServerPort
  /// 0...256; 0 takes no new sessions.
  public var weight: Int = 1
  /// Concurrent sessions; 0 = no limit.
  public var maxconn: Int = 0
  /// Low-load limit for dynamic queueing; 0 = maxconn.
  public var minconn: Int = 0
  /// Sessions waiting for this server; 0 = no limit.
  public var maxqueue: Int = 0
  public var isBackup: Bool = false
  /// `disabled`: starts in maintenance.
  public var isDisabled: Bool = false
  public var slowstart: Duration?
  public var shutdownSessionsOnDown: Bool = false  // on-marked-down shutdown-sessions
  public var shutdownBackupSessionsOnUp: Bool = false  // on-marked-up shutdown-backup-sessions
  /// Its sessions are reset when it goes down; those that still connect go to another server.
  public var resetsSessionsOnDown: Bool = false
  public var check: ServerCheck?
  public var sendProxy: ProxyProtocolVersion?
  public var tcpUserTimeout: Duration?
  public var source: SourceAddress?
  /// `track backend/server`: the check state of that server is this one's. Backend resolved.
  public var track: ServerReference?
  /// Name of the `resolvers` section; nil = libc at start only.
  public var resolvers: String?
  /// Which family a name prefers; default v6 as HAProxy's.
  public var resolvePreferIPv4: Bool = false
  /// `init-addr`, in order; default [.last, .libc].
  public var initAddress: [InitAddress] = [.last, .libc]
  public var id: Int?
  /// Where the line stands ("file:line"), for run-time messages; not compared.
  public var origin = Origin()
  public init(name: String, host: ServerHost, port: ServerPort) {
    self.name = name
    self.host = host
    self.port = port
  }
}

public enum InitAddress: Equatable, Sendable { case last, libc, none, ip(IPAddress) }
public enum ProxyProtocolVersion: Equatable, Sendable { case v1, v2 }

public struct ServerReference: Hashable, Sendable {
  public var backend: String
  public var server: String
  public init(backend: String, server: String) {
    self.backend = backend
    self.server = server
  }
}

/// A place in a file. All origins are equal, so values compare by meaning.
public struct Origin: Hashable, Sendable {
  public var description: String = ""
  public init(_ description: String = "") { self.description = description }
  public static func == (_: Origin, _: Origin) -> Bool { true }
  public func hash(into hasher: inout Hasher) {}
}
