// `balance leastconn`: the server with the fewest sessions for its weight; ties go round.

import Synchronization

extension BalancingTable {
  func chooseLeastLoaded(avoiding: ServerRuntime?) -> Choice {
    let count = servers.count
    let start = Int(
      UInt(bitPattern: backend.runtime.cursor.add(1, ordering: .relaxed).oldValue) % UInt(count))
    // Another worker may take the last place between the look and the taking; look again then.
    for _ in 0..<4 {
      var best: WeightedServer?
      var bestLoad = 0
      for step in 0..<count {
        let candidate = servers[(start + step) % count]
        let runtime = candidate.target.runtime
        if let avoiding, runtime === avoiding, count > 1 { continue }
        let load = runtime.sessions.load(ordering: .relaxed) + runtime.queued
        if candidate.target.maxconn > 0, load >= candidate.target.maxconn { continue }
        guard let current = best else {
          best = candidate
          bestLoad = load
          continue
        }
        if (load + (load > 0 ? 1 : 0)) * current.weight
          < (bestLoad + (bestLoad > 0 ? 1 : 0)) * candidate.weight
        {
          best = candidate
          bestLoad = load
        }
      }
      guard let best else { return .allFull }
      if best.target.takePlace() { return .server(best.target) }
    }
    return .allFull
  }
}
