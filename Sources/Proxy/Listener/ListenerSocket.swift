// Opening listening sockets: one per worker and address, in one SO_REUSEPORT group.

import Configuration
import Glibc
import Kernel

/// A listen address that could not be opened.
public struct BindError: Error, Sendable, CustomStringConvertible {
  public let frontend: String
  /// As the configuration's dialect writes it.
  public let address: String
  public let interface: String?
  /// "file:line" of the bind line, when known.
  public let origin: String
  public let error: KernelError

  public var description: String {
    let place = origin.isEmpty ? "" : "\(origin): "
    let device = interface.map { " on interface \($0)" } ?? ""
    return "\(place)cannot listen on \(address)\(device) for frontend '\(frontend)': "
      + "\(error.reason) (\(error.call))"
  }
}

/// One address of a bind line, with everything that shapes its socket.
struct ListenerSpecification {
  let frontend: Frontend
  let bind: Bind
  let address: SocketAddress
  /// How log lines name the listener within its frontend.
  let name: String

  /// Equal keys mean that an open socket can be kept.
  var key: String {
    let keepalive = KeepaliveOptions(frontend.keepalive)
    return [
      "\(address)", bind.interface ?? "", "\(bind.familyMode)",
      "\(bind.transparent)\(bind.deferAccept)\(bind.tcpFastOpen)",
      "\(bind.maxSegmentSize ?? 0)", "\(milliseconds(bind.tcpUserTimeout))",
      "\(keepalive.isEnabled)/\(keepalive.count)/\(keepalive.idle_s)/\(keepalive.interval_s)",
    ].joined(separator: "|")
  }

  var isTCP: Bool {
    switch address {
    case .ip, .descriptor: true
    case .unix, .abstract: false
    }
  }

  /// Unix sockets and inherited descriptors are one socket that all workers wait on.
  var isShared: Bool {
    if case .ip = address { return false }
    return true
  }

  /// The TCP port, when there is one.
  var port: UInt16? {
    if case .ip(_, let port) = address { return port }
    return nil
  }

  /// Finds out whether anyone else listens here: two balancers that share a port by accident
  /// would each get half of the clients. A socket without SO_REUSEPORT cannot join a group.
  func probe() -> BindError? {
    if isShared { return nil }
    do {
      Socket.close(try openSocket(reusePort: false))
      return nil
    } catch {
      return bindError(error)
    }
  }

  /// Opens `count` sockets, or says what failed; nothing stays open then.
  func openAll(count: Int) -> Result<[Int32], BindError> {
    do {
      return .success(isShared ? try openShared(count: count) : try openGroup(count: count))
    } catch {
      return .failure(bindError(error))
    }
  }

  private func bindError(_ error: KernelError) -> BindError {
    BindError(
      frontend: frontend.name, address: "\(address)", interface: bind.interface,
      origin: bind.origin, error: error)
  }

  private func openGroup(count: Int) throws(KernelError) -> [Int32] {
    var opened: [Int32] = []
    do throws(KernelError) {
      for _ in 0..<count { opened.append(try openSocket(reusePort: true)) }
      for fd in opened { try check(Socket.listen(fd, backlog: backlog), "listen") }
    } catch {
      opened.forEach(Socket.close)
      throw error
    }
    return opened
  }

  private func openSocket(reusePort: Bool) throws(KernelError) -> Int32 {
    var kernelAddress = try KernelAddress(address)
    let fd = Socket.openStream(family: kernelAddress.family)
    try check(fd, "socket")
    do throws(KernelError) {
      Socket.set(fd, .reuseAddress, 1)
      if reusePort { try check(Socket.set(fd, .reusePort, 1), "SO_REUSEPORT") }
      try shape(fd, family: kernelAddress.family)
      try check(Socket.bind(fd, &kernelAddress.raw), "bind")
    } catch {
      Socket.close(fd)
      throw error
    }
    return fd
  }

