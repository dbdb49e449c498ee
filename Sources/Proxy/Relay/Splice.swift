// Moving bytes through a kernel pipe: they never enter this process. Worth it from a few dozen
// kilobytes on.

import Kernel

extension Worker {
  mutating func splice(
    from source: UnsafeMutablePointer<Half>, to sink: UnsafeMutablePointer<Half>
  ) -> PumpResult {
    guard takePipe(source) else {
      // No pipe to be had: copy, and ask again after the next bulk read.
      source.pointee.flags.remove(.splicing)
      source.pointee.streak = 0
      return copy(from: source, to: sink)
    }
    var moved = 0
    while true {
      let filled = KernelPipe.fill(
        source.pointee.pipeWrite, from: source.pointee.descriptor, Limits.pipe_bytes)
      let count = filled.raw
      if count > 0 {
        source.pointee.piped = Int32(count)
        source.pointee.total &+= UInt64(count)
        source.pointee.last_ms = now_ms
        moved += count
        let outcome = drainPipe(from: source, to: sink)
        if case .finished = outcome {} else { return outcome }
        if count >= Limits.copyBuffer_bytes {
          source.pointee.streak = 0
        } else {
          source.pointee.streak &+= 1
          if source.pointee.streak >= 8 {
            // The bulk transfer is over: small messages are cheaper to copy.
            source.pointee.flags.remove(.splicing)
            source.pointee.streak = 0
            givePipe(source)
            return .cutShort
          }
        }
        if moved >= Limits.bytesPerTurn {
          givePipe(source)
          return .cutShort
        }
      } else {
        givePipe(source)
        if count == 0 {
          source.pointee.flags.remove(.readable)
          source.pointee.flags.insert(.ended)
          return .finished
        }
        if filled.isWouldBlock {
          source.pointee.flags.remove(.readable)
          return .waiting
        }
        // EINVAL: this socket cannot be spliced (a Unix socket of some kernels). Copy for good.
        if filled.errorCode == 22 {
          source.pointee.flags.remove(.splicing)
          source.pointee.flags.insert(.unspliceable)
          return .cutShort
        }
        return .sourceFailed
      }
    }
  }

  /// Moves the pipe's bytes on. `.finished` when it is empty; the pipe stays with the half.
  mutating func drainPipe(
    from source: UnsafeMutablePointer<Half>, to sink: UnsafeMutablePointer<Half>
  ) -> PumpResult {
    while source.pointee.piped > 0 {
      let drained = KernelPipe.drain(
        source.pointee.pipeRead, to: sink.pointee.descriptor, Int(source.pointee.piped))
      if drained.raw > 0 {
        source.pointee.piped -= Int32(drained.raw)
        sink.pointee.last_ms = now_ms
        source.pointee.last_ms = now_ms
      } else if drained.isWouldBlock {
        watchWritable(sink)
        return .waiting
      } else {
        return .sinkFailed
      }
    }
    return .finished
  }

  mutating func takePipe(_ half: UnsafeMutablePointer<Half>) -> Bool {
    if half.pointee.pipeRead >= 0 { return true }
    guard !half.pointee.flags.contains(.unspliceable), let pair = pipes.take() else { return false }
    half.pointee.pipeRead = pair.read
    half.pointee.pipeWrite = pair.write
    return true
  }

  /// Gives an empty pipe back to the pool.
  mutating func givePipe(_ half: UnsafeMutablePointer<Half>) {
    if let pair = discardStuckPipe(half) { pipes.give(pair) }
  }
}
