// The first steps of an accepted connection: its slot, its backend, and the choice of a server.

import Kernel
import Synchronization

extension Worker {
  /// Takes over an accepted connection. Its place in the process and frontend is already taken.
  mutating func openSession(
    _ descriptor: Int32, peer: NetworkEndpoint, listener: Int
  ) {
    let frontend = listeners[listener].frontend
    guard let index = openSlot() else {
      // Cannot happen while admission counts right; refusing one session is the safe answer.
      Socket.close(descriptor)
      releaseAdmission(frontend, listeners[listener].bind)
      return
    }
    let session = sessions + Int(index)
    let client = halves + Int(index) * 2
    session.pointee.client = peer
    session.pointee.accepted_ms = now_ms
    session.pointee.stateSince_ms = now_ms
    session.pointee.routed_ms = now_ms
    session.pointee.accepted_us = wallClock_us()
    session.pointee.frontend = Unmanaged.passRetained(frontend)
    session.pointee.bind = Unmanaged.passRetained(listeners[listener].bind)
    session.pointee.listenerName = listeners[listener].name
    session.pointee.requestCounter = requestCounter
    requestCounter &+= 1
    client.pointee.descriptor = descriptor
    client.pointee.last_ms = now_ms
    client.pointee.timeout_ms = frontend.timeoutClient_ms
    client.pointee.flags = .noDelay
    frontend.runtime.total.add(1, ordering: .relaxed)
    let open = frontend.runtime.sessions.load(ordering: .relaxed)
    if open > frontend.runtime.sessionsMaximum.load(ordering: .relaxed) {
      frontend.runtime.sessionsMaximum.store(open, ordering: .relaxed)
    }
    if !leaving.isEmpty, isTurnedAway(descriptor) {
      turnAway(index)
    } else if listeners[listener].acceptsProxyHeader {
      session.pointee.state = .proxyHeader
      register(index, Side.client)
      armTimer(index)
    } else {
      route(index)
    }
  }

  /// Finds the session its backend and a server.
  mutating func route(_ index: UInt32) {
    let session = sessions + Int(index)
    guard let frontend = session.pointee.frontend?.takeUnretainedValue() else { return }
    if frontend.log.needsLocalEndpoint { fetchLocalEndpoint(index) }
    if frontend.log.isAtAccept { record(index, isEarly: true) }
    guard let backend = frontend.backend else {
      finish(index, .noServer)
      return
    }
    session.pointee.backend = Unmanaged.passRetained(backend)
    session.pointee.retriesLeft = UInt16(clamping: backend.retries)
    let open = backend.runtime.sessions.add(1, ordering: .relaxed).newValue
    if open > backend.runtime.sessionsMaximum.load(ordering: .relaxed) {
      backend.runtime.sessionsMaximum.store(open, ordering: .relaxed)
    }
    backend.runtime.total.add(1, ordering: .relaxed)
    session.pointee.routed_ms = now_ms
    assignServer(index, avoiding: nil)
  }

  mutating func fetchLocalEndpoint(_ index: UInt32) {
    let session = sessions + Int(index)
    if session.pointee.local.family == 0 {
      session.pointee.local = Socket.localEndpoint(halves[Int(index) * 2].descriptor)
    }
  }

  /// Chooses a server and connects to it, or waits for one.
  mutating func assignServer(_ index: UInt32, avoiding: ServerRuntime?) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue(),
      let table = table(of: backend)
    else {
      finish(index, .noServer)
      return
    }
    // Those who came first are served first: with a queue, new sessions join its end.
    if backend.runtime.queue.count > 0, !backend.isDeterministic, !table.servers.isEmpty {
      waitInQueue(index, backend: backend, table: table)
      return
    }
    switch table.choose(for: session.pointee.client, avoiding: avoiding, random: &random) {
    case .server(let target): take(target, for: index)
    case .allFull: waitInQueue(index, backend: backend, table: table)
    case .serverFull(let target): waitForServer(index, target)
    case .none: finish(index, session.pointee.retriesUsed > 0 ? .serverRefused : .noServer)
    }
  }

  /// The session has a place on the server.
  mutating func take(_ target: ServerTarget, for index: UInt32) {
    let session = sessions + Int(index)
    if let former = session.pointee.server, !session.pointee.waitsForServer {
      if former.takeUnretainedValue().runtime !== target.runtime {
        noteRedispatch(index, from: former.takeUnretainedValue())
      }
    }
    session.pointee.server?.release()
    session.pointee.server = Unmanaged.passRetained(target)
    session.pointee.holdsPlace = true
    session.pointee.waitsForServer = false
    session.pointee.assigned_ms = now_ms
    session.pointee.queue_ms = Int32(clamping: now_ms - session.pointee.routed_ms)
    target.runtime.total.add(1, ordering: .relaxed)
    connect(index, target)
  }

  /// The session moved to another server after a failure; the log shows a `+`.
  private mutating func noteRedispatch(_ index: UInt32, from former: ServerTarget) {
    sessions[Int(index)].wasRedispatched = true
    former.runtime.redispatches.add(1, ordering: .relaxed)
    former.backend.redispatches.add(1, ordering: .relaxed)
  }
}
