// What is known of a session when its log line is due: plain values, no text. The log thread
// turns it into words.

import Kernel

/// One ended (or, under `option logasap`, established) session.
public struct SessionRecord: BitwiseCopyable, Sendable {
  /// Microseconds since 1970 at accept and when the record was made.
  public var accepted_us: Int64 = 0
  public var ended_us: Int64 = 0
  public var client = NetworkEndpoint()
  /// The address the client connected to.
  public var local = NetworkEndpoint()
  /// Our address towards the server.
  public var source = NetworkEndpoint()
  public var server = NetworkEndpoint()
  public var frontendName: NameID = .none
  /// The bind line's `name`, or the listener's number within the frontend.
  public var listenerName: NameID = .none
  public var backendName: NameID = .none
  /// `.none` prints `<NOSRV>`.
  public var serverName: NameID = .none
  public var profile: UInt32 = 0
  /// Milliseconds; -1 when the phase was not reached.
  public var queue_ms: Int32 = -1
  public var connect_ms: Int32 = -1
  public var total_ms: Int32 = 0
  /// PROXY protocol wait before the session, milliseconds.
  public var handshake_ms: Int32 = 0
  /// Client to server, and server to client.
  public var bytesUploaded: UInt64 = 0
  public var bytesRead: UInt64 = 0
  public var end: SessionEnd = .complete
  /// Written before the end: totals get a `+`.
  public var isEarly = false
  /// The session moved to another server after a failure: `+` before the retries.
  public var wasRedispatched = false
  public var retries: UInt16 = 0
  public var activeConnections: Int32 = 0
  public var frontendConnections: Int32 = 0
  public var backendConnections: Int32 = 0
  public var serverConnections: Int32 = 0
  public var serverQueue: Int32 = 0
  public var backendQueue: Int32 = 0
  public var requestCounter: UInt32 = 0
  public init() {}
}

/// A name in the process-wide table, for records that must not carry text.
public struct NameID: BitwiseCopyable, Hashable, Sendable {
  public let raw: UInt32
  public static let none = NameID(raw: .max)
}
