// An owned descriptor. It is closed exactly once: by `close()`, or handed on by `release()`.

import CLinux

/// A descriptor with one owner. Dropping it without `close()` or `release()` is a bug of ours
/// and stops the program: a leaked descriptor is a leaked connection.
public struct FileDescriptor: ~Copyable, Sendable {
  /// The number the kernel knows it by. Valid while the owner lives.
  public let raw: Int32

  public init(owning raw: Int32) {
    precondition(raw >= 0, "a descriptor is never negative")
    self.raw = raw
  }

  deinit { precondition(raw < 0, "a descriptor was dropped without being closed") }

  /// Closes it. An error of close(2) has no remedy; the number is free either way.
  public consuming func close() {
    _ = fl_close(raw)
    discard self
  }

  /// Gives the number to a caller that will close it.
  public consuming func release() -> Int32 {
    let number = raw
    discard self
    return number
  }
}
