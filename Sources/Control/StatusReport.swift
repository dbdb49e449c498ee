// What `fairlead status` tells: the daemon at one moment, as values that go over the socket.

/// The whole daemon. Times are seconds, instants seconds since 1970.
public struct StatusReport: Codable, Equatable, Sendable {
  public var version = controlVersion
  /// Of the program.
  public var program: String
  /// The machine's own name.
  public var node: String?
  /// The nodes of the native file, in its order; nil without them.
  public var nodes: [String]?
  public var pid: Int
  public var started: Double
  public var now: Double
  public var workers = 0
  public var sessions = 0
  public var sessionLimit = 0
  /// Since the start.
  public var accepted = 0
  /// Accepted per second, lately.
  public var rate = 0.0
  public var routers: [RouterReport] = []
  /// The last changes of state of virtual routers, oldest first.
  public var moves: [MoveReport] = []
  public var frontends: [ProxyReport] = []
  /// The files that it runs, absolute, and which node of a native file it is: for who asks on this
  /// machine only.
  public var files: [String]?
  public var nativeNode: String?
  public var backends: [BackendReport] = []

  public init(program: String, pid: Int, started: Double, now: Double) {
    self.program = program
    self.pid = pid
    self.started = started
    self.now = now
  }
}

/// One virtual router.
public struct RouterReport: Codable, Equatable, Sendable {
  public var name: String
  public var id: Int
  public var interface: String
  public var addresses: [String]
  /// initialize, backup, master or fault.
  public var state: String
  /// Of the last change of state.
  public var since: Double
  /// Why the state changed last, in words.
  public var reason: String
  public var priority: Int
  /// Why it has this priority, in words; empty when nothing but the configuration decides.
  public var standing: String
  /// healthy, recovering, unhealthy or drained; nil for one that does not follow the proxy, unless
  /// the node is drained.
  public var health: String?
  /// `this node`, or the address of the master as last heard; nil when nobody was heard.
  public var master: String?
  /// When an advert of another node was taken last; nil when none was. Backups send none.
  public var heard: Double?
  public var faults: [String]
  public var advertsSent: Int
  public var advertsReceived: Int
  /// Refused packets by reason.
  public var drops: [String: Int]
  /// From another node's last advert to this node's last takeover, in seconds; nil before one.
  public var takeover: Double?
  /// Changes of state since the start.
  public var transitions: [TransitionReport]?

  public init(
    name: String, id: Int, interface: String, addresses: [String], state: String, since: Double,
    reason: String, priority: Int, standing: String, master: String?, faults: [String],
    advertsSent: Int,
    advertsReceived: Int, drops: [String: Int]
  ) {
    self.name = name
    self.id = id
    self.interface = interface
    self.addresses = addresses
    self.state = state
    self.since = since
    self.reason = reason
    self.priority = priority
    self.standing = standing
    self.master = master
    self.faults = faults
    self.advertsSent = advertsSent
    self.advertsReceived = advertsReceived
    self.drops = drops
  }
}

/// Sessions and bytes of a frontend, a backend or a server.
public struct TrafficReport: Codable, Equatable, Sendable {
  public var sessions = 0
  public var sessionsMaximum = 0
  public var total = 0
  public var bytesIn = 0
  public var bytesOut = 0
  /// Sessions per second, lately.
  public var rate = 0.0
  /// Bytes per second in both directions, lately.
  public var bytesRate = 0.0
  /// Ended sessions by how they ended; ways that never happened are left out.
  public var ends: [String: Int]?
  public init() {}
}

/// One frontend.
public struct ProxyReport: Codable, Equatable, Sendable {
  public var name: String
  public var addresses: [String]
  public var backend: String?
  public var isDisabled: Bool
  public var traffic: TrafficReport

  public init(
    name: String, addresses: [String], backend: String?, isDisabled: Bool, traffic: TrafficReport
  ) {
    self.name = name
    self.addresses = addresses
    self.backend = backend
    self.isDisabled = isDisabled
    self.traffic = traffic
  }
}

