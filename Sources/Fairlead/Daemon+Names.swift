// Names in a running daemon: servers whose addresses change, and log targets given by name.

import Configuration
import Health
import Resolution
import Telemetry

extension Daemon {
  func watchNames(
    of configuration: ProxyConfiguration,
    _ resolved: [ServerReference: Configuration.SocketAddress]
  ) throws {
    let post = self.post
    try names.watch(configuration, resolved, group: group) { section, event in
      post.yield(.resolution(section: section, event))
    }
  }

  func handle(_ event: ResolutionEvent, section: String) {
    take(names.changes(for: event, section: section, in: configuration))
  }

  // MARK: Names without an address

  /// Says which servers run without an address, and looks their names up until they have one.
  /// Names with `resolvers` have those for it.
  func awaitNames() {
    nameSearch?.cancel()
    nameSearch = nil
    let waiting = names.waiting(in: configuration)
    guard !waiting.isEmpty else { return }
    for (reference, host) in waiting {
      let name = "\(reference.backend)/\(reference.server)"
      tell(
        .serverMaintenance, .warning,
        "server \(name): could not resolve address '\(host)'; it is in maintenance, and looked up"
          + " again every \(Self.nameInterval_s) s", subject: name)
    }
    let post = self.post
    nameSearch = Task {
      var left = Set(waiting.map(\.host))
      while !left.isEmpty {
        try? await Task.sleep(for: .seconds(Self.nameInterval_s))
        for host in left.sorted() {
          let address = await SystemResolver.lookUp(host)
          if Task.isCancelled { return }
          guard let address else { continue }
          left.remove(host)
          post.yield(.nameFound(host, address))
        }
      }
    }
  }

  /// Between two times that a name without an address is looked up.
  private static var nameInterval_s: Int { 5 }

  func adopt(_ address: IPAddress, for host: String) {
    take(names.found(address, for: host, in: configuration))
  }

  private func take(_ changes: [AddressChange]) {
    guard let engine, let hub else { return }
    for change in changes {
      do {
        try engine.apply(configuration, addresses: names.addresses) { frontend in
          hub.binding(for: frontend, global: configuration.global)
        }
      } catch {
        tell(.serverAddress, .warning, "\(error)")
      }
      health?.setAddress(change.server, change.address)
      let isChecked = change.model.check != nil || change.model.track != nil
      if !isChecked, !change.model.isDisabled {
        setAvailability(change.address == nil ? .maintenance : .up, of: change.server)
      }
      logLines(change.lines, of: change.server.backend, as: .serverAddress, change.server)
    }
  }

  /// Log targets by name get their address once; one that cannot be resolved is left out, loudly.
  func resolvedLogs(_ configuration: ProxyConfiguration) async -> ProxyConfiguration {
    var result = configuration
    var known: [LogTarget.Destination: LogTarget.Destination] = [:]
    result.global.logTargets = await resolved(result.global.logTargets, &known)
    for index in result.frontends.indices {
      let targets = result.frontends[index].log.targets
      result.frontends[index].log.targets = await resolved(targets, &known)
    }
    for index in result.backends.indices {
      let targets = result.backends[index].logTargets
      result.backends[index].logTargets = await resolved(targets, &known)
    }
    return result
  }

  private func resolved(
    _ targets: [LogTarget], _ known: inout [LogTarget.Destination: LogTarget.Destination]
  ) async -> [LogTarget] {
    var kept: [LogTarget] = []
    for var target in targets {
      if case .udpName(let host, let port) = target.destination {
        if known[target.destination] == nil {
          if let address = await SystemResolver.lookUp(host) {
            known[target.destination] = .udp(.ip(address, port: port))
          } else {
            tell(
              .logUnavailable, .warning,
              "log target '\(host)' cannot be resolved: it gets no lines")
          }
        }
        guard let found = known[target.destination] else { continue }
        target.destination = found
      }
      kept.append(target)
    }
    return kept
  }
}
