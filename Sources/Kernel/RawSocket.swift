// Raw IP sockets (raw(7), ip(7), ipv6(7)): a protocol of our own above IP, such as VRRP (112).
// One socket that sends serves every interface; each interface has its own socket that receives.

import CLinux

/// Where a datagram of a raw socket came from and went to.
public struct ReceivedDatagram: Sendable, Equatable {
  /// Port 0. A link-local IPv6 source has its interface in `scope`.
  public var source = NetworkEndpoint()
  /// `family` 0 when the kernel did not tell.
  public var destination = NetworkEndpoint()
  /// 0 when the kernel did not tell.
  public var interfaceIndex: UInt32 = 0
  /// TTL or hop limit, 0...255; -1 when the kernel did not tell.
  public var hopLimit: Int32 = -1
  public init() {}
}

public enum RawSocket {
  /// A socket that only sends. IPv4: what is sent begins with the IP header, whose checksum,
  /// and id 0, the kernel fills in. IPv6: hop limit 255, traffic class 0xc0, and the checksum
  /// (pseudo-header included) is written at `checksumOffset`. Multicasts are not looped back.
  /// Throws EPERM without CAP_NET_RAW.
  public static func openSender(
    family: Int32, protocolNumber: Int32, checksumOffset: Int32
  ) throws(KernelError) -> FileDescriptor {
    let isIPv4 = family == Socket.familyIPv4
    // IPPROTO_RAW receives nothing, so that no queue fills which nobody reads.
    let fd = try KernelError.check(
      fl_raw_socket(family, isIPv4 ? 255 : protocolNumber), "socket")
    do throws(KernelError) {
      if isIPv4 {
        try set(fd, .ipHeaderIncluded, 1)
        try set(fd, .ipMulticastLoop, 0)
      } else {
        try PacketFilter.dropAll.attach(to: fd)
        try set(fd, .ipv6Checksum, checksumOffset)
        try set(fd, .ipv6UnicastHops, 255)
        try set(fd, .ipv6MulticastHops, 255)
        try set(fd, .ipv6MulticastLoop, 0)
        try set(fd, .ipv6TrafficClass, 0xc0)
      }
    } catch {
      Socket.close(fd)
      throw error
    }
    return FileDescriptor(owning: fd)
  }

  /// A socket that receives `protocolNumber`, from one interface or (nil) from all; bytes of
  /// IPv4 begin with the IP header. Multicast comes only from groups that it joined itself.
  /// IPv6 datagrams with a wrong checksum at `checksumOffset` are dropped by the kernel.
  /// `queue_bytes` is asked for beyond the system's limit too (socket(7), SO_RCVBUFFORCE).
  /// Throws EPERM without CAP_NET_RAW, ENODEV when there is no such interface.
  public static func openReceiver(
    family: Int32, protocolNumber: Int32, checksumOffset: Int32, interface: String?,
    queue_bytes: Int32
  ) throws(KernelError) -> FileDescriptor {
    let fd = try KernelError.check(fl_raw_socket(family, protocolNumber), "socket")
    do throws(KernelError) {
      if let interface {
        try KernelError.check(Socket.bindToDevice(fd, interface), "setsockopt(SO_BINDTODEVICE)")
      }
      if family == Socket.familyIPv4 {
        try set(fd, .ipMulticastAll, 0)
        try set(fd, .ipMulticastLoop, 0)
        try set(fd, .ipPacketInformation, 1)
      } else {
        try set(fd, .ipv6Checksum, checksumOffset)
        try set(fd, .ipv6ReceivePacketInformation, 1)
        try set(fd, .ipv6ReceiveHopLimit, 1)
        try set(fd, .ipv6MulticastLoop, 0)
        // Since Linux 4.20; before it every member of the host gets the group.
        Socket.set(fd, .ipv6MulticastAll, 0)
      }
      growQueue(fd, to: queue_bytes)
    } catch {
      Socket.close(fd)
      throw error
    }
    return FileDescriptor(owning: fd)
  }

