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
  /// The server takes no sessions any more: those that wait for it look for another one.
  case reassign(from: ServerRuntime)
  /// Tells what sessions are open.
  case list(SessionCollector)
  /// Addresses of this node leave it, or come.
  case addresses(AddressChange)
  /// Stops accepting; open sessions go on.
  case drain
  /// Ends every session and the thread.
  case stop
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
