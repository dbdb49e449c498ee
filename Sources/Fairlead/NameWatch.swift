// Server names: their addresses at start (`init-addr`) and, with a `resolvers` section, whenever
// DNS says something else.

import Configuration
import Health
import NIOCore
import Resolution

/// A server whose name cannot be resolved and that may not wait for it.
struct UnresolvableServer: Error, CustomStringConvertible {
  let server: ServerReference
  let host: String
  let origin: String
  /// In a native file, where waiting is the default.
  let isNative: Bool
  var description: String {
    (origin.isEmpty ? "" : origin + ": ")
      + "server \(server.backend)/\(server.server): could not resolve address '\(host)';"
      + " \(isNative ? "'none' at the end of 'initAddress'" : "'init-addr none'") starts without it"
  }
}

/// A server's address changed, and what the log says of it.
struct AddressChange {
  let server: ServerReference
  let model: Server
  let address: Configuration.SocketAddress?
  let lines: [HealthLine]
}

struct NameWatch {
  /// Present addresses of all servers that have one.
  private(set) var addresses: [ServerReference: Configuration.SocketAddress] = [:]
  private var resolvers: [String: (settings: Resolvers, resolver: Resolver)] = [:]

  /// Addresses to begin with. Names keep what they had (`init-addr last`).
  static func initialAddresses(
    of configuration: ProxyConfiguration,
    known: [ServerReference: Configuration.SocketAddress], isNative: Bool
  ) async throws -> [ServerReference: Configuration.SocketAddress] {
    var result: [ServerReference: Configuration.SocketAddress] = [:]
    var lookups: [(ServerReference, Server, Task<SystemResolver.InitialAddress, Never>)] = []
    for (reference, server) in configuration.allServers {
      if let numeric = server.numericAddress { result[reference] = numeric }
      guard server.numericAddress == nil, server.hostName != nil else { continue }
      var last: IPAddress?
      if case .ip(let address, _) = known[reference] { last = address }
      // Side by side: where DNS is dead each takes its time.
      let task = Task { [last] in
        await SystemResolver.lookUpInitialAddress(of: server, last: last)
      }
      lookups.append((reference, server, task))
    }
    for (reference, server, task) in lookups {
      switch await task.value {
      case .address(let address): result[reference] = .ip(address, port: server.fixedPort)
      case .deferred: break
      case .unresolvable where SystemResolver.mayWait(server, isNative: isNative): break
      case .unresolvable:
        throw UnresolvableServer(
          server: reference, host: server.hostName ?? "", origin: server.origin.description,
          isNative: isNative)
      }
    }
    return result
  }

  /// Servers without `resolvers` that run without an address, with their names.
  func waiting(
    in configuration: ProxyConfiguration
  ) -> [(reference: ServerReference, host: String)] {
    configuration.allServers.compactMap { reference, server in
      guard server.resolvers == nil, addresses[reference] == nil, let host = server.hostName
      else { return nil }
      return (reference, host)
    }
  }

  /// A name that servers have waited for has an address. Those servers, with it.
  mutating func found(
    _ address: IPAddress, for host: String, in configuration: ProxyConfiguration
  ) -> [AddressChange] {
    let waiting = Set(waiting(in: configuration).filter { $0.host == host }.map(\.reference))
    return configuration.allServers.filter { waiting.contains($0.0) }.map { reference, server in
      let new = Configuration.SocketAddress.ip(address, port: server.fixedPort)
      addresses[reference] = new
      let log = HealthLog(reference, isBackup: server.isBackup, logsChecks: false)
      let changed = log.changesAddress(from: nil, to: "\(address)", by: "the system's resolver")
      return AddressChange(
        server: reference, model: server, address: new,
        lines: [changed] + log.regainsAddress(host: host))
    }
  }

  /// Watches the names of servers with `resolvers`.
  mutating func watch(
    _ configuration: ProxyConfiguration,
    _ resolved: [ServerReference: Configuration.SocketAddress], group: any EventLoopGroup,
    handler: @escaping @Sendable (String, ResolutionEvent) -> Void
  ) throws {
    addresses = resolved
    var wanted: [String: [ResolvedName: IPAddress?]] = [:]
    for (reference, server) in configuration.allServers {
      guard let section = server.resolvers, case .name(let host) = server.host else { continue }
      let name = ResolvedName(host, prefersIPv4: server.resolvePreferIPv4)
      var known: IPAddress?
      if case .ip(let address, _) = resolved[reference] { known = address }
      wanted[section, default: [:]][name] = .some(known)
    }
    for (section, entry) in resolvers where wanted[section] == nil {
      entry.resolver.stop()
      resolvers[section] = nil
    }
    for settings in configuration.resolvers {
      guard let names = wanted[settings.name] else { continue }
      if let running = resolvers[settings.name], running.settings == settings {
        try running.resolver.watch(names)
        continue
      }
      resolvers[settings.name]?.resolver.stop()
      let section = settings.name
      let resolver = try Resolver(
        group: group, settings: settings,
        resolvConf: settings.parseResolvConf ? ResolvConf.read() ?? "" : ""
      ) { handler(section, $0) }
      try resolver.watch(names)
      resolvers[section] = (settings, resolver)
    }
  }

  /// The servers an event changes, with their new addresses taken over.
  mutating func changes(
    for event: ResolutionEvent, section: String, in configuration: ProxyConfiguration
  ) -> [AddressChange] {
    let name: ResolvedName
    let new: IPAddress?
    switch event {
    case .changed(let changed, from: _, let to, nameserver: _):
      name = changed
      new = to
    case .lost(let lost, _, _):
      name = lost
      new = nil
    }
    var changes: [AddressChange] = []
    for (reference, server) in configuration.allServers {
      guard server.resolvers == section, case .name(let host) = server.host,
        ResolvedName(host, prefersIPv4: server.resolvePreferIPv4) == name
      else { continue }
      let before = addresses[reference]
      let address = new.map { Configuration.SocketAddress.ip($0, port: server.fixedPort) }
      guard address != before else { continue }
      addresses[reference] = address
      changes.append(
        AddressChange(
          server: reference, model: server, address: address,
          lines: lines(event, reference, server, host: host, before: before)))
    }
    return changes
  }

  private func lines(
    _ event: ResolutionEvent, _ reference: ServerReference, _ server: Server, host: String,
    before: Configuration.SocketAddress?
  ) -> [HealthLine] {
    let log = HealthLog(reference, isBackup: server.isBackup, logsChecks: false)
    switch event {
    case .changed(_, let from, let to, let nameserver):
      let changed = log.changesAddress(
        from: from.map { "\($0)" }, to: "\(to)", by: nameserver)
      return before == nil ? [changed] + log.regainsAddress(host: host) : [changed]
    case .lost(_, _, let failure):
      return [
        log.losesAddress(
          from: .up, "\(failure)", counts: HealthCounts(active: 0, backup: 0))
      ]
    }
  }

  mutating func stop() {
    resolvers.values.forEach { $0.resolver.stop() }
    resolvers = [:]
  }
}

extension Server {
  /// nil when its address is a number, or no IP address at all.
  var hostName: String? {
    if case .name(let host) = host { return host }
    return nil
  }

  /// The port, or 0 when it follows the client's.
  var fixedPort: UInt16 {
    if case .fixed(let port) = port { return port }
    return 0
  }
}

extension ProxyConfiguration {
  /// All servers of enabled backends, in order.
  var allServers: [(ServerReference, Server)] {
    backends.filter { !$0.isDisabled }.flatMap { backend in
      backend.servers.map { (ServerReference(backend: backend.name, server: $0.name), $0) }
    }
  }
}
