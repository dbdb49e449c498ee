// The routers' thread: waits, reads what was heard, and only then looks at its timers. Nothing
// else runs on it, and it waits for nobody.

import Configuration
import Kernel
import VRRP

/// What the thread tells, callable from it without waiting.
struct LoopOutput: Sendable {
  var log: @Sendable (FailoverNotice) -> Void
  var notify: @Sendable (NotifyEvent) -> Void
  /// A configuration takes the place of another one.
  var adopt: @Sendable (FailoverConfiguration) -> Void
  /// Nil = nobody in this process serves clients on the addresses.
  var addressUser: AddressUser?
}

final class RouterLoop {
  let output: LoopOutput
  let publish: @Sendable ([RouterStatus]) -> Void
  let mailbox: LoopMailbox
  private let epoll: Epoll
  private let timer: Int32
  let exchange = Exchange()
  let links: LinkTable
  let keeper: AddressKeeper
  let announcer: Announcer
  let duplicates: DuplicateWatch

  var configuration = FailoverConfiguration()
  var hasConfiguration = false
  var set = RouterSet([])
  var runtimes: [RouterRuntime] = []
  var timers = TimerTable(routers: 0)
  var announcements = AnnouncementQueue()
  var results: [TrackedSubject: TrackResult] = [:]
  var unknownRouters: Set<UInt8> = []
  /// What the proxy of this node can do, and why not.
  var path = PathHealth(
    startedAt: Clock.monotonic_us(), times: PathTimes(checkInterval_us: Timing.second_us))
  var pathProblem = "nothing is known of the servers"
  /// By an operator, with every router.
  var isDrained = false
  var pendingOrder: PendingOrder?
  /// No router starts before.
  var startAt_us: Microseconds = 0
  private var isStopping = false
  /// All routers have been stopped, and the loop ends with the last of their addresses.
  var isEnding = false
  /// Addresses that have not gone yet, and the last order to reset sessions.
  var departures: [Departure] = []
  /// The proxy resets whoever connects to these.
  var closedAddresses: Set<IPAddress> = []
  var lastTicket = 0
  /// The stop that is being carried out is for good: the router left the configuration.
  var isDeleting = false
  /// Something that observers can see has changed.
  var hasNews = false
  private var published_us: Microseconds = .min / 2
  /// Events that were read while others were being handled.
  var unprocessed: [LinkEvent] = []

  init(
    mailbox: LoopMailbox, output: LoopOutput,
    publish: @escaping @Sendable ([RouterStatus]) -> Void
  ) throws {
    self.mailbox = mailbox
    self.output = output
    self.publish = publish
    epoll = try Epoll()
    links = try LinkTable()
    keeper = try AddressKeeper()
    announcer = try Announcer()
    duplicates = try DuplicateWatch()
    timer = try TimerDescriptor.open().release()
    watch(mailbox.descriptor)
    watch(timer)
    watch(links.descriptor)
    duplicates.descriptors.forEach(watch)
  }

  deinit { Socket.close(timer) }

  /// Level-triggered, so that what a turn leaves is found by the next one.
  func watch(_ descriptor: Int32) {
    _ = epoll.add(
      descriptor, Epoll.Interest.readable, cookie: UInt64(UInt32(bitPattern: descriptor)))
  }

  // MARK: The loop

  /// Runs until it is told to stop.
  func run() {
    withUnsafeTemporaryAllocation(of: ReadinessEvent.self, capacity: Int(Limits.events)) { events in
      guard let base = events.baseAddress else { return }
      while !isStopping {
        let wake_us = nextWake(after: Clock.monotonic_us())
        TimerDescriptor.arm(timer, at: wake_us)
        _ = epoll.wait(into: base, capacity: Limits.events, timeout_ms: -1)
        _ = TimerDescriptor.take(timer)
        turn(plannedFor: wake_us)
      }
    }
  }

  /// One turn, whatever woke the thread. The order is what makes a stall harmless: adverts that
  /// came in meanwhile are heard before a timer can call their sender dead.
  private func turn(plannedFor wake_us: Microseconds) {
    noticeStall(plannedFor: wake_us)
    // What falls due while the packets are read has to wait for the next ones.
    let now_us = Clock.monotonic_us()
    hear()
    followLinks()
    hearHolders()
    readMail()
    if !isEnding { followPath(at: Clock.monotonic_us()) }
    fireTimers(at: now_us)
    restoreAddresses()
    followDepartures()
    if isEnding, departures.isEmpty {
      endAll()
      mailbox.close()
      isStopping = true
      return
    }
    sendAnnouncements()
    publishNews()
  }

