// Events outside the byte path, inactivity, and the end of a session.

import Kernel
import Synchronization

extension Worker {
  @inline(__always)
  mutating func sessionIsReady(_ cookie: UInt64, _ ready: UInt32) {
    let index = Cookie.index(cookie)
    let half = halves + (Int(index) * 2 + Cookie.side(cookie))
    guard half.pointee.generation == Cookie.generation(cookie) else { return }
    if half.pointee.flags.contains(.relaying) {
      relayEvent(cookie, ready)
    } else {
      earlyEvent(index, Cookie.side(cookie), ready)
    }
  }

  /// An event before the session is established.
  private mutating func earlyEvent(_ index: UInt32, _ side: Int, _ ready: UInt32) {
    let session = sessions + Int(index)
    // Edges are told once: what the client did now is remembered for the time of relaying.
    if side == Side.client { note(ready, on: halves + Int(index) * 2) }
    switch session.pointee.state {
    case .free, .established: return
    case .connecting where side == Side.server: connectEvent(index, ready)
    case .proxyHeader: readProxyHeader(index)
    case .connecting, .queued, .turnAround: clientEventWhileWaiting(index, ready)
    }
  }

  /// The client did something before it had a server: only leaving matters.
  private mutating func clientEventWhileWaiting(_ index: UInt32, _ ready: UInt32) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue() else { return }
    if ready & Epoll.Interest.error != 0 {
      finish(
        index, abortEnd(session.pointee.state, isReset: !backend.abortOnClose))
    } else if ready & (Epoll.Interest.peerClosed | Epoll.Interest.hangUp) != 0 {
      // Someone who says nothing and leaves wants nothing; who has asked something may only
      // have closed its sending side (measured on HAProxy, with and without abortonclose).
      if backend.abortOnClose || !hasUnreadBytes(index) {
        finish(index, abortEnd(session.pointee.state, isReset: false))
      }
    }
  }

  private func abortEnd(_ state: Session.State, isReset: Bool) -> SessionEnd {
    if isReset { return .clientAbort }
    return state == .queued ? .clientAbortWhileQueued : .clientAbortWhileConnecting
  }

  // MARK: Inactivity

  private func view(_ index: UInt32, _ side: Int) -> InactivityView {
    let pair = halves + Int(index) * 2
    let this = pair[side]
    return InactivityView(
      timeout_ms: this.timeout_ms, last_ms: this.last_ms,
      isAwaited: !this.flags.contains(.ended) && !this.hasStuckBytes,
      hasPending: pair[1 - side].hasStuckBytes)
  }

  /// The next moment at which inactivity or a wait ends something.
  private func deadline_ms(_ index: UInt32) -> Int64? {
    let session = sessions[Int(index)]
    func after(_ timeout_ms: Int32?) -> Int64? {
      guard let timeout_ms, timeout_ms >= 0 else { return nil }
      return session.stateSince_ms + Int64(timeout_ms)
    }
    switch session.state {
    case .free: return nil
    case .proxyHeader: return after(session.frontend?.takeUnretainedValue().timeoutClient_ms)
    case .queued: return after(session.backend?.takeUnretainedValue().timeoutQueue_ms)
    case .connecting: return after(session.backend?.takeUnretainedValue().timeoutConnect_ms)
    case .turnAround:
      let connect = session.backend?.takeUnretainedValue().timeoutConnect_ms ?? -1
      let pause = connect < 0 ? Limits.turnAround_ms : min(Limits.turnAround_ms, Int64(connect))
      return session.stateSince_ms + pause
    case .established:
      let client = view(index, Side.client).deadline_ms
      let server = view(index, Side.server).deadline_ms
      guard let client else { return server }
      guard let server else { return client }
      return min(client, server)
    }
  }

  mutating func armTimer(_ index: UInt32) {
    if let due = deadline_ms(index) { timers.arm(index, due_ms: due) }
  }

  mutating func timerFired(_ index: UInt32) {
    let session = sessions + Int(index)
    guard let due = deadline_ms(index) else { return }
    if due > now_ms {
      timers.arm(index, due_ms: due)
      return
    }
    switch session.pointee.state {
    case .free: return
    case .proxyHeader: finish(index, .proxyHeaderTimeout)
    case .queued: finish(index, .queueTimeout)
    case .connecting:
      closeServerSide(index)
      connectFailed(index, .timedOut)
    case .turnAround: turnAroundEnded(index)
    case .established: inactive(index)
    }
  }

  private mutating func turnAroundEnded(_ index: UInt32) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue(),
      let target = session.pointee.server?.takeUnretainedValue()
    else { return }
    let isGone = backend.redispatch != nil && !isUsable(target, in: backend)
    if session.pointee.choosesAgain || isGone {
      session.pointee.choosesAgain = false
      session.pointee.holdsPlace = false
      releasePlace(target)
      assignServer(index, avoiding: target.runtime)
    } else {
      connect(index, target)
    }
  }

  /// A side has been silent for its time: stop reading it and pass a FIN on; when it does not
  /// even take what is sent to it, the session is over. (Measured on HAProxy: the end comes when
  /// the other side closes or is silent for its own time; the first cause names it.)
  private mutating func inactive(_ index: UInt32) {
    let generation = halves[Int(index) * 2].generation
    for side in [Side.client, Side.server] {
      let view = self.view(index, side)
      guard let due = view.deadline_ms, due <= now_ms else { continue }
      decideEnd(index, side == Side.client ? .clientTimeout : .serverTimeout)
      if view.hasPending {
        finish(index, .complete)
        return
      }
      let pair = halves + Int(index) * 2
      pair[side].flags.insert(.ended)
      if !settle(index, side, pump(from: pair + side, to: pair + (1 - side))) { return }
      if halves[Int(index) * 2].generation != generation { return }
    }
    armTimer(index)
  }

  /// FIN was sent to `side`: from now on its own half-closed timeout counts.
  mutating func halfClosed(_ index: UInt32, _ side: Int) {
    let session = sessions + Int(index)
    let half = halves + (Int(index) * 2 + side)
    let timeout: Int32? =
      side == Side.client
      ? session.pointee.frontend?.takeUnretainedValue().timeoutClientFin_ms
      : session.pointee.backend?.takeUnretainedValue().timeoutServerFin_ms
    if let timeout, timeout >= 0 {
      half.pointee.timeout_ms = timeout
      half.pointee.last_ms = now_ms
    }
    armTimer(index)
  }

  // MARK: The end

  /// Fixes how the session will be said to have ended; the first cause counts.
  func decideEnd(_ index: UInt32, _ end: SessionEnd) {
    let session = sessions + Int(index)
    if session.pointee.hasEnd { return }
    session.pointee.hasEnd = true
    session.pointee.end = end
  }

  /// Ends a session: record, sockets, places, slot.
  mutating func finish(_ index: UInt32, _ end: SessionEnd) {
    decideEnd(index, end)
    let session = sessions + Int(index)
    let pair = halves + Int(index) * 2
    let frontend = session.pointee.frontend?.takeRetainedValue()
    let backend = session.pointee.backend?.takeRetainedValue()
    let server = session.pointee.server?.takeRetainedValue()
    if session.pointee.state == .queued { leaveQueue(index) }
    count(index, frontend, backend, server)
    if !session.pointee.isLogged { record(index, isEarly: false) }
    timers.cancel(index)
    discardStuck(pair + Side.client)
    discardStuck(pair + Side.server)
    if pair[Side.client].descriptor >= 0 {
      if session.pointee.state != .established {
        Socket.discardReceived(pair[Side.client].descriptor, Limits.discarded_bytes)
      }
      if frontend?.noLinger == true { Socket.resetOnClose(pair[Side.client].descriptor) }
      Socket.close(pair[Side.client].descriptor)
    }
    if pair[Side.server].descriptor >= 0 {
      if backend?.noLinger == true { Socket.resetOnClose(pair[Side.server].descriptor) }
      Socket.close(pair[Side.server].descriptor)
    }
    let holdsPlace = session.pointee.holdsPlace
    let bind = session.pointee.bind?.takeRetainedValue()
    closeSlot(index)
    if let backend { backend.runtime.sessions.subtract(1, ordering: .relaxed) }
    if holdsPlace, let server { releasePlace(server) }
    if let frontend, let bind { releaseAdmission(frontend, bind) }
  }

  private func count(
    _ index: UInt32, _ frontend: FrontendSettings?, _ backend: BackendSettings?,
    _ server: ServerTarget?
  ) {
    countBytes(index, frontend, backend, server)
    let end = sessions[Int(index)].end
    frontend?.runtime.add(end)
    backend?.runtime.add(end)
    if sessions[Int(index)].holdsPlace { server?.runtime.add(end) }
  }

  /// Writes the session's record for the log thread. Counts include the session itself for the
  /// process and the frontend, and leave it out for backend and server, as HAProxy's do.
  mutating func record(_ index: UInt32, isEarly: Bool) {
    let session = sessions + Int(index)
    let pair = halves + Int(index) * 2
    guard let frontend = session.pointee.frontend?.takeUnretainedValue(),
      let profile = frontend.log.profile
    else { return }
    session.pointee.isLogged = true
    let end = session.pointee.end
    if !isEarly, frontend.log.dontLogNull, saidNothing(index) { return }
    if frontend.log.dontLogNormal, !isEarly, end == .complete, session.pointee.retriesUsed == 0 {
      return
    }
    var record = SessionRecord()
    record.profile = profile
    record.accepted_us = session.pointee.accepted_us
    record.ended_us = wallClock_us()
    record.client = session.pointee.client
    record.local = session.pointee.local
    record.source = session.pointee.source
    record.frontendName = frontend.name
    record.listenerName = session.pointee.listenerName
    record.handshake_ms = session.pointee.handshake_ms
    record.queue_ms = session.pointee.queue_ms
    record.connect_ms = session.pointee.connect_ms
    record.total_ms = Int32(clamping: now_ms - session.pointee.accepted_ms)
    record.bytesUploaded = pair[Side.client].total
    record.bytesRead = pair[Side.server].total
    record.end = isEarly ? .complete : end
    record.isEarly = isEarly
    record.wasRedispatched = session.pointee.wasRedispatched
    record.retries = session.pointee.retriesUsed
    record.activeConnections = count(context.process.sessions.load(ordering: .relaxed))
    record.frontendConnections = count(frontend.runtime.sessions.load(ordering: .relaxed))
    record.requestCounter = session.pointee.requestCounter
    record.serverQueue = session.pointee.serverQueuePosition
    record.backendQueue = session.pointee.backendQueuePosition
    let own = isEarly ? 0 : 1
    if let backend = session.pointee.backend?.takeUnretainedValue() {
      record.backendName = backend.name
      record.backendConnections = count(
        backend.runtime.sessions.load(ordering: .relaxed) - own)
    } else {
      record.backendName = frontend.name
    }
    if let server = session.pointee.server?.takeUnretainedValue(),
      session.pointee.holdsPlace || session.pointee.waitsForServer
    {
      let own = session.pointee.holdsPlace ? own : 0
      record.serverName = server.name
      record.server = server.endpoint ?? NetworkEndpoint()
      record.serverConnections = count(
        server.runtime.sessions.load(ordering: .relaxed) - own)
    }
    context.ring.push(record)
    context.signal.notify()
  }

  /// What `option dontlognull` leaves out: nothing was sent, not even a PROXY header.
  private func saidNothing(_ index: UInt32) -> Bool {
    switch sessions[Int(index)].end {
    case .proxyHeaderMissing, .proxyHeaderTimeout: true
    case .proxyHeaderTruncated, .proxyHeaderUnknown, .proxyHeaderInvalid: false
    default: halves[Int(index) * 2].total == 0 && !hasUnreadBytes(index)
    }
  }

  private func count(_ value: Int) -> Int32 { Int32(clamping: max(0, value)) }

  /// Whether the client sent something that was never read, because no server was found.
  private func hasUnreadBytes(_ index: UInt32) -> Bool {
    var byte: UInt8 = 0
    return Socket.peek(halves[Int(index) * 2].descriptor, &byte, 1).raw > 0
  }

  // MARK: Many at once

  /// Ends every session that is on this server.
  mutating func endSessions(of runtime: ServerRuntime, _ end: SessionEnd) {
    for index in slotsInUse {
      let session = sessions + Int(index)
      guard session.pointee.state != .free, session.pointee.holdsPlace,
        let server = session.pointee.server?.takeUnretainedValue(), server.runtime === runtime
      else { continue }
      finish(index, end)
    }
  }

  mutating func endAllSessions(_ end: SessionEnd) {
    for index in slotsInUse where sessions[Int(index)].state != .free { finish(index, end) }
  }
}
