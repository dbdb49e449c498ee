// What workers need of a configuration, in the form they need it: immutable, no text to parse,
// durations in milliseconds. A session holds on to the settings it started with, so a reload
// never changes a session in flight.

import Configuration
import Kernel
import Synchronization

/// Milliseconds of a duration that may be absent (-1), saturating.
func milliseconds(_ duration: Duration?) -> Int32 {
  guard let duration else { return -1 }
  let (seconds, attoseconds) = duration.components
  let total = Double(seconds) * 1000 + Double(attoseconds) / 1e15
  // HAProxy's manual, section 2.5: zero is the same as unset for timeouts.
  if total <= 0 { return -1 }
  return Int32(min(max(total, 1), Double(Int32.max)))
}

/// What the log side decided for a frontend.
public struct AccessLogBinding: Sendable {
  /// The log side's number for format and targets; nil = no access log.
  public var profile: UInt32?
  public var dontLogNull = false
  public var dontLogNormal = false
  public var isEarly = false
  /// The line says who connected and is written when the session begins.
  public var isAtAccept = false
  /// The format shows the address the client connected to, or our own towards the server.
  public var needsLocalEndpoint = false
  public var needsSourceEndpoint = false
  public init(profile: UInt32?) { self.profile = profile }
}

/// SO_KEEPALIVE with its knobs, seconds; 0 leaves the kernel's value.
struct KeepaliveOptions: Equatable, Sendable {
  var isEnabled = false
  var count: Int32 = 0
  var idle_s: Int32 = 0
  var interval_s: Int32 = 0

  init(_ settings: KeepaliveSettings) {
    isEnabled = settings.enabled
    count = Int32(clamping: settings.count ?? 0)
    idle_s = max(0, milliseconds(settings.idle)) / 1000
    interval_s = max(0, milliseconds(settings.interval)) / 1000
  }

  func apply(to fd: Int32) {
    guard isEnabled else { return }
    Socket.set(fd, .keepAlive, 1)
    if count > 0 { Socket.set(fd, .keepCount, count) }
    if idle_s > 0 { Socket.set(fd, .keepIdle, idle_s) }
    if interval_s > 0 { Socket.set(fd, .keepInterval, interval_s) }
  }
}

final class FrontendSettings: Sendable {
  let runtime: FrontendRuntime
  let name: NameID
  let backend: BackendSettings?
  /// 0 = only the process limit.
  let maxconn: Int
  let sessionRateLimit: Int
  let timeoutClient_ms: Int32
  let timeoutClientFin_ms: Int32
  let log: AccessLogBinding
  let noLinger: Bool

  init(
    _ frontend: Frontend, runtime: FrontendRuntime, name: NameID, backend: BackendSettings?,
    log: AccessLogBinding
  ) {
    self.runtime = runtime
    self.name = name
    self.backend = backend
    self.log = log
    maxconn = frontend.maxconn ?? 0
    sessionRateLimit = frontend.sessionRateLimit ?? 0
    timeoutClient_ms = milliseconds(frontend.timeoutClient)
    timeoutClientFin_ms = milliseconds(frontend.timeoutClientFin)
    noLinger = frontend.noLinger
  }
}

final class BackendSettings: Sendable {
  let runtime: BackendRuntime
  let name: NameID
  let timeoutConnect_ms: Int32
  let timeoutServer_ms: Int32
  let timeoutServerFin_ms: Int32
  let timeoutQueue_ms: Int32
  let timeoutTunnel_ms: Int32
  let retries: Int
  /// Nil = off.
  let redispatch: Int?
  let abortOnClose: Bool
  let noLinger: Bool
  let keepalive: KeepaliveOptions
  /// Server choice depends on the client alone, so trying again gives the same server.
  let isDeterministic: Bool

