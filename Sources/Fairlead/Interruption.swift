// What a signal to stop does before its turn has come: virtual addresses do not wait until a
// reload, or a script at the start, has come to its end.

import Failover
import Synchronization

final class Interruption: Sendable {
  private struct State {
    var isRequested = false
    var engine: FailoverEngine?
    var script: Task<String?, Never>?
  }
  private let state = Mutex(State())

  /// Masters resign now, and a script that runs is ended.
  func request() {
    let (engine, script) = state.withLock { state in
      state.isRequested = true
      return (state.engine, state.script)
    }
    engine?.resign()
    script?.cancel()
  }

  var isRequested: Bool { state.withLock { $0.isRequested } }

  func setEngine(_ engine: FailoverEngine?) {
    let isLate = state.withLock { state in
      state.engine = engine
      return state.isRequested
    }
    if isLate { engine?.resign() }
  }

  /// Waits for a script that a request ends.
  func run(_ script: Task<String?, Never>) async -> String? {
    let isLate = state.withLock { state in
      state.script = script
      return state.isRequested
    }
    if isLate { script.cancel() }
    defer { state.withLock { $0.script = nil } }
    return await script.value
  }
}
