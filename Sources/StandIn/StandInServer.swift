// A stand-in for a Kubernetes API server: it speaks TLS and answers what clients and health
// checks ask first, and it can be killed, hung and brought back.

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// What the stand-in does at present.
public enum StandInState: Equatable, Sendable {
  case serving
  /// Its port is open, connections are taken, nothing is answered: a stopped process.
  case hung
  /// Its port is closed and its connections are gone: a killed process.
  case stopped
}

/// One server on 127.0.0.1. All methods may be called from any thread.
public final class StandInServer: Sendable {
  public let name: String
  public var port: UInt16 { reservation.port }
  private let reservation: PortReservation
  private let core: ServerCore

  /// Starts serving.
  /// - Parameters:
  ///   - name: the certificate's common name, and what answers carry in `X-Served-By`.
  ///   - group: one of its loops runs the server.
  public init(
    name: String, port: PortReservation, authority: Authority, group: any EventLoopGroup
  ) async throws {
    self.name = name
    reservation = port
    let tls = try NIOSSLContext(configuration: authority.serverConfiguration(for: name))
    core = ServerCore(name: name, port: port.port, tls: tls, loop: group.next())
    try await core.listen()
  }

  public var state: StandInState {
    get async { (try? await core.loop.submit { [core] in core.state }.get()) ?? .stopped }
  }

  /// Closes the listener and every connection at once, as when the process is killed.
  public func stop() async { try? await core.stop() }

  /// Goes on accepting and answers nothing any more, on old and new connections.
  public func hang() async {
    _ = try? await core.loop.submit { [core] in core.hang() }.get()
  }

  /// Serves again. A hung server first answers what has waited.
  /// - Throws: when the port of a stopped server cannot be bound again.
  public func revive() async throws {
    let mustListen = try await core.loop.submit { [core] in core.resume() }.get()
    if mustListen { try await core.listen() }
  }
}

/// The part that lives on the event loop, and is only touched there.
final class ServerCore: @unchecked Sendable {
  let name: String
  let loop: any EventLoop
  private(set) var state = StandInState.stopped
  private let port: UInt16
  private let tls: NIOSSLContext
  private var listener: (any Channel)?
  private var gates: [ObjectIdentifier: ConnectionGate] = [:]

  init(name: String, port: UInt16, tls: NIOSSLContext, loop: any EventLoop) {
    self.name = name
    self.port = port
    self.tls = tls
    self.loop = loop
  }

  func add(_ gate: ConnectionGate) { gates[ObjectIdentifier(gate)] = gate }
  func remove(_ gate: ConnectionGate) { gates[ObjectIdentifier(gate)] = nil }

  func listen() async throws {
    let bootstrap = ServerBootstrap(group: loop)
      .serverChannelOption(.backlog, value: 512)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(ConnectionGate(self))
          try pipeline.addHandler(NIOSSLServerHandler(context: self.tls))
          try pipeline.configureHTTPServerPipeline()
          try pipeline.addHandler(APIHandler(self))
        }
      }
    let channel = try await bootstrap.bind(host: "127.0.0.1", port: Int(port)).get()
    try await loop.submit { [self] in
      listener = channel
      state = .serving
    }.get()
  }

  func stop() async throws {
    let closed = try await loop.submit { [self] in
      state = .stopped
      let listener = self.listener
      self.listener = nil
      for gate in Array(gates.values) { gate.cut() }
      return listener
    }.get()
    // A connection accepted meanwhile goes as well.
    try await closed?.close().get()
    try await loop.submit { [self] in
      for gate in Array(gates.values) { gate.cut() }
    }.get()
  }

  func hang() {
    if state == .serving { state = .hung }
  }

  /// True when the server has to listen again.
  func resume() -> Bool {
    switch state {
    case .serving: return false
    case .stopped: return true
    case .hung:
      state = .serving
      for gate in Array(gates.values) { gate.resume() }
      return false
    }
  }
}
