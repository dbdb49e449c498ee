// epoll(7): one instance per worker thread.

import CLinux

/// A readiness event: what is ready, and the cookie it was registered with.
public typealias ReadinessEvent = epoll_event

public struct Epoll: ~Copyable {
  public let raw: Int32

  /// Throws when the process is out of descriptors.
  public init() throws(KernelError) {
    raw = try KernelError.check(fl_epoll_create(), "epoll_create1")
  }

  deinit { _ = fl_close(raw) }

  /// What can be waited for (epoll_ctl(2)).
  public enum Interest {
    public static let readable: UInt32 = 0x001
    public static let writable: UInt32 = 0x004
    public static let error: UInt32 = 0x008
    public static let hangUp: UInt32 = 0x010
    public static let peerClosed: UInt32 = 0x2000
    public static let exclusive: UInt32 = 1 << 28
    public static let edge: UInt32 = 1 << 31
  }

  /// 0 or a negative errno.
  @inlinable @inline(__always)
  public func add(_ fd: Int32, _ interest: UInt32, cookie: UInt64) -> Int32 {
    fl_epoll_control(raw, 1, fd, interest, cookie)
  }

  public func remove(_ fd: Int32) -> Int32 { fl_epoll_control(raw, 2, fd, 0, 0) }

  public func modify(_ fd: Int32, _ interest: UInt32, cookie: UInt64) -> Int32 {
    fl_epoll_control(raw, 3, fd, interest, cookie)
  }

  /// The number of events stored; an interrupted wait gives 0. `timeout_ms` -1 waits for ever.
  @inlinable @inline(__always)
  public func wait(
    into events: UnsafeMutablePointer<ReadinessEvent>, capacity: Int32, timeout_ms: Int32
  ) -> Int32 { fl_epoll_wait(raw, events, capacity, timeout_ms) }
}

extension ReadinessEvent {
  @inlinable @inline(__always) public var cookie: UInt64 { data.u64 }
}
