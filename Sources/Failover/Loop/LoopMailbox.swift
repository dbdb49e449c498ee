// How other threads talk to the routers' thread: messages under a short lock, and an eventfd.

import Configuration
import Kernel
import Synchronization

enum LoopMessage: Sendable {
  case tracked(TrackingReport)
  /// Makes a configuration the running one; the answer is why that was impossible, or nil.
  case apply(FailoverConfiguration, answer: @Sendable (String?) -> Void)
  /// Gives everything up and ends the thread.
  case stop
}

final class LoopMailbox: Sendable {
  private let messages = Mutex<[LoopMessage]>([])
  let descriptor: Int32

  init() throws(KernelError) { descriptor = try EventDescriptor.open().release() }

  deinit { Socket.close(descriptor) }

  func post(_ message: LoopMessage) {
    messages.withLock { $0.append(message) }
    EventDescriptor.signal(descriptor)
  }

  /// Takes everything, oldest first.
  func take() -> [LoopMessage] {
    EventDescriptor.drain(descriptor)
    return messages.withLock { messages in
      let taken = messages
      messages = []
      return taken
    }
  }
}
