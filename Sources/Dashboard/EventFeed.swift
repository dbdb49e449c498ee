// What pages are told as it happens: a status every second and events as they come. Numbered
// events are kept for a while, so that a page that lost its connection misses none.

import Control
import NIOCore
import Synchronization

/// Hands everything to its followers and waits for nobody. May be used from any thread.
final class EventFeed: Sendable {
  private struct State {
    /// The newest last.
    var events: [(number: Int, text: ByteBuffer)] = []
    var lastNumber = 0
    var followers: [Int: Follower] = [:]
    var lastFollower = 0
  }
  private let state = Mutex(State())
  /// Names this feed: numbers of another one, before a restart or a reload, mean nothing.
  let run = String(UInt64.random(in: .min ... .max), radix: 36)

  func add(_ event: ControlEvent) {
    state.withLock { state in
      state.lastNumber += 1
      let text = EventFeed.message(
        "event", id: "\(run)-\(state.lastNumber)", data: MessageText.write(event, otherwise: "null")
      )
      if state.events.count >= DashboardLimits.events { state.events.removeFirst() }
      state.events.append((state.lastNumber, text))
      for follower in state.followers.values { follower.add(text) }
    }
  }

  /// Replaces a status that has not been sent yet.
  func setStatus(_ text: ByteBuffer) {
    let followers = state.withLock { Array($0.followers.values) }
    for follower in followers { follower.setStatus(text) }
  }

  var hasFollowers: Bool { state.withLock { !$0.followers.isEmpty } }

  /// nil when there are too many. `lastID` is the last event that the page has seen: it gets
  /// those that came after; a page of another run, or a new one, gets all that are remembered.
  func follow(after lastID: String?, greeting: ByteBuffer) -> (number: Int, Follower)? {
    state.withLock { state in
      guard state.followers.count < DashboardLimits.followers else { return nil }
      var seen = 0
      if let lastID, lastID.hasPrefix(run + "-") {
        seen = Int(lastID.dropFirst(run.count + 1)) ?? 0
      }
      let follower = Follower()
      follower.begin([greeting] + state.events.filter { $0.number > seen }.map(\.text))
      state.lastFollower += 1
      state.followers[state.lastFollower] = follower
      return (state.lastFollower, follower)
    }
  }

  func unfollow(_ number: Int) { state.withLock { _ = $0.followers.removeValue(forKey: number) } }

  /// Ends every follower.
  func end() {
    let followers = state.withLock { Array($0.followers.values) }
    for follower in followers { follower.end() }
  }

  /// One message of an event stream. `data` is one line.
  static func message(_ name: String, id: String? = nil, data: String) -> ByteBuffer {
    var text = "event: \(name)\n"
    if let id { text += "id: \(id)\n" }
    text += "data: \(data)\n\n"
    return ByteBuffer(string: text)
  }
}

/// What waits for one page: a bounded number of events, and the newest status.
final class Follower: Sendable {
  private struct State {
    var events: [ByteBuffer] = []
    var status: ByteBuffer?
    var hasEnded = false
  }
  private let state = Mutex(State())
  /// Yields when there is something to take; ends with the follower.
  let news: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  init() {
    (news, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  func begin(_ messages: [ByteBuffer]) {
    state.withLock { $0.events = messages }
    wake.yield()
  }

  func add(_ text: ByteBuffer) {
    let isFull = state.withLock { state in
      // What it began with does not count: that is bounded by itself.
      let limit = DashboardLimits.events + DashboardLimits.waitingEvents
      guard !state.hasEnded, state.events.count < limit else { return true }
      state.events.append(text)
      return false
    }
    if isFull { end() } else { wake.yield() }
  }

  func setStatus(_ text: ByteBuffer) {
    state.withLock { if !$0.hasEnded { $0.status = text } }
    wake.yield()
  }

  func end() {
    state.withLock { state in
      state.hasEnded = true
      state.events = []
      state.status = nil
    }
    wake.finish()
  }

  /// Events first; nil when nothing waits.
  func take() -> ByteBuffer? {
    state.withLock { state in
      var result = ByteBuffer()
      for event in state.events { result.writeImmutableBuffer(event) }
      if let status = state.status { result.writeImmutableBuffer(status) }
      state.events = []
      state.status = nil
      return result.readableBytes > 0 ? result : nil
    }
  }
}
