// Accepting connections: what a worker listens on, and when it stops for want of room.

import Kernel
import Synchronization

/// One bind line's count across workers, for `bind … maxconn`.
final class BindRuntime: Sendable {
  let limit: Int
  let sessions = Atomic<Int>(0)
  let pausedWorkers = Atomic<UInt64>(0)
  init(limit: Int) { self.limit = limit }
}

/// What a worker is told to listen on. `key` names the socket with all its options, so that an
/// unchanged one is kept over a reload.
struct ListenerAssignment: Sendable {
  let key: String
  let name: NameID
  /// A new socket to take over; -1 when the worker has it already.
  let descriptor: Int32
  let frontend: FrontendSettings
  let bind: BindRuntime
  let acceptsProxyHeader: Bool
  let isTCP: Bool
  /// Other workers wait on the same socket.
  let isShared: Bool
}

struct WorkerAssignment: Sendable {
  let listeners: [ListenerAssignment]
  let tables: [BalancingTable]
}

struct WorkerListener {
  var key: String
  var name: NameID
  var descriptor: Int32
  var frontend: FrontendSettings
  var bind: BindRuntime
  var acceptsProxyHeader: Bool
  var isTCP: Bool
  var isShared: Bool
  var isPaused = false
  var isOpen: Bool { descriptor >= 0 }
}

extension Worker {
  /// Takes new settings: opens what is new, keeps what is the same, then closes what is gone.
  mutating func install(_ assignment: WorkerAssignment) {
    for table in assignment.tables { replaceTable(table) }
    var kept: Set<String> = []
    for wanted in assignment.listeners {
      kept.insert(wanted.key)
      if let at = listeners.firstIndex(where: { $0.isOpen && $0.key == wanted.key }) {
        listeners[at].frontend = wanted.frontend
        listeners[at].acceptsProxyHeader = wanted.acceptsProxyHeader
        listeners[at].bind = wanted.bind
        if wanted.descriptor >= 0 { Socket.close(wanted.descriptor) }
      } else if wanted.descriptor >= 0 {
        open(wanted)
      }
    }
    for at in listeners.indices where listeners[at].isOpen && !kept.contains(listeners[at].key) {
      closeListener(at)
    }
    resumeListeners()
  }

  private mutating func open(_ wanted: ListenerAssignment) {
    let listener = WorkerListener(
      key: wanted.key, name: wanted.name, descriptor: wanted.descriptor, frontend: wanted.frontend,
      bind: wanted.bind, acceptsProxyHeader: wanted.acceptsProxyHeader, isTCP: wanted.isTCP,
      isShared: wanted.isShared)
    let free = listeners.firstIndex { !$0.isOpen }
    let at = free ?? listeners.count
    if let free { listeners[free] = listener } else { listeners.append(listener) }
    _ = epoll.add(
      wanted.descriptor, acceptInterest(listener),
      cookie: Cookie.other(Cookie.listener, UInt32(at)))
  }

  private func acceptInterest(_ listener: WorkerListener) -> UInt32 {
    listener.isShared
      ? Epoll.Interest.readable | Epoll.Interest.exclusive : Epoll.Interest.readable
  }

  /// Accepts what is waiting, then closes: nobody who was let in is turned away.
  private mutating func closeListener(_ at: Int) {
    if !listeners[at].isShared {
      for _ in 0..<Limits.backlogSweep where listeners[at].isOpen {
        if !acceptOne(at) { break }
      }
    }
    // A copy of a shared socket stays registered as long as any other copy is open.
    if !listeners[at].isPaused { _ = epoll.remove(listeners[at].descriptor) }
    Socket.close(listeners[at].descriptor)
    listeners[at].descriptor = -1
    listeners[at].isPaused = false
  }

  /// Accepts those whose handshake is over, as far as there is room for them.
  mutating func acceptWaiting() {
    for at in listeners.indices where listeners[at].isTCP {
      for _ in 0..<Limits.backlogSweep where listeners[at].isOpen && !listeners[at].isPaused {
        if !acceptOne(at) { break }
      }
    }
  }

  mutating func closeAllListeners() {
    for at in listeners.indices where listeners[at].isOpen { closeListener(at) }
  }

  /// A listener is ready. Busy turns accept more at once; a quiet one saves the call that would
  /// only say that nobody else is there.
  mutating func acceptFrom(_ at: Int) {
    guard at < listeners.count, listeners[at].isOpen, !listeners[at].isPaused else { return }
    for _ in 0..<acceptBudget {
      if !acceptOne(at) { return }
    }
  }

  /// False when there was nothing to accept, or no room.
  private mutating func acceptOne(_ at: Int) -> Bool {
    let frontend = listeners[at].frontend
    let bind = listeners[at].bind
    guard admit(frontend, listener: at) else { return false }
    var peer = NetworkEndpoint()
    let descriptor = Socket.accept(listeners[at].descriptor, peer: &peer)
    if descriptor < 0 {
      releaseAdmission(frontend, bind)
      switch -descriptor {
      case 23, 24, 105, 12:  // ENFILE, EMFILE, ENOBUFS, ENOMEM
        context.process.descriptorPauses.add(1, ordering: .relaxed)
        pause(at)
        pausedUntil_ms = now_ms + Limits.descriptorPause_ms
        return false
      case 103, 71, 113, 101: return true  // gone before it was accepted
      default: return false
      }
    }
    context.process.accepted.add(1, ordering: .relaxed)
    openSession(descriptor, peer: peer, listener: at)
    return true
  }

