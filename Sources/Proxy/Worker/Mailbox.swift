// How other threads talk to a worker: messages under a short lock, and an eventfd that wakes it.

import Kernel
import Synchronization

/// What a worker can be told.
enum WorkerMessage: Sendable {
  /// New listeners and balancing tables; listeners of frontends that are not in the list close.
  case install(WorkerAssignment)
  /// A backend's usable servers changed.
  case table(BalancingTable)
  /// A place on a server became free for a session that waits.
  case granted(Waiter, server: ServerTarget, position: Int)
  /// A limit that made this worker stop accepting has room again.
  case resumeAccepting
  /// Ends the sessions of one server.
  case endSessions(of: ServerRuntime, SessionEnd)
  /// Resets the sessions of one server; those that still connect look for another one.
  case resetSessions(of: ServerRuntime, SessionEnd)
  /// Ends some established sessions of one server, the longest silent first. The workers share
  /// the quota.
  case endSome(of: ServerRuntime, SessionEnd, SessionQuota)
  /// The server takes no sessions any more: those that wait for it look for another one.
  case reassign(from: ServerRuntime)
  /// Tells what sessions are open.
  case list(SessionCollector)
  /// Adds the bytes of open sessions to the totals.
  case countBytes(ByteCount)
  /// Addresses of this node leave it, or come.
  case addresses(AddressChange)
  /// Stops accepting; open sessions go on.
  case drain
  /// Ends every session and the thread.
  case stop
}

/// How many sessions are to end, counted down by whichever worker finds one.
final class SessionQuota: Sendable {
  private let left: Atomic<Int>
  init(_ count: Int) { left = Atomic(count) }

  /// False when enough have been taken.
  func take() -> Bool {
    if left.subtract(1, ordering: .relaxed).newValue >= 0 { return true }
    left.add(1, ordering: .relaxed)
    return false
  }
  var isEmpty: Bool { left.load(ordering: .relaxed) <= 0 }
}

final class Mailbox: Sendable {
  private let messages = Mutex<[WorkerMessage]>([])
  let descriptor: Int32

  init() throws(KernelError) { descriptor = try EventDescriptor.open().release() }

  deinit { Socket.close(descriptor) }

  func post(_ message: WorkerMessage) {
    let wasEmpty = messages.withLock { messages in
      messages.append(message)
      return messages.count == 1
    }
    if wasEmpty { EventDescriptor.signal(descriptor) }
  }

  /// Takes everything, oldest first.
  func take() -> [WorkerMessage] {
    EventDescriptor.drain(descriptor)
    return messages.withLock { messages in
      let taken = messages
      messages = []
      return taken
    }
  }
}