public struct BackendReport: Codable, Equatable, Sendable {
  public var name: String
  public var isDisabled: Bool
  /// Servers that take new sessions, ready or not.
  public var usableServers: Int
  /// Sessions that wait for any server.
  public var queued: Int
  public var retries: Int
  public var redispatches: Int
  /// No server is ready, and some take sessions nevertheless.
  public var isFailedOpen: Bool
  /// Times that happened since the start.
  public var failOpens: Int
  public var traffic: TrafficReport
  public var servers: [ServerReport]

  public init(
    name: String, isDisabled: Bool, usableServers: Int, queued: Int, retries: Int,
    redispatches: Int, isFailedOpen: Bool = false, failOpens: Int = 0, traffic: TrafficReport,
    servers: [ServerReport]
  ) {
    self.name = name
    self.isDisabled = isDisabled
    self.usableServers = usableServers
    self.queued = queued
    self.retries = retries
    self.redispatches = redispatches
    self.isFailedOpen = isFailedOpen
    self.failOpens = failOpens
    self.traffic = traffic
    self.servers = servers
  }

  /// For example `2 of 3 up`, or `0 of 3 ready` while it fails open.
  public var usableWords: String {
    isFailedOpen ? "0 of \(servers.count) ready" : "\(usableServers) of \(servers.count) up"
  }
}

public struct ServerReport: Codable, Equatable, Sendable {
  public enum State: String, Codable, Sendable, CaseIterable {
    case up, down
    /// Its checks say that it stops (`disable-on-404`): no new sessions.
    case stopping
    /// Not ready, by its own word, and alive: no new sessions, the old ones are closed gradually.
    case draining
    /// `disabled` in the file, or its name has no address.
    case maintenance
    /// Would be up, and an operator has drained it: no new sessions.
    case drained
  }
  public var name: String
  /// Address and port; nil while its name has none.
  public var address: String?
  public var state: State
  /// An operator has drained it, whatever else its state is.
  public var isDrained: Bool
  public var isBackup: Bool
  public var weight: Int
  /// Of the last change of state, or of the reload that brought it; nil before the first.
  public var since: Double?
  /// nil without checks, or before the first has finished.
  public var check: CheckResultReport?
  public var isChecked: Bool
  public var queued: Int
  public var connectFailures: Int
  /// Takes sessions although it is not ready, since no server is.
  public var isFailedOpen: Bool
  /// While its sessions are closed gradually.
  public var drain: DrainReport?
  /// Of connections that came about.
  public var connectTimes: HistogramReport?
  /// Finished checks by HAProxy's code words; nil without checks.
  public var checks: [String: Int]?
  public var traffic: TrafficReport

  public init(
    name: String, address: String?, state: State, isDrained: Bool, isBackup: Bool, weight: Int,
    since: Double?, check: CheckResultReport?, isChecked: Bool, queued: Int,
    connectFailures: Int, isFailedOpen: Bool = false, drain: DrainReport? = nil,
    traffic: TrafficReport
  ) {
    self.name = name
    self.address = address
    self.state = state
    self.isDrained = isDrained
    self.isBackup = isBackup
    self.weight = weight
    self.since = since
    self.check = check
    self.isChecked = isChecked
    self.queued = queued
    self.connectFailures = connectFailures
    self.isFailedOpen = isFailedOpen
    self.drain = drain
    self.traffic = traffic
  }
}

/// How far a draining server is.
public struct DrainReport: Codable, Equatable, Sendable {
  /// Sessions when it began.
  public var began: Int
  /// Sessions closed for it; others end by themselves.
  public var closed: Int
  /// Seconds over which all are closed.
  public var over_s: Double

  public init(began: Int, closed: Int, over_s: Double) {
    self.began = began
    self.closed = closed
    self.over_s = over_s
  }
}

/// How a server's last check ended.
public struct CheckResultReport: Codable, Equatable, Sendable {
  /// HAProxy's code word, for example `L4CON`.
  public var status: String
  /// In words, with the status code and what else is known.
  public var words: String
  public var duration_ms: Int
  /// 0...rise + fall - 1; from rise on the server is up.
  public var health: Int
  public var rise: Int
  public var fall: Int

  public init(
    status: String, words: String, duration_ms: Int, health: Int, rise: Int, fall: Int
  ) {
    self.status = status
    self.words = words
    self.duration_ms = duration_ms
    self.health = health
    self.rise = rise
    self.fall = fall
  }
}
