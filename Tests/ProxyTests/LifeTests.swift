// Reload, drain, servers that come and go, timeouts and half-closes: the engine over time.

import Configuration
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Proxy

extension EngineTests {
  @Suite struct LifeTests {
    /// Reloads in a row while clients come and go and long sessions stay.
    @Test func reloadsUnderLoad() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port])
      let port = balancer.port
      let long = (0..<4).compactMap { _ in Peer.connect(port) }
      let failures = Counter()
      let isDone = Atomic<Bool>(false)
      let clients = try System.startThread(named: "clients") {
        while !isDone.load(ordering: .relaxed) {
          guard let peer = Peer.connect(port) else { failures.add(); continue }
          peer.send([7])
          if peer.receive() != [7] { failures.add() }
          peer.close()
        }
      }
      for round in 1...30 {
        let other = try Rig.freePort()
        try balancer.apply(
          Rig.configuration(port: port, servers: [server.port]) { frontend, backend in
            // A second address that comes and goes, limits, timeouts. (A socket whose own options
            // change is replaced, and what arrives as the old one closes may be reset.)
            if round % 3 == 0 {
              frontend.binds.append(Bind(addresses: [.ip(.v4(0x7f00_0001), port: other)]))
            }
            frontend.maxconn = 100 + round
            frontend.timeoutClient = .seconds(60 + round)
            backend.servers[0].maxconn = round % 2 == 0 ? 50 : 0
          })
        for (number, peer) in long.enumerated() {
          let message = [UInt8](repeating: UInt8(round), count: 1 + number * 5000)
          peer.send(message)
          var back: [UInt8] = []
          while back.count < message.count, let more = peer.receive(), !more.isEmpty {
            back += more
          }
          #expect(back == message)
        }
      }
      isDone.store(true, ordering: .relaxed)
      clients.join()
      #expect(failures.value == 0)
      long.forEach { $0.close() }
      balancer.finish(server)
    }

    /// A bind line whose options change keeps its port: the new socket joins the old one's group.
    @Test func socketOptionsChangeInAReload() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port])
      try balancer.apply(
        Rig.configuration(port: balancer.port, servers: [server.port]) { frontend, _ in
          frontend.binds[0].tcpUserTimeout = .seconds(9)
        })
      #expect(Rig.eventually { LimitTests.askAndClose(balancer.port) })
      // From one address to all of them.
      try balancer.apply(
        Rig.configuration(port: balancer.port, servers: [server.port]) { frontend, _ in
          frontend.binds[0].addresses = [.ip(.v4(0), port: balancer.port)]
        })
      #expect(Rig.eventually { LimitTests.askAndClose(balancer.port) })
      balancer.finish(server)
    }

    /// A port that another program listens on is refused, and nothing changes.
    @Test func aTakenPortIsRefused() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port])
      let (taken, port) = try Rig.listen()
      defer { close(taken) }
      #expect(throws: BindError.self) {
        try balancer.apply(Rig.configuration(port: port, servers: [server.port]))
      }
      #expect(LimitTests.askAndClose(balancer.port))
      balancer.finish(server)
    }

    @Test func drainKeepsSessionsAndRefusesNewOnes() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port])
      let peer = try #require(Peer.connect(balancer.port))
      peer.send([1])
      #expect(peer.receive() == [1])
      balancer.engine.drain()
      #expect(
        Rig.eventually {
          guard let late = Peer.connect(balancer.port) else { return true }
          late.close()
          return false
        })
      peer.send([2])
      #expect(peer.receive() == [2])
      peer.close()
      balancer.finish(server)
    }

    @Test func endSessionsEndsThoseOfOneServer() throws {
      let servers = try (0..<2).map { _ in try Backside(RelayTests.echo) }
      let balancer = try Balancer(servers: servers.map(\.port))
      let peers = (0..<10).compactMap { _ in Peer.connect(balancer.port) }
      for peer in peers {
        peer.send([1])
        #expect(peer.receive() == [1])
      }
      let gone = ServerReference(backend: "out", server: "s1")
      balancer.engine.setAvailability(.down, of: gone)
      balancer.engine.endSessions(of: gone, .serverWentDown)
      #expect(Rig.eventually { balancer.open == 5 })
      #expect(balancer.server(1).count(.serverWentDown) == 5)
      let more = (0..<3).compactMap { _ in Peer.connect(balancer.port) }
      #expect(Rig.eventually { servers[0].accepted.load(ordering: .relaxed) == 8 })
      (peers + more).forEach { $0.close() }
      balancer.finish(servers[0], servers[1])
    }

    /// Those who wait for the one server they belong to choose again when it goes down.
    @Test func waitersOfAServerThatGoesDownMoveOn() throws {
      let servers = try (0..<2).map { _ in try Backside(RelayTests.echo) }
      let balancer = try Balancer(servers: servers.map(\.port)) { _, backend in
        backend.balance = .source
        backend.timeoutQueue = .seconds(30)
        backend.servers[0].maxconn = 1
        backend.servers[1].maxconn = 1
      }
      // 127.0.0.1 belongs to the second server.
      let first = try #require(Peer.connect(balancer.port))
      #expect(Rig.eventually { servers[1].current.load(ordering: .relaxed) == 1 })
      let second = try #require(Peer.connect(balancer.port))
      #expect(Rig.eventually { balancer.server(1).queued == 1 })
      balancer.engine.setAvailability(.down, of: ServerReference(backend: "out", server: "s1"))
      second.send([5])
      #expect(second.receive() == [5])
      #expect(servers[0].accepted.load(ordering: .relaxed) == 1)
      [first, second].forEach { $0.close() }
      balancer.finish(servers[0], servers[1])
    }

    /// `disabled` taken out of the file brings the server back with the reload.
    @Test func aServerEnabledByAReloadIsUsed() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port]) { $1.servers[0].isDisabled = true }
      #expect(!LimitTests.askAndClose(balancer.port))
      try balancer.apply(Rig.configuration(port: balancer.port, servers: [server.port]))
      #expect(LimitTests.askAndClose(balancer.port))
      try balancer.apply(
        Rig.configuration(port: balancer.port, servers: [server.port]) {
          $1.servers[0].isDisabled = true
        })
      #expect(!LimitTests.askAndClose(balancer.port))
      balancer.finish(server)
    }

    /// A server whose name has no address yet is no server: it must not be replaced by the
    /// address the client came to, which is our own.
    @Test func aServerWithoutAddressIsNotUsed() throws {
      let balancer = try Balancer(servers: []) { _, backend in
        backend.servers = [Server(name: "s0", host: .name("later.test"), port: .fixed(1))]
      }
      #expect(balancer.engine.usableServers(of: "out") == (0, 0))
      #expect(!LimitTests.askAndClose(balancer.port))
      balancer.finish()
      #expect(balancer.backend.count(.noServer) == 1)
      #expect(balancer.backend.total.load(ordering: .relaxed) == 1)
    }
  }
}

extension EngineTests.LimitTests {
  /// Whether one byte comes back.
  static func askAndClose(_ port: UInt16) -> Bool {
    guard let peer = Peer.connect(port) else { return false }
    defer { peer.close() }
    return peer.send([9]) && peer.receive() == [9]
  }
}