  /// Options of the listener; what it accepts inherits them, which saves calls per connection.
  private func shape(_ fd: Int32, family: Int32) throws(KernelError) {
    if family == Socket.familyIPv6 {
      // A virtual address that another node holds can be bound all the same.
      Socket.set(fd, .ipv6Freebind, 1)
      switch bind.familyMode {
      case .systemDefault: break
      case .v4v6: try check(Socket.set(fd, .ipv6Only, 0), "IPV6_V6ONLY")
      case .v6only: try check(Socket.set(fd, .ipv6Only, 1), "IPV6_V6ONLY")
      }
    } else {
      Socket.set(fd, .ipFreebind, 1)
    }
    if bind.transparent {
      let option: SocketOption = family == Socket.familyIPv6 ? .ipv6Transparent : .ipTransparent
      try check(Socket.set(fd, option, 1), "IP_TRANSPARENT")
    }
    if let interface = bind.interface {
      try check(Socket.bindToDevice(fd, interface), "SO_BINDTODEVICE")
    }
    Socket.set(fd, .noDelay, 1)
    KeepaliveOptions(frontend.keepalive).apply(to: fd)
    if bind.deferAccept { try check(Socket.set(fd, .deferAccept, 60), "TCP_DEFER_ACCEPT") }
    if bind.tcpFastOpen { try check(Socket.set(fd, .fastOpen, backlog), "TCP_FASTOPEN") }
    if let size = bind.maxSegmentSize {
      try check(Socket.set(fd, .maxSegment, Int32(clamping: size)), "TCP_MAXSEG")
    }
    let userTimeout = milliseconds(bind.tcpUserTimeout)
    if userTimeout > 0 { try check(Socket.set(fd, .userTimeout, userTimeout), "TCP_USER_TIMEOUT") }
  }

  private var backlog: Int32 {
    Int32(clamping: bind.backlog ?? frontend.backlog ?? max(1024, frontend.maxconn ?? 0))
  }

  private func openShared(count: Int) throws(KernelError) -> [Int32] {
    let first: Int32
    switch address {
    case .descriptor(let number):
      let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
      if copy < 0 { throw KernelError(call: "fd@\(number)", code: errno) }
      _ = fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK)
      // Sessions take it for granted that what is accepted has it.
      Socket.set(copy, .noDelay, 1)
      first = copy
    default:
      var kernelAddress = try KernelAddress(address)
      first = Socket.openStream(family: kernelAddress.family)
      try check(first, "socket")
      do throws(KernelError) {
        if case .unix(let path) = address { try prepareUnixPath(path) }
        try check(Socket.bind(first, &kernelAddress.raw), "bind")
        if case .unix(let path) = address { try setOwnership(path) }
        try check(Socket.listen(first, backlog: backlog), "listen")
      } catch {
        Socket.close(first)
        throw error
      }
    }
    var all = [first]
    for _ in 1..<max(1, count) {
      let copy = fcntl(first, F_DUPFD_CLOEXEC, 0)
      if copy < 0 {
        let code = errno
        all.forEach(Socket.close)
        throw KernelError(call: "dup", code: code)
      }
      all.append(copy)
    }
    return all
  }

  /// Removes a socket that a former process left, and nothing else.
  private func prepareUnixPath(_ path: String) throws(KernelError) {
    var status = stat()
    if lstat(path, &status) != 0 { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw KernelError(call: "bind", code: 98) }
    unlink(path)
  }

  private func setOwnership(_ path: String) throws(KernelError) {
    if let mode = bind.mode, chmod(path, mode_t(mode)) != 0 {
      throw KernelError(call: "chmod", code: errno)
    }
    var user = uid_t.max
    var group = gid_t.max
    if let owner = bind.owner {
      guard let entry = getpwnam(owner) else { throw KernelError(call: "user \(owner)", code: 2) }
      user = entry.pointee.pw_uid
    }
    if let name = bind.group {
      guard let entry = getgrnam(name) else { throw KernelError(call: "group \(name)", code: 2) }
      group = entry.pointee.gr_gid
    }
    if user != .max || group != .max, chown(path, user, group) != 0 {
      throw KernelError(call: "chown", code: errno)
    }
  }

  @discardableResult
  private func check(_ result: Int32, _ call: String) throws(KernelError) -> Int32 {
    if result < 0 { throw KernelError(call: call, code: -result) }
    return result
  }
}
