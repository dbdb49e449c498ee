// Addresses as NIO takes them, and the PROXY header made of a connection's addresses.

import Configuration
import Glibc
import NIOCore

extension Configuration.SocketAddress {
  /// nil when it names nothing that can be connected to, or a path that does not fit.
  package var endpoint: NIOCore.SocketAddress? {
    switch self {
    case .ip(.v4(let number), let port):
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = number.bigEndian
      return NIOCore.SocketAddress(address)
    case .ip(.v6(let high, let low), let port):
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      withUnsafeMutableBytes(of: &address.sin6_addr) {
        $0.storeBytes(of: high.bigEndian, as: UInt64.self)
        $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      return NIOCore.SocketAddress(address)
    case .unix(let path): return try? NIOCore.SocketAddress(unixDomainSocketPath: path)
    case .abstract(let name):
      // NIO always passes the whole sockaddr_un, which names another abstract socket than
      // HAProxy's (whose length ends with the name); only full-length names would agree.
      _ = name
      return nil
    case .descriptor: return nil
    }
  }
}

extension NIOCore.SocketAddress {
  /// The address and port, for IP addresses.
  var ip: (address: IPAddress, port: UInt16)? {
    switch self {
    case .v4(let v4):
      return (
        .v4(UInt32(bigEndian: v4.address.sin_addr.s_addr)),
        UInt16(bigEndian: v4.address.sin_port)
      )
    case .v6(let v6):
      var bytes = v6.address.sin6_addr
      return withUnsafeBytes(of: &bytes) {
        (
          .v6(
            high: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))),
          UInt16(bigEndian: v6.address.sin6_port)
        )
      }
    case .unixDomainSocket: return nil
    }
  }
}

/// The PROXY header of a check's connection (PROXY protocol, sections 2.1 and 2.2).
enum ProxyHeader {
  /// Version 1 tells the connection's own addresses; version 2 says LOCAL, as HAProxy's checks do.
  static func bytes(
    _ version: ProxyProtocolVersion, local: NIOCore.SocketAddress?, remote: NIOCore.SocketAddress?
  ) -> [UInt8] {
    switch version {
    case .v2: [13, 10, 13, 10, 0, 13, 10] + Array("QUIT\n".utf8) + [0x20, 0, 0, 0]
    case .v1: Array(version1(local: local, remote: remote).utf8)
    }
  }

  private static func version1(
    local: NIOCore.SocketAddress?, remote: NIOCore.SocketAddress?
  ) -> String {
    guard let source = local?.ip, let target = remote?.ip,
      let from = local?.ipAddress, let to = remote?.ipAddress
    else { return "PROXY UNKNOWN\r\n" }
    switch (source.address, target.address) {
    case (.v4, .v4): return "PROXY TCP4 \(from) \(to) \(source.port) \(target.port)\r\n"
    case (.v6, .v6): return "PROXY TCP6 \(from) \(to) \(source.port) \(target.port)\r\n"
    case (.v4, .v6), (.v6, .v4): return "PROXY UNKNOWN\r\n"
    }
  }
}

/// The system's words for an error number.
func errorText(_ code: CInt) -> String {
  guard let words = strerror(code) else { return "errno \(code)" }
  return String(cString: words)
}
