// Answers one connection's requests, as far as a Kubernetes API server's first answers go.

import NIOCore
import NIOHTTP1

/// The header that says which server answered.
public let servedByHeader = "X-Served-By"

final class APIHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// Time between two events of a watch, and how many of them come before a bookmark.
  private static let watchInterval = TimeAmount.seconds(1)
  private static let bookmarkEvery = 5

  private let core: ServerCore
  private var context: ChannelHandlerContext?
  private var head: HTTPRequestHead?
  private var watch: RepeatedTask?
  private var watchCount = 0
  private var wantsBookmarks = false

  init(_ core: ServerCore) { self.core = core }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    core.add(self)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    core.remove(self)
  }

  /// The server goes: a watch ends in good order, an idle connection is closed. An answer that
  /// is under way is finished first; `send` closes after it.
  func finish() {
    guard let context, head == nil else { return }
    let channel = context.channel
    if let watch {
      watch.cancel()
      self.watch = nil
      context.writeAndFlush(wrapOutboundOut(.end(nil)))
        .whenComplete { _ in channel.close(promise: nil) }
    } else {
      channel.close(promise: nil)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: break
    case .end:
      guard let head else { return }
      self.head = nil
      answer(head, context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    watch?.cancel()
    watch = nil
    context.fireChannelInactive()
  }

  /// TLS alerts, resets, malformed requests: the connection is of no more use.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let parts = head.uri.split(separator: "?", maxSplits: 1)
    let path = parts.first.map(String.init) ?? "/"
    let query = parts.count > 1 ? parts[1].split(separator: "&") : []
    let content = APIContent(server: core.name)
    guard head.method == .GET || head.method == .HEAD else {
      return send(
        .methodNotAllowed, content.status(405, "MethodNotAllowed", path), "application/json", head,
        context)
    }
    switch path {
    case "/readyz" where !core.isReady:
      // Only readiness tells that a server is about to stop; that is why it is what to ask for.
      send(
        .internalServerError,
        "[+]ping ok\n[-]shutdown failed: reason withheld\n"
          + "readyz check failed\n", "text/plain; charset=utf-8", head, context)
    case "/readyz", "/livez", "/healthz":
      send(.ok, "ok", "text/plain; charset=utf-8", head, context)
    case "/version": send(.ok, content.version, "application/json", head, context)
    case "/api": send(.ok, content.apiVersions, "application/json", head, context)
    case "/apis": send(.ok, content.apiGroups, "application/json", head, context)
    case "/api/v1": send(.ok, content.apiResources, "application/json", head, context)
    case "/api/v1/namespaces":
      if query.contains("watch=1") || query.contains("watch=true") {
        wantsBookmarks = query.contains("allowWatchBookmarks=true")
        startWatch(head, isResumed: query.contains { Self.isVersion($0) }, context)
      } else {
        send(.ok, content.namespaceList, "application/json", head, context)
      }
    default:
      send(.notFound, content.status(404, "NotFound", path), "application/json", head, context)
    }
  }

  private func responseHead(
    _ status: HTTPResponseStatus, _ type: String, _ request: HTTPRequestHead
  ) -> HTTPResponseHead {
    var head = HTTPResponseHead(version: request.version, status: status)
    head.headers.add(name: "Content-Type", value: type)
    head.headers.add(name: "Cache-Control", value: "no-cache, private")
    head.headers.add(name: servedByHeader, value: core.name)
    return head
  }

  private func send(
    _ status: HTTPResponseStatus, _ body: String, _ type: String, _ request: HTTPRequestHead,
    _ context: ChannelHandlerContext
  ) {
    var head = responseHead(status, type, request)
    head.headers.add(name: "Content-Length", value: "\(body.utf8.count)")
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request.method != .HEAD {
      let buffer = context.channel.allocator.buffer(string: body)
      context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
    }
    // Whether the connection stays is NIO's pipeline handler's business: it reads the headers.
    let keepsAlive = request.isKeepAlive && !core.isFinishing
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
      if !keepsAlive { channel.close(promise: nil) }
    }
  }

  // MARK: Watch

  /// A watch that goes on from a version does not begin with what is there already.
  private static func isVersion(_ parameter: Substring) -> Bool {
    let parts = parameter.split(separator: "=", maxSplits: 1)
    return parts.count == 2 && parts[0] == "resourceVersion" && parts[1] != "0"
  }

  private func startWatch(
    _ request: HTTPRequestHead, isResumed: Bool, _ context: ChannelHandlerContext
  ) {
    var head = responseHead(.ok, "application/json", request)
    head.headers.add(name: "Transfer-Encoding", value: "chunked")
    context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    let content = APIContent(server: core.name)
    if !isResumed { write(content.initialEvents, context) }
    watchCount = 0
    let loop = context.eventLoop
    let bound = NIOLoopBound((handler: self, context: context, content: content), eventLoop: loop)
    watch = loop.scheduleRepeatedTask(
      initialDelay: Self.watchInterval, delay: Self.watchInterval
    ) { _ in
      let (handler, context, content) = bound.value
      handler.tick(content, context)
    }
  }

  /// A hung process writes nothing; what it would have said is not made up for later.
  private func tick(_ content: APIContent, _ context: ChannelHandlerContext) {
    guard core.state == .serving else { return }
    watchCount += 1
    let isBookmark = wantsBookmarks && watchCount % Self.bookmarkEvery == 0
    write(isBookmark ? content.bookmark(watchCount) : content.modified(watchCount), context)
  }

  private func write(_ text: String, _ context: ChannelHandlerContext) {
    let buffer = context.channel.allocator.buffer(string: text)
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
  }
}
