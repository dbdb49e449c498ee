// Open sessions as values, for operators. Each worker looks at its own slab, between two turns of
// its loop, and answers; no session waits for that.

import Configuration
import Kernel
import Synchronization

/// One open session at one moment.
public struct SessionSnapshot: Equatable, Sendable {
  public enum State: String, Sendable {
    /// Waits for the client's PROXY header.
    case proxyHeader = "proxy-header"
    /// Waits for a place on a server, or before the next try.
    case queued, waiting
    case connecting, established
  }
  public var state: State
  /// Family 0 for clients on a Unix socket.
  public var client: NetworkEndpoint
  /// Where the client connected to.
  public var local: NetworkEndpoint
  public var frontend: String
  /// Nil before a backend or server is chosen.
  public var backend: String?
  public var server: String?
  public var age_ms: Int64
  /// Since bytes last moved in either direction.
  public var idle_ms: Int64
  public var bytesFromClient: UInt64
  public var bytesFromServer: UInt64
}

/// What was found, the oldest sessions first.
public struct SessionListing: Sendable {
  /// At most as many as were asked for.
  public var sessions: [SessionSnapshot] = []
  /// How many there are.
  public var matching = 0
  public init() {}
}

/// Gathers what the workers answer, and hands it on once: when all have, or when `finish` is
/// called.
public final class SessionCollector: Sendable {
  private struct State {
    var listing = SessionListing()
    var awaited: Int
    var finish: (@Sendable (SessionListing) -> Void)?
  }
  private let state: Mutex<State>
  let limit: Int
  /// Nil: those of every server.
  let server: ServerRuntime?

  init(
    workers: Int, limit: Int, server: ServerRuntime?,
    finish: @escaping @Sendable (SessionListing) -> Void
  ) {
    self.limit = limit
    self.server = server
    state = Mutex(State(awaited: workers, finish: finish))
  }

  func add(_ sessions: [SessionSnapshot], matching: Int) {
    let isLast = state.withLock { state in
      state.listing.sessions += sessions
      state.listing.matching += matching
      state.awaited -= 1
      return state.awaited <= 0
    }
    if isLast { finish() }
  }

  public func finish() {
    let (finish, listing) = state.withLock { state in
      defer { state.finish = nil }
      return (state.finish, state.listing)
    }
    guard let finish else { return }
    var sorted = listing
    sorted.sessions.sort { $0.age_ms > $1.age_ms }
    sorted.sessions = Array(sorted.sessions.prefix(limit))
    finish(sorted)
  }
}

extension Worker {
  mutating func list(into collector: SessionCollector) {
    var ages: [(accepted_ms: Int64, index: UInt32)] = []
    for index in slotsInUse {
      let session = sessions + Int(index)
      guard session.pointee.state != .free else { continue }
      if let wanted = collector.server {
        guard session.pointee.server?.takeUnretainedValue().runtime === wanted else { continue }
      }
      ages.append((session.pointee.accepted_ms, index))
    }
    let matching = ages.count
    ages.sort { $0.accepted_ms < $1.accepted_ms }
    collector.add(ages.prefix(collector.limit).map { snapshot($0.index) }, matching: matching)
  }

  private func snapshot(_ index: UInt32) -> SessionSnapshot {
    let session = sessions + Int(index)
    let pair = halves + Int(index) * 2
    var local = session.pointee.local
    if local.family == 0 { local = Socket.localEndpoint(pair[Side.client].descriptor) }
    let server = session.pointee.server?.takeUnretainedValue()
    let last = max(
      pair[Side.client].last_ms, pair[Side.server].last_ms, session.pointee.accepted_ms)
    return SessionSnapshot(
      state: session.pointee.state.shown, client: session.pointee.client, local: local,
      frontend: session.pointee.frontend?.takeUnretainedValue().runtime.name ?? "",
      backend: session.pointee.backend?.takeUnretainedValue().runtime.name,
      server: server?.runtime.name, age_ms: max(0, now_ms - session.pointee.accepted_ms),
      idle_ms: max(0, now_ms - last), bytesFromClient: pair[Side.client].total,
      bytesFromServer: pair[Side.server].total)
  }
}

extension Session.State {
  fileprivate var shown: SessionSnapshot.State {
    switch self {
    case .proxyHeader: .proxyHeader
    case .queued: .queued
    case .turnAround: .waiting
    case .connecting: .connecting
    case .established, .free: .established
    }
  }
}

extension ProxyEngine {
  /// Collects the oldest open sessions, at most `limit`, of one server or of all, and hands them
  /// to `finish` once. The collector's own `finish` ends the wait for workers that do not answer.
  public func listSessions(
    of reference: ServerReference?, limit: Int,
    finish: @escaping @Sendable (SessionListing) -> Void
  ) -> SessionCollector? {
    var wanted: ServerRuntime?
    if let reference {
      guard let runtime = server(reference) else {
        finish(SessionListing())
        return nil
      }
      wanted = runtime
    }
    let collector = SessionCollector(
      workers: mailboxes.count, limit: max(0, limit), server: wanted, finish: finish)
    for mailbox in mailboxes { mailbox.post(.list(collector)) }
    return collector
  }
}
