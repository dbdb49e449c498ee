// Bytes through the balancer: every one arrives, in order, in both directions, whoever closes
// first and however slowly anyone reads.

import Configuration
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Proxy

/// FNV-1a over what went through a connection.
struct Digest: Equatable {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  var count = 0
  mutating func add(_ bytes: [UInt8]) {
    bytes.withUnsafeBufferPointer { buffer in
      for byte in buffer { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    count += bytes.count
  }
}

/// Bytes that differ from place to place.
func pattern(_ count: Int, _ random: inout SplitMix) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  var value = random.next()
  for index in bytes.indices {
    value = value &* 6_364_136_223_846_793_005 &+ 1
    bytes[index] = UInt8(truncatingIfNeeded: value >> 56)
  }
  return bytes
}

extension EngineTests {
  @Suite struct RelayTests {
    /// Sends back what it gets, piece by piece, and its own FIN after the client's.
    static func echo(_ peer: Peer) {
      while let bytes = peer.receive(), !bytes.isEmpty {
        if !peer.send(bytes) { return }
      }
    }

    /// Random sizes from one byte to more than every buffer, pauses, and half-closes in either
    /// order, by copying and by splicing.
    @Test(arguments: [0, 64]) func manySessions(pipes: Int) throws {
      let server = try Backside(RelayTests.echo)
      let balancer = try Balancer(servers: [server.port], pipes: pipes)
      let port = balancer.port
      let failures = Counter()
      try Rig.inParallel(8) { number in
        var random = SplitMix(seed: UInt64(number * 1000 + pipes))
        for _ in 0..<20 where !RelayTests.session(port, &random) { failures.add() }
      }
      #expect(failures.value == 0)
      #expect(balancer.backend.count(.complete) == 160)
      balancer.finish(server)
    }

    private static func session(_ port: UInt16, _ random: inout SplitMix) -> Bool {
      guard let peer = Peer.connect(port) else { return false }
      defer { peer.close() }
      var sent = Digest()
      var received = Digest()
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let size = 1 << Int.random(in: 0...18, using: &random)
        let message = pattern(Int.random(in: 1...size, using: &random), &random)
        sent.add(message)
        // What does not fit into the buffers on the way would stop a peer that only sends.
        for start in stride(from: 0, to: message.count, by: 65_536) {
          let piece = Array(message[start..<min(start + 65_536, message.count)])
          guard peer.send(piece) else { return false }
          while received.count + 32_768 < sent.count - message.count + start {
            guard let bytes = peer.receive(), !bytes.isEmpty else { return false }
            received.add(bytes)
          }
        }
        if Int.random(in: 0..<4, using: &random) == 0 { usleep(500) }
      }
      peer.finishWriting()
      while received.count < sent.count {
        guard let bytes = peer.receive(), !bytes.isEmpty else { return false }
        received.add(bytes)
      }
      return received == sent && peer.receive() == []
    }

    /// A server that speaks and closes first; the client goes on sending afterwards.
    @Test func serverClosesFirst() throws {
      let results = Mutex<[Int]>([])
      let server = try Backside { peer in
        peer.send([UInt8](repeating: 7, count: 300_000))
        peer.finishWriting()
        let rest = peer.receiveAll()
        results.withLock { $0.append(rest?.count ?? -1) }
      }
      let balancer = try Balancer(servers: [server.port])
      let peer = try #require(Peer.connect(balancer.port))
      #expect(peer.receiveAll()?.count == 300_000)
      peer.send([UInt8](repeating: 1, count: 500_000))
      peer.finishWriting()
      #expect(Rig.eventually { results.withLock { $0 } == [500_000] })
      peer.close()
      balancer.finish(server)
    }

    /// 64 MB from a fast server to a client that begins to read late and reads in small pieces:
    /// what is under way stays in the kernel's buffers and one pipe.
    @Test(arguments: [0, 64]) func backpressure(pipes: Int) throws {
      let total = 64 << 20
      let piece = {
        var random = SplitMix(seed: 5); return pattern(1 << 20, &random)
      }()
      let sent = Atomic<Int>(0)
      let server = try Backside { peer in
        for _ in 0..<(total >> 20) where peer.send(piece) {
          sent.add(piece.count, ordering: .relaxed)
        }
      }
      let balancer = try Balancer(servers: [server.port], pipes: pipes)
      let before = RelayTests.residentBytes()
      let peer = try #require(Peer.connect(balancer.port))
      peer.setBuffers(65_536)
      // The server comes to a stop long before everything is sent.
      var last = -1
      #expect(
        Rig.eventually {
          usleep(20_000)
          let now = sent.load(ordering: .relaxed)
          defer { last = now }
          return now > 0 && now == last
        })
      #expect(sent.load(ordering: .relaxed) < total / 2)
      var position = 0
      var wrong = 0
      while position < total, let bytes = peer.receive(), !bytes.isEmpty {
        let offset = position & (1 << 20 - 1)
        let first = min(bytes.count, piece.count - offset)
        if memcmp(bytes, Array(piece[offset..<offset + first]), first) != 0 { wrong += 1 }
        if bytes[first...] != piece[..<(bytes.count - first)] { wrong += 1 }
        position += bytes.count
      }
      #expect(position == total && wrong == 0)
      #expect(RelayTests.residentBytes() - before < 32 << 20)
      peer.close()
      balancer.finish(server)
    }

    static func residentBytes() -> Int {
      guard let file = fopen("/proc/self/statm", "r") else { return 0 }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 128)
      fgets(&line, 128, file)
      let text = String(decoding: line.prefix { $0 > 0 }.map { UInt8($0) }, as: UTF8.self)
      return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }

    /// A server that answers and resets: what it had sent still reaches the client.
    @Test func anAnswerBeforeAResetIsDelivered() throws {
      let server = try Backside { peer in
        _ = peer.receive(1)
        peer.send([UInt8](repeating: 9, count: 200_000))
        _ = Rig.eventually { peer.unsent == 0 }
        Socket.resetOnClose(peer.fd)
      }
      let balancer = try Balancer(servers: [server.port])
      let peer = try #require(Peer.connect(balancer.port))
      peer.send([1])
      #expect(peer.receiveAll()?.count == 200_000)
      peer.close()
      balancer.finish(server)
      #expect(balancer.backend.count(.serverAbort) == 1)
    }
  }
}

extension Peer {
  /// Bytes the kernel has not yet delivered (SIOCOUTQ).
  var unsent: Int32 {
    var count: Int32 = 0
    return ioctl(fd, 0x5411, &count) == 0 ? count : 0
  }
}

/// A number that threads count up.
final class Counter: Sendable {
  private let number = Atomic<Int>(0)
  func add() { number.add(1, ordering: .relaxed) }
  var value: Int { number.load(ordering: .relaxed) }
}
