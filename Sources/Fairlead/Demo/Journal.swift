// What has happened so far, written by clients, story and balancer, read by the screen and by the
// verdict. All times are durations since the start.

import Health
import Synchronization

/// A line of the history.
struct DemoEvent: Sendable {
  enum Kind: Equatable, Sendable {
    /// Something was done to a server, for worse or for better.
    case harm, cure
    /// The balancer noticed something bad, or good.
    case loss, gain
    /// A client lost something.
    case failure
    case note
    /// The daemon's own words; not shown on the live screen.
    case log
  }
  var time: Duration
  var kind: Kind
  var text: String
  /// Of a lost request: why.
  var detail = ""
  /// One of many of its kind: lost requests, not a lost watch.
  var sharesLine: Bool { !detail.isEmpty }
}

/// A request that got no proper answer.
struct RequestFailure: Error, Sendable {
  var began: Duration = .zero
  var ended: Duration = .zero
  var reason: String
}

/// Something done to a server on purpose, and how it went on.
struct Disturbance: Sendable {
  enum Kind: Sendable { case killed, hung }
  var server: String
  var kind: Kind
  var began: Duration
  var noticed: Duration?
  var revived: Duration?
  var recovered: Duration?

  func bound(_ timing: DemoTiming) -> Duration {
    kind == .killed ? timing.killedBound : timing.hungBound
  }

  /// The time in which requests may fail because of it.
  func window(_ timing: DemoTiming) -> ClosedRange<Duration> {
    began...(began + bound(timing) + timing.slack)
  }

  func allowance(_ timing: DemoTiming, clients: Int) -> Int {
    kind == .killed
      ? timing.killedAllowance(clients: clients) : timing.hungAllowance(clients: clients)
  }
}

struct Record: Sendable {
  var events: [DemoEvent] = []
  /// Events no longer kept, so that a reader knows where it stands.
  var droppedEvents = 0
  /// Numbers of answers, by server.
  var answers: [String: Int] = [:]
  var lastAnswer: [String: Duration] = [:]
  var answered = 0
  var failures: [RequestFailure] = []
  var disturbances: [Disturbance] = []
  /// Unplanned state changes.
  var surprises = 0
  /// The last few times from request to answer, unordered.
  var latencies: [Duration] = []
  var watchServer: String?
  var watchEvents = 0
  /// When and why the watch broke off.
  var watchBreaks: [RequestFailure] = []
  var watchReconnects = 0
  /// The longest time by which this process was late.
  var longestStall = Duration.zero
  var isFrozen = false
}

final class Journal: Sendable {
  /// Failures kept one by one; the demo is far beyond hope before this is reached.
  private static let failureLimit = 100_000
  private static let eventLimit = 20_000
  private static let latencyWindow = 1000

  private let start = ContinuousClock.now
  private let record = Mutex(Record())

  var elapsed: Duration { ContinuousClock.now - start }

  func instant(_ time: Duration) -> ContinuousClock.Instant { start + time }

  /// From now on nothing counts: what breaks, breaks because the demo ends.
  func freeze() { record.withLock { $0.isFrozen = true } }

  var isFrozen: Bool { record.withLock { $0.isFrozen } }

  func snapshot() -> Record { record.withLock { $0 } }

  func note(_ text: String, _ kind: DemoEvent.Kind = .note) {
    let now = elapsed
    change { $0.add(DemoEvent(time: now, kind: kind, text: text)) }
  }

  private func change(_ body: (inout Record) -> Void) {
    record.withLock { record in
      if !record.isFrozen { body(&record) }
    }
  }

  // MARK: Clients

  func answered(by server: String, after latency: Duration) {
    let now = elapsed
    change { record in
      let slot = record.answered % Self.latencyWindow
      if record.latencies.count < Self.latencyWindow {
        record.latencies.append(latency)
      } else {
        record.latencies[slot] = latency
      }
      record.answered += 1
      record.answers[server, default: 0] += 1
      record.lastAnswer[server] = now
    }
  }

  func failed(_ failure: RequestFailure) {
    change { record in
      if record.failures.count < Self.failureLimit { record.failures.append(failure) }
      record.add(
        DemoEvent(
          time: failure.ended, kind: .failure,
          text: "a request failed after \((failure.ended - failure.began).tenths):"
            + " \(failure.reason)", detail: failure.reason))
    }
  }

  func watchOpened(on server: String) {
    change { record in
      record.watchServer = server
      if !record.watchBreaks.isEmpty { record.watchReconnects += 1 }
    }
    note("the watch is open, served by \(server)")
  }

  func watchReceived(_ events: Int) { change { $0.watchEvents += events } }

  func watchBroke(_ failure: RequestFailure) {
    change { record in
      record.watchServer = nil
      if record.watchBreaks.count < Self.failureLimit { record.watchBreaks.append(failure) }
    }
    note("the watch broke off: \(failure.reason)", .failure)
  }

  func stalled(_ time: Duration) { change { $0.longestStall = max($0.longestStall, time) } }

  // MARK: Servers

  func disturbed(_ server: String, _ kind: Disturbance.Kind) {
    let now = elapsed
    change { $0.disturbances.append(Disturbance(server: server, kind: kind, began: now)) }
  }

  func revived(_ server: String) {
    let now = elapsed
    change { record in
      if let last = record.disturbances.lastIndex(where: { $0.server == server }) {
        record.disturbances[last].revived = now
      }
    }
  }

  /// The balancer changed its mind about a server.
  func transition(_ server: String, to state: ServerState, reason: String) {
    let now = elapsed
    change { record in
      let last = record.disturbances.lastIndex { $0.server == server }
      var after = ""
      if state == .down {
        if let last, record.disturbances[last].noticed == nil,
          record.disturbances[last].revived == nil
        {
          record.disturbances[last].noticed = now
          after = " after \((now - record.disturbances[last].began).shown)"
        } else {
          record.surprises += 1
        }
      } else if state == .up, let last, record.disturbances[last].recovered == nil,
        let revived = record.disturbances[last].revived
      {
        record.disturbances[last].recovered = now
        after = " after \((now - revived).shown)"
      }
      let word = state == .up ? "UP" : state == .down ? "DOWN" : "\(state)"
      record.add(
        DemoEvent(
          time: now, kind: state == .up ? .gain : .loss,
          text: "fairlead: \(server) is \(word)\(after), \(reason)"))
    }
  }

  fileprivate static func isFull(_ events: [DemoEvent]) -> Bool { events.count >= eventLimit }
}

extension Record {
  /// The history is kept short of memory's end: the oldest half goes.
  fileprivate mutating func add(_ event: DemoEvent) {
    if Journal.isFull(events) {
      droppedEvents += events.count / 2
      events.removeFirst(events.count / 2)
    }
    events.append(event)
  }
}
