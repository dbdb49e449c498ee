// Packet sockets (packet(7)): whole Ethernet frames out, ARP in; and the classic BPF programs
// that let the kernel drop what nobody here wants to see.

import CLinux

public enum PacketSocket {
  public static let etherTypeIPv4: UInt16 = 0x0800
  public static let etherTypeARP: UInt16 = 0x0806

  /// A socket that only sends; whole frames, of any interface. Throws EPERM without CAP_NET_RAW.
  public static func openSender() throws(KernelError) -> FileDescriptor {
    FileDescriptor(owning: try KernelError.check(fl_packet_socket(3, 0, 0), "socket"))
  }

  /// A socket that receives one EtherType from one interface, or (index 0) from all. The bytes
  /// begin behind the link-layer header. `filter` is in force before the first packet is seen.
  public static func openReceiver(
    etherType: UInt16, interfaceIndex: UInt32, filter: PacketFilter
  ) throws(KernelError) -> FileDescriptor {
    let fd = try KernelError.check(
      fl_packet_socket(2, Int32(etherType), interfaceIndex), "socket")
    do throws(KernelError) {
      try filter.attach(to: fd)
    } catch {
      Socket.close(fd)
      throw error
    }
    // What came between bind(2) and the filter is dropped unread.
    var byte: UInt8 = 0
    var index: UInt32 = 0
    var type: UInt8 = 0
    while fl_receive_frame(fd, &byte, 1, &index, &type) >= 0 {}
    return FileDescriptor(owning: fd)
  }

  /// Sends one frame, Ethernet header first, out of an interface. Never blocks. ENETDOWN when
  /// the interface is down, ENXIO when there is none.
  public static func send(
    _ fd: Int32, _ frame: UnsafeRawBufferPointer, interfaceIndex: UInt32
  ) -> IOResult {
    IOResult(fl_send_frame(fd, frame.baseAddress, frame.count, interfaceIndex))
  }

  /// One packet and the interface it came from. Never blocks. `isOwn` tells that this host sent
  /// it.
  public static func receive(
    _ fd: Int32, into bytes: UnsafeMutableRawBufferPointer, interfaceIndex: inout UInt32,
    isOwn: inout Bool
  ) -> IOResult {
    var type: UInt8 = 0
    let result = fl_receive_frame(fd, bytes.baseAddress, bytes.count, &interfaceIndex, &type)
    isOwn = type == 4
    return IOResult(result)
  }
}

/// A classic BPF program (Documentation/networking/filter.rst of the kernel): what it answers is
/// how many bytes of a packet are kept, 0 = the packet is dropped.
public struct PacketFilter: Equatable, Sendable {
  public struct Step: Equatable, Sendable {
    public let code: UInt16
    public let onTrue: UInt8
    public let onFalse: UInt8
    public let value: UInt32

    /// A := the 32 bits, 16 bits or byte at an offset.
    public static func loadWord(_ offset: UInt32) -> Step { Step(0x20, offset) }
    public static func loadHalf(_ offset: UInt32) -> Step { Step(0x28, offset) }
    /// Skips steps according to whether A is `value`.
    public static func ifEqual(_ value: UInt32, skip: UInt8, otherwise: UInt8) -> Step {
      Step(0x15, value, skip, otherwise)
    }
    public static func keep(_ bytes: UInt32) -> Step { Step(0x06, bytes) }

    private init(_ code: UInt16, _ value: UInt32, _ onTrue: UInt8 = 0, _ onFalse: UInt8 = 0) {
      self.code = code
      self.value = value
      self.onTrue = onTrue
      self.onFalse = onFalse
    }
  }

  /// The kernel takes at most this many steps (BPF_MAXINSNS).
  public static let maximumSteps = 4096

  public var steps: [Step]
  public init(_ steps: [Step]) { self.steps = steps }

  public static let dropAll = PacketFilter([.keep(0)])

  /// Puts it in force in place of an earlier one. Throws EINVAL for a program that jumps behind
  /// its end or is too long, ENOMEM beyond net.core.optmem_max.
  public func attach(to fd: Int32) throws(KernelError) {
    let raw = steps.map {
      fl_filter_step(code: $0.code, on_true: $0.onTrue, on_false: $0.onFalse, value: $0.value)
    }
    try KernelError.check(
      fl_attach_filter(fd, raw, raw.count), "setsockopt(SO_ATTACH_FILTER)")
  }
}
