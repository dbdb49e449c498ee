// Moving bytes from one side of a session to the other: what to do with what a socket says.
// Copy.swift and Splice.swift are the two ways to move them.

import Kernel

/// What came of moving bytes in one direction.
enum PumpResult {
  /// Nothing to do until the next event.
  case waiting
  /// The turn was used up; more can be moved.
  case cutShort
  /// Everything has been moved, FIN included.
  case finished
  /// The side that is read, or the side that is written to, is broken.
  case sourceFailed
  case sinkFailed
}

extension Worker {
  /// An event of an established session. Only the two halves are touched.
  @inline(__always)
  mutating func relayEvent(_ cookie: UInt64, _ ready: UInt32) {
    let index = Cookie.index(cookie)
    let side = Cookie.side(cookie)
    let pair = halves + Int(index) * 2
    let this = pair + side
    let other = pair + (1 - side)
    if note(ready, on: this) {
      let flags = this.pointee.flags
      if !flags.contains(.ended) || flags.contains(.failed) {
        if !settle(index, side, pump(from: this, to: other)) { return }
      }
    }
    if ready & Epoll.Interest.writable != 0, other.pointee.hasStuckBytes {
      _ = settle(index, 1 - side, pump(from: other, to: this))
    }
  }

  /// Remembers what an event says of reading. True when there is something to read.
  @inline(__always) @discardableResult
  func note(_ ready: UInt32, on half: UnsafeMutablePointer<Half>) -> Bool {
    let readEvents =
      Epoll.Interest.readable | Epoll.Interest.peerClosed | Epoll.Interest.hangUp
      | Epoll.Interest.error
    if ready & readEvents == 0 { return false }
    var flags = half.pointee.flags
    flags.insert(.readable)
    if ready & Epoll.Interest.error != 0 {
      flags.insert(.failed)
    } else if ready & (Epoll.Interest.peerClosed | Epoll.Interest.hangUp) != 0 {
      flags.insert(.peerClosed)
    }
    half.pointee.flags = flags
    return true
  }

  /// Moves what can be moved from `source` to `sink`.
  @inline(__always)
  mutating func pump(
    from source: UnsafeMutablePointer<Half>, to sink: UnsafeMutablePointer<Half>
  ) -> PumpResult {
    if source.pointee.hasStuckBytes {
      switch flushStuck(from: source, to: sink) {
      case .finished: break
      case let stillStuck: return stillStuck
      }
    }
    if source.pointee.flags.contains(.ended) {
      // An error on a side that has said FIN still ends the session.
      return source.pointee.flags.contains(.failed) ? .sourceFailed : .finished
    }
    if !source.pointee.flags.contains(.readable) { return .waiting }
    return source.pointee.flags.contains(.splicing)
      ? splice(from: source, to: sink) : copy(from: source, to: sink)
  }

  /// `.finished` when nothing is stuck any more.
  mutating func flushStuck(
    from source: UnsafeMutablePointer<Half>, to sink: UnsafeMutablePointer<Half>
  ) -> PumpResult {
    if source.pointee.piped > 0 {
      let result = drainPipe(from: source, to: sink)
      if case .finished = result {} else { return result }
      if source.pointee.stuck == nil { watchAgain(source) }
    }
    guard let stuck = source.pointee.stuck else { return .finished }
    while source.pointee.stuckStart < source.pointee.stuckEnd {
      let count = Int(source.pointee.stuckEnd - source.pointee.stuckStart)
      let sent = Socket.send(
        sink.pointee.descriptor, stuck + Int(source.pointee.stuckStart), count)
      if sent.raw > 0 {
        source.pointee.stuckStart += Int32(sent.raw)
        source.pointee.last_ms = now_ms
        sink.pointee.last_ms = now_ms
      } else {
        return sent.isWouldBlock ? .waiting : .sinkFailed
      }
    }
    buffers.give(stuck)
    source.pointee.stuck = nil
    source.pointee.stuckStart = 0
    source.pointee.stuckEnd = 0
    watchAgain(source)
    return .finished
  }

  /// The half is read again, so its inactivity counts again: the timer may have been put off.
  private mutating func watchAgain(_ half: UnsafeMutablePointer<Half>) {
    armTimer(UInt32((half - halves) / 2))
  }

  /// Acts on the result of a pump that read from `side`. False when the session is gone.
  @inline(__always)
  mutating func settle(_ index: UInt32, _ side: Int, _ result: PumpResult) -> Bool {
    switch result {
    case .waiting:
      // Whoever is to take stuck bytes may have less time than the timer was set for.
      if halves[Int(index) * 2 + side].hasStuckBytes { armTimer(index) }
      return true
    case .cutShort:
      queueAgain(index, side)
      return true
    case .finished: return directionFinished(index, side)
    case .sourceFailed: return sideFailed(index, side, whileWriting: false)
    case .sinkFailed: return sideFailed(index, 1 - side, whileWriting: true)
    }
  }

