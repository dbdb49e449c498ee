// Sockets: addresses, options, and the calls that move bytes. The byte calls take a plain
// descriptor number, because sessions live in a slab and own their descriptors themselves.

import CLinux

/// An IP address and port in host byte order; `family` is 4, 6, or 0 for a Unix socket.
public typealias NetworkEndpoint = fl_endpoint

/// An address in the form bind(2) and connect(2) take.
public struct KernelAddress: @unchecked Sendable {
  public var raw: fl_sockaddr

  /// An IP address. Throws when the family is neither 4 nor 6.
  public init(_ endpoint: NetworkEndpoint) throws(KernelError) {
    raw = fl_sockaddr()
    var endpoint = endpoint
    try KernelError.check(fl_sockaddr_ip(&raw, &endpoint), "address")
  }

  /// A Unix socket path (at most 107 bytes), or an abstract name.
  public init(unixPath path: String, isAbstract: Bool = false) throws(KernelError) {
    raw = fl_sockaddr()
    var text = path
    let result = text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        fl_sockaddr_unix(&raw, $0.baseAddress, $0.count, isAbstract ? 1 : 0)
      }
    }
    try KernelError.check(result, "address")
  }

  /// No address yet; connecting to it fails.
  public static var empty: KernelAddress { KernelAddress() }
  private init() { raw = fl_sockaddr() }

  public var family: Int32 { Int32(raw.family) }
}

public enum Socket {
  public static let familyIPv4: Int32 = 2
  public static let familyIPv6: Int32 = 10
  public static let familyUnix: Int32 = 1

  /// A non-blocking, close-on-exec stream socket, or a negative errno.
  @inlinable @inline(__always)
  public static func openStream(family: Int32) -> Int32 { fl_socket(family, 1) }

  /// A non-blocking, close-on-exec datagram socket, or a negative errno.
  public static func openDatagram(family: Int32) -> Int32 { fl_socket(family, 2) }

  /// 0 or a negative errno; -EINPROGRESS (-115) means that it goes on.
  @inlinable @inline(__always)
  public static func connect(_ fd: Int32, _ address: UnsafePointer<fl_sockaddr>) -> Int32 {
    fl_connect(fd, address)
  }

  @inlinable @inline(__always)
  public static func bind(_ fd: Int32, _ address: UnsafePointer<fl_sockaddr>) -> Int32 {
    fl_bind(fd, address)
  }

  public static func listen(_ fd: Int32, backlog: Int32) -> Int32 { fl_listen(fd, backlog) }

  /// The accepted non-blocking socket, or a negative errno.
  @inlinable @inline(__always)
  public static func accept(_ fd: Int32, peer: inout NetworkEndpoint) -> Int32 {
    fl_accept(fd, &peer)
  }

  public static func localEndpoint(_ fd: Int32) -> NetworkEndpoint {
    var endpoint = NetworkEndpoint()
    _ = fl_local_endpoint(fd, &endpoint)
    return endpoint
  }

  public static func peerEndpoint(_ fd: Int32) -> NetworkEndpoint {
    var endpoint = NetworkEndpoint()
    _ = fl_peer_endpoint(fd, &endpoint)
    return endpoint
  }

  @inlinable @inline(__always)
  public static func receive(
    _ fd: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int
  ) -> IOResult { IOResult(fl_receive(fd, bytes, count)) }

  @inlinable @inline(__always)
  public static func peek(
    _ fd: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int
  ) -> IOResult { IOResult(fl_peek(fd, bytes, count)) }

  /// Drops received bytes of a TCP socket unread, so that closing it sends FIN and not RST.
  public static func discardReceived(_ fd: Int32, _ count: Int) { _ = fl_discard(fd, count) }

  @inlinable @inline(__always)
  public static func send(_ fd: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> IOResult {
    IOResult(fl_send(fd, bytes, count))
  }

  /// Sends the last bytes before `shutdownWrite` or `close`, which must follow at once: they wait
  /// for it, and the FIN travels in their packet.
  @inlinable @inline(__always)
  public static func sendBeforeEnd(
    _ fd: Int32, _ bytes: UnsafeRawPointer, _ count: Int
  ) -> IOResult { IOResult(fl_send_before_end(fd, bytes, count)) }

  public static func send(
    _ fd: Int32, _ bytes: UnsafeRawBufferPointer, to address: KernelAddress
  ) -> IOResult {
    var raw = address.raw
    return IOResult(fl_send_to(fd, bytes.baseAddress, bytes.count, &raw))
  }

  @inlinable @inline(__always)
  public static func shutdownWrite(_ fd: Int32) -> Int32 { fl_shutdown_write(fd) }

  @inlinable @inline(__always)
  public static func close(_ fd: Int32) { _ = fl_close(fd) }

  /// The next close(2) sends RST and drops what is unsent (SO_LINGER with time 0).
  public static func resetOnClose(_ fd: Int32) { _ = fl_set_reset_on_close(fd) }

  /// The pending error of a socket (SO_ERROR), 0 when there is none.
  @inlinable
  public static func takeError(_ fd: Int32) -> Int32 {
    var code: Int32 = 0
    let result = fl_get_option(fd, 1, 4, &code)
    return result < 0 ? -result : code
  }

  @discardableResult
  public static func set(_ fd: Int32, _ option: SocketOption, _ value: Int32) -> Int32 {
    fl_set_option(fd, option.level, option.name, value)
  }

  public static func bindToDevice(_ fd: Int32, _ interface: String) -> Int32 {
    fl_bind_to_device(fd, interface)
  }
}

/// The socket options Fairlead sets, by their names in socket(7), ip(7), ipv6(7) and tcp(7).
public struct SocketOption: Sendable {
  public let level: Int32
  public let name: Int32

  public static let reuseAddress = SocketOption(level: 1, name: 2)
  public static let reusePort = SocketOption(level: 1, name: 15)
  public static let keepAlive = SocketOption(level: 1, name: 9)
  public static let noDelay = SocketOption(level: 6, name: 1)
  public static let maxSegment = SocketOption(level: 6, name: 2)
  public static let keepIdle = SocketOption(level: 6, name: 4)
  public static let keepInterval = SocketOption(level: 6, name: 5)
  public static let keepCount = SocketOption(level: 6, name: 6)
  public static let deferAccept = SocketOption(level: 6, name: 9)
  public static let userTimeout = SocketOption(level: 6, name: 18)
  public static let fastOpen = SocketOption(level: 6, name: 23)
  public static let ipFreebind = SocketOption(level: 0, name: 15)
  public static let ipBindAddressNoPort = SocketOption(level: 0, name: 24)
  public static let ipTransparent = SocketOption(level: 0, name: 19)
  public static let ipv6Only = SocketOption(level: 41, name: 26)
  public static let ipv6Freebind = SocketOption(level: 41, name: 78)
  public static let ipv6Transparent = SocketOption(level: 41, name: 75)
}

extension NetworkEndpoint: @retroactive Equatable {
  public static func == (a: NetworkEndpoint, b: NetworkEndpoint) -> Bool {
    a.family == b.family && a.port == b.port && a.scope == b.scope && a.high == b.high
      && a.low == b.low
  }
}
