// The live counters of the process, its frontends, backends and servers. They survive
// reloads, are updated by workers without locks, and read by anyone.

import Synchronization

/// Process-wide counters and limits.
public final class ProcessRuntime: Sendable {
  /// Sessions that are open now.
  public let sessions = Atomic<Int>(0)
  public let accepted = Atomic<Int>(0)
  /// The most sessions the process opens at once (global maxconn).
  public let limit = Atomic<Int>(0)
  /// Times accepting stopped because descriptors ran out.
  public let descriptorPauses = Atomic<Int>(0)
  /// Connections accepted per second by the whole process (maxconnrate); 0 = any number.
  let rateLimit = Atomic<Int>(0)
  let rate = SecondCounter()
  /// Bit per worker that has stopped accepting until a session ends.
  let pausedWorkers = Atomic<UInt64>(0)
  /// Times that workers were told of addresses that leave or come.
  let addressChanges = Atomic<Int>(0)
  public init() {}
}

public final class FrontendRuntime: Sendable {
  public let name: String
  public let sessions = Atomic<Int>(0)
  public let total = Atomic<Int>(0)
  public let sessionsMaximum = Atomic<Int>(0)
  public let bytesIn = Atomic<UInt64>(0)
  public let bytesOut = Atomic<UInt64>(0)
  let pausedWorkers = Atomic<UInt64>(0)
  /// For `rate-limit sessions`.
  let rate = SecondCounter()
  private let ends: EndCounters
  init(name: String) {
    self.name = name
    ends = EndCounters()
  }
  /// Sessions that ended in this way.
  public func count(_ end: SessionEnd) -> Int { ends.count(end) }
  func add(_ end: SessionEnd) { ends.add(end) }
}

public final class BackendRuntime: Sendable {
  public let name: String
  /// Index into the workers' table of balancing tables.
  let slot: Int
  public let sessions = Atomic<Int>(0)
  public let total = Atomic<Int>(0)
  public let sessionsMaximum = Atomic<Int>(0)
  public let bytesIn = Atomic<UInt64>(0)
  public let bytesOut = Atomic<UInt64>(0)
  public let retries = Atomic<Int>(0)
  public let redispatches = Atomic<Int>(0)
  public let requeued = Atomic<Int>(0)
  /// Position in the balancing sequence, shared by all workers so that round robin is exact.
  let cursor = Atomic<Int>(0)
  /// Numbers for `ServerRuntime.order`.
  let orders = Atomic<Int>(0)
  let queue = PendingQueue()
  private let ends = EndCounters()
  init(name: String, slot: Int) {
    self.name = name
    self.slot = slot
  }
  public func count(_ end: SessionEnd) -> Int { ends.count(end) }
  func add(_ end: SessionEnd) { ends.add(end) }
  /// Sessions that wait for any server.
  public var queued: Int { queue.count }
}

public final class ServerRuntime: Sendable {
  public let name: String
  /// Open sessions, connecting ones included.
  public let sessions = Atomic<Int>(0)
  public let total = Atomic<Int>(0)
  public let sessionsMaximum = Atomic<Int>(0)
  public let bytesIn = Atomic<UInt64>(0)
  public let bytesOut = Atomic<UInt64>(0)
  public let connectFailures = Atomic<Int>(0)
  public let retries = Atomic<Int>(0)
  public let redispatches = Atomic<Int>(0)
  /// From the first SYN to an established connection, of those that came about.
  public let connectTimes = DurationHistogram()
  let queue = PendingQueue()
  /// When the load last changed, as a number: among equals, `leastconn` takes the lowest.
  let order = Atomic<Int>(0)
  /// Share of `maxconn` that slow start grants now.
  let limitPermille = Atomic<Int>(1000)
  private let ends = EndCounters()
  init(name: String) { self.name = name }
  public func count(_ end: SessionEnd) -> Int { ends.count(end) }
  func add(_ end: SessionEnd) { ends.add(end) }
  public var queued: Int { queue.count }

  /// Takes one of `limit` places (0 = no limit). False when all are taken.
  func reserve(limit: Int) -> Bool {
    if limit == 0 {
      note(sessions.add(1, ordering: .relaxed).newValue)
      return true
    }
    var seen = sessions.load(ordering: .sequentiallyConsistent)
    while seen < limit {
      let (exchanged, original) = sessions.weakCompareExchange(
        expected: seen, desired: seen + 1, ordering: .sequentiallyConsistent)
      if exchanged {
        note(seen + 1)
        return true
      }
      seen = original
    }
    return false
  }

  private func note(_ count: Int) {
    if count > sessionsMaximum.load(ordering: .relaxed) {
      sessionsMaximum.store(count, ordering: .relaxed)
    }
  }
}

/// Counts within the present second of the monotonic clock.
final class SecondCounter: Sendable {
  private let second = Atomic<Int64>(0)
  private let count = Atomic<Int>(0)

  /// Counts one more. False when that is more than `limit` in this second.
  func admits(limit: Int, at now_us: Int64) -> Bool {
    let now = now_us / 1_000_000
    if second.exchange(now, ordering: .relaxed) != now { count.store(0, ordering: .relaxed) }
    return count.add(1, ordering: .relaxed).newValue <= limit
  }
}

/// A counter per way of ending.
private final class EndCounters: @unchecked Sendable {
  private let counters: UnsafeMutablePointer<Atomic<Int>>
  init() {
    counters = .allocate(capacity: SessionEnd.allCases.count)
    for index in SessionEnd.allCases.indices { (counters + index).initialize(to: Atomic(0)) }
  }
  deinit {
    counters.deinitialize(count: SessionEnd.allCases.count)
    counters.deallocate()
  }
  func count(_ end: SessionEnd) -> Int { counters[Int(end.rawValue)].load(ordering: .relaxed) }
  func add(_ end: SessionEnd) { counters[Int(end.rawValue)].add(1, ordering: .relaxed) }
}
