// `track`: servers whose state is that of another server.

extension NativeServer {
  static var track: NativeKey<NativeServer> {
    NativeKey(
      "track", \.model.track,
      read: { reader, value in
        guard let text = reader.string(value) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, !parts.contains("") else {
          reader.report(at: value, "expected BACKEND/SERVER, or SERVER of the same backend")
          return nil
        }
        // Without a backend it is its own, which the parser fills in.
        return .some(
          ServerReference(backend: parts.count == 2 ? parts[0] : "", server: parts[parts.count - 1])
        )
      }, print: { $0.map { .scalar("\($0.backend)/\($0.server)") } })
  }
}

extension NativeParser {
  /// Every chain ends at a server that is checked.
  func checkTracking(_ proxy: ProxyConfiguration, at value: NativeValue) {
    guard !reader.hasErrors else { return }
    var servers: [ServerReference: Server] = [:]
    for backend in proxy.backends {
      for server in backend.servers {
        servers[ServerReference(backend: backend.name, server: server.name)] = server
      }
    }
    for backend in proxy.backends {
      for server in backend.servers where server.track != nil {
        guard let problem = problem(server, servers) else { continue }
        reader.report(at: value, "server \(backend.name)/\(server.name) tracks \(problem)")
      }
    }
  }

  private func problem(_ server: Server, _ servers: [ServerReference: Server]) -> String? {
    var next = server.track
    // Longer chains are of no use, and loops have no end.
    for _ in 0..<64 {
      guard let reference = next else { return nil }
      let name = "\(reference.backend)/\(reference.server)"
      guard let target = servers[reference] else { return "\(name), which is not there" }
      if target.track == nil, target.check == nil { return "\(name), which has no check" }
      next = target.track
    }
    return "itself, or along more than 64 servers"
  }
}