  /// Wakes up at least once per advertisement interval: only who wakes up regularly can tell that
  /// it was late.
  private func nextWake(after now_us: Microseconds) -> Microseconds {
    if !unprocessed.isEmpty { return now_us }
    var wake_us = now_us + (set.routers.map(\.settings.interval_us).min() ?? Timing.second_us)
    if let deadline_us = timers.next_us { wake_us = min(wake_us, deadline_us) }
    if let deadline_us = announcements.next_us { wake_us = min(wake_us, deadline_us) }
    for departure in departures { wake_us = min(wake_us, departure.due_us) }
    for case let due_us? in runtimes.map(\.restoreAt_us) { wake_us = min(wake_us, due_us) }
    for case let due_us? in runtimes.map(\.holder.next_us) { wake_us = min(wake_us, due_us) }
    if let due_us = path.next_us { wake_us = min(wake_us, due_us) }
    if startAt_us > now_us { wake_us = min(wake_us, startAt_us) }
    return wake_us
  }

  private func noticeStall(plannedFor wake_us: Microseconds) {
    let now_us = Clock.monotonic_us()
    let late_us = now_us - wake_us
    guard late_us > 0 else { return }
    for index in runtimes.indices where late_us >= set.routers[index].masterDown_us {
      handle(index, .resumed, at: now_us)
    }
  }

  private func fireTimers(at now_us: Microseconds) {
    while let (router, timer) = timers.takeDue(at: now_us) {
      handle(router, .timer(timer), at: now_us)
    }
    if startAt_us != 0, now_us >= startAt_us {
      startAt_us = 0
      for index in runtimes.indices { evaluate(index) }
    }
  }

  private func sendAnnouncements() {
    for announcement in announcements.takeDue(at: Clock.monotonic_us()) { announce(announcement) }
  }

  private func readMail() {
    for message in mailbox.take() {
      switch message {
      case .tracked(let report): take(report)
      case .path where isEnding: break
      case .path(let observation): see(observation)
      case .order(_, _, let answer) where isEnding: answer([])
      case .order(let event, let router, let answer):
        order(event, of: router, at: Clock.monotonic_us(), answer: answer)
      case .apply(_, let answer) where isEnding: answer(LoopMailbox.refusal)
      case .apply(let configuration, let answer): answer(apply(configuration))
      case .ended(let ticket, let sessions): noteEnded(ticket, sessions: sessions)
      case .stop where isEnding: break
      case .stop:
        endOrder(.withdrawn)
        isEnding = true
        stopAll()
      }
    }
  }

  /// Feeds the machine and carries out what it asks for.
  func handle(_ index: Int, _ event: RouterEvent, at now_us: Microseconds) {
    var actions: [RouterSetAction] = []
    let known = set.routers[index].master?.address
    set.handle(index, event, at: now_us) { actions.append($0) }
    if set.routers[index].master?.address != known { hasNews = true }
    carryOut(actions, at: now_us)
    tellHolders(at: now_us)
  }

  /// The groups of a new arrangement agree on a state.
  func settleGroups(at now_us: Microseconds) {
    var actions: [RouterSetAction] = []
    set.settleAll(at: now_us) { actions.append($0) }
    carryOut(actions, at: now_us)
    tellHolders(at: now_us)
  }

  private func carryOut(_ actions: [RouterSetAction], at now_us: Microseconds) {
    for action in actions {
      switch action {
      case .router(let router, let action): carryOut(action, of: router, at: now_us)
      case .group(let group, let state): groupChanged(group, to: state)
      }
    }
  }

  // MARK: Telling

  func log(_ level: LogLevel, _ text: String, _ event: EventName) {
    output.log(FailoverNotice(level, text, event: event))
  }

  /// At once when a state has changed, and once a second for the counters.
  func publishNews() {
    let now_us = Clock.monotonic_us()
    guard hasNews || now_us - published_us >= Timing.second_us else { return }
    hasNews = false
    published_us = now_us
    publish(runtimes.indices.map(status))
  }

  func status(_ index: Int) -> RouterStatus {
    let runtime = runtimes[index]
    let machine = set.routers[index]
    var drops: [DropReason: Int] = [:]
    for (reason, count) in zip(DropReason.allCases, runtime.drops) where count > 0 {
      drops[reason] = count
    }
    return RouterStatus(
      name: runtime.router.name, interface: runtime.router.interface, id: runtime.router.id,
      state: machine.state, priority: machine.priority, faults: runtime.faults.map(\.words),
      standing: standing(index, at: Clock.monotonic_us()),
      health: RouterHealth(runtime.holder.situation),
      master: machine.master.map { IPAddress($0.address) }, heardAt_us: runtime.heardAt_us,
      since_us: runtime.since_us,
      reason: runtime.reason,
      drops: drops, advertsSent: runtime.sent, advertsReceived: runtime.received,
      takeover_us: runtime.takeover_us)
  }
}
