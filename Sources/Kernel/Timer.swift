// timerfd_create(2): a moment of the monotonic clock as a descriptor that epoll waits for, to the
// microsecond where epoll's own time-out has milliseconds.

import CLinux

public enum TimerDescriptor {
  /// A disarmed, non-blocking timer.
  public static func open() throws(KernelError) -> FileDescriptor {
    FileDescriptor(owning: try KernelError.check(fl_timer(), "timerfd_create"))
  }

  /// Readable from that moment of `Clock.monotonic_us()` on, at once if it has passed. Replaces
  /// an earlier moment and forgets its expiry. 0, or a negative errno.
  @discardableResult
  public static func arm(_ fd: Int32, at monotonic_us: Int64) -> Int32 {
    fl_timer_set(fd, max(monotonic_us, 0))
  }

  @discardableResult
  public static func disarm(_ fd: Int32) -> Int32 { fl_timer_set(fd, -1) }

  /// Whether it has expired since it was armed or last taken; it is no longer readable then.
  @discardableResult
  public static func take(_ fd: Int32) -> Bool { fl_timer_take(fd) > 0 }
}
