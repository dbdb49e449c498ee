// Workers among peers that do everything wrong at random times. Whatever they do, the workers
// end with every slot, descriptor, pipe and place given back.

import Configuration
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Proxy

/// Two workers without an engine around them, so that their insides can be looked at afterwards.
private final class Crew: @unchecked Sendable {
  final class Box: @unchecked Sendable {
    var worker: Worker
    init(_ worker: consuming Worker) { self.worker = worker }
  }
  let process = ProcessRuntime()
  let boxes: [Box]
  private let mailboxes: [Mailbox]
  private let threads: [ThreadHandle]
  let rings: [RecordRing]

  init(count: Int, listeners: [[ListenerAssignment]], table: BalancingTable) throws {
    let process = self.process
    process.limit.store(200, ordering: .relaxed)
    let mailboxes = try (0..<count).map { _ in try Mailbox() }
    self.mailboxes = mailboxes
    let rings = (0..<count).map { _ in RecordRing(capacity: 8192) }
    self.rings = rings
    let signal = try RecordSignal()
    let boxes = try (0..<count).map { number in
      Box(
        try Worker.make(
          WorkerContext(
            number: number, process: process, mailbox: mailboxes[number], peers: mailboxes,
            ring: rings[number], signal: signal, sessionCapacity: 201, maximumPipes: 8,
            splices: true)))
    }
    self.boxes = boxes
    threads = try boxes.map { box in
      try System.startThread(named: "worker") { box.worker.run() }
    }
    for (number, mailbox) in mailboxes.enumerated() {
      mailbox.post(.install(WorkerAssignment(listeners: listeners[number], tables: [table])))
    }
  }

  func post(_ message: WorkerMessage) { mailboxes.forEach { $0.post(message) } }

  func stop() {
    post(.stop)
    threads.forEach { $0.join() }
  }
}

extension EngineTests {
  @Suite struct HostileTests {
    private static func settings(
      _ frontend: Frontend, _ backend: Backend, _ ports: [UInt16]
    ) throws -> (FrontendSettings, BalancingTable) {
      let runtime = BackendRuntime(name: "out", slot: 0)
      let back = BackendSettings(backend, runtime: runtime, name: NameID(raw: 1))
      let front = FrontendSettings(
        frontend, runtime: FrontendRuntime(name: "in"), name: NameID(raw: 0), backend: back,
        log: AccessLogBinding(profile: 0))
      let servers = try ports.enumerated().map { index, port in
        var server = Server(name: "s\(index)", host: .ip(.v4(0x7f00_0001)), port: .fixed(port))
        server.maxconn = 6
        let endpoint = client(0x7f00_0001, port: port)
        return WeightedServer(
          target: ServerTarget(
            server, runtime: ServerRuntime(name: "s\(index)"), name: NameID(raw: 2),
            address: try KernelAddress(endpoint), endpoint: endpoint, source: nil,
            sourceInterface: nil, backend: runtime, fullconn: 1, keepsOrder: false), weight: 1)
      }
      return (
        front,
        BalancingTable(
          backend: back, algorithm: .roundRobin, hashType: HashType(), servers: servers)
      )
    }

    /// Random reads, writes, pauses and FINs, then a FIN, a close or a reset.
    private static func misbehave(_ peer: Peer, _ random: inout SplitMix, closes: Bool) {
      for _ in 0..<Int.random(in: 0...4, using: &random) {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: usleep(UInt32.random(in: 0...1500, using: &random))
        case 1:
          var bytes = [UInt8](repeating: 0, count: 1 << 16)
          _ = recv(peer.fd, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        case 2: peer.finishWriting()
        default:
          let bytes = [UInt8](repeating: 1, count: 1 << Int.random(in: 0...17, using: &random))
          let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
          _ = send(peer.fd, bytes, bytes.count, flags)
        }
      }
      if Bool.random(using: &random) { Socket.resetOnClose(peer.fd) }
      if closes { peer.close() }
    }

