// What the checker is given: a server, how its backend checks, and the address to use.

import Configuration
import NIOCore

/// One server to watch.
public struct CheckTarget: Equatable, Sendable {
  public var reference: ServerReference
  /// Its `check`, `track`, `isDisabled`, `source` and ports are used.
  public var server: Server
  /// The backend's kind of check.
  public var method: CheckMethod
  /// `timeout check`; nil = the whole check has one interval.
  public var timeoutCheck: Duration?
  /// `timeout connect`; only matters together with `timeoutCheck`.
  public var timeoutConnect: Duration?
  /// The backend's `source`; the server's own comes first.
  public var source: SourceAddress?
  /// The server's address; nil while its name has none (it is then in maintenance).
  public var address: Configuration.SocketAddress?
  /// Addresses of other names that checks use (`addr NAME`, `connect addr NAME`).
  public var names: [String: IPAddress] = [:]

  public init(
    server: Server, backend: Backend, address: Configuration.SocketAddress?
  ) {
    reference = ServerReference(backend: backend.name, server: server.name)
    self.server = server
    method = backend.check
    timeoutCheck = backend.timeoutCheck
    timeoutConnect = backend.timeoutConnect
    source = backend.source
    self.address = address
  }

  /// All servers of a configuration that are checked or follow another; names have no address.
  public static func all(in configuration: ProxyConfiguration) -> [CheckTarget] {
    configuration.backends.filter { !$0.isDisabled }.flatMap { backend in
      backend.servers.filter { $0.check != nil || $0.track != nil }.map {
        CheckTarget(server: $0, backend: backend, address: $0.numericAddress)
      }
    }
  }

  /// The same check of the same server: its state may be kept over a reload.
  func isSameCheck(as other: CheckTarget) -> Bool {
    isSameServer(as: other) && server.check == other.server.check && method == other.method
  }

  /// What was known of the one is known of the other.
  func isSameServer(as other: CheckTarget) -> Bool {
    reference == other.reference && server.track == other.server.track
      && server.host == other.server.host && server.port == other.server.port
      && server.isDisabled == other.server.isDisabled
  }
}

extension Server {
  /// The address when no resolving is needed.
  public var numericAddress: Configuration.SocketAddress? {
    switch host {
    case .ip(let address):
      switch port {
      case .fixed(let port): .ip(address, port: port)
      case .offset: .ip(address, port: 0)
      }
    case .unix(let path): .unix(path: path)
    case .abstract(let name): .abstract(name: name)
    case .name, .clientDestination: nil
    }
  }
}

/// Why targets cannot be checked; the running ones stay as they are.
public enum HealthError: Error, Equatable, Sendable, CustomStringConvertible {
  case plan(ServerReference, CheckPlanError)
  case tls(ServerReference, CheckTLSError)

  public var description: String {
    switch self {
    case .plan(let reference, let error):
      "server \(reference.backend)/\(reference.server): \(error)"
    case .tls(let reference, let error):
      "server \(reference.backend)/\(reference.server): \(error)"
    }
  }
}

extension CheckTarget {
  /// Compiles patterns and reads certificates, as starting the checks would. Does file I/O.
  public func validate() throws(HealthError) {
    var contexts = TLSContexts()
    _ = try makeProbeTarget(contexts: &contexts)
  }

  /// nil = not checked itself.
  func makeProbeTarget(contexts: inout TLSContexts) throws(HealthError) -> ProbeTarget? {
    guard let check = server.check, server.track == nil else { return nil }
    let plan: CheckPlan
    do {
      plan = try CheckPlan(method)
    } catch {
      throw .plan(reference, error)
    }
    var connections: [Int: ProbeTarget.Connection] = [:]
    for (index, step) in plan.steps.enumerated() {
      guard case .connect(let connect, _) = step.rule else { continue }
      connections[index] = try connection(connect, check, contexts: &contexts)
    }
    return ProbeTarget(
      plan: plan, connections: connections, source: server.source ?? source,
      connectTimeout: CheckSchedule.connectTimeout(
        interval: max(Limits.shortestInterval, check.interval), timeoutCheck: timeoutCheck,
        timeoutConnect: timeoutConnect),
      readTimeout: CheckSchedule.readTimeout(timeoutCheck: timeoutCheck))
  }

  /// The same check with `live` as its path; nil = a wrong status is a failure.
  func makeLivePlan() throws(HealthError) -> CheckPlan? {
    guard let path = server.check?.live, case .http(var http) = method else { return nil }
    http.steps = http.steps.map { step in
      guard case .sendHTTP(var request) = step else { return step }
      request.uri = path
      return .sendHTTP(request)
    }
    http.disableOn404 = false
    do {
      // Its connect steps stand where those of the check do, and share their connections.
      return try CheckPlan(.http(http))
    } catch {
      throw .plan(reference, error)
    }
  }

  private func connection(
    _ connect: CheckConnect, _ check: ServerCheck, contexts: inout TLSContexts
  ) throws(HealthError) -> ProbeTarget.Connection {
    var result = ProbeTarget.Connection()
    result.lingers = connect.linger
    if connect.sendProxy {
      result.proxy = check.sendProxy ?? server.sendProxy ?? .v1
    } else if connect.useServerDefaults {
      result.proxy = check.sendProxy
    }
    var tls = connect.useServerDefaults ? check.tls : nil
    // Without the server's own settings, `connect ssl` trusts the system's authorities only.
    if connect.tls { tls = check.tls ?? CheckTLS(verify: true) }
    if let tls {
      do {
        result.tls = try tls.makeClient(for: connect, contexts: &contexts)
      } catch {
        throw .tls(reference, error)
      }
    }
    let host = connect.address ?? check.address
    let port = connect.port ?? check.port
    result.followsServer = host == nil
    result.port = port
    result.endpoint = endpoint(host, port)
    if result.endpoint == nil { result.problem = "no address to check" }
    return result
  }

  /// The address of a connection; without `host` the server's own.
  func endpoint(_ host: ServerHost?, _ port: UInt16?) -> NIOCore.SocketAddress? {
    var ownPort: UInt16 = 0
    if case .ip(_, let number) = address { ownPort = number }
    let port = port ?? ownPort
    switch host {
    case .ip(let ip): return Configuration.SocketAddress.ip(ip, port: port).endpoint
    case .name(let name):
      return names[name].flatMap { Configuration.SocketAddress.ip($0, port: port).endpoint }
    case .unix(let path): return Configuration.SocketAddress.unix(path: path).endpoint
    case .abstract(let name): return Configuration.SocketAddress.abstract(name: name).endpoint
    case .clientDestination: return nil
    case nil:
      guard case .ip(let ip, _) = address else { return address?.endpoint }
      return Configuration.SocketAddress.ip(ip, port: port).endpoint
    }
  }
}
