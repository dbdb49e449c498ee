// When a session ends by itself: timeouts of either side, half-closed connections, the PROXY
// header that never comes, and servers that refuse.

import Configuration
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Proxy

extension EngineTests {
  @Suite struct TimeoutTests {
    private func elapsed_ms(_ body: () -> Void) -> Int64 {
      let start = Clock.monotonic_us()
      body()
      return (Clock.monotonic_us() - start) / 1000
    }

    @Test func theSilentSideIsNamed() throws {
      for isClient in [true, false] {
        let server = try Backside { peer in _ = peer.receiveAll() }
        let balancer = try Balancer(servers: [server.port]) { frontend, backend in
          frontend.timeoutClient = .milliseconds(isClient ? 100 : 5000)
          backend.timeoutServer = .milliseconds(isClient ? 5000 : 100)
        }
        let peer = try #require(Peer.connect(balancer.port))
        let time = elapsed_ms { #expect(peer.receiveAll() == []) }
        #expect((90...2000).contains(time))
        peer.close()
        #expect(Rig.eventually { balancer.open == 0 })
        #expect(balancer.backend.count(isClient ? .clientTimeout : .serverTimeout) == 1)
        balancer.finish(server)
      }
    }

    /// A client that has said FIN and then takes nothing: its own timeout counts, although the
    /// timer was set for the server's long one.
    @Test func aClientThatTakesNothingAfterItsFIN() throws {
      let server = try Backside { peer in
        _ = peer.receiveAll()
        for _ in 0..<64 where peer.send([UInt8](repeating: 1, count: 1 << 20)) {}
      }
      let balancer = try Balancer(servers: [server.port]) { frontend, backend in
        frontend.timeoutClient = .milliseconds(200)
        backend.timeoutServer = .seconds(60)
      }
      let peer = try #require(Peer.connect(balancer.port))
      peer.send([1])  // who says nothing and leaves is not served at all
      peer.finishWriting()
      #expect(Rig.eventually(5) { balancer.backend.count(.clientTimeout) == 1 })
      peer.close()
      balancer.finish(server)
    }

    /// A client whose bytes were stuck for a while is watched again once they have gone.
    @Test func aClientIsWatchedAgainAfterABackup() throws {
      let gate = try EventDescriptor.open().release()
      defer { close(gate) }
      let server = try Backside { peer in
        System.waitReadable(gate, timeout_ms: 20_000)
        _ = peer.receiveAll()
      }
      let balancer = try Balancer(servers: [server.port]) { frontend, backend in
        frontend.timeoutClient = .milliseconds(300)
        backend.timeoutServer = .seconds(4)
      }
      let peer = try #require(Peer.connect(balancer.port))
      // Fill every buffer, and wait for longer than the client's timeout.
      var stuck = false
      _ = fcntl(peer.fd, F_SETFL, fcntl(peer.fd, F_GETFL) | O_NONBLOCK)
      let piece = [UInt8](repeating: 3, count: 65_536)
      #expect(
        Rig.eventually {
          if send(peer.fd, piece, piece.count, Int32(MSG_NOSIGNAL)) > 0 {
            stuck = false
            return false
          }
          defer { stuck = true }
          usleep(20_000)
          return stuck
        })
      usleep(600_000)
      #expect(balancer.open == 1)
      EventDescriptor.signal(gate)
      let time = elapsed_ms {
        #expect(Rig.eventually { balancer.backend.count(.clientTimeout) == 1 })
      }
      #expect(time < 2500, "\(time) ms instead of about 300")
      peer.close()
      balancer.finish(server)
    }

