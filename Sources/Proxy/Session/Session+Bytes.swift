// Bytes of open sessions in the totals of frontends, backends and servers. While bytes move only
// the session's own counters are touched; what has come since is added when somebody asks, by each
// worker for its own sessions, between two turns of its loop, and at a session's end.

import Kernel
import Synchronization

/// A question to all workers that is over when all have answered, or when `finish` is called.
public final class ByteCount: Sendable {
  private struct State {
    var awaited: Int
    var finish: (@Sendable () -> Void)?
  }
  private let state: Mutex<State>

  init(workers: Int, finish: @escaping @Sendable () -> Void) {
    state = Mutex(State(awaited: workers, finish: finish))
  }

  /// A worker has counted.
  func add() {
    let isLast = state.withLock { state in
      state.awaited -= 1
      return state.awaited <= 0
    }
    if isLast { finish() }
  }

  public func finish() {
    let finish = state.withLock { state in
      defer { state.finish = nil }
      return state.finish
    }
    finish?()
  }
}

extension Worker {
  mutating func countOpenBytes(for count: ByteCount) {
    for index in slotsInUse {
      let session = sessions + Int(index)
      // Before that no byte has come from a server, and the server may still change.
      guard session.pointee.state == .established else { continue }
      countBytes(
        index, session.pointee.frontend?.takeUnretainedValue(),
        session.pointee.backend?.takeUnretainedValue(),
        session.pointee.server?.takeUnretainedValue())
    }
    count.add()
  }

  /// Adds what has come since the session was counted last.
  func countBytes(
    _ index: UInt32, _ frontend: FrontendSettings?, _ backend: BackendSettings?,
    _ server: ServerTarget?
  ) {
    let session = sessions + Int(index)
    let pair = halves + Int(index) * 2
    let uploaded = pair[Side.client].total &- session.pointee.countedFromClient
    let read = pair[Side.server].total &- session.pointee.countedFromServer
    if uploaded == 0, read == 0 { return }
    session.pointee.countedFromClient = pair[Side.client].total
    session.pointee.countedFromServer = pair[Side.server].total
    if let runtime = frontend?.runtime {
      runtime.bytesIn.wrappingAdd(uploaded, ordering: .relaxed)
      runtime.bytesOut.wrappingAdd(read, ordering: .relaxed)
    }
    if let runtime = backend?.runtime {
      runtime.bytesIn.wrappingAdd(uploaded, ordering: .relaxed)
      runtime.bytesOut.wrappingAdd(read, ordering: .relaxed)
    }
    if session.pointee.holdsPlace, let runtime = server?.runtime {
      runtime.bytesIn.wrappingAdd(uploaded, ordering: .relaxed)
      runtime.bytesOut.wrappingAdd(read, ordering: .relaxed)
    }
  }
}

extension ProxyEngine {
  /// Brings `bytesIn` and `bytesOut` of frontends, backends and servers up to date, and calls
  /// `finish` once, on a worker's thread. The result's own `finish` ends the wait for workers that
  /// do not answer.
  public func countOpenBytes(finish: @escaping @Sendable () -> Void) -> ByteCount {
    let count = ByteCount(workers: mailboxes.count, finish: finish)
    for mailbox in mailboxes { mailbox.post(.countBytes(count)) }
    return count
  }
}
