// A network namespace of a test's own, and ip(8) in it. Such tests need root and iproute2.

import Foundation
import Kernel
import Testing

enum Namespace {
  /// In CI the tests run whatever is missing, and fail then.
  static var isPossible: Bool {
    if ProcessInfo.processInfo.environment["CI"] != nil { return true }
    let places = ["/sbin/ip", "/usr/sbin/ip", "/bin/ip"]
    return geteuid() == 0 && places.contains { FileManager.default.isExecutableFile(atPath: $0) }
  }

  static let need: Comment = "needs root and ip(8) of iproute2"

  /// Runs `body` on this thread in an empty namespace whose loopback is up. The thread is back
  /// in the old one afterwards.
  static func run(_ body: () throws -> Void) throws {
    let old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    try #require(old >= 0)
    defer { close(old) }
    try NetworkNamespace.enterNew()
    defer {
      do { try NetworkNamespace.enter(path: "/proc/self/fd/\(old)") } catch {
        fatalError("the thread cannot leave the test's namespace: \(error)")
      }
    }
    try ip("link set lo up")
    try body()
  }

  /// As `run`, with the two ends of a cable, eth0 and far0, both up and without IPv6's link-local
  /// addresses (whose duplicate detection would take a second).
  static func withCable(_ body: () throws -> Void) throws {
    try run {
      try ip("link add eth0 type veth peer name far0")
      for name in ["eth0", "far0"] {
        try SystemFile.write("/proc/sys/net/ipv6/conf/\(name)/addr_gen_mode", "1")
        try ip("link set \(name) up")
      }
      try body()
    }
  }

  /// What ip(8) prints; a failure of it fails the test.
  @discardableResult
  static func ip(_ words: String) throws -> String {
    guard let pipe = popen("ip \(words) 2>&1", "r") else { throw CocoaError(.fileReadUnknown) }
    var text = ""
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, 4096, pipe) != nil {
      text += String(
        decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    let status = pclose(pipe)
    #expect(status == 0, "ip \(words): \(text)")
    return text
  }

  static func index(_ name: String) throws -> UInt32 {
    try #require(NetworkInterface.index(named: name))
  }
}

/// "0a 00ff" as bytes.
func hex(_ text: String) -> [UInt8] {
  let digits = text.utf8.filter { $0 != 32 && $0 != 10 }.map { UInt8($0 < 58 ? $0 - 48 : $0 - 87) }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
