// Every limit of the control socket, and why it is what it is.

/// What a client may ask of the daemon, however it behaves.
public enum ControlLimits {
  /// Bytes of one request; the longest real one names a server.
  public static let request = 4096
  /// Connections at once: operators, scripts, and a few that follow events.
  public static let connections = 32
  /// A connection without a complete request for this long is closed, as is one that does not
  /// take its answer.
  public static let patience_s = 10
  /// Changes of state of virtual routers that the status tells.
  public static let moves = 20
  /// The daemon tells the outcome of a planned move after six intervals and a second, and an
  /// interval has up to 255 s. Who asked waits for longer than that.
  public static let moveTimeout_s = 1600
  /// Events that are remembered.
  public static let history = 1000
  /// Sessions of one answer.
  public static let sessions = 10_000
  /// Bytes of an answer that a client accepts: thousands of servers fit.
  public static let answer = 32 << 20
}
