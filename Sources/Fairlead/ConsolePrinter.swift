// Lines for standard error, written by a thread of their own: whoever reads them may be slow, or
// stopped, and nothing that keeps an address alive may wait for that.

import Glibc
import Kernel
import Synchronization

final class ConsolePrinter: Sendable {
  /// Lines that may wait; more are dropped and counted.
  private static let capacity = 8192

  private struct Queue {
    var lines: [String] = []
    var dropped = 0
    var isWriting = false
  }

  private let queue = Mutex(Queue())
  private let wake: Int32
  private let format: LogFormat

  /// Throws when the process is out of descriptors or threads.
  init(_ format: LogFormat = .text) throws(KernelError) {
    self.format = format
    let wake = try EventDescriptor.open().release()
    self.wake = wake
    // It lives as long as the process: a write that blocks can only be left behind.
    _ = try System.startThread(named: "console") { [self] in
      while true {
        System.waitReadable(wake, timeout_ms: -1)
        EventDescriptor.drain(wake)
        writeWaiting()
      }
    }
  }

  func say(_ text: String) {
    queue.withLock { queue in
      if queue.lines.count < ConsolePrinter.capacity {
        queue.lines.append(text)
      } else {
        queue.dropped += 1
      }
    }
    EventDescriptor.signal(wake)
  }

  private func writeWaiting() {
    while true {
      let (text, dropped) = queue.withLock { queue in
        let text = queue.lines.map { $0 + "\n" }.joined()
        let dropped = queue.dropped
        queue.lines = []
        queue.dropped = 0
        queue.isWriting = !text.isEmpty
        return (text, dropped)
      }
      if text.isEmpty { return }
      Console.write(text, to: 2)
      if dropped > 0 {
        let line = EventLine(.logUnavailable, .warning, "\(dropped) lines were not printed")
        Console.say(line.rendered(format, to: .standardError, at: WallClock.now))
      }
    }
  }

  /// Waits until everything is written, at most for a second.
  func finish() {
    let end_us = Clock.monotonic_us() + 1_000_000
    while Clock.monotonic_us() < end_us {
      if queue.withLock({ $0.lines.isEmpty && !$0.isWriting }) { return }
      EventDescriptor.signal(wake)
      System.waitReadable(-1, timeout_ms: 2)
    }
  }
}
