// `balance first`: the first server, in file order, that has a place.

extension BalancingTable {
  func chooseFirst(avoiding: ServerRuntime?) -> Choice {
    for server in servers {
      let target = server.target
      if let avoiding, target.runtime === avoiding, servers.count > 1 { continue }
      if target.takePlace() { return .server(target) }
    }
    return .allFull
  }
}
