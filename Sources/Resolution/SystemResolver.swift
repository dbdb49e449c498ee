// The system's own resolver (getaddrinfo), for `init-addr libc`, and its configuration file.

import Configuration
import Glibc
import NIOCore
import NIOPosix

/// Resolves names as the C library does: hosts file, DNS, whatever nsswitch.conf says.
public enum SystemResolver {
  /// The first address, or nil. Blocks, possibly for many seconds: for start only.
  public static func lookUpBlocking(_ host: String) -> IPAddress? {
    addressesBlocking(of: host).first
  }

  /// All addresses, in the order in which they are to be tried; none when there are none. Blocks
  /// as `lookUpBlocking` does.
  public static func addressesBlocking(of host: String) -> [IPAddress] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var found: [IPAddress] = []
    var entry = list
    while let current = entry {
      if let address = current.pointee.ai_addr.flatMap(ipAddress) { found.append(address) }
      entry = current.pointee.ai_next
    }
    return found
  }

  /// The same on a thread of NIO's pool; the caller's executor is not blocked.
  public static func lookUp(_ host: String) async -> IPAddress? {
    (try? await NIOThreadPool.singleton.runIfActive { lookUpBlocking(host) }) ?? nil
  }

  /// What `init-addr` leads to.
  public enum InitialAddress: Equatable, Sendable {
    case address(IPAddress)
    /// `none`: start without one, in maintenance until the name resolves.
    case deferred
    /// Nothing in the list gave an address: a fatal error at start.
    case unresolvable
  }

  /// Whether a server whose name has no address is waited for: it asks for that with `none`, or is
  /// in a native file and does not say otherwise.
  public static func mayWait(_ server: Server, isNative: Bool) -> Bool {
    server.initAddress.contains(.none) || (isNative && server.initAddress == [.last, .libc])
  }

  /// `initialAddress` on a thread of NIO's pool; the caller's executor is not blocked.
  public static func lookUpInitialAddress(
    of server: Server, last: IPAddress? = nil
  ) async -> InitialAddress {
    let found = try? await NIOThreadPool.singleton.runIfActive {
      initialAddress(of: server, last: last)
    }
    return found ?? .unresolvable
  }

  /// Tries `init-addr` in order. Blocks as `lookUpBlocking` does.
  /// - Parameter last: the address before a reload or from a state file, if known.
  public static func initialAddress(
    of server: Server, last: IPAddress? = nil
  ) -> InitialAddress {
    guard case .name(let host) = server.host else {
      if case .ip(let address) = server.host { return .address(address) }
      return .deferred
    }
    for method in server.initAddress {
      switch method {
      case .last: if let last { return .address(last) }
      case .libc: if let address = lookUpBlocking(host) { return .address(address) }
      case .ip(let address): return .address(address)
      case .none: return .deferred
      }
    }
    return .unresolvable
  }
}

/// /etc/resolv.conf, as far as HAProxy's `parse-resolv-conf` reads it.
public enum ResolvConf {
  /// The addresses of `nameserver` lines, port 53, in order. Lines it cannot read are skipped.
  public static func nameservers(in text: String) -> [Configuration.SocketAddress] {
    var servers: [Configuration.SocketAddress] = []
    for line in text.utf8.prefix(Limits.resolvConf).split(separator: UInt8(ascii: "\n")) {
      let words = line.split { $0 == 32 || $0 == 9 || $0 == 13 }
      guard words.count >= 2, words[0].elementsEqual("nameserver".utf8),
        let address = numericAddress(String(decoding: words[1], as: UTF8.self)),
        servers.count < Limits.nameservers
      else { continue }
      servers.append(.ip(address, port: 53))
    }
    return servers
  }

  /// Reads the file; nil when it cannot be read.
  public static func read(_ path: String = "/etc/resolv.conf") -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while bytes.count < Limits.resolvConf {
      let count = Glibc.read(file, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Parses a numeric address, without scope.
func numericAddress(_ text: String) -> IPAddress? {
  var four = in_addr()
  if inet_pton(AF_INET, text, &four) == 1 { return .v4(UInt32(bigEndian: four.s_addr)) }
  var six = in6_addr()
  guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
  return address(six)
}

private func address(_ six: in6_addr) -> IPAddress {
  withUnsafeBytes(of: six) {
    .v6(
      high: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }
}

private func ipAddress(_ pointer: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
  switch CInt(pointer.pointee.sa_family) {
  case AF_INET:
    return UnsafeRawPointer(pointer).withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
      .v4(UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
    }
  case AF_INET6:
    return UnsafeRawPointer(pointer).withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
      address($0.pointee.sin6_addr)
    }
  default: return nil
  }
}

/// nil for what is not an IP address.
func endpoint(_ address: Configuration.SocketAddress) -> NIOCore.SocketAddress? {
  switch address {
  case .ip(.v4(let number), let port):
    var result = sockaddr_in()
    result.sin_family = sa_family_t(AF_INET)
    result.sin_port = port.bigEndian
    result.sin_addr.s_addr = number.bigEndian
    return NIOCore.SocketAddress(result)
  case .ip(.v6(let high, let low), let port):
    var result = sockaddr_in6()
    result.sin6_family = sa_family_t(AF_INET6)
    result.sin6_port = port.bigEndian
    withUnsafeMutableBytes(of: &result.sin6_addr) {
      $0.storeBytes(of: high.bigEndian, as: UInt64.self)
      $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return NIOCore.SocketAddress(result)
  case .unix, .abstract, .descriptor: return nil
  }
}
