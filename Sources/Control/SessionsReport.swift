// What `fairlead sessions` tells.

/// Open sessions at one moment, the oldest first.
public struct SessionsReport: Codable, Equatable, Sendable {
  public var version = controlVersion
  /// How many there are; the list may be shorter.
  public var matching: Int
  public var sessions: [SessionReport]

  public init(matching: Int, sessions: [SessionReport]) {
    self.matching = matching
    self.sessions = sessions
  }
}

/// One open session. Times are seconds.
public struct SessionReport: Codable, Equatable, Sendable {
  /// Address and port, or `unix`.
  public var client: String
  /// Where the client connected to.
  public var local: String
  public var frontend: String
  /// Nil before they are chosen.
  public var backend: String?
  public var server: String?
  /// proxy-header, queued, waiting (before another try), connecting or established.
  public var state: String
  public var age: Double
  /// Since bytes last moved in either direction.
  public var idle: Double
  /// From the client, and to it.
  public var bytesIn: Int
  public var bytesOut: Int

  public init(
    client: String, local: String, frontend: String, backend: String?, server: String?,
    state: String, age: Double, idle: Double, bytesIn: Int, bytesOut: Int
  ) {
    self.client = client
    self.local = local
    self.frontend = frontend
    self.backend = backend
    self.server = server
    self.state = state
    self.age = age
    self.idle = idle
    self.bytesIn = bytesIn
    self.bytesOut = bytesOut
  }
}
