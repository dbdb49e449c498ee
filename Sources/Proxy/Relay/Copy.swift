// Moving bytes through the worker's one buffer: the cheapest way while messages are small.

import Kernel

extension Worker {
  /// Reads and sends until the source is empty, the sink is full or the turn is over.
  mutating func copy(
    from source: UnsafeMutablePointer<Half>, to sink: UnsafeMutablePointer<Half>
  ) -> PumpResult {
    var moved = 0
    while true {
      let received = Socket.receive(
        source.pointee.descriptor, copyBuffer, Limits.copyBuffer_bytes)
      let count = received.raw
      if count > 0 {
        source.pointee.total &+= UInt64(count)
        source.pointee.last_ms = now_ms
        let isFull = count == Limits.copyBuffer_bytes
        if !isFull {
          // A stream socket gives less than was asked for only when that was all: the next
          // byte makes a new event. With FIN already seen and no error, that was the end.
          source.pointee.streak = 0
          source.pointee.flags.remove(.readable)
          if source.pointee.flags.contains(.peerClosed),
            !source.pointee.flags.contains(.failed)
          {
            source.pointee.flags.insert(.ended)
          }
          if source.pointee.flags.contains(.failed) { source.pointee.flags.insert(.readable) }
        } else {
          source.pointee.streak = min(source.pointee.streak + 1, 100)
        }
        let outcome = deliver(count, from: source, to: sink)
        if case .finished = outcome {} else { return outcome }
        if source.pointee.flags.contains(.ended) { return .finished }
        if !source.pointee.flags.contains(.readable) { return .waiting }
        moved += count
        if source.pointee.streak >= UInt8(Limits.fullReadsBeforeSplice), takePipe(source) {
          source.pointee.flags.insert(.splicing)
          source.pointee.streak = 0
          return splice(from: source, to: sink)
        }
        if moved >= Limits.bytesPerTurn { return .cutShort }
      } else if count == 0 {
        source.pointee.flags.remove(.readable)
        source.pointee.flags.insert(.ended)
        return .finished
      } else if received.isWouldBlock {
        source.pointee.flags.remove(.readable)
        return .waiting
      } else {
        return .sourceFailed
      }
    }
  }

  /// Sends what stands in the shared buffer; what the sink has no room for is kept.
  /// `.finished` when all of it went.
  @inline(__always)
  private mutating func deliver(
    _ count: Int, from source: UnsafeMutablePointer<Half>, to sink: UnsafeMutablePointer<Half>
  ) -> PumpResult {
    if !sink.pointee.flags.contains(.noDelay) { prepareSecondSend(sink) }
    // A FIN that is already known follows at once and saves a packet of its own.
    let sent =
      source.pointee.flags.contains(.ended)
      ? Socket.sendBeforeEnd(sink.pointee.descriptor, copyBuffer, count)
      : Socket.send(sink.pointee.descriptor, copyBuffer, count)
    if sent.raw == count {
      sink.pointee.last_ms = now_ms
      return .finished
    }
    if sent.isError { return .sinkFailed }
    let done = max(0, sent.raw)
    if done > 0 { sink.pointee.last_ms = now_ms }
    let stuck = buffers.take()
    UnsafeMutableRawPointer(stuck).copyMemory(
      from: copyBuffer + done, byteCount: count - done)
    source.pointee.stuck = stuck
    source.pointee.stuckStart = 0
    source.pointee.stuckEnd = Int32(count - done)
    watchWritable(sink)
    return .waiting
  }

  /// Nagle's algorithm only ever holds back a second small send, so TCP_NODELAY is set just
  /// before that one: connections that carry one request save the call.
  private func prepareSecondSend(_ sink: UnsafeMutablePointer<Half>) {
    if !sink.pointee.flags.contains(.hasSent) {
      sink.pointee.flags.insert(.hasSent)
      return
    }
    Socket.set(sink.pointee.descriptor, .noDelay, 1)
    sink.pointee.flags.insert(.noDelay)
  }
}
