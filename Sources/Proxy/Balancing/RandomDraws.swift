// `balance random(N)`: N servers drawn by weight, the least loaded of them is taken.

import Synchronization

extension BalancingTable {
  func chooseRandom(
    draws: Int, avoiding: ServerRuntime?, random: inout FastRandom
  ) -> Choice {
    let total = servers.reduce(0) { $0 + $1.weight }
    var best: WeightedServer?
    var bestLoad = 0
    for _ in 0..<max(1, draws) {
      var point = Int.random(in: 0..<total, using: &random)
      guard
        let drawn = servers.first(where: { server in
          point -= server.weight
          return point < 0
        })
      else { continue }
      let load = drawn.target.runtime.sessions.load(ordering: .relaxed)
      if drawn.target.maxconn > 0, load >= drawn.target.maxconn { continue }
      if let avoiding, drawn.target.runtime === avoiding, servers.count > 1 { continue }
      guard let current = best else {
        best = drawn
        bestLoad = load
        continue
      }
      if load * current.weight < bestLoad * drawn.weight {
        best = drawn
        bestLoad = load
      }
    }
    if let best, best.target.takePlace() {
      return .server(best.target)
    }
    // All draws were full or to be avoided: any server with a place is better than waiting.
    return chooseLeastLoaded(avoiding: avoiding)
  }
}
