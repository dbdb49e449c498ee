// Names of frontends, backends and servers, numbered once and kept for the life of the
// process, so that a record of a session can outlive the configuration it ran under.

import Synchronization

/// Grows only: reloads reuse the numbers of the names they share.
public final class NameTable: Sendable {
  private struct State {
    var names: [String] = []
    var ids: [String: UInt32] = [:]
  }
  private let state = Mutex(State())

  public init() {}

  public func id(for name: String) -> NameID {
    state.withLock { state in
      if let id = state.ids[name] { return NameID(raw: id) }
      let id = UInt32(state.names.count)
      state.names.append(name)
      state.ids[name] = id
      return NameID(raw: id)
    }
  }

  /// The name, or nil for `.none`.
  public func name(_ id: NameID) -> String? {
    state.withLock { state in
      Int(id.raw) < state.names.count ? state.names[Int(id.raw)] : nil
    }
  }
}