  /// Everything from `side` has been delivered, and its FIN read: pass the FIN on. When both
  /// directions are through, the session is over.
  private mutating func directionFinished(_ index: UInt32, _ side: Int) -> Bool {
    let pair = halves + Int(index) * 2
    let sink = pair + (1 - side)
    if sink.pointee.flags.contains(.shut) { return true }
    sink.pointee.flags.insert(.shut)
    if sink.pointee.flags.contains(.ended), !sink.pointee.hasStuckBytes {
      finish(index, .complete)
      return false
    }
    _ = Socket.shutdownWrite(sink.pointee.descriptor)
    halfClosed(index, 1 - side)
    return true
  }

  /// A side is broken. A client that is gone ends the session at once and the server is told by
  /// RST; what a broken server had sent before is still delivered.
  private mutating func sideFailed(_ index: UInt32, _ side: Int, whileWriting: Bool) -> Bool {
    let pair = halves + Int(index) * 2
    if side == Side.client {
      Socket.resetOnClose(pair[Side.server].descriptor)
      finish(index, .clientAbort)
      return false
    }
    let server = pair + Side.server
    let client = pair + Side.client
    decideEnd(index, .serverAbort)
    discardStuck(client)
    client.pointee.flags.insert(.ended)
    server.pointee.flags.insert(.shut)
    if whileWriting, !server.pointee.flags.contains(.ended) {
      // A server may refuse the rest of a request and still have answered.
      server.pointee.flags.insert([.readable, .failed])
      switch pump(from: server, to: client) {
      case .waiting where server.pointee.hasStuckBytes:
        // The rest is read when these have gone; the error comes after it and ends the session.
        armTimer(index)
        return true
      case .cutShort:
        queueAgain(index, Side.server)
        return true
      default: break
      }
    }
    server.pointee.flags.insert(.ended)
    server.pointee.flags.remove(.failed)
    if server.pointee.hasStuckBytes {
      armTimer(index)
      return true
    }
    finish(index, .serverAbort)
    return false
  }

  func discardStuckPipe(_ half: UnsafeMutablePointer<Half>) -> PipePool.Pair? {
    guard half.pointee.pipeRead >= 0 else { return nil }
    let pair = PipePool.Pair(read: half.pointee.pipeRead, write: half.pointee.pipeWrite)
    half.pointee.pipeRead = -1
    half.pointee.pipeWrite = -1
    half.pointee.piped = 0
    return pair
  }

  /// Forgets bytes that can no longer be delivered.
  mutating func discardStuck(_ half: UnsafeMutablePointer<Half>) {
    let held = half.pointee.piped > 0
    if let pair = discardStuckPipe(half) {
      if held { pipes.discard(pair) } else { pipes.give(pair) }
    }
    if let stuck = half.pointee.stuck {
      buffers.give(stuck)
      half.pointee.stuck = nil
      half.pointee.stuckStart = 0
      half.pointee.stuckEnd = 0
    }
  }

  /// From now on the half's socket says when there is room.
  mutating func watchWritable(_ half: UnsafeMutablePointer<Half>) {
    if half.pointee.flags.contains(.watchesWritable) { return }
    half.pointee.flags.insert(.watchesWritable)
    let position = half - halves
    let cookie = Cookie.session(
      UInt32(position / 2), position & 1, generation: half.pointee.generation)
    _ = epoll.modify(half.pointee.descriptor, Worker.interest(writable: true), cookie: cookie)
  }

  static func interest(writable: Bool) -> UInt32 {
    let always = Epoll.Interest.readable | Epoll.Interest.peerClosed | Epoll.Interest.edge
    return writable ? always | Epoll.Interest.writable : always
  }

  /// Goes on with this direction after other sessions have had their turn.
  private mutating func queueAgain(_ index: UInt32, _ side: Int) {
    let half = halves + (Int(index) * 2 + side)
    if half.pointee.flags.contains(.queuedAgain) { return }
    half.pointee.flags.insert(.queuedAgain)
    again.append(Cookie.session(index, side, generation: half.pointee.generation))
  }

  mutating func continueCutTurns() {
    let turns = again
    again.removeAll(keepingCapacity: true)
    for cookie in turns {
      let index = Cookie.index(cookie)
      let side = Cookie.side(cookie)
      let pair = halves + Int(index) * 2
      let this = pair + side
      guard this.pointee.generation == Cookie.generation(cookie),
        this.pointee.flags.contains(.queuedAgain)
      else { continue }
      this.pointee.flags.remove(.queuedAgain)
      _ = settle(index, side, pump(from: this, to: pair + (1 - side)))
    }
  }
}
