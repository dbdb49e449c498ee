// Connecting to a server, and what follows when that fails.

import Kernel
import Synchronization

extension Worker {
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
    guard prepareServerSocket(descriptor, target, backend) else {
      // Going out from another address than asked for would be worse than not going.
      closeServerSide(index)
      connectFailed(index, .refused)
      return
    }
    session.pointee.state = .connecting
    session.pointee.connecting_us = Clock.monotonic_us()
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

  /// False when the configured source address or interface cannot be used.
  private func prepareServerSocket(
    _ descriptor: Int32, _ target: ServerTarget, _ backend: BackendSettings
  ) -> Bool {
    if backend.keepalive.isEnabled { backend.keepalive.apply(to: descriptor) }
    if target.userTimeout_ms > 0 {
      Socket.set(descriptor, .userTimeout, target.userTimeout_ms)
    }
    if let interface = target.sourceInterface,
      Socket.bindToDevice(descriptor, interface) < 0
    {
      return false
    }
    guard let source = target.source else { return true }
    let isVersion6 = source.family == Socket.familyIPv6
    Socket.set(descriptor, isVersion6 ? .ipv6Freebind : .ipFreebind, 1)
    // The port is chosen when the destination is known, so that one port serves many servers.
    Socket.set(descriptor, .ipBindAddressNoPort, 1)
    var raw = source.raw
    return Socket.bind(descriptor, &raw) == 0
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
    target.runtime.connectTimes.add(Clock.monotonic_us() - session.pointee.connecting_us)
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
      finish(index, .serverAbort)
      return
    }
    pair[Side.server].flags.insert(.relaying)
    pair[Side.client].flags.insert(.relaying)
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
