// One client of the control socket: a line in, a line out, within limits.

import NIOCore

/// Confined to its connection's event loop.
final class ControlConnection: ChannelInboundHandler, @unchecked Sendable {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let history: EventHistory
  private let patience: TimeAmount
  private let count: ConnectionCount
  private let respond: ControlServer.Responder
  private var pending: [UInt8] = []
  private var channel: (any Channel)?
  /// A request is being carried out; the next one waits.
  private var isBusy = false
  /// Nothing more is read: the client has said its last, or was refused.
  private var hasEnded = false
  private var isRefused = false
  private var follower: Int?
  private var deadline: Scheduled<Void>?

  init(
    history: EventHistory, patience: TimeAmount, count: ConnectionCount,
    respond: @escaping ControlServer.Responder
  ) {
    self.history = history
    self.patience = patience
    self.count = count
    self.respond = respond
  }

  // MARK: Events

  func channelActive(context: ChannelHandlerContext) {
    channel = context.channel
    let open = count.open.add(1, ordering: .relaxed).newValue
    guard open <= ControlLimits.connections else {
      refuse("too many connections: \(ControlLimits.connections) are open")
      return
    }
    wait()
  }

  func channelInactive(context: ChannelHandlerContext) {
    count.open.subtract(1, ordering: .relaxed)
    deadline?.cancel()
    if let follower { history.unfollow(follower) }
    follower = nil
    channel = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !hasEnded else { return }
    let buffer = unwrapInboundIn(data)
    guard pending.count + buffer.readableBytes <= ControlLimits.request else {
      refuse("a request has at most \(ControlLimits.request) bytes")
      return
    }
    pending.append(contentsOf: buffer.readableBytesView)
    next()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case ChannelEvent.inputClosed? = event as? ChannelEvent else { return }
    // What was asked is still answered. A follower cannot be told from one that is gone, and
    // would keep its place until the next event.
    hasEnded = true
    if !isBusy { close() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { close() }

  // MARK: Requests

  /// A whole request must come within the patience, however slowly its bytes do.
  private func wait() {
    deadline?.cancel()
    deadline = channel?.eventLoop.scheduleTask(in: patience) { [weak self] in self?.close() }
  }

  private func next() {
    guard !isBusy, !isRefused, follower == nil, let end = pending.firstIndex(of: 10) else { return }
    let line = Array(pending[..<end])
    pending.removeFirst(end + 1)
    switch ControlRequest.parse(line) {
    case .failure(let refused): refuse(refused.problem)
    case .success(let request) where request.command == .events: sendEvents(request)
    case .success(let request): carryOut(request)
    }
  }

  private func carryOut(_ request: ControlRequest) {
    guard let loop = channel?.eventLoop else { return }
    isBusy = true
    deadline?.cancel()
    let respond = self.respond
    Task {
      let answer = await respond(request)
      loop.execute {
        self.isBusy = false
        if !self.isRefused { self.send(answer) }
      }
    }
  }

  private func sendEvents(_ request: ControlRequest) {
    guard request.follow == true, let loop = channel?.eventLoop else {
      send(ControlAnswer(ok: true, events: history.events))
      return
    }
    deadline?.cancel()
    let (number, events) = history.follow { [weak self] event in
      guard let self else { return }
      loop.execute { self.tell(event) }
    }
    follower = number
    write(ControlAnswer(ok: true, events: events))
  }

  private func tell(_ event: ControlEvent) {
    guard let channel, follower != nil else { return }
    // Who does not read loses the connection, not events in the middle.
    guard channel.isWritable else { return close() }
    write(ControlAnswer(ok: true, events: [event]))
  }

  // MARK: Answers

  private func send(_ answer: ControlAnswer) {
    wait()
    write(answer)?.whenSuccess {
      self.wait()
      if self.hasEnded, !self.pending.contains(10) { self.close() } else { self.next() }
    }
  }

  private func refuse(_ problem: String) {
    hasEnded = true
    isRefused = true
    pending = []
    wait()
    write(.refused(problem))?.whenComplete { _ in self.close() }
  }

  /// Nil when the client is gone.
  @discardableResult
  private func write(_ answer: ControlAnswer) -> EventLoopFuture<Void>? {
    channel?.writeAndFlush(ByteBuffer(string: answer.line))
  }

  private func close() {
    deadline?.cancel()
    channel?.close(promise: nil)
  }
}
