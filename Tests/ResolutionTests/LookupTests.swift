// Lookups as transcripts, resolv.conf, and the client against a name server on loopback.

import Configuration
import NIOCore
import NIOPosix
import Testing

@testable import Resolution

private func settings() -> Resolvers {
  var settings = Resolvers(name: "r")
  settings.resolveRetries = 3
  settings.timeoutRetry = .seconds(1)
  settings.timeoutResolve = .seconds(2)
  settings.holdValid = .seconds(10)
  settings.holdOther = .seconds(30)
  return settings
}

@Suite struct LookupMachineTests {
  let start = ContinuousClock.now
  let four = IPAddress.v4(0x0a00_0001)
  let six = IPAddress.v6(high: 1, low: 2)

  func answer(
    _ type: RecordType, _ addresses: [IPAddress], code: Answer.Code = .noError
  ) throws -> Answer {
    var answer = try Answer(decoding: response(type: UInt8(type.rawValue), []))
    answer.addresses = addresses
    answer.code = code
    return answer
  }

  func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

  @Test func prefersIPv6() throws {
    var machine = LookupMachine(ResolvedName("n"), settings(), servers: 1)
    #expect(machine.timer(at: at(0)) == [.query(.aaaa), .wait(.seconds(1))])
    #expect(
      machine.handle(try answer(.aaaa, [six]), server: 0, at: at(0))
        == [.rest, .changed(from: nil, to: six, server: 0), .wait(.seconds(10))])
    #expect(machine.timer(at: at(10)) == [.query(.aaaa), .wait(.seconds(1))])
    #expect(
      machine.handle(try answer(.aaaa, [six]), server: 0, at: at(10))
        == [.rest, .wait(.seconds(10))])
  }

  @Test func takesTheOtherFamilyWhenTheFirstHasNone() throws {
    var machine = LookupMachine(ResolvedName("n"), settings(), servers: 1)
    _ = machine.timer(at: at(0))
    #expect(
      machine.handle(try answer(.aaaa, []), server: 0, at: at(0))
        == [.query(.a), .wait(.seconds(1))])
    #expect(
      machine.handle(try answer(.a, [four]), server: 0, at: at(0))
        == [.rest, .changed(from: nil, to: four, server: 0), .wait(.seconds(10))])
  }

  @Test func prefersIPv4WhenAsked() {
    var machine = LookupMachine(
      ResolvedName("n", prefersIPv4: true), settings(), servers: 1)
    #expect(machine.timer(at: at(0)) == [.query(.a), .wait(.seconds(1))])
  }

  @Test func retriesAndAlternates() {
    var machine = LookupMachine(ResolvedName("n"), settings(), servers: 1)
    #expect(machine.timer(at: at(0)) == [.query(.aaaa), .wait(.seconds(1))])
    #expect(machine.timer(at: at(1)) == [.query(.a), .wait(.seconds(1))])
    #expect(machine.timer(at: at(2)) == [.query(.aaaa), .wait(.seconds(1))])
    #expect(machine.timer(at: at(3)) == [.rest, .wait(.seconds(2))])
    #expect(machine.timer(at: at(5)) == [.query(.aaaa), .wait(.seconds(1))])
  }

  @Test func keepsAnAddressThatIsStillListed() throws {
    let other = IPAddress.v4(0x0a00_0002)
    var machine = LookupMachine(
      ResolvedName("n", prefersIPv4: true), settings(), servers: 1, address: four)
    _ = machine.timer(at: at(0))
    #expect(
      machine.handle(try answer(.a, [other, four]), server: 0, at: at(0))
        == [.rest, .wait(.seconds(10))])
    _ = machine.timer(at: at(10))
    #expect(
      machine.handle(try answer(.a, [other]), server: 0, at: at(10))
        == [.rest, .changed(from: four, to: other, server: 0), .wait(.seconds(10))])
  }

  @Test func holdsAnAddressThroughErrors() throws {
    var machine = LookupMachine(
      ResolvedName("n", prefersIPv4: true), settings(), servers: 1, address: four)
    for second in [0, 20] {
      _ = machine.timer(at: at(second))
      _ = machine.handle(try answer(.a, [], code: .nameError), server: 0, at: at(second))
      #expect(
        machine.handle(try answer(.aaaa, [], code: .nameError), server: 0, at: at(second))
          == [.rest, .wait(.seconds(2))])
    }
    _ = machine.timer(at: at(30))
    _ = machine.handle(try answer(.a, [], code: .nameError), server: 0, at: at(30))
    #expect(
      machine.handle(try answer(.aaaa, [], code: .nameError), server: 0, at: at(30))
        == [.rest, .lost(four, .nameError), .wait(.seconds(2))])
    #expect(machine.address == nil)
  }

  @Test func anErrorOfOneServerWaitsForTheOthers() throws {
    var machine = LookupMachine(
      ResolvedName("n", prefersIPv4: true), settings(), servers: 2)
    _ = machine.timer(at: at(0))
    #expect(machine.handle(try answer(.a, [], code: .refused), server: 0, at: at(0)) == [])
    #expect(
      machine.handle(try answer(.a, [four]), server: 1, at: at(0))
        == [.rest, .changed(from: nil, to: four, server: 1), .wait(.seconds(10))])
  }

  @Test func truncatedAnswersAreErrors() throws {
    var machine = LookupMachine(
      ResolvedName("n", prefersIPv4: true), settings(), servers: 1)
    _ = machine.timer(at: at(0))
    var cut = try answer(.a, [four])
    cut.isTruncated = true
    #expect(machine.handle(cut, server: 0, at: at(0)) == [.query(.aaaa), .wait(.seconds(1))])
  }

  @Test func obsoleteAddressesAreHeld() throws {
    var settings = settings()
    settings.holdObsolete = .seconds(15)
    let other = IPAddress.v4(0x0a00_0002)
    var machine = LookupMachine(ResolvedName("n", prefersIPv4: true), settings, servers: 1)
    for (second, listed, current) in [(0, four, four), (10, other, four), (20, other, other)] {
      _ = machine.timer(at: at(second))
      _ = machine.handle(try answer(.a, [listed]), server: 0, at: at(second))
      #expect(machine.address == current)
    }
  }
}

