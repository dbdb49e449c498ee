// Waiting for a place on a server, and handing places on to those who wait.

import Kernel
import Synchronization

extension Worker {
  mutating func waitInQueue(
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

  mutating func waitForServer(_ index: UInt32, _ target: ServerTarget) {
    let session = sessions + Int(index)
    guard let backend = session.pointee.backend?.takeUnretainedValue() else { return }
    let waiter = Waiter(
      mailbox: context.mailbox, index: index, generation: halves[Int(index) * 2].generation)
    if target.maxqueue > 0, target.runtime.queue.count >= target.maxqueue {
      session.pointee.server?.release()
      session.pointee.server = Unmanaged.passRetained(target)
      session.pointee.waitsForServer = true  // so the log names it
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
}