    /// Header, request and FIN in one segment, and the same in single bytes.
    @Test(arguments: [false, true]) func proxyHeaderThenHalfClose(inBytes: Bool) throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port]) { frontend, _ in
        frontend.binds[0].acceptProxy = true
      }
      let peer = try #require(Peer.connect(balancer.port))
      let text = "PROXY TCP4 192.0.2.9 198.51.100.1 1234 443\r\nhello"
      if inBytes {
        for byte in text.utf8 { peer.send([byte]) }
      } else {
        peer.send(Array(text.utf8))
      }
      peer.finishWriting()
      #expect(peer.receiveAll() == Array("hello".utf8))
      peer.close()
      balancer.finish(server)
      let record = try #require(balancer.records().first)
      #expect(record.client == client(0xC000_0209, port: 1234) && record.end == .complete)
      #expect(record.bytesUploaded == 5 && record.bytesRead == 5)
    }

    /// Who leaves before the header is complete is not waited for.
    @Test(arguments: [
      ("", SessionEnd.proxyHeaderMissing), ("PROXY TC", .proxyHeaderTruncated),
      ("GET / HTTP/1.1\r\n", .proxyHeaderUnknown),
    ])
    func proxyHeaderCutShort(text: String, end: SessionEnd) throws {
      let balancer = try Balancer(servers: [1]) {
        $0.binds[0].acceptProxy = true; _ = $1
      }
      let peer = try #require(Peer.connect(balancer.port))
      if !text.isEmpty { peer.send(Array(text.utf8)) }
      peer.finishWriting()
      #expect(Rig.eventually(3) { balancer.records().contains { $0.end == end } })
      peer.close()
      balancer.finish()
    }

    /// A server that expects a header gets it before the client's first byte.
    @Test(arguments: [ProxyProtocolVersion.v1, .v2])
    func sendProxy(version: ProxyProtocolVersion) throws {
      let seen = Mutex<[UInt8]>([])
      let server = try Backside { peer in
        let all = peer.receiveAll() ?? []
        seen.withLock { $0 = all }
      }
      let balancer = try Balancer(servers: [server.port]) { _, backend in
        backend.servers[0].sendProxy = version
      }
      let peer = try #require(Peer.connect(balancer.port))
      let near = Socket.localEndpoint(peer.fd)
      peer.send([42])
      peer.finishWriting()
      #expect(peer.receiveAll() == [])
      let header = ProxyHeader.encode(
        version, source: near, destination: client(0x7f00_0001, port: balancer.port))
      #expect(seen.withLock { $0 } == header + [42])
      peer.close()
      balancer.finish(server)
    }

    @Test func refusedConnectionsAreTriedAgainElsewhere() throws {
      let server = try Backside(RelayTests.echo)
      let dead = try Rig.freePort()
      let balancer = try Balancer(servers: [dead, server.port]) {
        $1.redispatch = -1; _ = $0
      }
      for _ in 0..<6 { #expect(LimitTests.askAndClose(balancer.port)) }
      #expect(Rig.eventually { balancer.open == 0 })
      let records = balancer.records()
      // The second choice moves the cursor on, so every session begins with the dead one.
      #expect(records.count { $0.wasRedispatched && $0.retries == 1 } == 6)
      #expect(balancer.server(0).redispatches.load(ordering: .relaxed) == 6)
      #expect(balancer.server(0).sessions.load(ordering: .relaxed) == 0)
      server.stop()
      balancer.finish()
    }

    /// However many retries a file asks for, refusals that come at once do not use up the stack.
    @Test func endlessRetriesEnd() throws {
      let balancer = try Balancer(servers: [1, 2]) { _, backend in
        // connect(2) itself refuses the broadcast address.
        for index in 0..<2 { backend.servers[index].host = .ip(.v4(0xFFFF_FFFF)) }
        backend.retries = Int(Int32.max)
        backend.redispatch = -1
      }
      #expect(!LimitTests.askAndClose(balancer.port))
      #expect(Rig.eventually { balancer.open == 0 })
      balancer.finish()
      let record = try #require(balancer.records().first)
      #expect(Int(record.retries) == Limits.retries && record.end == .serverRefused)
    }

    @Test func refusedWithoutRetries() throws {
      let dead = try Rig.freePort()
      let balancer = try Balancer(servers: [dead]) {
        $1.retries = 0; _ = $0
      }
      for _ in 0..<5 { #expect(!LimitTests.askAndClose(balancer.port)) }
      #expect(Rig.eventually { balancer.backend.count(.serverRefused) == 5 })
      balancer.finish()
    }

    /// A short turn-around: the pause is the connect timeout.
    @Test func retriesCountAndGiveUp() throws {
      let dead = try Rig.freePort()
      let balancer = try Balancer(servers: [dead]) { _, backend in
        backend.timeoutConnect = .milliseconds(30)
      }
      let peer = try #require(Peer.connect(balancer.port))
      let time = elapsed_ms { #expect(peer.receiveAll() == []) }
      #expect((85...1500).contains(time))
      peer.close()
      balancer.finish()
      let record = try #require(balancer.records().first)
      #expect(record.retries == 3 && record.end == .serverRefused && record.connect_ms == -1)
    }
  }
}
