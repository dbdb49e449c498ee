// What happened, for people who look later and for those who watch: a bounded history, and
// followers that are told of each event.

import Synchronization

/// Something that changed in the daemon.
public struct ControlEvent: Codable, Equatable, Sendable {
  public enum Kind: String, Codable, Sendable {
    /// The daemon started.
    case start
    /// It is about to end: it drains, or stops.
    case stop
    case router, server, reload
    /// A backend without a ready server uses others, or does so no longer.
    case failOpen = "fail-open"
  }
  /// Seconds since 1970.
  public var time: Double
  /// Its name, such as `server.down`.
  public var event: String
  public var kind: Kind
  /// The router or `backend/server`; nil for the daemon itself.
  public var subject: String?
  /// States, for changes of state.
  public var from: String?
  public var to: String?
  /// What happened, in words.
  public var text: String

  public init(
    time: Double, event: String, kind: Kind, subject: String? = nil, from: String? = nil,
    to: String? = nil,
    text: String
  ) {
    self.time = time
    self.event = event
    self.kind = kind
    self.subject = subject
    self.from = from
    self.to = to
    self.text = text
  }
}

/// May be used from any thread. Followers are called in the order of the events, one at a time,
/// and must not wait for anything.
public final class EventHistory: Sendable {
  public typealias Follower = @Sendable (ControlEvent) -> Void

  private struct State {
    var events: [ControlEvent] = []
    var followers: [Int: Follower] = [:]
    var lastNumber = 0
  }
  private let state = Mutex(State())
  private let capacity: Int

  public init(capacity: Int = ControlLimits.history) { self.capacity = max(1, capacity) }

  public func add(_ event: ControlEvent) {
    state.withLock { state in
      if state.events.count >= capacity {
        state.events.removeFirst(state.events.count - capacity + 1)
      }
      state.events.append(event)
      for follower in state.followers.values { follower(event) }
    }
  }

  /// Oldest first.
  public var events: [ControlEvent] { state.withLock { $0.events } }

  /// What is remembered, and everything from then on to the follower: nothing twice, nothing
  /// missed. The number ends it.
  public func follow(_ follower: @escaping Follower) -> (number: Int, events: [ControlEvent]) {
    state.withLock { state in
      state.lastNumber += 1
      state.followers[state.lastNumber] = follower
      return (state.lastNumber, state.events)
    }
  }

  public func unfollow(_ number: Int) {
    state.withLock { _ = $0.followers.removeValue(forKey: number) }
  }
}