@Suite struct ResolvConfTests {
  @Test func nameservers() {
    let text = """
      # comment
      search example.org
      nameserver 10.0.0.1
      nameserver\t2001:db8::1  # trailing
       nameserver 10.0.0.2\r
      nameserver nonsense
      nameserver
      options ndots:5
      """
    #expect(
      ResolvConf.nameservers(in: text) == [
        .ip(.v4(0x0a00_0001), port: 53),
        .ip(.v6(high: 0x2001_0db8_0000_0000, low: 1), port: 53),
        .ip(.v4(0x0a00_0002), port: 53),
      ])
    #expect(ResolvConf.nameservers(in: "").isEmpty)
    #expect(ResolvConf.read("/nowhere/resolv.conf") == nil)
  }

  @Test func libc() async {
    #expect(await SystemResolver.lookUp("127.0.0.1") == .v4(0x7f00_0001))
    var server = Server(name: "s", host: .name("127.0.0.1"), port: .fixed(1))
    #expect(SystemResolver.initialAddress(of: server) == .address(.v4(0x7f00_0001)))
    #expect(
      SystemResolver.initialAddress(of: server, last: .v4(7)) == .address(.v4(7)))
    server.initAddress = [.last, .none]
    #expect(SystemResolver.initialAddress(of: server) == .deferred)
    server.initAddress = [.ip(.v4(9))]
    #expect(SystemResolver.initialAddress(of: server) == .address(.v4(9)))
    server.initAddress = [.last]
    #expect(SystemResolver.initialAddress(of: server) == .unresolvable)
  }
}

/// Answers A queries with a changing address; first ignores one query and forges a reply.
private final class NameServer: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>
  typealias OutboundOut = AddressedEnvelope<ByteBuffer>
  private var queries = 0

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let envelope = unwrapInboundIn(data)
    let query = Array(envelope.data.readableBytesView)
    guard query.count > 16 else { return }
    queries += 1
    if queries == 1 { return }
    func send(_ bytes: [UInt8]) {
      let reply = AddressedEnvelope(
        remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: bytes))
      context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
    }
    let id = UInt16(query[0]) << 8 | UInt16(query[1])
    let type = query[query.count - 3]
    send(response(id: id &+ 1, type: type, [record(type: 1, [6, 6, 6, 6])]))
    send(response(id: id, type: type, type == 1 ? [queries < 6 ? a1 : a2] : []))
  }
}

@Suite(.timeLimit(.minutes(2))) struct ResolverTests {
  @Test func followsANameServer() async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = try await DatagramBootstrap(group: group)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(NameServer())
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    var settings = Resolvers(name: "r")
    let port = UInt16(server.localAddress?.port ?? 0)
    settings.nameservers = [.ip(.v4(0x7f00_0001), port: port)]
    settings.timeoutRetry = .milliseconds(200)
    settings.holdValid = .milliseconds(20)
    let (events, continuation) = AsyncStream.makeStream(of: ResolutionEvent.self)
    let resolver = try Resolver(group: group, settings: settings) { continuation.yield($0) }
    let name = ResolvedName("name.test")
    try resolver.watch([name: nil])
    var iterator = events.makeAsyncIterator()
    #expect(
      await iterator.next()
        == .changed(name, from: nil, to: .v4(0x0a00_0001), nameserver: "127.0.0.1"))
    #expect(
      await iterator.next()
        == .changed(
          name, from: .v4(0x0a00_0001), to: .v4(0x0a00_0002), nameserver: "127.0.0.1"))
    #expect(throws: ResolverError.badName("a..b")) { try resolver.watch([.init("a..b"): nil]) }
    resolver.stop()
    try await server.close()
  }

  @Test func needsANameServer() {
    #expect(throws: ResolverError.noNameserver(section: "r")) {
      _ = try Resolver(
        group: MultiThreadedEventLoopGroup.singleton, settings: Resolvers(name: "r")
      ) { _ in }
    }
  }
}