  // MARK: Admission

  /// Takes a place in the process, the frontend and the bind line, or pauses the listener.
  private mutating func admit(_ frontend: FrontendSettings, listener at: Int) -> Bool {
    let process = context.process
    let runtime = frontend.runtime
    let bind = listeners[at].bind
    let limit = process.limit.load(ordering: .relaxed)
    guard enter(process.sessions, limit, process.pausedWorkers, at) else { return false }
    let maxconn = frontend.maxconn > 0 ? frontend.maxconn : .max
    guard enter(runtime.sessions, maxconn, runtime.pausedWorkers, at) else {
      leave(process.sessions, process.pausedWorkers)
      return false
    }
    let bindLimit = bind.limit > 0 ? bind.limit : .max
    guard enter(bind.sessions, bindLimit, bind.pausedWorkers, at) else {
      leave(runtime.sessions, runtime.pausedWorkers)
      leave(process.sessions, process.pausedWorkers)
      return false
    }
    if !withinRate(frontend) {
      releaseAdmission(frontend, bind)
      pause(at)
      pausedUntil_ms = now_ms + 1000 - (Clock.monotonic_us() / 1000) % 1000
      return false
    }
    return true
  }

  /// Counts one more, or pauses the listener when there is no room. Another worker may have
  /// failed only because of our attempt, and we of its: whoever then sees room wakes all.
  private mutating func enter(
    _ sessions: borrowing Atomic<Int>, _ limit: Int, _ paused: borrowing Atomic<UInt64>, _ at: Int
  ) -> Bool {
    if sessions.add(1, ordering: .sequentiallyConsistent).newValue <= limit { return true }
    sessions.subtract(1, ordering: .sequentiallyConsistent)
    pause(at)
    paused.bitwiseOr(workerBit, ordering: .sequentiallyConsistent)
    if sessions.load(ordering: .sequentiallyConsistent) < limit { wake(paused) }
    return false
  }

  private mutating func leave(
    _ sessions: borrowing Atomic<Int>, _ paused: borrowing Atomic<UInt64>
  ) {
    sessions.subtract(1, ordering: .sequentiallyConsistent)
    wake(paused)
  }

  /// `rate-limit sessions` and `maxconnrate`.
  private func withinRate(_ frontend: FrontendSettings) -> Bool {
    let process = context.process.rateLimit.load(ordering: .relaxed)
    if process == 0, frontend.sessionRateLimit == 0 { return true }
    let now = Clock.monotonic_us()
    if process > 0, !context.process.rate.admits(limit: process, at: now) { return false }
    return frontend.sessionRateLimit == 0
      || frontend.runtime.rate.admits(limit: frontend.sessionRateLimit, at: now)
  }

  /// Frees the places of a session that is gone, and wakes who waits for them. `bind` is the line
  /// it came in by, whatever its listener has become in a reload.
  mutating func releaseAdmission(_ frontend: FrontendSettings, _ bind: BindRuntime) {
    leave(bind.sessions, bind.pausedWorkers)
    leave(frontend.runtime.sessions, frontend.runtime.pausedWorkers)
    leave(context.process.sessions, context.process.pausedWorkers)
    if pausedUntil_ms != 0, hasPausedListeners { resumeListeners() }
  }

  private mutating func wake(_ paused: borrowing Atomic<UInt64>) {
    if paused.load(ordering: .sequentiallyConsistent) == 0 { return }
    var bits = paused.exchange(0, ordering: .sequentiallyConsistent)
    while bits != 0 {
      let number = bits.trailingZeroBitCount
      bits &= bits - 1
      if number == context.number {
        resumeListeners()
      } else if number < context.peers.count {
        context.peers[number].post(.resumeAccepting)
      }
    }
  }

  private var workerBit: UInt64 { 1 << UInt64(context.number) }

  /// The kernel keeps the connections in the backlog meanwhile.
  private mutating func pause(_ at: Int) {
    guard listeners[at].isOpen, !listeners[at].isPaused else { return }
    listeners[at].isPaused = true
    hasPausedListeners = true
    // An exclusive registration cannot be modified, so the socket leaves the set.
    _ = epoll.remove(listeners[at].descriptor)
  }

  mutating func resumeListeners() {
    guard hasPausedListeners else { return }
    hasPausedListeners = false
    pausedUntil_ms = 0
    for at in listeners.indices where listeners[at].isPaused && listeners[at].isOpen {
      listeners[at].isPaused = false
      _ = epoll.add(
        listeners[at].descriptor, acceptInterest(listeners[at]),
        cookie: Cookie.other(Cookie.listener, UInt32(at)))
    }
  }
}
