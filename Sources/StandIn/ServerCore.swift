// The part of a stand-in that lives on its event loop: the listener, and every open connection.

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Touched on the event loop only.
final class ServerCore: @unchecked Sendable {
  let name: String
  let loop: any EventLoop
  private(set) var state = StandInState.stopped
  /// What `/readyz` says.
  var isReady = true
  /// Every answer is the last one on its connection.
  private(set) var isFinishing = false
  private let address: SocketAddress
  private let tls: NIOSSLContext
  private var listener: (any Channel)?
  private var gates: [ObjectIdentifier: ConnectionGate] = [:]
  private var handlers: [ObjectIdentifier: APIHandler] = [:]
  private var emptied: EventLoopPromise<Void>?

  init(name: String, address: SocketAddress, tls: NIOSSLContext, loop: any EventLoop) {
    self.name = name
    self.address = address
    self.tls = tls
    self.loop = loop
  }

  func add(_ gate: ConnectionGate) { gates[ObjectIdentifier(gate)] = gate }

  func remove(_ gate: ConnectionGate) {
    gates[ObjectIdentifier(gate)] = nil
    if gates.isEmpty { signalEmpty() }
  }

  func add(_ handler: APIHandler) { handlers[ObjectIdentifier(handler)] = handler }
  func remove(_ handler: APIHandler) { handlers[ObjectIdentifier(handler)] = nil }

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
    let channel = try await bootstrap.bind(to: address).get()
    try await loop.submit { [self] in
      listener = channel
      state = .serving
      isReady = true
      isFinishing = false
    }.get()
  }

  func stop() async throws {
    let closed = try await loop.submit { [self] in
      state = .stopped
      let listener = self.listener
      self.listener = nil
      cutAll()
      return listener
    }.get()
    // A connection accepted meanwhile goes as well.
    try await closed?.close().get()
    try await loop.submit { [self] in cutAll() }.get()
  }

  func finish(within limit: Duration) async throws {
    let closed = try await loop.submit { [self] in
      let listener = self.listener
      self.listener = nil
      isFinishing = true
      return listener
    }.get()
    try await closed?.close().get()
    try await loop.flatSubmit { [self] () -> EventLoopFuture<Void> in
      let promise = loop.makePromise(of: Void.self)
      emptied = promise
      for handler in Array(handlers.values) { handler.finish() }
      if gates.isEmpty { signalEmpty() }
      loop.scheduleTask(in: TimeAmount(limit)) { self.signalEmpty() }
      return promise.futureResult
    }.get()
    try await stop()
  }

  private func signalEmpty() {
    emptied?.succeed()
    emptied = nil
  }

  private func cutAll() {
    for gate in Array(gates.values) { gate.cut() }
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
