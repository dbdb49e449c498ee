// Sessions that wait for a place on a server, first come first served, across all workers.
// The lock is only taken when somebody waits; a session that finds a place never touches it.

import Synchronization

/// A session of some worker that waits.
struct Waiter: Sendable {
  let mailbox: Mailbox
  let index: UInt32
  let generation: UInt32
  /// Sessions that had left the queue with a place when this one joined.
  var ticket = 0
}

final class PendingQueue: Sendable {
  private struct State {
    var waiters: [Waiter] = []
    var first = 0
    /// Sessions that have left with a place.
    var taken = 0
  }
  private let state = Mutex(State())
  private let length = Atomic<Int>(0)

  var count: Int { length.load(ordering: .sequentiallyConsistent) }

  /// Adds the waiter unless nobody is before it and `reserve` finds a place after all. Returns its
  /// ticket, or nil when a place was found. The count is raised before the last look for a place,
  /// and a place is freed before the count is read, so no wake-up is lost. Whether anybody is
  /// before it only the list knows: the count includes those who are about to take that look.
  func enqueue(_ waiter: Waiter, unless reserve: () -> Bool) -> Int? {
    length.add(1, ordering: .sequentiallyConsistent)
    return state.withLock { state -> Int? in
      if state.first == state.waiters.count, reserve() {
        length.subtract(1, ordering: .sequentiallyConsistent)
        return nil
      }
      var waiter = waiter
      waiter.ticket = state.taken
      state.waiters.append(waiter)
      return waiter.ticket
    }
  }

  /// What the log calls the position in the queue: one more than the sessions that got a place
  /// while this one waited (measured on HAProxy).
  func position(ticket: Int) -> Int { state.withLock { $0.taken - ticket + 1 } }

  /// Takes the first waiter if `reserve` finds a place for it.
  func dequeue(if reserve: () -> Bool) -> Waiter? {
    if length.load(ordering: .sequentiallyConsistent) == 0 { return nil }
    return state.withLock { state -> Waiter? in
      guard state.first < state.waiters.count, reserve() else { return nil }
      let waiter = state.waiters[state.first]
      state.first += 1
      state.taken += 1
      if state.first > 1024, state.first * 2 > state.waiters.count {
        state.waiters.removeFirst(state.first)
        state.first = 0
      }
      length.subtract(1, ordering: .sequentiallyConsistent)
      return waiter
    }
  }

  /// Removes a waiter that gave up. False when it had been taken already: a place is on its way.
  func remove(mailbox: Mailbox, index: UInt32, generation: UInt32) -> Bool {
    state.withLock { state in
      let found = state.waiters[state.first...].firstIndex {
        $0.index == index && $0.generation == generation && $0.mailbox === mailbox
      }
      guard let found else { return false }
      state.waiters.remove(at: found)
      length.subtract(1, ordering: .sequentiallyConsistent)
      return true
    }
  }
}
