// The thread that waits for files and processes. It has its own thread because reading /proc and
// files may block, which tasks must not.

import Configuration
import Kernel
import Synchronization

final class WatchThread: Sendable {
  private struct Orders {
    var files: [TrackedFile]?
    var processes: [TrackedProcess]?
    var isStopping = false
    var ended: CheckedContinuation<Void, Never>?
  }

  private let orders = Mutex(Orders())
  private let wake: Int32

  /// Throws when the process is out of descriptors or threads.
  init(
    report: @escaping @Sendable (TrackingReport) -> Void, log: @escaping @Sendable (String) -> Void
  ) throws(KernelError) {
    // The thread owns its descriptors and closes the last one when it ends.
    let event = try EventDescriptor.open()
    wake = event.release()
    _ = try System.startThread(named: "tracking") { [self] in run(report, log) }
  }

  func update(files: [TrackedFile], processes: [TrackedProcess]) {
    orders.withLock {
      $0.files = files
      $0.processes = processes
      EventDescriptor.signal(wake)
    }
  }

  /// Ends the thread and waits for its last report. Call it once; nothing may follow.
  func stop() async {
    await withCheckedContinuation { continuation in
      orders.withLock {
        $0.isStopping = true
        $0.ended = continuation
        // Within the lock: the thread closes the descriptor once it has seen the order.
        EventDescriptor.signal(wake)
      }
    }
  }

  private func run(
    _ report: @escaping @Sendable (TrackingReport) -> Void,
    _ log: @escaping @Sendable (String) -> Void
  ) {
    do throws(KernelError) {
      try watch(report, log)
    } catch {
      log("files and processes are not watched: \(error)")
    }
    // Without its descriptors it still waits for the order to stop.
    while !orders.withLock({ $0.isStopping }) {
      System.waitReadable(wake, timeout_ms: -1)
      EventDescriptor.drain(wake)
    }
    let ended = orders.withLock { $0.ended }
    Socket.close(wake)
    ended?.resume()
  }

  private enum Cookie {
    static let wake: UInt64 = 0
    static let files: UInt64 = 1
    static let process: UInt64 = 2
  }

  private func watch(
    _ report: @escaping @Sendable (TrackingReport) -> Void,
    _ log: @escaping @Sendable (String) -> Void
  ) throws(KernelError) {
    let poller = try Epoll()
    var files = try FileWatch(report: report, log: log)
    var processes = ProcessWatch(report: report)
    _ = poller.add(wake, Epoll.Interest.readable, cookie: Cookie.wake)
    _ = poller.add(files.descriptor, Epoll.Interest.readable, cookie: Cookie.files)
    var events = [ReadinessEvent](repeating: ReadinessEvent(), count: 16)
    var next_ms = now_ms
    while true {
      let isBusy = files.needsLook || !processes.isEmpty
      let wait_ms = isBusy ? Int32(clamping: max(next_ms &- now_ms, 0)) : -1
      let count = events.withUnsafeMutableBufferPointer {
        poller.wait(into: $0.baseAddress!, capacity: Int32($0.count), timeout_ms: wait_ms)
      }
      for event in events.prefix(Int(max(count, 0))) {
        switch event.cookie {
        case Cookie.wake:
          EventDescriptor.drain(wake)
          let order = orders.withLock { orders in
            defer { (orders.files, orders.processes) = (nil, nil) }
            return orders
          }
          if order.isStopping {
            processes.close(poller)
            return
          }
          if let wanted = order.files { files.update(wanted) }
          if let wanted = order.processes { processes.update(wanted, poller) }
          next_ms = now_ms
        case Cookie.files: files.handleEvents()
        default: next_ms = now_ms
        }
      }
      if now_ms >= next_ms {
        files.look()
        next_ms = processes.scan(at: now_ms, poller, cookie: Cookie.process)
      }
    }
  }

  private var now_ms: Int64 { Clock.monotonic_us() / 1000 }
}