    @Test func twoThousandSessionsLeaveNothingBehind() throws {
      let seeds = Atomic<UInt64>(1)
      let servers = try (0..<3).map { _ in
        try Backside { peer in
          var random = SplitMix(seed: seeds.add(1, ordering: .relaxed).newValue)
          HostileTests.misbehave(peer, &random, closes: false)
        }
      }
      let port = try Rig.freePort()
      var frontend = Frontend(name: "in")
      frontend.binds = [Bind(addresses: [.ip(.v4(0x7f00_0001), port: port)])]
      frontend.maxconn = 60
      frontend.timeoutClient = .milliseconds(200)
      var backend = Backend(name: "out")
      backend.timeoutConnect = .milliseconds(50)
      backend.timeoutServer = .milliseconds(150)
      backend.timeoutQueue = .milliseconds(40)
      backend.redispatch = -1
      // The last server is not there.
      let ports = servers.map(\.port) + [try Rig.freePort()]
      let (front, table) = try HostileTests.settings(frontend, backend, ports)
      let specification = ListenerSpecification(
        frontend: frontend, bind: frontend.binds[0], address: frontend.binds[0].addresses[0],
        name: "1")
      let bind = BindRuntime(limit: 0)
      let listeners = try specification.openAll(count: 2).get().map { fd in
        [
          ListenerAssignment(
            key: "k", name: NameID.none, descriptor: fd, frontend: front, bind: bind,
            acceptsProxyHeader: false,
            isTCP: true, isShared: false)
        ]
      }
      let crew = try Crew(count: 2, listeners: listeners, table: table)
      let accepted = Counter()
      try Rig.inParallel(20) { number in
        var random = SplitMix(seed: UInt64(number) + 77)
        for round in 0..<100 {
          guard let peer = Peer.connect(port) else { continue }
          accepted.add()
          HostileTests.misbehave(peer, &random, closes: true)
          if number == 0, round % 10 == 0 {
            crew.post(.endSessions(of: table.servers[round / 10 % 3].target.runtime, .killed))
          }
        }
      }
      #expect(accepted.value == 2000)
      #expect(Rig.eventually { crew.process.sessions.load(ordering: .relaxed) == 0 })
      _ = Rig.eventually(2) {
        table.servers.allSatisfy { $0.target.runtime.sessions.load(ordering: .relaxed) == 0 }
      }
      crew.stop()
      HostileTests.expectNothingLeft(crew, table, servers, [port] + ports)
      #expect(front.runtime.sessions.load(ordering: .relaxed) == 0)
      #expect(bind.sessions.load(ordering: .relaxed) == 0)
      #expect(table.backend.runtime.sessions.load(ordering: .relaxed) == 0)
    }

    private static func expectNothingLeft(
      _ crew: Crew, _ table: BalancingTable, _ servers: [Backside], _ ports: [UInt16]
    ) {
      #expect(table.backend.runtime.queued == 0)
      for server in table.servers {
        #expect(server.target.runtime.sessions.load(ordering: .relaxed) == 0)
        #expect(server.target.runtime.sessionsMaximum.load(ordering: .relaxed) <= 6)
      }
      for box in crew.boxes {
        #expect(box.worker.openSessions == 0)
        #expect(box.worker.pipes.open == 0)
        #expect(box.worker.timers.wait_ms(at: 0) == -1, "no timer is left")
        for index in box.worker.slotsInUse {
          #expect(box.worker.sessions[Int(index)].state == .free)
        }
      }
      // Each session is told of once.
      let records = crew.rings.reduce(0) { sum, ring in
        var count = 0
        while ring.pop() != nil { count += 1 }
        return sum + count
      }
      #expect(records == crew.process.accepted.load(ordering: .relaxed))
      servers.forEach { $0.stop() }
      let leaks = Rig.leaks(ports: Set(ports))
      #expect(leaks.isEmpty, "\(leaks.joined(separator: "\n"))")
    }

    @Test func pipePoolGivesBackWhatItLent() {
      var pool = PipePool(limit: 2)
      let first = pool.take()
      let second = pool.take()
      #expect(first != nil && second != nil && pool.open == 2)
      #expect(pool.take() == nil, "the allowance is used up")
      pool.give(first!)
      #expect(pool.open == 2)
      let again = pool.take()
      #expect(again?.read == first?.read, "an idle pipe is used again")
      pool.discard(again!)
      #expect(pool.open == 1)
      pool.give(second!)
      pool.closeAll()
      #expect(pool.open == 0)
      #expect(Rig.leaks(ports: []).isEmpty)
    }
  }
}
