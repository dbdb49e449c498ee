// Carries out one check on an event loop: opens the connections that the machine asks for,
// writes, reads, keeps the time, and reports exactly once.

import Configuration
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// What a probe needs to know about its server.
struct ProbeTarget: Sendable {
  struct Connection: Sendable {
    /// nil with the reason in `problem`.
    var endpoint: NIOCore.SocketAddress?
    var problem: String = ""
    var tls: TLSClient?
    var proxy: ProxyProtocolVersion?
    /// The address is the server's own, so it changes with it; `port` replaces the server's.
    var followsServer = true
    var port: UInt16?
    /// Close with FIN rather than RST.
    var lingers: Bool = false
  }

  var plan: CheckPlan
  /// One per connect step, by the step's index in the plan.
  var connections: [Int: Connection]
  var source: SourceAddress?
  /// From the start of a connection until it stands; without `readTimeout` for the whole check.
  var connectTimeout: Duration
  /// From the moment the connection stands.
  var readTimeout: Duration?
}

/// One running check. Lives on one event loop and is only touched there.
final class Probe: @unchecked Sendable {
  private let loop: any EventLoop
  private let target: ProbeTarget
  private var machine: ProbeMachine
  private var completion: (@Sendable (Probe, CheckReport) -> Void)?
  private var channel: (any Channel)?
  private var current: ProbeTarget.Connection?
  private var timer: Scheduled<Void>?
  private let started = ContinuousClock.now
  /// Tells events of an earlier connection from those of the current one.
  private var generation = 0

  init(
    _ target: ProbeTarget, on loop: any EventLoop, wasDown: Bool, serverState: String?,
    completion: @escaping @Sendable (Probe, CheckReport) -> Void
  ) {
    self.loop = loop
    self.target = target
    self.completion = completion
    machine = ProbeMachine(target.plan, wasDown: wasDown, serverState: serverState)
  }

  func start() {
    loop.preconditionInEventLoop()
    act(machine.start())
  }

  /// Ends the probe without a report.
  func cancel() {
    loop.preconditionInEventLoop()
    completion = nil
    close()
  }

  // MARK: Actions

  private func act(_ action: ProbeMachine.Action) {
    switch action {
    case .wait: break
    case .connect(let step): connect(target.connections[step])
    case .send(let bytes): send(bytes)
    case .finish(let status, let code, let info):
      close()
      guard let completion else { return }
      self.completion = nil
      completion(
        self,
        CheckReport(
          status: status, code: code, info: info, duration: ContinuousClock.now - started))
    }
  }

