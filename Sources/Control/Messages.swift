// What goes over the control socket: one JSON object a line, in each direction.

/// The version of everything on the socket. Members may be added without a new one.
public let controlVersion = 1

/// What an operator asks for.
public struct ControlRequest: Codable, Equatable, Sendable {
  public enum Command: String, Codable, CaseIterable, Sendable {
    case status, reload, drain, undrain, events, sessions, failover
  }
  public var version: Int
  public var command: Command
  /// `backend/server`, or a server's name when only one backend has it; for drain, undrain and
  /// sessions.
  public var server: String?
  /// For events: further answers follow, one for each event.
  public var follow: Bool?
  /// For sessions: how many at most, 0...10,000.
  public var limit: Int?
  /// For drain and undrain: this node, not a server.
  public var node: Bool?
  /// For failover: the node that is to have the addresses, by name or address; nil: whoever is
  /// next.
  public var to: String?
  /// For failover: a virtual router's name, or one of its addresses; nil: all.
  public var vip: String?
  /// For failover: only tell what would be done.
  public var dryRun: Bool?
  /// For failover: take back what earlier ones ordered.
  public var withdraw: Bool?

  public init(
    _ command: Command, server: String? = nil, follow: Bool? = nil, limit: Int? = nil
  ) {
    version = controlVersion
    self.command = command
    self.server = server
    self.follow = follow
    self.limit = limit
  }
}

/// What the daemon says to it.
public struct ControlAnswer: Codable, Equatable, Sendable {
  public var version: Int
  /// The command was carried out.
  public var ok: Bool
  /// For a person: what was done, diagnostics, or what is wrong.
  public var messages: [String]
  public var status: StatusReport?
  public var events: [ControlEvent]?
  public var sessions: SessionsReport?
  /// For failover and drain: addresses were to move, and nobody took them in time.
  public var isUntaken: Bool?
  /// For failover: this node is the only one that is known; for a dry run, also that no other was
  /// ever heard.
  public var isUnheard: Bool?

  public init(
    ok: Bool, messages: [String] = [], status: StatusReport? = nil,
    events: [ControlEvent]? = nil, sessions: SessionsReport? = nil
  ) {
    version = controlVersion
    self.ok = ok
    self.messages = messages
    self.status = status
    self.events = events
    self.sessions = sessions
  }

  public static func refused(_ problem: String) -> ControlAnswer {
    ControlAnswer(ok: false, messages: [problem])
  }
}

extension ControlRequest {
  /// The request of a line, or an answer that says what is wrong with it.
  public static func parse(_ line: [UInt8]) -> Result<ControlRequest, RefusedRequest> {
    do {
      guard try MessageText.read(AnyVersion.self, line).version == controlVersion else {
        return .failure(
          RefusedRequest(problem: "this daemon speaks version \(controlVersion) of the protocol"))
      }
    } catch {
      return .failure(RefusedRequest(problem: "a request is a JSON object"))
    }
    do {
      return .success(try MessageText.read(ControlRequest.self, line))
    } catch {
      let names = Command.allCases.map(\.rawValue).joined(separator: ", ")
      return .failure(RefusedRequest(problem: "no such command; there are \(names)"))
    }
  }
}

/// Why a line is no request.
public struct RefusedRequest: Error, Equatable {
  public var problem: String
  public init(problem: String) { self.problem = problem }
}

/// What messages of every version have.
struct AnyVersion: Decodable {
  var version: Int?
}

extension ControlAnswer {
  /// The line that carries it.
  var line: String {
    MessageText.write(
      self, otherwise: #"{"messages":["the answer cannot be written"],"ok":false,"version":1}"#)
      + "\n"
  }
}
