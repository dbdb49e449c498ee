// A client's connection: TLS with a verified certificate, HTTP/1.1, one request at a time.

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import StandIn

/// Who answered, and with what.
struct Answer: Sendable {
  var status: Int
  var server: String
}

/// What every client needs to connect.
struct ClientTarget: Sendable {
  var port: UInt16
  var tls: NIOSSLContext
  var group: any EventLoopGroup

  func connect(
    timeout: Duration, handler: @escaping @Sendable () -> any ChannelHandler & Sendable
  ) async throws -> any Channel {
    try await ClientBootstrap(group: group)
      .connectTimeout(TimeAmount(timeout))
      .channelInitializer { [tls] channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
          try pipeline.addHTTPClientHandlers()
          try pipeline.addHandler(handler())
        }
      }
      .connect(host: "127.0.0.1", port: Int(port)).get()
  }

  func head(_ path: String) -> HTTPRequestHead {
    HTTPRequestHead(
      version: .http1_1, method: .GET, uri: path,
      headers: ["Host": "localhost:\(port)", "User-Agent": "fairlead-demo"])
  }

  /// An error in a person's words.
  static func words(_ error: any Error) -> String {
    switch error {
    case let failure as RequestFailure: failure.reason
    case let error as IOError where error.errnoCode == ECONNRESET: "connection reset"
    case let error as IOError where error.errnoCode == ECONNREFUSED: "connection refused"
    case let error as IOError where error.errnoCode == EPIPE: "connection closed"
    case let error as NIOConnectionError:
      error.connectionErrors.first.map { words($0.error) } ?? "cannot connect"
    case NIOSSLError.uncleanShutdown, ChannelError.ioOnClosedChannel, ChannelError.eof,
      ChannelError.alreadyClosed, HTTPParserError.invalidEOFState:
      "connection closed"
    case NIOSSLError.handshakeFailed(.sslError(let stack))
    where "\(stack)".contains("EOF during handshake"):
      "connection closed before TLS was up"
    case NIOSSLError.handshakeFailed(let cause): "TLS handshake failed (\(cause))"
    default: "\(error)"
    }
  }
}

/// Open until closed by either side.
struct ClientConnection: Sendable {
  private let target: ClientTarget
  private let channel: any Channel
  private let exchange: ExchangeHandler

  init(_ target: ClientTarget, timeout: Duration) async throws {
    self.target = target
    let loop = target.group.next()
    let exchange = ExchangeHandler()
    self.exchange = exchange
    var pinned = target
    pinned.group = loop
    channel = try await pinned.connect(timeout: timeout) { exchange }
  }

  var isOpen: Bool { channel.isActive }

  /// Asks and waits for the whole answer, `timeout` at most.
  func get(_ path: String, timeout: Duration) async throws -> Answer {
    let promise = channel.eventLoop.makePromise(of: Answer.self)
    let head = target.head(path)
    channel.eventLoop.execute { [exchange, channel] in
      exchange.begin(head, promise, on: channel, timeout: timeout)
    }
    return try await promise.futureResult.get()
  }

  func close() { channel.close(promise: nil) }
}

/// One request and its answer at a time. Confined to the channel's event loop.
private final class ExchangeHandler: ChannelInboundHandler, @unchecked Sendable {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private var promise: EventLoopPromise<Answer>?
  private var deadline: Scheduled<Void>?
  private var answer: Answer?

  func begin(
    _ head: HTTPRequestHead, _ promise: EventLoopPromise<Answer>, on channel: any Channel,
    timeout: Duration
  ) {
    guard channel.isActive else {
      promise.fail(RequestFailure(reason: "connection closed"))
      return
    }
    self.promise = promise
    answer = nil
    deadline = channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) { [self] in
      finish(.failure(RequestFailure(reason: "no answer in time")))
      channel.close(promise: nil)
    }
    channel.write(HTTPClientRequestPart.head(head), promise: nil)
    channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
  }

  private func finish(_ result: Result<Answer, any Error>) {
    deadline?.cancel()
    deadline = nil
    let waiting = promise
    promise = nil
    waiting?.completeWith(result)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      answer = Answer(
        status: Int(head.status.code), server: head.headers.first(name: servedByHeader) ?? "")
    case .body: break
    case .end:
      if let answer { finish(.success(answer)) }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    finish(.failure(RequestFailure(reason: "connection closed")))
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    finish(.failure(error))
    context.close(promise: nil)
  }
}