  init(_ backend: Backend, runtime: BackendRuntime, name: NameID) {
    self.runtime = runtime
    self.name = name
    timeoutConnect_ms = milliseconds(backend.timeoutConnect)
    timeoutServer_ms = milliseconds(backend.timeoutServer)
    timeoutServerFin_ms = milliseconds(backend.timeoutServerFin)
    timeoutQueue_ms = milliseconds(backend.timeoutQueue ?? backend.timeoutConnect)
    timeoutTunnel_ms = milliseconds(backend.timeoutTunnel)
    retries = min(backend.retries, Limits.retries)
    redispatch = backend.redispatch
    abortOnClose = backend.abortOnClose
    noLinger = backend.noLinger
    keepalive = KeepaliveOptions(backend.keepalive)
    isDeterministic = backend.balance == .source
  }
}

/// A server that sessions can be sent to.
final class ServerTarget: @unchecked Sendable {
  let runtime: ServerRuntime
  let name: NameID
  let settings: Server
  /// Nil while the name is unresolved; the server is then unusable.
  let endpoint: NetworkEndpoint?
  /// The prepared address, when it does not depend on the client's destination.
  let address: UnsafeMutablePointer<KernelAddress>?
  let followsClientAddress: Bool
  /// Added to the client's destination port; nil = a fixed port.
  let portOffset: Int?
  let maxconn: Int
  let maxqueue: Int
  let backend: BackendRuntime
  /// The algorithm breaks ties by age.
  let keepsOrder: Bool
  /// Backend load at which `minconn` has grown to `maxconn`.
  let fullconn: Int
  let weight: Int
  let isBackup: Bool
  let userTimeout_ms: Int32
  let source: KernelAddress?
  let sourceInterface: String?

  init(
    _ server: Server, runtime: ServerRuntime, name: NameID, address: KernelAddress?,
    endpoint: NetworkEndpoint?, source: KernelAddress?, sourceInterface: String?,
    backend: BackendRuntime, fullconn: Int, keepsOrder: Bool
  ) {
    settings = server
    self.runtime = runtime
    self.name = name
    self.endpoint = endpoint
    if let address {
      self.address = .allocate(capacity: 1)
      self.address?.initialize(to: address)
    } else {
      self.address = nil
    }
    self.backend = backend
    self.fullconn = fullconn
    self.keepsOrder = keepsOrder
    followsClientAddress = server.host == .clientDestination
    if case .offset(let offset) = server.port { portOffset = offset } else { portOffset = nil }
    // HAProxy's manual, `minconn`: alone it is a plain limit.
    maxconn = server.maxconn == 0 ? server.minconn : server.maxconn
    maxqueue = server.maxqueue
    weight = server.weight
    isBackup = server.isBackup
    userTimeout_ms = max(0, milliseconds(server.tcpUserTimeout))
    self.source = source
    self.sourceInterface = sourceInterface
  }

  deinit { address?.deallocate() }

  /// False while its name has no address. (Without an address of its own, a connection would go
  /// where the client's went: to ourselves.)
  var isReachable: Bool { address != nil || endpoint != nil || followsClientAddress }

  /// Sessions this server takes at the present load; 0 = any number (manual, `minconn` and
  /// `slowstart`).
  private var presentLimit: Int {
    if maxconn == 0 { return 0 }
    var limit = maxconn
    if settings.minconn > 0, settings.minconn < maxconn, fullconn > 0 {
      let load = backend.sessions.load(ordering: .relaxed)
      if load < fullconn { limit = max(settings.minconn, load * maxconn / fullconn) }
    }
    let permille = runtime.limitPermille.load(ordering: .relaxed)
    return permille >= 1000 ? limit : max(1, limit * permille / 1000)
  }

  /// Takes a place on the server. False when all are taken.
  func takePlace() -> Bool {
    guard runtime.reserve(limit: presentLimit) else { return false }
    noteLoadChange()
    return true
  }

  func freePlace() {
    runtime.sessions.subtract(1, ordering: .sequentiallyConsistent)
    noteLoadChange()
  }

  /// Servers of equal load take turns in the order in which they came to it.
  private func noteLoadChange() {
    guard keepsOrder else { return }
    runtime.order.store(
      backend.orders.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
  }

  /// Whether a connection needs the address the client connected to.
  var needsClientDestination: Bool {
    followsClientAddress || portOffset != nil || settings.sendProxy != nil
  }
}
