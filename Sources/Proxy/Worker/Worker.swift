// One thread, one epoll instance, its own listeners and sessions. Nothing here takes a lock,
// counts references or touches a String while bytes move.

import Kernel
import Synchronization

/// What a worker is made with and shares with the rest of the process.
struct WorkerContext: Sendable {
  let number: Int
  let process: ProcessRuntime
  let mailbox: Mailbox
  /// All workers' mailboxes, to wake those that wait for room.
  let peers: [Mailbox]
  let ring: RecordRing
  let signal: RecordSignal
  let sessionCapacity: Int
  let maximumPipes: Int
  /// Splicing is allowed.
  let splices: Bool
}

struct Worker: ~Copyable {
  let context: WorkerContext
  let epoll: Epoll
  let events: UnsafeMutablePointer<ReadinessEvent>
  let copyBuffer: UnsafeMutableRawPointer
  private let sessionMemory: ReservedMemory<Session>
  private let halfMemory: ReservedMemory<Half>
  let sessions: UnsafeMutablePointer<Session>
  let halves: UnsafeMutablePointer<Half>
  var timers: TimerWheel
  var pipes: PipePool
  var buffers: BufferPool
  var random: FastRandom

  /// First free slot below `highWater`.
  private var freeList: UInt32 = .max
  private var highWater: UInt32 = 0
  var openSessions = 0

  /// Milliseconds since the worker started; a moment of the loop, not of the call.
  var now_ms: Int64 = 0
  private let epoch_us: Int64
  /// Wall clock minus monotonic clock, refreshed every second.
  private var wallOffset_us: Int64 = 0
  private var wallOffsetAt_ms: Int64 = -1000

  /// Halves whose turn was cut short.
  var again: [UInt64] = []
  var listeners: [WorkerListener] = []
  /// Listeners rest until then; 0 = they do not.
  var pausedUntil_ms: Int64 = 0
  var hasPausedListeners = false
  /// Balancing tables by backend slot.
  var tables: [BalancingTable?] = []
  var requestCounter: UInt32 = 0
  /// Connections to accept per listener in this turn: more when there is much else to do.
  var acceptBudget = 1
  /// Local addresses whose clients are reset, without ports; the last news of such addresses that
  /// was read; and how many sessions were reset because of it all.
  var leaving: [NetworkEndpoint] = []
  var seenAddressChange = 0
  var resetsByLeaving = 0
  private var isRunning = true

  /// Throws when descriptors or address space run out.
  static func make(_ context: WorkerContext) throws(KernelError) -> Worker {
    let epoll = try Epoll()
    let added = epoll.add(
      context.mailbox.descriptor, Epoll.Interest.readable,
      cookie: Cookie.other(Cookie.mailbox, 0))
    if added < 0 { throw KernelError(call: "epoll_ctl", code: -added) }
    let sessions = try ReservedMemory<Session>(capacity: context.sessionCapacity)
    let halves = try ReservedMemory<Half>(capacity: context.sessionCapacity * 2)
    return Worker(context, epoll, sessions, halves)
  }

  private init(
    _ context: WorkerContext, _ epoll: consuming Epoll,
    _ sessionMemory: consuming ReservedMemory<Session>,
    _ halfMemory: consuming ReservedMemory<Half>
  ) {
    self.context = context
    let sessions = sessionMemory.base
    let halves = halfMemory.base
    self.sessions = sessions
    self.halves = halves
    self.epoll = epoll
    self.sessionMemory = sessionMemory
    self.halfMemory = halfMemory
    events = .allocate(capacity: Limits.eventsPerWait)
    copyBuffer = .allocate(byteCount: Limits.copyBuffer_bytes, alignment: 4096)
    epoch_us = Clock.monotonic_us()
    timers = TimerWheel(sessions: sessions, now_ms: 0)
    pipes = PipePool(limit: context.splices ? context.maximumPipes : 0)
    buffers = BufferPool()
    random = FastRandom(
      seed: UInt64(truncatingIfNeeded: epoch_us) &* UInt64(context.number &* 2 &+ 1))
    again.reserveCapacity(64)
  }

  deinit {
    events.deallocate()
    copyBuffer.deallocate()
  }

