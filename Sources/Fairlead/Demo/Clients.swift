// Clients that keep asking: some on a connection of their own for each request, some on kept
// connections, and one that watches.

import NIOCore
import NIOHTTP1
import NIOPosix
import StandIn

struct DemoClients: Sendable {
  /// Clients that ask, half of them on kept connections; each asks ten times a second.
  static let count = 10
  static let kept = count / 2
  private static let period = Duration.milliseconds(100)
  /// A kept connection is replaced after so many requests, so that revived servers get some.
  private static let requestsPerConnection = 40
  private static let paths = ["/version", "/api/v1/namespaces", "/readyz", "/livez"]
  /// A watch gets something every second; this long without anything, it is dead.
  private static let watchSilence = Duration.seconds(6)

  let target: ClientTarget
  let timing: DemoTiming
  let journal: Journal

  /// Asks until cancelled; requests that are under way then are waited for.
  func run() async {
    await withDiscardingTaskGroup { group in
      for number in 0..<Self.count {
        group.addTask { await ask(number) }
      }
      group.addTask { await watch() }
    }
  }

  private func ask(_ number: Int) async {
    let clock = ContinuousClock()
    var next = clock.now + Self.period * number / Self.count
    var connection: ClientConnection?
    var used = 0
    var turn = number
    while true {
      try? await clock.sleep(until: next)
      if Task.isCancelled { break }
      let began = journal.elapsed
      do {
        if connection?.isOpen != true || used >= Self.requestsPerConnection {
          connection?.close()
          connection = nil
          connection = try await ClientConnection(target, timeout: timing.requestTimeout)
          used = 0
        }
        guard let open = connection else { continue }
        let left = timing.requestTimeout - (journal.elapsed - began)
        let answer = try await open.get(Self.paths[turn % Self.paths.count], timeout: left)
        try check(answer)
        used += 1
        journal.answered(by: answer.server, after: journal.elapsed - began)
      } catch {
        connection?.close()
        connection = nil
        journal.failed(
          RequestFailure(
            began: began, ended: journal.elapsed, reason: ClientTarget.words(error)))
      }
      if number >= Self.kept {
        connection?.close()
        connection = nil
      }
      turn += 1
      // Ticks missed while waiting are not made up for: the rate stays bounded.
      next = max(next + Self.period, clock.now)
    }
    connection?.close()
  }

  private func check(_ answer: Answer) throws {
    if answer.status != 200 { throw RequestFailure(reason: "answered \(answer.status)") }
    if answer.server.isEmpty { throw RequestFailure(reason: "answered by a stranger") }
  }

  // MARK: Watch

  private func watch() async {
    while !Task.isCancelled {
      let began = journal.elapsed
      var reason = "connection closed"
      do {
        reason = try await watchOnce()
      } catch {
        reason = ClientTarget.words(error)
      }
      if Task.isCancelled { return }
      journal.watchBroke(RequestFailure(began: began, ended: journal.elapsed, reason: reason))
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Watches until the stream ends; the result says why it did.
  private func watchOnce() async throws -> String {
    let (news, post) = AsyncStream<WatchNews>.makeStream()
    let silence = Self.watchSilence
    let channel = try await target.connect(timeout: timing.requestTimeout) {
      WatchHandler(post, silence: silence)
    }
    defer { channel.close(promise: nil) }
    channel.write(
      HTTPClientRequestPart.head(target.head("/api/v1/namespaces?watch=1")), promise: nil)
    channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    for await item in news {
      switch item {
      case .opened(let answer):
        try check(answer)
        journal.watchOpened(on: answer.server)
      case .events(let count): journal.watchReceived(count)
      case .ended(let reason): return reason
      }
    }
    return "connection closed"
  }
}

private enum WatchNews: Sendable {
  case opened(Answer)
  case events(Int)
  case ended(String)
}

/// Counts a watch's events: one JSON object a line. Confined to the channel's event loop.
private final class WatchHandler: ChannelInboundHandler, @unchecked Sendable {
  typealias InboundIn = HTTPClientResponsePart

  private let post: AsyncStream<WatchNews>.Continuation
  private let silence: Duration
  private var alarm: Scheduled<Void>?

  init(_ post: AsyncStream<WatchNews>.Continuation, silence: Duration) {
    self.post = post
    self.silence = silence
  }

  func channelActive(context: ChannelHandlerContext) {
    setAlarm(context)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    setAlarm(context)
    switch unwrapInboundIn(data) {
    case .head(let head):
      post.yield(
        .opened(
          Answer(
            status: Int(head.status.code), server: head.headers.first(name: servedByHeader) ?? "")))
    case .body(let buffer):
      post.yield(.events(buffer.readableBytesView.count { $0 == UInt8(ascii: "\n") }))
    case .end: end("the server ended it", context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end("connection closed", context)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    end(ClientTarget.words(error), context)
  }

  private func setAlarm(_ context: ChannelHandlerContext) {
    alarm?.cancel()
    let channel = context.channel
    alarm = context.eventLoop.scheduleTask(in: TimeAmount(silence)) { [post, silence] in
      post.yield(.ended("nothing came for \(silence.shown)"))
      post.finish()
      channel.close(promise: nil)
    }
  }

  private func end(_ reason: String, _ context: ChannelHandlerContext) {
    alarm?.cancel()
    post.yield(.ended(reason))
    post.finish()
    context.close(promise: nil)
  }
}
