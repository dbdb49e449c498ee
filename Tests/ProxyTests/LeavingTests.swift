// Addresses that leave the node: their clients are reset, all others go on.

import Configuration
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Proxy

extension EngineTests {
  @Suite struct LeavingTests {
    private static let own: UInt32 = 0x7f00_0001
    private static let virtual: UInt32 = 0x7f00_0002

    /// Listens on every address of loopback.
    private func balancer(
      _ server: Backside, workers: Int = 2,
      _ change: (inout Frontend, inout Backend) -> Void = { _, _ in }
    ) throws -> Balancer {
      let balancer = try Balancer(servers: [server.port], workers: workers)
      try balancer.apply(
        Rig.configuration(port: balancer.port, servers: [server.port]) { frontend, backend in
          frontend.binds[0].addresses = [.ip(.v4(0), port: balancer.port)]
          change(&frontend, &backend)
        })
      #expect(
        Rig.eventually {
          let peer = Peer.connect(balancer.port, to: Self.virtual)
          peer?.close()
          return peer != nil
        })
      let process = balancer.engine.process
      #expect(
        Rig.eventually { process.accepted.load(ordering: .relaxed) > 0 && balancer.open == 0 })
      return balancer
    }

    private func talking(_ count: Int, _ port: UInt16, to host: UInt32) -> [Peer] {
      let peers = (0..<count).compactMap { _ in Peer.connect(port, to: host) }
      for peer in peers {
        peer.send([7])
        #expect(peer.receive() == [7])
      }
      return peers
    }

    /// The number of sessions that were reset, once no worker has one any more.
    private func leave(_ balancer: Balancer, _ host: UInt32) -> Int? {
      let answer = Answer()
      balancer.engine.localAddresses.leave([.v4(host)]) { answer.set($0) }
      #expect(Rig.eventually { answer.value != nil })
      return answer.value
    }

    private final class Answer: Sendable {
      private let inner = Mutex<Int?>(nil)
      func set(_ value: Int) { inner.withLock { $0 = value } }
      var value: Int? { inner.withLock { $0 } }
    }

    private func wasReset(_ peer: Peer) -> Bool {
      guard peer.receive() == nil else { return false }
      return errno == ECONNRESET
    }

    @Test func sessionsOfTheAddressAreResetAndNoOthers() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try balancer(server)
      let leaving = talking(40, balancer.port, to: Self.virtual)
      let staying = talking(10, balancer.port, to: Self.own)
      #expect(leave(balancer, Self.virtual) == 40)
      for peer in leaving {
        #expect(wasReset(peer))
        peer.close()
      }
      for peer in staying {
        peer.send([8])
        #expect(peer.receive() == [8])
      }
      #expect(Rig.eventually { server.current.load(ordering: .relaxed) == 10 })
      #expect(balancer.engine.frontend("in")!.count(.addressLeft) == 40)
      #expect(balancer.server(0).count(.addressLeft) == 40)
      let records = balancer.records().filter { $0.end == .addressLeft }
      #expect(records.count == 40)
      #expect(records.allSatisfy { $0.bytesRead == 1 && $0.serverName != .none })
      staying.forEach { $0.close() }
      balancer.finish(server)
    }

    @Test func whoConnectsLaterIsResetUntilTheAddressComesBack() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try balancer(server)
      #expect(leave(balancer, Self.virtual) == 0)
      for _ in 0..<8 {
        let late = try #require(Peer.connect(balancer.port, to: Self.virtual))
        #expect(wasReset(late))
        late.close()
      }
      #expect(LimitTests.askAndClose(balancer.port))
      let accepted = server.accepted.load(ordering: .relaxed)
      // Nobody is turned away from the moment on at which this returns.
      balancer.engine.localAddresses.arrive([.v4(Self.virtual)])
      let back = talking(8, balancer.port, to: Self.virtual)
      #expect(back.count == 8 && server.accepted.load(ordering: .relaxed) == accepted + 8)
      #expect(balancer.engine.frontend("in")!.count(.addressLeft) == 8)
      back.forEach { $0.close() }
      balancer.finish(server)
    }

    /// Those that wait for a place, and those that wait to be accepted.
    @Test func whoWaitsIsResetToo() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try balancer(server, workers: 1) { frontend, backend in
        frontend.maxconn = 6
        backend.servers[0].maxconn = 2
        backend.timeoutQueue = .seconds(30)
      }
      let served = talking(2, balancer.port, to: Self.virtual)
      let queued = (0..<4).compactMap { _ in Peer.connect(balancer.port, to: Self.virtual) }
      #expect(Rig.eventually { balancer.backend.queued == 4 })
      let backlog = (0..<5).compactMap { _ in Peer.connect(balancer.port, to: Self.virtual) }
      #expect(balancer.open == 6 && backlog.count == 5)
      #expect(leave(balancer, Self.virtual) != nil)
      for peer in served + queued + backlog {
        #expect(wasReset(peer))
        peer.close()
      }
      #expect(Rig.eventually { balancer.engine.frontend("in")!.count(.addressLeft) == 11 })
      balancer.finish(server)
    }

    /// Bytes on their way and pipes are let go of.
    @Test func bulkTransfersAreReset() throws {
      let server = try Backside { peer in
        let block = [UInt8](repeating: 1, count: 1 << 20)
        while peer.send(block) {}
      }
      let balancer = try balancer(server)
      let peers = (0..<6).compactMap { _ in Peer.connect(balancer.port, to: Self.virtual) }
      for peer in peers { #expect(peer.receive()?.isEmpty == false) }
      #expect(leave(balancer, Self.virtual) == 6)
      for peer in peers {
        while let bytes = peer.receive(), !bytes.isEmpty {}
        peer.close()
      }
      balancer.finish(server)
    }

    /// Addresses come and go while clients do: nobody is left open, and none lost.
    @Test func addressesThatComeAndGoUnderLoad() throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try balancer(server)
      let port = balancer.port
      let failures = Counter()
      let isDone = Atomic<Bool>(false)
      let clients = try System.startThread(named: "clients") {
        while !isDone.load(ordering: .relaxed) {
          for host in [Self.own, Self.virtual] {
            guard let peer = Peer.connect(port, to: host) else { continue }
            peer.send([7])
            if peer.receive() != [7], host == Self.own { failures.add() }
            peer.close()
          }
        }
      }
      for _ in 0..<50 {
        #expect(leave(balancer, Self.virtual) != nil)
        balancer.engine.localAddresses.arrive([.v4(Self.virtual)])
      }
      isDone.store(true, ordering: .relaxed)
      clients.join()
      #expect(failures.value == 0)
      #expect(LimitTests.askAndClose(port))
      balancer.finish(server)
    }
  }
}
