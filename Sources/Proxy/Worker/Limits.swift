// Every limit of the data plane, with where its number comes from.

enum Limits {
  /// Events taken from epoll at once. 256 × 12 bytes stay in the first-level cache.
  static let eventsPerWait = 256
  /// Connections accepted from one listener before other events get their turn.
  static let acceptsPerWake = 32
  /// Connections taken out of one listener's backlog at once, when it closes or an address leaves:
  /// the kernel's default for its length (net.core.somaxconn).
  static let backlogSweep = 4096
  /// One shared buffer per worker; a read that fills it hints at a bulk transfer.
  static let copyBuffer_bytes = 16 * 1024
  /// Full reads in a row after which a direction is moved by splice(2).
  static let fullReadsBeforeSplice = 2
  /// Capacity asked for per pipe: the usual bandwidth-delay product of a 10 Gbit/s LAN.
  static let pipe_bytes = 256 * 1024
  /// Empty pipes kept for reuse per worker.
  static let idlePipes = 64
  /// Stuck-byte buffers kept for reuse per worker.
  static let idleBuffers = 256
  /// Bytes one direction may move before other sessions get their turn.
  static let bytesPerTurn = 1 << 20
  /// The longest PROXY protocol header: version 1 has at most 107 bytes; version 2 may carry
  /// extensions, of which some cloud balancers send kilobytes. As much as HAProxy's buffer.
  static let proxyHeader_bytes = copyBuffer_bytes
  /// Unread bytes of a client that are thrown away before its session is closed without a
  /// server, so that it sees a FIN and not a reset.
  static let discarded_bytes = 1 << 20
  /// How long a listener rests after the process ran out of descriptors.
  static let descriptorPause_ms: Int64 = 100
  /// Pause before the same server is tried again after a refused connection (manual,
  /// `retries`): one second, or the connect timeout when that is shorter.
  static let turnAround_ms: Int64 = 1000
  /// Connection attempts after the first. A refusal that comes at once is followed by the next
  /// attempt on the same stack, a few frames each.
  static let retries = 250
  /// Session records that wait for the log thread, per worker. A power of two.
  static let recordRing = 8192
  /// Descriptors kept for everything that is not a session: logs, checks, control, listeners.
  static let reservedDescriptors = 128
  /// Longest balancing sequence: 64 servers of weight 256.
  static let sequenceLength = 16384
  /// Worker threads.
  static let workers = 64
}
