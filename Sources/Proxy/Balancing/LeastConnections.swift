// `balance leastconn`: the server with the fewest sessions for its weight; among equals, the one
// whose load has been the same for longest.

import Synchronization

extension BalancingTable {
  func chooseLeastLoaded(avoiding: ServerRuntime?) -> Choice {
    // Another worker may take the last place between the look and the taking; look again then.
    for _ in 0..<4 {
      var best: (server: WeightedServer, load: Int, order: Int)?
      for candidate in servers {
        let runtime = candidate.target.runtime
        if let avoiding, runtime === avoiding, servers.count > 1 { continue }
        let open = runtime.sessions.load(ordering: .relaxed) + runtime.queued
        if candidate.target.maxconn > 0, open >= candidate.target.maxconn { continue }
        // An idle server is free of charge; on a busy one the new session counts as well.
        let load = open > 0 ? open + 1 : 0
        let order = runtime.order.load(ordering: .relaxed)
        guard let current = best else {
          best = (candidate, load, order)
          continue
        }
        let a = load * current.server.weight
        let b = current.load * candidate.weight
        if a < b || (a == b && order < current.order) { best = (candidate, load, order) }
      }
      guard let best else { return .allFull }
      if best.server.target.takePlace() { return .server(best.server.target) }
    }
    return .allFull
  }
}