  /// Joins a multicast group on an interface. Throws EADDRINUSE when it was joined, ENODEV
  /// without that interface or an address on it (IPv4), ENOBUFS beyond igmp_max_memberships.
  public static func join(
    _ fd: Int32, group: NetworkEndpoint, interfaceIndex: UInt32
  ) throws(KernelError) {
    var group = group
    try KernelError.check(
      fl_multicast_member(fd, 1, &group, interfaceIndex), "setsockopt(ADD_MEMBERSHIP)")
  }

  public static func leave(
    _ fd: Int32, group: NetworkEndpoint, interfaceIndex: UInt32
  ) throws(KernelError) {
    var group = group
    try KernelError.check(
      fl_multicast_member(fd, 0, &group, interfaceIndex), "setsockopt(DROP_MEMBERSHIP)")
  }

  /// One datagram; what does not fit into `bytes` is cut off. Never blocks.
  public static func receive(
    _ fd: Int32, into bytes: UnsafeMutableRawBufferPointer, about: inout ReceivedDatagram
  ) -> IOResult {
    IOResult(
      fl_receive_from_wire(
        fd, bytes.baseAddress, bytes.count, &about.source, &about.destination,
        &about.interfaceIndex, &about.hopLimit))
  }

  /// Sends one datagram out of an interface, or (index 0) where the routes lead. IPv6 takes
  /// `source` unless it is nil; IPv4 has it in its header. Never blocks.
  public static func send(
    _ fd: Int32, _ bytes: UnsafeRawBufferPointer, to destination: NetworkEndpoint,
    from source: NetworkEndpoint? = nil, interfaceIndex: UInt32
  ) -> IOResult {
    var destination = destination
    var source = source ?? NetworkEndpoint()
    return IOResult(
      fl_send_to_wire(
        fd, bytes.baseAddress, bytes.count, &source, &destination, interfaceIndex))
  }

  /// An ICMPv6 socket that receives one message type from all interfaces (ipv6-icmp(7)); the
  /// bytes begin with the ICMPv6 header, and its checksum was right.
  public static func openICMPv6Receiver(type: UInt8) throws(KernelError) -> FileDescriptor {
    let fd = try KernelError.check(fl_raw_socket(Socket.familyIPv6, 58), "socket")
    do throws(KernelError) {
      try KernelError.check(fl_icmp6_pass_only(fd, type), "setsockopt(ICMP6_FILTER)")
      try set(fd, .ipv6ReceivePacketInformation, 1)
      try set(fd, .ipv6ReceiveHopLimit, 1)
    } catch {
      Socket.close(fd)
      throw error
    }
    return FileDescriptor(owning: fd)
  }

  /// Asks for a receive queue beyond net.core.rmem_max, and takes what is allowed without
  /// CAP_NET_ADMIN.
  public static func growQueue(_ fd: Int32, to bytes: Int32) {
    if Socket.set(fd, .receiveBufferForce, bytes) < 0 { Socket.set(fd, .receiveBuffer, bytes) }
  }

  static func set(_ fd: Int32, _ option: SocketOption, _ value: Int32) throws(KernelError) {
    try KernelError.check(Socket.set(fd, option, value), "setsockopt")
  }
}

extension SocketOption {
  public static let receiveBuffer = SocketOption(level: 1, name: 8)
  public static let receiveBufferForce = SocketOption(level: 1, name: 33)
  public static let ipHeaderIncluded = SocketOption(level: 0, name: 3)
  public static let ipPacketInformation = SocketOption(level: 0, name: 8)
  public static let ipMulticastLoop = SocketOption(level: 0, name: 34)
  public static let ipMulticastAll = SocketOption(level: 0, name: 49)
  public static let ipv6Checksum = SocketOption(level: 41, name: 7)
  public static let ipv6UnicastHops = SocketOption(level: 41, name: 16)
  public static let ipv6MulticastHops = SocketOption(level: 41, name: 18)
  public static let ipv6MulticastLoop = SocketOption(level: 41, name: 19)
  public static let ipv6MulticastAll = SocketOption(level: 41, name: 29)
  public static let ipv6ReceivePacketInformation = SocketOption(level: 41, name: 49)
  public static let ipv6ReceiveHopLimit = SocketOption(level: 41, name: 51)
  public static let ipv6TrafficClass = SocketOption(level: 41, name: 67)
}
