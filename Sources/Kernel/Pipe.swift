// Kernel pipes as the buffer of splice(2): bytes pass between sockets without being copied
// through this process.

import CLinux

public enum KernelPipe {
  /// Opens a pipe of about `capacity` bytes. Nil when the process or user is out of pipes.
  public static func open(capacity: Int32) -> (read: Int32, write: Int32, capacity: Int32)? {
    var read: Int32 = -1
    var write: Int32 = -1
    let got = fl_pipe(&read, &write, capacity)
    return got > 0 ? (read, write, got) : nil
  }

  @inlinable @inline(__always)
  public static func fill(_ pipe: Int32, from socket: Int32, _ count: Int) -> IOResult {
    IOResult(fl_splice_in(socket, pipe, count))
  }

  @inlinable @inline(__always)
  public static func drain(_ pipe: Int32, to socket: Int32, _ count: Int) -> IOResult {
    IOResult(fl_splice_out(pipe, socket, count))
  }
}
