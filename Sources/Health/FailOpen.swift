// Decides who takes sessions when no server of a backend is ready: a session on a server that
// may work is better than a refusal. Pure: it sees states, never a server.

import Configuration

/// A backend without a ready server.
public enum FailOpen {
  /// One server of the backend.
  public struct Candidate: Equatable, Sendable {
    public var server: String
    public var state: ServerState
    /// An operator has taken it out; it takes sessions in no case.
    public var isDrained: Bool
    /// 0 takes no new sessions in any case.
    public var weight: Int
    /// The last check's connection to it stood (`CheckReport.wasConnected`).
    public var wasConnected: Bool

    public init(
      _ server: String, _ state: ServerState, isDrained: Bool = false, weight: Int = 1,
      wasConnected: Bool
    ) {
      self.server = server
      self.state = state
      self.isDrained = isDrained
      self.weight = weight
      self.wasConnected = wasConnected
    }

    fileprivate var mayServe: Bool { !isDrained && weight > 0 && state != .maintenance }
  }

  /// The servers that take sessions although they are not ready; empty while one is ready.
  /// Those that say they are alive go before those that only accept connections.
  public static func choose(_ candidates: [Candidate]) -> [String] {
    let possible = candidates.filter(\.mayServe)
    if possible.contains(where: { $0.state == .up }) { return [] }
    let alive = possible.filter { $0.state == .draining || $0.state == .stopping }
    let chosen = alive.isEmpty ? possible.filter(\.wasConnected) : alive
    return chosen.map(\.server)
  }
}
