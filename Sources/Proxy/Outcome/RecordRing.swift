// A worker's ring of session records: one writer (the worker), one reader (the log thread).
// A full ring drops the record and counts it; a session never waits for its log line.

import Kernel
import Synchronization

public final class RecordRing: @unchecked Sendable {
  private let slots: UnsafeMutablePointer<SessionRecord>
  private let mask: Int
  private let head = Atomic<Int>(0)
  private let tail = Atomic<Int>(0)
  private let droppedCount = Atomic<Int>(0)

  /// `capacity` is a power of two.
  public init(capacity: Int) {
    precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a ring's size is a power of two")
    slots = .allocate(capacity: capacity)
    mask = capacity - 1
  }

  deinit { slots.deallocate() }

  /// Called by the worker only.
  func push(_ record: borrowing SessionRecord) {
    let at = head.load(ordering: .relaxed)
    if at - tail.load(ordering: .acquiring) > mask {
      droppedCount.add(1, ordering: .relaxed)
      return
    }
    (slots + (at & mask)).initialize(to: copy record)
    head.store(at + 1, ordering: .releasing)
  }

  /// Called by the log thread only.
  public func pop() -> SessionRecord? {
    let at = tail.load(ordering: .relaxed)
    if at == head.load(ordering: .acquiring) { return nil }
    let record = slots[at & mask]
    tail.store(at + 1, ordering: .releasing)
    return record
  }

  /// Records lost since the last call.
  public func takeDropped() -> Int { droppedCount.exchange(0, ordering: .relaxed) }
}

/// Wakes the log thread, at most once per time it sleeps.
public final class RecordSignal: Sendable {
  private let sleeping = Atomic<Bool>(false)
  public let descriptor: Int32

  public init() throws(KernelError) { descriptor = try EventDescriptor.open().release() }

  deinit { Socket.close(descriptor) }

  /// Called by anyone who added work.
  public func notify() {
    // The work must be visible before the flag is read, as the flag is before the last look for
    // work; otherwise both sides can miss each other.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if sleeping.load(ordering: .sequentiallyConsistent) {
      if sleeping.exchange(false, ordering: .sequentiallyConsistent) {
        EventDescriptor.signal(descriptor)
      }
    }
  }

  /// The log thread says that it is about to sleep; it must look for work once more after.
  public func prepareToSleep() {
    sleeping.store(true, ordering: .sequentiallyConsistent)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }
  public func woke() {
    sleeping.store(false, ordering: .sequentiallyConsistent)
    EventDescriptor.drain(descriptor)
  }
}
