// Whether this node's proxy can serve, as the virtual routers that follow it want to know: its
// listeners are open, and every backend in use has a server that can be reached from here.

import Configuration
import Failover
import Health
import Proxy

extension Daemon {
  /// Looks again, and tells the routers when something has changed. What lasts only for a moment
  /// is left to them.
  func observePath() {
    guard engine != nil, !isEnding else { return }
    let problem: String?
    switch pathFinding {
    case .unknown: return
    case .good: problem = nil
    case .bad(let words): problem = words
    }
    let observation = PathObservation(problem: problem, checkInterval: longestInterval)
    guard observation != observedPath else { return }
    observedPath = observation
    failover?.engine.setPath(observation)
  }

  /// A check has ended; the first ones decide whether a server was ever reached.
  func noteChecked(_ reference: ServerReference, _ report: CheckReport) {
    var isNews = checkedServers.insert(reference).inserted
    if report.status.result != .failed, reachedServers.insert(reference).inserted { isNews = true }
    if isNews { observePath() }
  }

  private enum Finding {
    /// The checks that would tell have not ended yet.
    case unknown
    case good
    case bad(String)
  }

  private var pathFinding: Finding {
    var used: Set<String> = []
    var isKnown = true
    for frontend in configuration.frontends where !frontend.isDisabled {
      guard let name = frontend.defaultBackend, used.insert(name).inserted else { continue }
      guard let backend = configuration.backend(named: name), !backend.isDisabled else {
        return .bad("backend '\(name)' is disabled")
      }
      switch reachability(of: backend) {
      case true?: break
      case false?: return .bad("no server of '\(name)' is reachable")
      case nil: isKnown = false
      }
    }
    return isKnown ? .good : .unknown
  }

  /// Between two checks of a server.
  private var longestInterval: Duration {
    let checks = configuration.allServers.compactMap(\.1.check)
    return checks.map { max($0.interval, $0.downInterval ?? $0.interval) }.max() ?? .zero
  }

  private func reachability(of backend: Backend) -> Bool? {
    var isKnown = true
    for server in backend.servers where server.weight > 0 {
      let reference = ServerReference(backend: backend.name, server: server.name)
      switch reachability(of: server, reference) {
      case true?: return true
      case false?: break
      case nil: isKnown = false
      }
    }
    return isKnown ? false : nil
  }

  /// A server that stops, or that an operator has drained, is reachable all the same: its state
  /// says nothing against this node. One that was never checked counts as up to the balancer
  /// (HAProxy's rule), but proves nothing here.
  private func reachability(of server: Server, _ reference: ServerReference) -> Bool? {
    switch wanted[reference] ?? .up {
    case .up, .draining: break
    // Not those that take sessions only because no server is ready, either: a node that has a
    // ready one is better, and when none has, nobody moves.
    case .down, .maintenance: return false
    }
    var (server, reference) = (server, reference)
    // A loop of followers is refused by the configuration; the bound is for safety.
    for _ in 0..<16 {
      guard let leader = server.track,
        let next = configuration.backend(named: leader.backend)?.servers.first(where: {
          $0.name == leader.server
        })
      else { break }
      (server, reference) = (next, leader)
    }
    guard server.check != nil else { return true }
    if reachedServers.contains(reference) { return true }
    return checkedServers.contains(reference) ? false : nil
  }
}
