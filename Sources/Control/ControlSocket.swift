// The socket's file: who may open it, and what to do about one that is there already.

import Glibc

/// Why there is no control socket, or no daemon behind it.
public enum ControlError: Error, Equatable, CustomStringConvertible {
  /// Another daemon answers there.
  case taken(path: String)
  case notASocket(path: String)
  case pathTooLong(path: String)
  case failed(path: String, code: Int32)
  /// The connection ended or nothing came in time.
  case noAnswer(path: String, reason: String)

  public var description: String {
    switch self {
    case .taken(let path): "control socket \(path): another fairlead answers there"
    case .notASocket(let path): "control socket \(path): something else has this name"
    case .pathTooLong(let path): "control socket \(path): the path is longer than 107 bytes"
    case .failed(let path, let code):
      "control socket \(path): \(String(cString: strerror(code)))"
    case .noAnswer(let path, let reason): "control socket \(path): \(reason)"
    }
  }
}

enum ControlSocket {
  static func open(_ path: String) throws(ControlError) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(O_CLOEXEC), 0)
    guard descriptor >= 0 else { throw .failed(path: path, code: errno) }
    return descriptor
  }

  /// A socket that listens there, for the owner alone: its mode is in force before its name is.
  static func listen(_ path: String) throws(ControlError) -> Int32 {
    try removeStale(path)
    let descriptor = try open(path)
    var result = fchmod(descriptor, 0o600)
    if result == 0 { result = try withAddress(path) { bind(descriptor, $0, $1) } }
    if result == 0 { result = Glibc.listen(descriptor, Int32(ControlLimits.connections)) }
    if result == 0 { return descriptor }
    let code = errno
    close(descriptor)
    throw .failed(path: path, code: code)
  }

  /// A socket whose daemon is gone refuses connections; one that is busy or answers does not.
  private static func removeStale(_ path: String) throws(ControlError) {
    var known = stat()
    guard lstat(path, &known) == 0 else { return }
    guard known.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
    let probe = try open(path)
    defer { close(probe) }
    _ = fcntl(probe, F_SETFL, O_NONBLOCK)
    let result = try withAddress(path) { connect(probe, $0, $1) }
    if result == 0 || errno == EAGAIN { throw .taken(path: path) }
    guard errno == ECONNREFUSED else { throw .failed(path: path, code: errno) }
    guard unlink(path) == 0 || errno == ENOENT else { throw .failed(path: path, code: errno) }
  }

  static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(ControlError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw .pathTooLong(path: path)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  /// The file's identity, so that only our own is removed at the end.
  static func inode(_ path: String) -> UInt? {
    var known = stat()
    return lstat(path, &known) == 0 ? UInt(known.st_ino) : nil
  }
}