  /// Serves until told to stop.
  mutating func run() {
    while isRunning {
      let count = epoll.wait(
        into: events, capacity: Int32(Limits.eventsPerWait), timeout_ms: waitTime_ms())
      now_ms = (Clock.monotonic_us() - epoch_us) / 1000
      timers.skipIfEmpty(to: now_ms)
      acceptBudget = min(Limits.acceptsPerWake, 1 + Int(max(0, count)) / 8)
      // Two passes, so that what goes to servers goes in a row, and what goes to clients: the
      // kernel wakes a peer once for several sends instead of once for each.
      var others = 0
      for position in 0..<max(0, Int(count)) {
        let event = events[position]
        if event.cookie & (1 << 32) != 0 {
          others += 1
          continue
        }
        dispatch(event.cookie, event.events)
      }
      if others > 0 {
        for position in 0..<Int(count) {
          let event = events[position]
          if event.cookie & (1 << 32) != 0 { dispatch(event.cookie, event.events) }
        }
      }
      if !again.isEmpty { continueCutTurns() }
      while let index = timers.popExpired(at: now_ms) { timerFired(index) }
      if hasPausedListeners, pausedUntil_ms != 0, now_ms >= pausedUntil_ms { resumeListeners() }
    }
    endAllSessions(.killed)
    closeAllListeners()
    pipes.closeAll()
    buffers.freeAll()
  }

  private func waitTime_ms() -> Int32 {
    if !again.isEmpty { return 0 }
    let timers = timers.wait_ms(at: now_ms)
    if hasPausedListeners, pausedUntil_ms != 0 {
      let pause = Int32(clamping: max(0, pausedUntil_ms - now_ms))
      return timers < 0 ? pause : min(timers, pause)
    }
    return timers
  }

  @inline(__always)
  private mutating func dispatch(_ cookie: UInt64, _ ready: UInt32) {
    switch Cookie.kind(cookie) {
    case Cookie.session: sessionIsReady(cookie, ready)
    case Cookie.listener: acceptFrom(Int(Cookie.index(cookie)))
    default: readMailbox()
    }
  }

  private mutating func readMailbox() {
    for message in context.mailbox.take() {
      switch message {
      case .install(let assignment): install(assignment)
      case .table(let table): replaceTable(table)
      case .granted(let waiter, let server, let position):
        placeGranted(waiter, server: server, position: position)
      case .resumeAccepting: resumeListeners()
      case .endSessions(let server, let end): endSessions(of: server, end)
      case .resetSessions(let server, let end): resetSessions(of: server, end)
      case .endSome(let server, let end, let quota): endSome(of: server, end, quota)
      case .reassign(let server): reassignWaiters(of: server)
      case .list(let collector): list(into: collector)
      case .countBytes(let count): countOpenBytes(for: count)
      case .addresses(let change): take(change)
      case .drain: closeAllListeners()
      case .stop: isRunning = false
      }
    }
  }

  mutating func replaceTable(_ table: BalancingTable) {
    let slot = table.backend.runtime.slot
    while tables.count <= slot { tables.append(nil) }
    tables[slot] = table
    serveQueue(of: table)
  }

  /// Microseconds since 1970 at this turn of the loop.
  mutating func wallClock_us() -> Int64 {
    if now_ms - wallOffsetAt_ms >= 1000 {
      wallOffset_us = Clock.realtime_us() - Clock.monotonic_us()
      wallOffsetAt_ms = now_ms
    }
    return Clock.monotonic_us() + wallOffset_us
  }

  // MARK: The slab

  /// A slot with fresh values, or nil when as many sessions are open as the process allows.
  mutating func openSlot() -> UInt32? {
    let index: UInt32
    if freeList != .max {
      index = freeList
      freeList = sessions[Int(index)].nextFree
    } else {
      guard Int(highWater) < context.sessionCapacity else { return nil }
      index = highWater
      highWater += 1
      (halves + Int(index) * 2).initialize(repeating: Half(), count: 2)
    }
    (sessions + Int(index)).initialize(to: Session())
    openSessions += 1
    return index
  }

  /// Gives the slot back; events that still name it are recognised by their generation.
  mutating func closeSlot(_ index: UInt32) {
    let pair = halves + Int(index) * 2
    let generation = (pair[0].generation &+ 1) & 0x3F_FFFF
    pair[0] = Half()
    pair[1] = Half()
    pair[0].generation = generation
    pair[1].generation = generation
    sessions[Int(index)].state = .free
    sessions[Int(index)].nextFree = freeList
    freeList = index
    openSessions -= 1
  }

  /// Calls `body` with every open session's index.
  var slotsInUse: Range<UInt32> { 0..<highWater }
}
