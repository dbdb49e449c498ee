// Clocks, wake-up descriptors, limits, threads and reserved memory.

import CLinux
import Glibc

public enum Clock {
  /// Microseconds of CLOCK_MONOTONIC.
  @inlinable @inline(__always) public static func monotonic_us() -> Int64 { fl_monotonic_us() }
  /// Microseconds since 1970 of CLOCK_REALTIME.
  @inlinable @inline(__always) public static func realtime_us() -> Int64 { fl_realtime_us() }

  /// Broken-down local time of a moment given in seconds since 1970.
  public static func local(_ seconds: Int64) -> CalendarTime {
    var time = CalendarTime()
    fl_local_time(seconds, &time)
    return time
  }

  public static func utc(_ seconds: Int64) -> CalendarTime {
    var time = CalendarTime()
    fl_utc_time(seconds, &time)
    return time
  }
}

/// Year, month 1...12, day, hour, minute, second, minutes east of UTC.
public typealias CalendarTime = fl_calendar

/// eventfd(2): wakes a thread that waits in epoll.
public enum EventDescriptor {
  public static func open() throws(KernelError) -> FileDescriptor {
    FileDescriptor(owning: try KernelError.check(fl_eventfd(), "eventfd"))
  }
  public static func signal(_ fd: Int32) { _ = fl_eventfd_signal(fd) }
  public static func drain(_ fd: Int32) { _ = fl_eventfd_drain(fd) }
}

public enum System {
  /// Cores this process may run on.
  public static var cpuCount: Int { Int(fl_cpu_count()) }

  /// RLIMIT_NOFILE.
  public static var descriptorLimit: (soft: Int, hard: Int) {
    var soft: UInt64 = 0
    var hard: UInt64 = 0
    _ = fl_limit_descriptors(&soft, &hard)
    return (Int(clamping: soft), Int(clamping: hard))
  }

  /// Sets the soft limit, and the hard one when it must grow and may.
  public static func raiseDescriptorLimit(to count: Int) throws(KernelError) {
    try KernelError.check(fl_raise_descriptors(UInt64(count)), "setrlimit")
  }

  /// write(2) to any descriptor.
  public static func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> IOResult {
    IOResult(fl_write(fd, bytes.baseAddress, bytes.count))
  }

  /// Whether a write would be taken at once; false also after `timeout_ms`.
  public static func isWritable(_ fd: Int32, timeout_ms: Int32) -> Bool {
    fl_poll_writable(fd, timeout_ms) > 0
  }

  /// Waits until a read would not block; false after `timeout_ms` (-1 = for ever).
  @discardableResult
  public static func waitReadable(_ fd: Int32, timeout_ms: Int32) -> Bool {
    fl_poll_readable(fd, timeout_ms) > 0
  }

  /// The host's name, cut at the first dot, as syslog headers carry it.
  public static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, 255)
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let name = String(decoding: bytes, as: UTF8.self)
    return name.split(separator: ".").first.map(String.init) ?? "localhost"
  }

  /// Runs `body` on a new thread of that name (at most 15 bytes are kept).
  public static func startThread(
    named name: String, _ body: @escaping @Sendable () -> Void
  ) throws(KernelError) -> ThreadHandle {
    let box = Unmanaged.passRetained(ThreadBody(name: name, body: body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        let start = Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue()
        _ = fl_thread_name(String(start.name.prefix(15)))
        start.body()
        return nil
      }, box.toOpaque())
    if code != 0 {
      box.release()
      throw KernelError(call: "pthread_create", code: code)
    }
    return ThreadHandle(thread: thread)
  }
}

/// A running thread; `join` waits for its end.
public struct ThreadHandle: @unchecked Sendable {
  let thread: pthread_t
  public func join() { pthread_join(thread, nil) }
}

private final class ThreadBody {
  let name: String
  let body: @Sendable () -> Void
  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}

/// Address space for `capacity` values of a trivial type; only touched pages cost memory.
public struct ReservedMemory<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
  public let base: UnsafeMutablePointer<Element>
  public let capacity: Int
  private let size_bytes: Int

  /// Throws when the address space is exhausted. `capacity` is at least 1.
  public init(capacity: Int) throws(KernelError) {
    precondition(capacity > 0, "reserved memory holds at least one element")
    size_bytes = capacity * MemoryLayout<Element>.stride
    guard let memory = fl_reserve(size_bytes) else { throw KernelError(call: "mmap", code: 12) }
    base = memory.bindMemory(to: Element.self, capacity: capacity)
    self.capacity = capacity
  }

  deinit { fl_release(base, size_bytes) }
}
