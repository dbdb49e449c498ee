// Finding free ports on loopback, and keeping them: a stopped server must find its port again.

import Glibc

/// No port in the range was free.
public struct NoFreePort: Error, CustomStringConvertible {
  let first: UInt16
  let last: UInt16
  public var description: String { "no free port on 127.0.0.1 from \(first) to \(last)" }
}

/// A port on 127.0.0.1 that nobody listened on, held against other users of this type (in any
/// process of the network namespace) by an abstract Unix socket of that number, which the kernel
/// removes when the process ends, however it ends. Released with the last reference.
public final class PortReservation: Sendable {
  public let port: UInt16
  private let lock: Int32

  private init(port: UInt16, lock: Int32) {
    self.port = port
    self.lock = lock
  }

  deinit { close(lock) }

  /// The first free port from `first` on; taken ones are stepped over, `tries` at most.
  public static func take(from first: UInt16, tries: UInt16 = 500) throws(NoFreePort)
    -> PortReservation
  {
    let last = first.addingReportingOverflow(tries).overflow ? UInt16.max : first + tries
    for port in first...last {
      guard let lock = lock(port) else { continue }
      if isFree(port) { return PortReservation(port: port, lock: lock) }
      close(lock)
    }
    throw NoFreePort(first: first, last: last)
  }

  /// Binds the abstract name that stands for the port. Nil when someone has it.
  private static func lock(_ port: UInt16) -> Int32? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // A leading NUL makes the name abstract (unix(7)).
    let name = [UInt8(0)] + Array("fairlead-port-\(port)".utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = MemoryLayout<sa_family_t>.size + name.count
    return bindSocket(descriptor, &address, length: length) ? descriptor : nil
  }

  /// Nobody listens there. SO_REUSEADDR, so that connections of an earlier run that only wait for
  /// their end (TIME_WAIT) do not count; no SO_REUSEPORT, so that any listener does.
  private static func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    guard bindSocket(descriptor, &address, length: MemoryLayout<sockaddr_in>.size) else {
      return false
    }
    defer { close(descriptor) }
    return listen(descriptor, 1) == 0
  }

  /// Binds, or closes the descriptor and says false.
  private static func bindSocket<Address>(
    _ descriptor: Int32, _ address: inout Address, length: Int
  ) -> Bool {
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(length))
      }
    }
    if result == 0 { return true }
    close(descriptor)
    return false
  }
}