  private func connect(_ connection: ProbeTarget.Connection?) {
    close()
    generation += 1
    let current = generation
    guard let connection, let endpoint = connection.endpoint else {
      return act(machine.failed(.setup(connection?.problem ?? "no address")))
    }
    self.current = connection
    schedule(after: target.connectTimeout)
    let options = SocketSetup(
      source: target.source,
      delaysAcknowledgement: target.plan.isBareConnection && connection.tls == nil
        && connection.proxy == nil)
    var bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(.hours(24))  // ours is the only timer
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { [self] channel in
        guard current == generation else {
          return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        self.channel = channel
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ProbeHandler(self, current))
        }.flatMap { options.apply(to: channel) }
      }
    if let local = target.source?.address?.endpoint {
      // A source of the other family cannot be bound; HAProxy ignores it as well.
      if local.protocol == endpoint.protocol { bootstrap = bootstrap.bind(to: local) }
    }
    bootstrap.connect(to: endpoint).whenComplete { [self] result in
      guard current == generation else { return }
      switch result {
      case .success(let channel): connected(channel, connection)
      case .failure(let error): act(machine.failed(Self.connectFailure(error, endpoint)))
      }
    }
  }

  private func connected(_ channel: any Channel, _ connection: ProbeTarget.Connection) {
    self.channel = channel
    guard let proxy = connection.proxy else { return begin(channel, connection) }
    let current = generation
    let header = ProxyHeader.bytes(
      proxy, local: channel.localAddress, remote: channel.remoteAddress)
    // A bare check ends right here, and closing drops what is not written yet.
    channel.writeAndFlush(ByteBuffer(bytes: header)).whenComplete { [self] result in
      guard current == generation else { return }
      switch result {
      case .success: begin(channel, connection)
      case .failure(let error): act(machine.failed(.transport(Self.words(error))))
      }
    }
  }

  /// The connection stands, its PROXY header sent: TLS or the first rule is next.
  private func begin(_ channel: any Channel, _ connection: ProbeTarget.Connection) {
    let current = generation
    guard let tls = connection.tls else {
      startReading()
      return act(machine.connected(handshakeFollows: false))
    }
    act(machine.connected(handshakeFollows: true))
    guard current == generation, self.channel === channel else { return }
    do {
      let handler = try NIOSSLClientHandler(context: tls.context, serverHostname: tls.serverName)
      try channel.pipeline.syncOperations.addHandler(handler, position: .first)
    } catch {
      act(machine.failed(.handshake("SSL handshake failure")))
    }
  }

  private func send(_ bytes: [UInt8]) {
    guard let channel else { return act(machine.failed(.transport(errorText(ENOTCONN)))) }
    let current = generation
    channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { [self] result in
      guard current == generation else { return }
      switch result {
      case .success: act(machine.sent())
      case .failure(let error): act(machine.failed(.transport(Self.words(error))))
      }
    }
  }

  private func close() {
    timer?.cancel()
    timer = nil
    generation += 1
    guard let channel else { return }
    self.channel = nil
    // A reset right behind a PROXY header would take the header with it.
    if current?.lingers == true || current?.proxy != nil { return channel.close(promise: nil) }
    // A reset spares both sides the TIME_WAIT of a connection per check.
    if let options = channel as? any SocketOptionProvider {
      _ = options.setSoLinger(linger(l_onoff: 1, l_linger: 0))
    }
    // From the TLS handler's own place outwards: it would wait for the peer's close_notify.
    let pipeline = channel.pipeline.syncOperations
    if let tls = try? pipeline.context(handlerType: NIOSSLClientHandler.self) {
      tls.close(promise: nil)
    } else {
      channel.close(promise: nil)
    }
  }

  // MARK: Time

  private func startReading() {
    if let timeout = target.readTimeout { schedule(after: timeout) }
  }

  private func schedule(after timeout: Duration) {
    timer?.cancel()
    let current = generation
    timer = loop.scheduleTask(in: TimeAmount(timeout)) { [self] in
      guard current == generation else { return }
      act(machine.expired())
    }
  }

  // MARK: Events of the connection

  fileprivate func received(_ bytes: ByteBuffer, _ generation: Int) {
    guard generation == self.generation else { return }
    act(machine.received(bytes.readableBytesView))
  }

  fileprivate func ended(_ generation: Int) {
    guard generation == self.generation else { return }
    act(machine.ended())
  }

  fileprivate func handshakeCompleted(_ generation: Int) {
    guard generation == self.generation, let channel else { return }
    if let name = current?.tls?.requiredName {
      let presented = try? channel.pipeline.syncOperations.nioSSL_peerCertificate()
      guard let presented, certificate(presented, isFor: name) else {
        let words = "Server presented an SSL certificate different from the configured one"
        return act(machine.failed(.handshake(words)))
      }
    }
    startReading()
    act(machine.handshakeCompleted())
  }

  fileprivate func failed(_ error: any Error, _ generation: Int) {
    guard generation == self.generation else { return }
    switch error {
    case NIOSSLError.uncleanShutdown: act(machine.ended())
    case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
      act(machine.failed(.handshake("SSL handshake failure")))
    default: act(machine.failed(.transport(Self.words(error))))
    }
  }

  private static func connectFailure(
    _ error: any Error, _ endpoint: NIOCore.SocketAddress
  ) -> ProbeMachine.Failure {
    guard let error = error as? IOError else { return .setup(words(error)) }
    switch error.errnoCode {
    case EADDRNOTAVAIL, EADDRINUSE, EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EPERM, EAFNOSUPPORT,
      ENODEV, EINVAL, ENOENT:
      return .setup("General socket error (\(errorText(error.errnoCode)))")
    default: return .connect(errorText(error.errnoCode))
    }
  }

  private static func words(_ error: any Error) -> String {
    if let error = error as? IOError { return errorText(error.errnoCode) }
    switch error as? ChannelError {
    case .ioOnClosedChannel, .alreadyClosed, .eof, .inputClosed, .outputClosed:
      return errorText(EPIPE)
    default: return printable(Array("\(error)".utf8))
    }
  }
}

/// Passes a channel's events to its probe.
private final class ProbeHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let probe: Probe
  private let generation: Int

  init(_ probe: Probe, _ generation: Int) {
    self.probe = probe
    self.generation = generation
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    probe.received(unwrapInboundIn(data), generation)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted = event { probe.handshakeCompleted(generation) }
    if case ChannelEvent.inputClosed = event { probe.ended(generation) }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) { probe.ended(generation) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    probe.failed(error, generation)
  }
}

extension TimeAmount {
  /// Clamped to 0...`Limits.longestTimer`.
  init(_ duration: Duration) {
    let clamped = min(max(duration, .zero), Limits.longestTimer)
    self = .milliseconds(clamped.milliseconds)
  }
}
