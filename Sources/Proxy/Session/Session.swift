// One client connection and its way to a server, as plain values in a slab. The two halves hold
// what moving bytes needs; the session holds the rest.

import Kernel

/// What is known of one side's socket.
struct HalfFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt16
  /// Bytes may be there to read.
  static let readable = HalfFlags(rawValue: 1 << 0)
  /// The kernel said that no more than what is queued will come (FIN seen).
  static let peerClosed = HalfFlags(rawValue: 1 << 1)
  /// The socket reported an error; reading on finds it.
  static let failed = HalfFlags(rawValue: 1 << 2)
  /// Nothing more is read from this side: FIN was read, or reading was given up.
  static let ended = HalfFlags(rawValue: 1 << 3)
  /// We have sent FIN to this side.
  static let shut = HalfFlags(rawValue: 1 << 4)
  /// In the epoll set, and with interest in writability.
  static let registered = HalfFlags(rawValue: 1 << 5)
  static let watchesWritable = HalfFlags(rawValue: 1 << 6)
  /// The other side is connected: events move bytes.
  static let relaying = HalfFlags(rawValue: 1 << 7)
  /// TCP_NODELAY is set.
  static let noDelay = HalfFlags(rawValue: 1 << 8)
  /// This direction is moved by splice(2).
  static let splicing = HalfFlags(rawValue: 1 << 9)
  /// In the worker's list of halves to go on with.
  static let queuedAgain = HalfFlags(rawValue: 1 << 10)
  /// The kernel cannot splice this socket.
  static let unspliceable = HalfFlags(rawValue: 1 << 12)
  /// At least one send went to this side.
  static let hasSent = HalfFlags(rawValue: 1 << 11)
}

/// One side of a session, and the direction that starts there: bytes read from here and not yet
/// taken by the other side. 72 bytes.
struct Half: BitwiseCopyable {
  var descriptor: Int32 = -1
  /// Detects events of a session that has ended; 24 bits are used.
  var generation: UInt32 = 0
  var flags: HalfFlags = []
  /// Reads in a row that filled the buffer, or, when splicing, that were short.
  var streak: UInt8 = 0
  /// The last time bytes were taken from or given to this side.
  var last_ms: Int64 = 0
  /// Inactivity allowed; -1 = any.
  var timeout_ms: Int32 = -1
  /// Bytes read from here that the other side's socket has no room for.
  var stuckStart: Int32 = 0
  var stuckEnd: Int32 = 0
  var stuck: UnsafeMutablePointer<UInt8>?
  /// The same in a pipe.
  var pipeRead: Int32 = -1
  var pipeWrite: Int32 = -1
  var piped: Int32 = 0
  /// Bytes read from here.
  var total: UInt64 = 0

  var hasStuckBytes: Bool { piped > 0 || stuckEnd > stuckStart }
}

struct Session: BitwiseCopyable {
  enum State: UInt8, BitwiseCopyable {
    case free
    /// Waits for the client's PROXY header.
    case proxyHeader
    /// Waits for a place on a server.
    case queued
    /// Waits before the next try after a refused connection.
    case turnAround
    case connecting
    case established
  }

  var timer = TimerLinks()
  var state: State = .free
  var end: SessionEnd = .complete
  /// `end` has been decided; the session finishes when its bytes are out.
  var hasEnd = false
  var wasRedispatched = false
  var isLogged = false
  var retriesLeft: UInt16 = 0
  var retriesUsed: UInt16 = 0
  /// Milliseconds on the worker's clock.
  var accepted_ms: Int64 = 0
  var stateSince_ms: Int64 = 0
  var accepted_us: Int64 = 0
  var handshake_ms: Int32 = 0
  var queue_ms: Int32 = -1
  var connect_ms: Int32 = -1
  /// When the session first looked for a server, and when it last found one.
  var routed_ms: Int64 = 0
  var assigned_ms: Int64 = 0
  /// When connecting to the server began, on the monotonic clock.
  var connecting_us: Int64 = 0
  var queueTicket = 0
  /// What is in the totals already of the bytes read from each side.
  var countedFromClient: UInt64 = 0
  var countedFromServer: UInt64 = 0
  var serverQueuePosition: Int32 = 0
  var backendQueuePosition: Int32 = 0
  var client = NetworkEndpoint()
  /// Where the client connected to; family 0 until it is needed.
  var local = NetworkEndpoint()
  /// Our address towards the server, when the log line shows it.
  var source = NetworkEndpoint()
  /// Retained.
  var frontend: Unmanaged<FrontendSettings>?
  /// Retained. Nil before routing or without a backend.
  var backend: Unmanaged<BackendSettings>?
  /// Retained. A place on it is taken while this is set, unless the session waits in its queue.
  var server: Unmanaged<ServerTarget>?
  var holdsPlace = false
  /// After the pause another server is looked for.
  var choosesAgain = false
  var waitsForServer = false
  var requestCounter: UInt32 = 0
  var listenerName: NameID = .none
  /// Retained. The bind line it came in by.
  var bind: Unmanaged<BindRuntime>?
  /// Free list.
  var nextFree: UInt32 = .max
}

enum Side {
  static let client = 0
  static let server = 1
}

/// What an epoll cookie says: whose event it is.
enum Cookie {
  static let session: UInt64 = 0
  static let listener: UInt64 = 1
  static let mailbox: UInt64 = 2

  @inline(__always)
  static func session(_ index: UInt32, _ side: Int, generation: UInt32) -> UInt64 {
    UInt64(generation & 0x3F_FFFF) << 33 | UInt64(side) << 32 | UInt64(index)
  }
  @inline(__always) static func kind(_ cookie: UInt64) -> UInt64 { cookie >> 56 }
  @inline(__always) static func index(_ cookie: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: cookie)
  }
  @inline(__always) static func side(_ cookie: UInt64) -> Int { Int(cookie >> 32 & 1) }
  @inline(__always) static func generation(_ cookie: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: cookie >> 33) & 0x3F_FFFF
  }
  static func other(_ kind: UInt64, _ index: UInt32) -> UInt64 { kind << 56 | UInt64(index) }
}
