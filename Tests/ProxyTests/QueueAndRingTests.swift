// What threads share: the queue of those who wait for a place, and the ring of records.

import Kernel
import Synchronization
import Testing

@testable import Proxy

@Suite struct PendingQueueTests {
  private func waiter(_ mailbox: Mailbox, _ index: UInt32) -> Waiter {
    Waiter(mailbox: mailbox, index: index, generation: 1)
  }

  @Test func firstComeFirstServed() throws {
    let queue = PendingQueue()
    let mailbox = try Mailbox()
    #expect(queue.enqueue(waiter(mailbox, 9), unless: { true }) == nil)
    for index in UInt32(0)..<3000 {
      #expect(queue.enqueue(waiter(mailbox, index), unless: { false }) == 0)
    }
    #expect(queue.count == 3000)
    #expect(queue.remove(mailbox: mailbox, index: 1, generation: 1))
    #expect(!queue.remove(mailbox: mailbox, index: 1, generation: 1))
    #expect(!queue.remove(mailbox: mailbox, index: 2, generation: 2), "another session")
    #expect(queue.dequeue(if: { false }) == nil)
    var order: [UInt32] = []
    while let next = queue.dequeue(if: { true }) { order.append(next.index) }
    #expect(order == [0] + (2..<3000))
    #expect(queue.count == 0)
    #expect(queue.position(ticket: 0) == 3000)
  }

  /// Threads take and free places as workers do; in the end everybody has been served once, no
  /// place is lost and nobody is forgotten.
  @Test func stress() throws {
    let runtime = ServerRuntime(name: "A")
    let queue = runtime.queue
    let served = Shared()
    let count = 4, each = 3000
    let mailboxes = try (0..<count).map { _ in try Mailbox() }
    @Sendable func free() {
      runtime.sessions.subtract(1, ordering: .sequentiallyConsistent)
      if queue.count == 0 { return }
      if let next = queue.dequeue(if: { runtime.reserve(limit: 2) }) {
        next.mailbox.post(.granted(next, server: Farm([1]).targets[0], position: 0))
      }
    }
    let threads = try mailboxes.map { mailbox in
      try System.startThread(named: "stress") {
        var open = 0
        func takeGrants(wait: Bool) {
          if wait, !System.waitReadable(mailbox.descriptor, timeout_ms: 5000) {
            served.stalls.add(1, ordering: .relaxed)
            open = 0
          }
          for _ in mailbox.take() {
            open -= 1
            served.grants.add(1, ordering: .relaxed)
            free()
          }
        }
        for index in 0..<each {
          if queue.count == 0, runtime.reserve(limit: 2) {
            served.direct.add(1, ordering: .relaxed)
            free()
          } else if queue.enqueue(
            Waiter(mailbox: mailbox, index: UInt32(index), generation: 1),
            unless: { runtime.reserve(limit: 2) }) == nil
          {
            served.direct.add(1, ordering: .relaxed)
            free()
          } else {
            open += 1
          }
          takeGrants(wait: false)
        }
        while open > 0 { takeGrants(wait: true) }
      }
    }
    threads.forEach { $0.join() }
    #expect(served.stalls.load(ordering: .relaxed) == 0)
    let all =
      served.grants.load(ordering: .relaxed) + served.direct.load(ordering: .relaxed)
    #expect(all == count * each)
    #expect(queue.count == 0)
    #expect(runtime.sessions.load(ordering: .relaxed) == 0)
  }

  private final class Shared: Sendable {
    let grants = Atomic<Int>(0)
    let direct = Atomic<Int>(0)
    let stalls = Atomic<Int>(0)
  }
}

@Suite struct RecordRingTests {
  @Test func aFullRingDropsAndCounts() {
    let ring = RecordRing(capacity: 4)
    var record = SessionRecord()
    for number in UInt32(0)..<7 {
      record.requestCounter = number
      ring.push(record)
    }
    #expect(ring.takeDropped() == 3 && ring.takeDropped() == 0)
    #expect((0..<4).map { _ in ring.pop()?.requestCounter } == [0, 1, 2, 3])
    #expect(ring.pop() == nil)
    ring.push(record)
    #expect(ring.pop()?.requestCounter == 6)
  }

  /// One writer, one reader that sleeps when there is nothing: each record arrives or is counted,
  /// in order, and no wake-up is lost.
  @Test func stress() throws {
    let ring = RecordRing(capacity: 64)
    let signal = try RecordSignal()
    let total: UInt32 = 100_000
    let writer = try System.startThread(named: "writer") {
      var record = SessionRecord()
      for number in 1...total {
        record.requestCounter = number
        record.bytesRead = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
        ring.push(record)
        signal.notify()
      }
    }
    var last: UInt32 = 0
    var received = 0
    var dropped = 0
    var stalls = 0
    func takeAll() -> Bool {
      let before = received + dropped
      while let record = ring.pop() {
        if record.requestCounter <= last { Issue.record("out of order") }
        if record.bytesRead != UInt64(record.requestCounter) &* 0x9e37_79b9_7f4a_7c15 {
          Issue.record("torn record")
        }
        last = record.requestCounter
        received += 1
      }
      dropped += ring.takeDropped()
      return received + dropped > before
    }
    while received + dropped < Int(total), stalls == 0 {
      if takeAll() { continue }
      signal.prepareToSleep()
      if !takeAll() {
        if !System.waitReadable(signal.descriptor, timeout_ms: 5000) { stalls += 1 }
      }
      signal.woke()
    }
    writer.join()
    #expect(stalls == 0 && received + dropped == Int(total))
  }
}
