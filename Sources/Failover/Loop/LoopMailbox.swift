// How other threads talk to the routers' thread: messages under a short lock, and an eventfd.

import Configuration
import Kernel
import Synchronization
import VRRP

enum LoopMessage: Sendable {
  case tracked(TrackingReport)
  /// What the proxy of this node can do.
  case path(PathObservation)
  /// From an operator, for one router or for all of them. The answer comes when it has ended.
  case order(HolderEvent, router: String?, answer: @Sendable ([OrderResult]) -> Void)
  /// Makes a configuration the running one; the answer is why that was impossible, or nil.
  case apply(FailoverConfiguration, answer: @Sendable (String?) -> Void)
  /// The sessions on addresses that leave have been reset.
  case ended(ticket: Int, sessions: Int)
  /// Gives everything up and ends the thread.
  case stop
}

final class LoopMailbox: Sendable {
  private struct Box {
    var messages: [LoopMessage] = []
    var isClosed = false
  }
  private let box = Mutex(Box())
  let descriptor: Int32

  init() throws(KernelError) { descriptor = try EventDescriptor.open().release() }

  deinit { Socket.close(descriptor) }

  func post(_ message: LoopMessage) {
    let isClosed = box.withLock { box in
      if !box.isClosed { box.messages.append(message) }
      return box.isClosed
    }
    if isClosed {
      LoopMailbox.refuse(message)
    } else {
      EventDescriptor.signal(descriptor)
    }
  }

  /// Takes everything, oldest first.
  func take() -> [LoopMessage] {
    EventDescriptor.drain(descriptor)
    return box.withLock { box in
      defer { box.messages = [] }
      return box.messages
    }
  }

  /// Nobody reads it any more: who waits for an answer gets one, now and later.
  func close() {
    let left = box.withLock { box in
      box.isClosed = true
      defer { box.messages = [] }
      return box.messages
    }
    left.forEach(LoopMailbox.refuse)
  }

  static let refusal = "the virtual routers have stopped"

  private static func refuse(_ message: LoopMessage) {
    switch message {
    case .apply(_, let answer): answer(refusal)
    case .order(_, _, let answer): answer([])
    case .tracked, .path, .ended, .stop: break
    }
  }
}
