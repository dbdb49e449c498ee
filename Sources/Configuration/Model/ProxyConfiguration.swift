// The values the rest of the program sees: what to listen on, where to send it, how to
// check it and how to log it. Every dialect is parsed into these types and nothing else.

/// A complete, checked configuration of the proxy half.
public struct ProxyConfiguration: Equatable, Sendable {
  public var global: GlobalSettings
  /// In file order. Names are unique among frontends.
  public var frontends: [Frontend]
  /// In file order. Names are unique among backends.
  public var backends: [Backend]
  /// DNS resolver sections, by name unique.
  public var resolvers: [Resolvers]

  public init(
    global: GlobalSettings = GlobalSettings(), frontends: [Frontend] = [],
    backends: [Backend] = [], resolvers: [Resolvers] = []
  ) {
    self.global = global
    self.frontends = frontends
    self.backends = backends
    self.resolvers = resolvers
  }

  /// The backend of that name, or nil.
  public func backend(named name: String) -> Backend? { backends.first { $0.name == name } }
}

/// Process-wide settings (HAProxy configuration manual, section 3).
public struct GlobalSettings: Equatable, Sendable {
  /// Concurrent client connections the process accepts; nil derives it from RLIMIT_NOFILE.
  public var maxconn: Int?
  /// Worker threads, 1...64; nil means one per core.
  public var threads: Int?
  /// Targets that `log global` refers to.
  public var logTargets: [LogTarget] = []
  /// Syslog tag, default "haproxy" in that dialect.
  public var logTag: String = "haproxy"
  /// Hostname sent in syslog headers: nil sends none; an empty string means the system's.
  public var logHostname: String?
  /// Written at start when running in the background or when asked for.
  public var pidFile: String?
  /// `daemon` was asked for. Fairlead stays in the foreground; service managers prefer it.
  public var daemon: Bool = false
  public var user: String?
  public var group: String?
  public var chroot: String?
  /// Longest time a draining process waits for its sessions before it ends them; nil = for ever.
  public var hardStopAfter: Duration?
  /// Random change of check intervals, percent 0...50.
  public var spreadChecks: Int = 0
  /// `ssl-server-verify none`: check certificates are not verified unless a server asks for it.
  public var serverVerifyNone: Bool = false
  /// Directory that relative `ca-file` paths start from.
  public var caBase: String?
  /// Directory that relative `crt` paths start from.
  public var crtBase: String?
  /// RLIMIT_NOFILE asked for by `ulimit-n`.
  public var fileDescriptorLimit: Int?
  /// Connections accepted per second by the whole process; nil = no limit.
  public var maxConnectionRate: Int?
  /// `node`: the name used in reports; nil = host name.
  public var node: String?
  public var description: String?
  /// `noepoll`, `nosplice`: the second is honoured, relay by copy only.
  public var noSplice: Bool = false
  /// Pipes that relaying may use; nil = bounded by descriptors.
  public var maxPipes: Int?
  public init() {}
}

/// A DNS resolver section (manual section 5.3).
public struct Resolvers: Equatable, Sendable {
  public var name: String
  /// Name servers as numeric addresses, in order.
  public var nameservers: [SocketAddress] = []
  /// Also use the name servers of /etc/resolv.conf.
  public var parseResolvConf: Bool = false
  /// Queries sent before a name counts as unresolvable; default 3.
  public var resolveRetries: Int = 3
  /// Time between two tries; default 1 s.
  public var timeoutRetry: Duration = .seconds(1)
  /// Time between two resolutions of a name; default 1 s.
  public var timeoutResolve: Duration = .seconds(1)
  /// How long a valid answer is kept; default 10 s.
  public var holdValid: Duration = .seconds(10)
  /// How long the last good answer outlives errors of each kind; default 30 s (obsolete: 0).
  public var holdOther: Duration = .seconds(30)
  public var holdObsolete: Duration = .zero
  public init(name: String) { self.name = name }
}
