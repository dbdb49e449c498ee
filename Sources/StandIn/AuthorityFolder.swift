// An authority in a folder, as kubeadm lays it out: ca.crt and ca.key. Several stand-ins that are
// started at once with an empty folder share the one that the first of them makes.

import Glibc

extension Authority {
  /// Largest file read, bytes: an RSA key of 16384 bits takes 13 KB.
  private static let largestFile = 65_536

  /// Reads `ca.crt` and `ca.key` in `folder`, or makes the folder and both (the key with mode
  /// 0600) when neither is there.
  /// - Throws: `AuthorityError` when only one of them is there, or one cannot be read or written.
  public init(folder: String) throws {
    if mkdir(folder, 0o755) != 0, errno != EEXIST { throw Self.failure("make", folder) }
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw Self.failure("open", folder) }
    defer { close(directory) }
    // Held until the folder is closed: nobody sees one file without the other.
    while flock(directory, LOCK_EX) != 0 {
      guard errno == EINTR else { throw Self.failure("lock", folder) }
    }
    let paths = (certificate: "\(folder)/ca.crt", key: "\(folder)/ca.key")
    switch (try Self.read(paths.certificate), try Self.read(paths.key)) {
    case (nil, nil):
      try self.init()
      try Self.write(try keyPEM, to: paths.key, mode: 0o600)
      try Self.write(try pem, to: paths.certificate, mode: 0o644)
    case (let certificate?, let key?):
      do {
        try self.init(certificate: certificate, key: key)
      } catch {
        throw AuthorityError(reason: "\(folder): \(error)")
      }
    case (nil, _?): throw AuthorityError(reason: "\(folder) has a ca.key and no ca.crt")
    case (_?, nil): throw AuthorityError(reason: "\(folder) has a ca.crt and no ca.key")
    }
  }

  private static func failure(_ action: String, _ path: String) -> AuthorityError {
    AuthorityError(reason: "cannot \(action) \(path): \(String(cString: strerror(errno)))")
  }

  /// Nil when there is no such file.
  private static func read(_ path: String) throws -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("read", path)
    }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: largestFile + 1)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(file, buffer.baseAddress! + filled, buffer.count - filled)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { return String(decoding: bytes[..<filled], as: UTF8.self) }
      filled += count
    }
    throw AuthorityError(reason: "\(path) is longer than \(largestFile) bytes")
  }

  private static func write(_ text: String, to path: String, mode: mode_t) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard file >= 0 else { throw failure("write", path) }
    defer { close(file) }
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.write(file, buffer.baseAddress! + written, buffer.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write", path) }
      written += count
    }
  }
}
