// Pipes and buffers that sessions borrow while bytes are stuck, and give back when they are not.

import Kernel

/// Empty pipes of one worker.
struct PipePool: ~Copyable {
  struct Pair: BitwiseCopyable {
    var read: Int32
    var write: Int32
  }
  private var idle: [Pair] = []
  private(set) var open = 0
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// An empty pipe, or nil when the allowance or the system's is used up: copy then.
  mutating func take() -> Pair? {
    if let pair = idle.popLast() { return pair }
    guard open < limit, let made = KernelPipe.open(capacity: Int32(Limits.pipe_bytes)) else {
      return nil
    }
    open += 1
    return Pair(read: made.read, write: made.write)
  }

  /// Takes a pipe back. One that still holds bytes must be closed instead: `discard`.
  mutating func give(_ pair: Pair) {
    if idle.count < Limits.idlePipes { idle.append(pair) } else { discard(pair) }
  }

  mutating func discard(_ pair: Pair) {
    Socket.close(pair.read)
    Socket.close(pair.write)
    open -= 1
  }

  mutating func closeAll() {
    for pair in idle { discard(pair) }
    idle = []
  }
}

/// Buffers of `Limits.copyBuffer_bytes` for bytes that a socket had no room for.
struct BufferPool: ~Copyable {
  private var idle: [UnsafeMutablePointer<UInt8>] = []

  mutating func take() -> UnsafeMutablePointer<UInt8> {
    idle.popLast() ?? .allocate(capacity: Limits.copyBuffer_bytes)
  }

  mutating func give(_ buffer: UnsafeMutablePointer<UInt8>) {
    if idle.count < Limits.idleBuffers { idle.append(buffer) } else { buffer.deallocate() }
  }

  mutating func freeAll() {
    for buffer in idle { buffer.deallocate() }
    idle = []
  }
}
