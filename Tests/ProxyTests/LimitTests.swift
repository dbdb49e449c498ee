// maxconn of servers, frontends, bind lines and the process: who does not fit waits, and nobody
// is forgotten.

import Configuration
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Proxy

extension EngineTests {
  @Suite struct LimitTests {
    /// One place, two workers, many clients: all are served, one at a time.
    @Test(arguments: [Balance.roundRobin, .leastConnections, .source])
    func everyoneGetsTheOnlyPlace(balance: Balance) throws {
      let server = try Backside { peer in
        if let bytes = peer.receive(), !bytes.isEmpty { peer.send(bytes) }
      }
      let balancer = try Balancer(servers: [server.port]) { _, backend in
        backend.balance = balance
        backend.timeoutQueue = .seconds(30)
        backend.servers[0].maxconn = 1
      }
      let port = balancer.port
      let failures = Counter()
      try Rig.inParallel(16) { number in
        for round in 0..<40 where !LimitTests.ask(port, UInt8(number ^ round)) { failures.add() }
      }
      #expect(failures.value == 0)
      #expect(balancer.server(0).sessionsMaximum.load(ordering: .relaxed) == 1)
      #expect(server.accepted.load(ordering: .relaxed) == 640)
      balancer.finish(server)
      let records = balancer.records()
      #expect(records.count == 640 && records.contains { $0.queue_ms > 0 })
    }

    static func ask(_ port: UInt16, _ byte: UInt8) -> Bool {
      guard let peer = Peer.connect(port) else { return false }
      defer { peer.close() }
      return peer.send([byte]) && peer.receive() == [byte] && peer.receive() == []
    }

    /// Clients that give up while they wait race with the places they are given: each place must
    /// go on to the next.
    @Test func placesOfThoseWhoGaveUpGoOn() throws {
      let server = try Backside { peer in
        if let bytes = peer.receive(), !bytes.isEmpty { peer.send(bytes) }
      }
      let balancer = try Balancer(servers: [server.port]) { _, backend in
        backend.timeoutQueue = .seconds(10)
        backend.abortOnClose = true
        backend.servers[0].maxconn = 1
      }
      let port = balancer.port
      let failures = Counter()
      try Rig.inParallel(16) { number in
        var random = SplitMix(seed: UInt64(number))
        for _ in 0..<60 {
          if number % 4 == 0 {
            if !LimitTests.ask(port, 1) { failures.add() }
          } else if let peer = Peer.connect(port) {
            usleep(UInt32.random(in: 0...600, using: &random))
            if Bool.random(using: &random) { peer.reset() } else { peer.close() }
          }
        }
      }
      #expect(failures.value == 0)
      #expect(LimitTests.ask(port, 2))
      balancer.finish(server)
    }

    @Test func aQueueTimeoutEndsTheWaiting() throws {
      let server = try Backside { peer in _ = peer.receiveAll() }
      let balancer = try Balancer(servers: [server.port]) { _, backend in
        backend.timeoutQueue = .milliseconds(50)
        backend.servers[0].maxconn = 1
      }
      let first = try #require(Peer.connect(balancer.port))
      #expect(Rig.eventually { server.current.load(ordering: .relaxed) == 1 })
      let second = try #require(Peer.connect(balancer.port))
      #expect(second.receive() == [])
      #expect(balancer.backend.count(.queueTimeout) == 1)
      second.close()
      first.close()
      balancer.finish(server)
      let record = try #require(balancer.records().first { $0.end == .queueTimeout })
      #expect(record.serverName == .none && record.connect_ms == -1 && record.queue_ms >= 50)
    }

    /// minconn lets the limit grow with the load: places that appear because others wait must be
    /// given to those who wait.
    @Test func aLimitThatGrowsWithTheLoad() throws {
      let server = try Backside { peer in _ = peer.receiveAll() }
      let balancer = try Balancer(servers: [server.port]) { _, backend in
        backend.timeoutQueue = .seconds(30)
        backend.fullconn = 8
        backend.servers[0].minconn = 1
        backend.servers[0].maxconn = 8
      }
      let peers = (0..<8).compactMap { _ in Peer.connect(balancer.port) }
      #expect(Rig.eventually(5) { server.current.load(ordering: .relaxed) == 8 })
      peers.forEach { $0.close() }
      balancer.finish(server)
    }

    enum Limit: CaseIterable { case process, frontend, bind }

    /// A limit of two: the third waits in the backlog and is let in when one leaves.
    @Test(arguments: Limit.allCases) func acceptingPausesAndResumes(limit: Limit) throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port]) { frontend, _ in
        if limit == .frontend { frontend.maxconn = 2 }
        if limit == .bind { frontend.binds[0].maxconn = 2 }
      }
      if limit == .process { balancer.engine.setLimit(2) }
      for _ in 0..<20 {
        let peers = (0..<6).compactMap { _ in Peer.connect(balancer.port) }
        for peer in peers {
          // In whatever order they are let in, the others follow.
          peer.send([42])
        }
        #expect(balancer.open <= 4, "two more may be on their way in or out")
        let waiting = Mutex(peers)
        try Rig.inParallel(6) { _ in
          guard let peer = waiting.withLock({ $0.popLast() }) else { return }
          if peer.receive() != [42] { Issue.record("not let in") }
          peer.close()
        }
      }
      #expect(server.maximum.load(ordering: .relaxed) <= 3)
      balancer.finish(server)
    }

    /// Many short sessions against a limit of one, on both workers: nobody is left in a backlog.
    @Test func noWorkerStaysPaused() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port])
      balancer.engine.setLimit(1)
      let port = balancer.port
      let failures = Counter()
      try Rig.inParallel(8) { number in
        for _ in 0..<150 {
          guard let peer = Peer.connect(port) else { return failures.add() }
          peer.send([1])
          if peer.receive() != [1] { failures.add() }
          peer.close()
        }
      }
      #expect(failures.value == 0)
      balancer.finish(server)
    }

    /// A reload that changes a bind line's limit while its sessions are open keeps counting right.
    @Test func aBindLimitChangesUnderWay() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port])
      let old = (0..<3).compactMap { _ in Peer.connect(balancer.port) }
      #expect(Rig.eventually { balancer.open == 3 })
      try balancer.apply(
        Rig.configuration(port: balancer.port, servers: [server.port]) { frontend, _ in
          frontend.binds[0].maxconn = 2
        })
      old.forEach { $0.close() }
      #expect(Rig.eventually { balancer.open == 0 })
      let peers = (0..<5).compactMap { _ in Peer.connect(balancer.port) }
      #expect(Rig.eventually { balancer.open >= 2 })
      usleep(50_000)
      #expect(balancer.open == 2)
      peers.forEach { $0.close() }
      balancer.finish(server)
    }
  }
}
