// One short conversation with a server, on an event loop: connect, shake hands, ask, listen to
// the head of the answer, go.

import Configuration
import Glibc
import Kernel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOTLS

struct Talk: Sendable {
  var connected_ms: Int64?
  /// Why there was no connection.
  var problem: String?
  var tlsProblem: String?
  var certificate: CertificateFacts?
  var readiness: ServerFacts.Readiness?
  var clock: ClockFacts?

  /// Never throws: what goes wrong is the result.
  static func hold(
    with endpoint: NIOCore.SocketAddress, from source: NIOCore.SocketAddress?, asksAPI: Bool,
    name: String?, group: any EventLoopGroup
  ) async -> Talk {
    let loop = group.next()
    let promise = loop.makePromise(of: Talk.self)
    let context: NIOSSLContext?
    do {
      context = asksAPI ? try anyCertificate() : nil
    } catch {
      return Talk(problem: "TLS cannot be set up: \(error)")
    }
    var bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(.milliseconds(Limits.server_ms / 2))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let context {
            try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: name))
            try pipeline.addHTTPClientHandlers()
          }
          try pipeline.addHandler(Asking(promise, name: name, usesTLS: context != nil))
        }
      }
    if let source, source.protocol == endpoint.protocol { bootstrap = bootstrap.bind(to: source) }
    bootstrap.connect(to: endpoint).whenFailure { error in
      promise.succeed(Talk(problem: words(error)))
    }
    return (try? await promise.futureResult.get()) ?? Talk(problem: "no answer")
  }

  private static func anyCertificate() throws -> NIOSSLContext {
    var settings = TLSConfiguration.makeClientConfiguration()
    // It is looked at, not trusted: nothing secret is sent.
    settings.certificateVerification = .none
    return try NIOSSLContext(configuration: settings)
  }

  /// An error as the system words it.
  static func words(_ error: any Error) -> String {
    if let error = error as? IOError { return KernelError.text(of: error.errnoCode) }
    switch error {
    case ChannelError.connectTimeout: return "no answer within \(Limits.server_ms / 2000) s"
    case NIOSSLError.uncleanShutdown: return "the connection was cut"
    case is HTTPParserError: return "what it says is not HTTP"
    case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: return "the TLS handshake failed"
    default: return "\(error)"
    }
  }
}

/// Lives on the channel's loop.
private final class Asking: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private let promise: EventLoopPromise<Talk>
  private let name: String?
  private let usesTLS: Bool
  private let began_us = Clock.monotonic_us()
  private var talk = Talk()
  private var asked_s: Double?
  private var asked_us: Int64 = 0
  private var isOver = false
  private var deadline: Scheduled<Void>?

  init(_ promise: EventLoopPromise<Talk>, name: String?, usesTLS: Bool) {
    self.promise = promise
    self.name = name
    self.usesTLS = usesTLS
  }

  func channelActive(context: ChannelHandlerContext) {
    talk.connected_ms = (Clock.monotonic_us() - began_us) / 1000
    guard usesTLS else { return finish(context) }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    deadline = context.eventLoop.scheduleTask(in: .milliseconds(Limits.server_ms / 2)) {
      let (asking, context) = bound.value
      asking.fail("no answer within \(Limits.server_ms / 2000) s", context)
    }
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted = event { ask(context) }
    context.fireUserInboundEventTriggered(event)
  }

  private func ask(_ context: ChannelHandlerContext) {
    let presented = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
    talk.certificate = presented.map { CertificateFacts($0) }
    asked_s = Double(Clock.realtime_us()) / 1e6
    asked_us = Clock.monotonic_us()
    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/readyz")
    head.headers.add(name: "Host", value: name ?? "localhost")
    head.headers.add(name: "User-Agent", value: "fairlead-verify")
    head.headers.add(name: "Connection", value: "close")
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard usesTLS, case .head(let head) = unwrapInboundIn(data), !isOver else { return }
    let status = Int(head.status.code)
    if status < 200 { return }
    let now_s = Double(Clock.realtime_us()) / 1e6
    talk.readiness = .status(status, milliseconds: (Clock.monotonic_us() - asked_us) / 1000)
    if let text = head.headers.first(name: "Date"), let date = HTTPDate.seconds(text),
      let asked_s
    {
      talk.clock = ClockFacts(date: Double(date), sent: asked_s, received: now_s)
    }
    finish(context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail("the connection was closed", context)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    fail(Talk.words(error), context)
  }

  private func fail(_ words: String, _ context: ChannelHandlerContext) {
    if isOver { return }
    if talk.connected_ms == nil {
      // The future of connect() tells.
      return
    }
    if asked_s == nil { talk.tlsProblem = words } else { talk.readiness = .none(words) }
    finish(context)
  }

  private func finish(_ context: ChannelHandlerContext) {
    if isOver { return }
    isOver = true
    deadline?.cancel()
    promise.succeed(talk)
    context.close(promise: nil)
  }
}
