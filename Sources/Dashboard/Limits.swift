// Every limit of the HTTP server, and why it is what it is.

/// What clients may ask of the HTTP server, however they behave.
public enum DashboardLimits {
  /// Connections at once; more wait in the backlog. Browsers open six for one page.
  public static let connections = 128
  /// Pages that follow events at once; the next one is told to come back later.
  public static let followers = 32
  /// Bytes of a request's header lines together.
  public static let header = 16 << 10
  static let headerFields = 64
  /// A connection without a complete request for this long is closed.
  public static let patience_s = 15
  /// A follower that takes nothing for this long is let go.
  public static let stall_s = 20
  /// The server's end waits this long for what is under way.
  static let ending_s = 2
  /// Events that wait for one follower; with more it is let go, and finds them when it comes back.
  public static let waitingEvents = 64
  /// Events that are remembered for those who come back.
  public static let events = 200
  /// Between two statuses.
  public static let status_ms = 1000
  /// What a page is asked to wait before it comes back.
  static let retry_ms = 2000
}
