// One process of a network namespace holds virtual addresses: it takes the marked ones that it
// finds for its own left-overs.

import Glibc
import Kernel

/// A lock file named after the network namespace. The kernel gives the lock back when its owner
/// dies, and nobody but root can write to the directory.
package struct NamespaceLock {
  private let descriptor: Int32
  private let path: String

  /// The file of this network namespace; anybody may see that it is there.
  package static func path(in directory: String = "/run") -> String {
    var status = stat()
    let number = stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0
    return "\(directory)/fairlead.failover.\(number).lock"
  }

  /// Throws a sentence when another process has the lock. Where no file can be made (a container
  /// with a read-only /run), nobody else is assumed.
  static func take(directory: String = "/run") throws(FailoverError) -> NamespaceLock {
    let path = path(in: directory)
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { return NamespaceLock(descriptor: -1, path: path) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      var bytes = [UInt8](repeating: 0, count: 16)
      let count = max(0, pread(descriptor, &bytes, bytes.count, 0))
      close(descriptor)
      let owner = String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)
      throw FailoverError(
        description: "another fairlead\(owner.isEmpty ? "" : " (process \(owner))") holds virtual"
          + " addresses in this network namespace; one process can have several keepalived.conf"
          + " files")
    }
    let text = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = pwrite(descriptor, text, text.count, 0)
    return NamespaceLock(descriptor: descriptor, path: path)
  }

  func release() {
    guard descriptor >= 0 else { return }
    unlink(path)
    close(descriptor)
  }
}
