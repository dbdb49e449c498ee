// The way from an accepted connection to a connected server: PROXY header, choice of a server,
// waiting for a place, connecting, and trying again.

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
    client.pointee.flags = listeners[listener].isTCP ? .noDelay : [.noDelay]
    frontend.runtime.total.add(1, ordering: .relaxed)
    let open = frontend.runtime.sessions.load(ordering: .relaxed)
    if open > frontend.runtime.sessionsMaximum.load(ordering: .relaxed) {
      frontend.runtime.sessionsMaximum.store(open, ordering: .relaxed)
    }
    if listeners[listener].acceptsProxyHeader {
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

  private mutating func fetchLocalEndpoint(_ index: UInt32) {
    let session = sessions + Int(index)
    if session.pointee.local.family == 0 {
      session.pointee.local = Socket.localEndpoint(halves[Int(index) * 2].descriptor)
    }
  }

  /// Chooses a server and connects to it, or waits for one.
  mutating func assignServer(_ index: UInt32, avoiding: ServerRuntime?) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue(),
      backend.runtime.slot < tables.count, let table = tables[backend.runtime.slot]
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
  private mutating func take(_ target: ServerTarget, for index: UInt32) {
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

  // MARK: Waiting for a place

  private mutating func waitInQueue(
    _ index: UInt32, backend: BackendSettings, table: BalancingTable
  ) {
    let session = sessions + Int(index)
    let waiter = Waiter(
      mailbox: context.mailbox, index: index, generation: halves[Int(index) * 2].generation)
    var found: ServerTarget?
    let queue = backend.runtime.queue
    let ticket = queue.enqueue(waiter) {
      found = table.reserveAny()
      return found != nil
    }
    if let found {
      take(found, for: index)
      return
    }
    session.pointee.queueTicket = ticket ?? 0
    enterQueue(index, backend)
    // One session more may be what a limit that grows with the load (`minconn`) waited for.
    if queue.count > 1 { serveQueue(of: backend.runtime, table) }
  }

  private mutating func waitForServer(_ index: UInt32, _ target: ServerTarget) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue() else { return }
    let waiter = Waiter(
      mailbox: context.mailbox, index: index, generation: halves[Int(index) * 2].generation)
    if target.maxqueue > 0, target.runtime.queue.count >= target.maxqueue {
      finish(index, .queueFull)
      return
    }
    let ticket = target.runtime.queue.enqueue(waiter) {
      target.takePlace()
    }
    guard let ticket else {
      take(target, for: index)
      return
    }
    session.pointee.server?.release()
    session.pointee.server = Unmanaged.passRetained(target)
    session.pointee.waitsForServer = true
    session.pointee.queueTicket = ticket
    enterQueue(index, backend)
  }

  private mutating func enterQueue(_ index: UInt32, _ backend: BackendSettings) {
    let session = sessions + Int(index)
    session.pointee.state = .queued
    session.pointee.stateSince_ms = now_ms
    register(index, Side.client)
    armTimer(index)
  }

  /// A place on `server` was taken for this session by whoever freed it.
  mutating func placeGranted(_ waiter: Waiter, server: ServerTarget, position: Int) {
    let index = waiter.index
    let session = sessions + Int(index)
    guard halves[Int(index) * 2].generation == waiter.generation,
      session.pointee.state == .queued
    else {
      // The session gave up meanwhile: the place goes to the next one.
      releasePlace(server)
      return
    }
    if session.pointee.waitsForServer {
      session.pointee.serverQueuePosition = Int32(clamping: position)
    } else {
      session.pointee.backendQueuePosition = Int32(clamping: position)
    }
    take(server, for: index)
  }

  /// Leaves the queue on the way out. When a place is already on its way, `placeGranted` passes
  /// it on.
  mutating func leaveQueue(_ index: UInt32) {
    let session = sessions + Int(index)
    let generation = halves[Int(index) * 2].generation
    let ticket = session.pointee.queueTicket
    if session.pointee.waitsForServer, let server = session.pointee.server {
      let queue = server.takeUnretainedValue().runtime.queue
      session.pointee.serverQueuePosition = Int32(clamping: queue.position(ticket: ticket))
      _ = queue.remove(mailbox: context.mailbox, index: index, generation: generation)
    } else if let backend = session.pointee.backend {
      let queue = backend.takeUnretainedValue().runtime.queue
      session.pointee.backendQueuePosition = Int32(clamping: queue.position(ticket: ticket))
      _ = queue.remove(mailbox: context.mailbox, index: index, generation: generation)
    }
    session.pointee.queue_ms = Int32(clamping: now_ms - session.pointee.routed_ms)
  }

  /// The server went away: sessions that wait for it, and for no other, choose again.
  mutating func reassignWaiters(of runtime: ServerRuntime) {
    for index in slotsInUse {
      let session = sessions + Int(index)
      guard session.pointee.state == .queued, session.pointee.waitsForServer,
        let server = session.pointee.server?.takeUnretainedValue(), server.runtime === runtime,
        runtime.queue.remove(
          mailbox: context.mailbox, index: index,
          generation: halves[Int(index) * 2].generation)
      else { continue }
      session.pointee.waitsForServer = false
      session.pointee.backend?.takeUnretainedValue().runtime.requeued.add(1, ordering: .relaxed)
      assignServer(index, avoiding: nil)
    }
  }

  /// Frees a place and hands it to the first session that waits for it.
  func releasePlace(_ target: ServerTarget) {
    target.freePlace()
    if target.runtime.queue.count > 0 { wakeWaiter(of: target.runtime.queue, target) }
    let backend = target.backend
    if backend.queue.count > 0, backend.slot < tables.count, let table = tables[backend.slot] {
      serveQueue(of: backend, table)
    }
  }

  private func wakeWaiter(of queue: PendingQueue, _ target: ServerTarget) {
    let waiter = queue.dequeue { target.takePlace() }
    if let waiter {
      waiter.mailbox.post(
        .granted(waiter, server: target, position: queue.position(ticket: waiter.ticket) - 1))
    }
  }

  /// Places may have appeared with a new table: those who wait get them.
  func serveQueue(of table: BalancingTable) {
    serveQueue(of: table.backend.runtime, table)
    for server in table.servers {
      while server.target.runtime.queue.count > 0 {
        let before = server.target.runtime.queue.count
        wakeWaiter(of: server.target.runtime.queue, server.target)
        if server.target.runtime.queue.count >= before { break }
      }
    }
  }

  /// Hands every free place to those who wait for any server.
  private func serveQueue(of backend: BackendRuntime, _ table: BalancingTable) {
    while backend.queue.count > 0 {
      var granted: ServerTarget?
      let waiter = backend.queue.dequeue {
        granted = table.reserveAny()
        return granted != nil
      }
      guard let waiter, let granted else { return }
      let position = backend.queue.position(ticket: waiter.ticket) - 1
      waiter.mailbox.post(.granted(waiter, server: granted, position: position))
    }
  }

  // MARK: Connecting

  mutating func connect(_ index: UInt32, _ target: ServerTarget) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue() else { return }
    var address = KernelAddress.unset
    if let prepared = target.address {
      address = prepared.pointee
    } else {
      fetchLocalEndpoint(index)
      guard let computed = clientDestination(index, target) else {
        connectFailed(index, .refused)
        return
      }
      address = computed
    }
    let descriptor = Socket.openStream(family: address.family)
    guard descriptor >= 0 else {
      finish(index, .outOfResources)
      return
    }
    let server = halves + (Int(index) * 2 + Side.server)
    server.pointee.descriptor = descriptor
    server.pointee.flags = []
    prepareServerSocket(descriptor, target, backend)
    session.pointee.state = .connecting
    let result = Socket.connect(descriptor, &address.raw)
    guard result == 0 || result == -115 else {
      closeServerSide(index)
      // EAGAIN here means that no local port is free, or a Unix socket's backlog is full.
      connectFailed(index, .refused)
      return
    }
    session.pointee.stateSince_ms = now_ms
    server.pointee.flags = [.registered, .watchesWritable]
    let cookie = Cookie.session(index, Side.server, generation: server.pointee.generation)
    guard epoll.add(descriptor, Worker.interest(writable: true), cookie: cookie) == 0 else {
      finish(index, .outOfResources)
      return
    }
    register(index, Side.client)
    if backend.timeoutConnect_ms >= 0 { armTimer(index) }
  }

  private func prepareServerSocket(
    _ descriptor: Int32, _ target: ServerTarget, _ backend: BackendSettings
  ) {
    if backend.keepalive.isEnabled { backend.keepalive.apply(to: descriptor) }
    if target.userTimeout_ms > 0 {
      Socket.set(descriptor, .userTimeout, target.userTimeout_ms)
    }
    if let interface = target.sourceInterface { _ = Socket.bindToDevice(descriptor, interface) }
    if let source = target.source {
      Socket.set(descriptor, .ipFreebind, 1)
      var raw = source.raw
      _ = Socket.bind(descriptor, &raw)
    }
  }

  /// The address of a server that is written as the client's destination (`*`, no port, `:+N`).
  private func clientDestination(_ index: UInt32, _ target: ServerTarget) -> KernelAddress? {
    let local = sessions[Int(index)].local
    var endpoint = target.followsClientAddress ? local : (target.endpoint ?? local)
    if let offset = target.portOffset {
      guard let port = UInt16(exactly: Int(local.port) + offset) else { return nil }
      endpoint.port = port
    } else if let fixed = target.endpoint {
      endpoint.port = fixed.port
    }
    return try? KernelAddress(endpoint)
  }

  /// The server's socket is writable or broken for the first time.
  mutating func connectEvent(_ index: UInt32, _ ready: UInt32) {
    let session = sessions + Int(index)
    let pair = halves + Int(index) * 2
    if ready & (Epoll.Interest.error | Epoll.Interest.hangUp) != 0 {
      let code = Socket.takeError(pair[Side.server].descriptor)
      if code != 0 {
        closeServerSide(index)
        connectFailed(index, .refused)
        return
      }
    }
    guard ready & Epoll.Interest.writable != 0 else { return }
    guard let backend = session.pointee.backend?.takeUnretainedValue(),
      let frontend = session.pointee.frontend?.takeUnretainedValue(),
      let target = session.pointee.server?.takeUnretainedValue()
    else { return }
    session.pointee.connect_ms = Int32(clamping: now_ms - session.pointee.assigned_ms)
    session.pointee.state = .established
    pair[Side.server].last_ms = now_ms
    pair[Side.client].last_ms = now_ms
    if backend.timeoutTunnel_ms >= 0 {
      pair[Side.server].timeout_ms = backend.timeoutTunnel_ms
      pair[Side.client].timeout_ms = backend.timeoutTunnel_ms
    } else {
      pair[Side.server].timeout_ms = backend.timeoutServer_ms
      pair[Side.client].timeout_ms = frontend.timeoutClient_ms
    }
    if frontend.log.needsSourceEndpoint {
      session.pointee.source = Socket.localEndpoint(pair[Side.server].descriptor)
    }
    if let version = target.settings.sendProxy, !sendProxyHeader(index, version) {
      decideEnd(index, .serverAbort)
      finish(index, .serverAbort)
      return
    }
    pair[Side.server].flags.insert(.relaying)
    pair[Side.client].flags.insert(.relaying)
    register(index, Side.client)
    if frontend.log.isEarly { record(index, isEarly: true) }
    armTimer(index)
    // What the client sent meanwhile has been announced already.
    if !settle(index, Side.client, pump(from: pair, to: pair + 1)) { return }
    let readEvents = Epoll.Interest.readable | Epoll.Interest.peerClosed
    if ready & readEvents != 0 {
      let cookie = Cookie.session(
        index, Side.server, generation: pair[Side.server].generation)
      relayEvent(cookie, ready & ~Epoll.Interest.writable)
    }
  }

  /// Decides what a failed connection leads to. The server's socket is closed already.
  mutating func connectFailed(_ index: UInt32, _ failure: ConnectFailure) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue(),
      let target = session.pointee.server?.takeUnretainedValue()
    else { return }
    target.runtime.connectFailures.add(1, ordering: .relaxed)
    let policy = ConnectPolicy(
      retries: backend.retries, redispatch: backend.redispatch,
      timeoutConnect_ms: backend.timeoutConnect_ms, isDeterministic: backend.isDeterministic)
    let decision = policy.decide(
      failure, retriesLeft: Int(session.pointee.retriesLeft),
      usableServers: table(of: backend)?.servers.count ?? 0,
      serverIsUsable: isUsable(target, in: backend))
    switch decision {
    case .giveUp(let end):
      finish(index, end)
    case .redispatch(let pause) where pause > 0:
      countRetry(index, target, backend)
      session.pointee.choosesAgain = true
      rest(index, pause)
    case .redispatch:
      countRetry(index, target, backend)
      session.pointee.holdsPlace = false
      releasePlace(target)
      assignServer(index, avoiding: target.runtime)
    case .retrySame(let pause):
      countRetry(index, target, backend)
      if pause == 0 {
        connect(index, target)
      } else {
        rest(index, pause)
      }
    }
  }

  private mutating func rest(_ index: UInt32, _ pause_ms: Int64) {
    sessions[Int(index)].state = .turnAround
    sessions[Int(index)].stateSince_ms = now_ms
    timers.arm(index, due_ms: now_ms + pause_ms)
  }

  func table(of backend: BackendSettings) -> BalancingTable? {
    backend.runtime.slot < tables.count ? tables[backend.runtime.slot] : nil
  }

  func isUsable(_ target: ServerTarget, in backend: BackendSettings) -> Bool {
    table(of: backend)?.servers.contains { $0.target.runtime === target.runtime } ?? false
  }

  private mutating func countRetry(
    _ index: UInt32, _ target: ServerTarget, _ backend: BackendSettings
  ) {
    sessions[Int(index)].retriesLeft -= 1
    sessions[Int(index)].retriesUsed += 1
    target.runtime.retries.add(1, ordering: .relaxed)
    backend.runtime.retries.add(1, ordering: .relaxed)
  }

  /// Puts a side's socket into the epoll set, once.
  mutating func register(_ index: UInt32, _ side: Int) {
    let half = halves + (Int(index) * 2 + side)
    if half.pointee.flags.contains(.registered) { return }
    half.pointee.flags.insert(.registered)
    let cookie = Cookie.session(index, side, generation: half.pointee.generation)
    _ = epoll.add(half.pointee.descriptor, Worker.interest(writable: false), cookie: cookie)
  }

  func closeServerSide(_ index: UInt32) {
    let server = halves + (Int(index) * 2 + Side.server)
    guard server.pointee.descriptor >= 0 else { return }
    Socket.close(server.pointee.descriptor)
    server.pointee.descriptor = -1
    server.pointee.flags = []
  }
}
