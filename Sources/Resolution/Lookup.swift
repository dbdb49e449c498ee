// Carries out one name's lookups: a socket of its own per query and name server, so that source
// ports are as hard to guess as ids, and timers on the event loop.

import Configuration
import NIOCore
import NIOPosix

/// One name being watched. Lives on one event loop and is only touched there.
final class Lookup: @unchecked Sendable {
  private let name: ResolvedName
  private let wireName: DomainName
  private let loop: any EventLoop
  private let servers: [NIOCore.SocketAddress]
  private let handler: Resolver.Handler
  private var machine: LookupMachine
  private var timer: Scheduled<Void>?
  private var isStopped = false

  /// The queries whose replies count: the current one and the one before.
  private struct Round {
    var query: Query
    var channels: [any Channel] = []
  }
  private var rounds: [UInt16: Round] = [:]
  private var recent: [UInt16] = []

  init(
    _ name: ResolvedName, wireName: DomainName, settings: Resolvers,
    servers: [NIOCore.SocketAddress], address: IPAddress?, on loop: any EventLoop,
    handler: @escaping Resolver.Handler
  ) {
    self.name = name
    self.wireName = wireName
    self.loop = loop
    self.servers = servers
    self.handler = handler
    machine = LookupMachine(name, settings, servers: servers.count, address: address)
  }

  func start() {
    loop.preconditionInEventLoop()
    act(machine.timer(at: .now))
  }

  func stop() {
    loop.preconditionInEventLoop()
    isStopped = true
    timer?.cancel()
    forgetAll()
  }

  private func act(_ actions: [LookupMachine.Action]) {
    for action in actions where !isStopped {
      switch action {
      case .query(let type): ask(type)
      case .wait(let time): schedule(time)
      case .rest: forgetAll()
      case .changed(let from, let to, let server):
        handler(
          .changed(name, from: from, to: to, nameserver: "\(servers[server].ipAddress ?? "?")"))
      case .lost(let address, let failure): handler(.lost(name, address, failure))
      }
    }
  }

  private func schedule(_ time: Duration) {
    timer?.cancel()
    timer = loop.scheduleTask(in: .nanoseconds(nanoseconds(time))) { [weak self] in
      guard let self, !self.isStopped else { return }
      self.act(self.machine.timer(at: .now))
    }
  }

  private func ask(_ type: RecordType) {
    let drawn = UInt16.random(in: 0 ... .max)
    let id = rounds[drawn] == nil ? drawn : ~drawn  // of the two rounds known, not the other
    let query = Query(id: id, name: wireName, type: type)
    rounds[id] = Round(query: query)
    recent.append(id)
    while recent.count > 2 { forget(recent.removeFirst()) }
    let bytes = query.bytes
    for (index, server) in servers.enumerated() {
      DatagramBootstrap(group: loop)
        .channelOption(
          .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Limits.message)
        )
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(ReplyHandler(self, id, index))
          }
        }
        .connect(to: server)
        .whenSuccess { [self] channel in
          guard !isStopped, rounds[id] != nil else { return channel.close(promise: nil) }
          rounds[id]?.channels.append(channel)
          let envelope = AddressedEnvelope(remoteAddress: server, data: ByteBuffer(bytes: bytes))
          channel.writeAndFlush(envelope, promise: nil)  // a failure is a missing reply
        }
    }
  }

  private func forget(_ id: UInt16) {
    for channel in rounds.removeValue(forKey: id)?.channels ?? [] { channel.close(promise: nil) }
  }

  private func forgetAll() {
    for id in recent { forget(id) }
    recent = []
  }

  fileprivate func received(_ bytes: [UInt8], _ id: UInt16, _ server: Int) {
    guard !isStopped, let round = rounds[id],
      let answer = try? Answer(decoding: bytes), answer.id == id, answer.question == round.query
    else { return }  // not ours, or forged: as if nothing had come
    act(machine.handle(answer, server: server, at: .now))
  }
}

/// Passes one socket's datagrams on.
private final class ReplyHandler: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>
  private let lookup: Lookup
  private let id: UInt16
  private let server: Int

  init(_ lookup: Lookup, _ id: UInt16, _ server: Int) {
    self.lookup = lookup
    self.id = id
    self.server = server
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lookup.received(Array(unwrapInboundIn(data).data.readableBytesView), id, server)
  }

  /// Port unreachable and the like: this server does not answer, the timer knows.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// Clamped to 0...2^31 ms.
func nanoseconds(_ time: Duration) -> Int64 {
  let clamped = min(max(time, .zero), .milliseconds(2_147_483_647))
  let (seconds, attoseconds) = clamped.components
  return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
}
