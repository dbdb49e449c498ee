// Blocking work beside Swift's tasks: each piece has a thread of its own, and whoever waits for
// it waits no longer than was said.

import Kernel
import Synchronization

enum Background {
  /// What `body` returns; nil when it takes longer than `limit_ms`, or without a thread. A body
  /// that is too late is left to end by itself.
  static func run<Value: Sendable>(
    _ name: String, limit_ms: Int64, _ body: @escaping @Sendable () -> Value
  ) async -> Value? {
    await withCheckedContinuation { continuation in
      let first = First(continuation)
      do throws(KernelError) {
        _ = try System.startThread(named: name) { first.take(body()) }
      } catch {
        first.take(nil)
      }
      Task {
        try? await Task.sleep(for: .milliseconds(limit_ms))
        first.take(nil)
      }
    }
  }
}

/// The first of two results counts.
private final class First<Value: Sendable>: Sendable {
  private let continuation: Mutex<CheckedContinuation<Value?, Never>?>
  init(_ continuation: CheckedContinuation<Value?, Never>) {
    self.continuation = Mutex(continuation)
  }

  func take(_ value: Value?) {
    let waiting = continuation.withLock { waiting in
      defer { waiting = nil }
      return waiting
    }
    waiting?.resume(returning: value)
  }
}
