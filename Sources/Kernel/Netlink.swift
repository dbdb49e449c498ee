// Netlink sockets of routing and of packet filters (netlink(7), rtnetlink(7)). What
// messages say is not this module's business.

import CLinux

public enum Netlink {
  /// Multicast groups of rtnetlink(7) as bits of `openRoute(groups:)`.
  public enum Group {
    public static let link: UInt32 = 0x1
    public static let ipv4Address: UInt32 = 0x10
    public static let ipv4Route: UInt32 = 0x40
    public static let ipv4Rule: UInt32 = 0x80
    public static let ipv6Address: UInt32 = 0x100
    public static let ipv6Route: UInt32 = 0x400
  }

  /// A non-blocking NETLINK_ROUTE socket of the calling thread's network namespace, member of
  /// `groups`. `queue_bytes` is asked for beyond the system's limit too.
  public static func openRoute(
    groups: UInt32, queue_bytes: Int32
  ) throws(KernelError) -> FileDescriptor {
    let fd = try KernelError.check(fl_netlink_socket(0, groups), "socket(AF_NETLINK)")
    RawSocket.growQueue(fd, to: queue_bytes)
    return FileDescriptor(owning: fd)
  }

  /// A non-blocking NETLINK_NETFILTER socket of the calling thread's network namespace, whose
  /// requests may be as large as `request_bytes`. Throws EPROTONOSUPPORT without netfilter.
  public static func openNetfilter(request_bytes: Int32) throws(KernelError) -> FileDescriptor {
    let fd = try KernelError.check(fl_netlink_socket(12, 0), "socket(NETLINK_NETFILTER)")
    if Socket.set(fd, .sendBufferForce, request_bytes) < 0 {
      Socket.set(fd, .sendBuffer, request_bytes)
    }
    return FileDescriptor(owning: fd)
  }

  /// Sends to the kernel.
  public static func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> IOResult {
    IOResult(fl_netlink_send(fd, bytes.baseAddress, bytes.count))
  }

  /// One datagram; ENOBUFS tells that some were lost. The result is the datagram's true length,
  /// larger than `bytes` when it was cut. Messages of other processes are to be ignored:
  /// `isFromKernel` is false for them. Never blocks.
  public static func receive(
    _ fd: Int32, into bytes: UnsafeMutableRawBufferPointer, isFromKernel: inout Bool
  ) -> IOResult {
    var sender: UInt32 = 0
    let result = fl_netlink_receive(fd, bytes.baseAddress, bytes.count, &sender)
    isFromKernel = sender == 0
    return IOResult(result)
  }
}

public enum NetworkInterface {
  /// The index of an interface of the calling thread's network namespace, or nil.
  public static func index(named name: String) -> UInt32? {
    UInt32(exactly: fl_interface_index(name)).flatMap { $0 == 0 ? nil : $0 }
  }
}

/// Network namespaces (network_namespaces(7)) of the calling thread. Sockets stay in the one
/// they were opened in; so does /proc/sys/net, which shows the reading thread's.
public enum NetworkNamespace {
  /// A new, empty one. Throws EPERM without CAP_SYS_ADMIN.
  public static func enterNew() throws(KernelError) {
    try KernelError.check(fl_new_network_namespace(), "unshare")
  }

  /// The one a file stands for, such as `/run/netns/blue`.
  public static func enter(path: String) throws(KernelError) {
    try KernelError.check(fl_enter_network_namespace(path), "setns")
  }
}

extension SocketOption {
  static let sendBuffer = SocketOption(level: 1, name: 7)
  static let sendBufferForce = SocketOption(level: 1, name: 32)
}

/// Small files of the kernel, such as those below /proc/sys.
public enum SystemFile {
  /// At most 4 KiB of it, without the newline at the end. Throws ENOENT, EACCES …
  public static func read(_ path: String) throws(KernelError) -> String {
    var failure: Int32 = 0
    let text = String(unsafeUninitializedCapacity: 4096) { buffer in
      let got = fl_read_file(path, buffer.baseAddress, buffer.count)
      if got < 0 { failure = Int32(-got) }
      return max(got, 0)
    }
    if failure != 0 { throw KernelError(call: "read \(path)", code: failure) }
    return text.last == "\n" ? String(text.dropLast()) : text
  }

  /// Writes an existing file in one call. Throws EROFS where /proc/sys may not be written.
  public static func write(_ path: String, _ text: String) throws(KernelError) {
    var text = text
    let put = text.withUTF8 { fl_write_file(path, $0.baseAddress, $0.count) }
    if put < 0 { throw KernelError(call: "write \(path)", code: Int32(-put)) }
  }
}
