// inotify(7): hears of changes in directories; pidfd_open(2): hears of the end of a process.

import CLinux

public struct Inotify: ~Copyable {
  /// Readable when there are events.
  public let raw: Int32

  /// Throws when the user is out of instances (fs.inotify.max_user_instances).
  public init() throws(KernelError) {
    raw = try KernelError.check(fl_inotify_open(), "inotify_init1")
  }

  deinit { _ = fl_close(raw) }

  /// What happened, as bits (inotify(7)).
  public enum Mask {
    public static let closedAfterWrite: UInt32 = 0x008
    public static let movedFrom: UInt32 = 0x040
    public static let movedTo: UInt32 = 0x080
    public static let created: UInt32 = 0x100
    public static let deleted: UInt32 = 0x200
    public static let selfDeleted: UInt32 = 0x400
    public static let selfMoved: UInt32 = 0x800
    /// Events were lost: look at everything again.
    public static let overflow: UInt32 = 0x4000
    /// The watch is gone, with its directory or file system.
    public static let ignored: UInt32 = 0x8000
    /// For `add` only: fail unless the path is a directory.
    public static let onlyDirectory: UInt32 = 0x0100_0000
  }

  /// The watch's number. The same directory gives the same number.
  public func add(_ path: String, _ mask: UInt32) throws(KernelError) -> Int32 {
    try KernelError.check(fl_inotify_add(raw, path, mask), "inotify_add_watch")
  }

  public func remove(_ watch: Int32) { _ = fl_inotify_remove(raw, watch) }

  /// Takes all events there are, without waiting.
  public func drain(_ body: (_ watch: Int32, _ mask: UInt32) -> Void) {
    // One event is at most 16 + 256 bytes; a buffer of many of them is read in one call.
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      while true {
        let count = fl_read(raw, buffer.baseAddress, buffer.count)
        if count <= 0 { return }
        var offset = 0
        var watch: Int32 = 0
        var mask: UInt32 = 0
        while true {
          let next = fl_inotify_event(buffer.baseAddress, count, offset, &watch, &mask)
          if next == 0 { break }
          body(watch, mask)
          offset = next
        }
      }
    }
  }
}

extension System {
  /// A descriptor that becomes readable when process `pid` ends; nil when there is none, or when
  /// the process is out of descriptors.
  public static func openProcess(_ pid: Int32) -> FileDescriptor? {
    let raw = fl_pidfd_open(pid)
    return raw >= 0 ? FileDescriptor(owning: raw) : nil
  }
}
