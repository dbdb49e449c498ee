// Where finished lines go. A sink never blocks: what it does not take is dropped and counted,
// and the count is told once it takes lines again.

import Configuration
import Glibc
import Kernel
import Proxy

final class LogSink {
  /// A stream that does not take its lines keeps this much back before lines are dropped.
  private static let pendingLimit_bytes = 64 * 1024
  /// Writes of at most this size to a pipe that polls as writable never block (PIPE_BUF).
  private static let chunk_bytes = 4096
  private static let retry_us: Int64 = 1_000_000

  let destination: LogTarget.Destination
  private var descriptor: Int32 = -1
  private var lastAttempt_us: Int64 = .min / 2
  private var pending: [UInt8] = []
  private var pendingStart = 0
  private(set) var dropped = 0
  private var lastProbe_us: Int64 = .min / 2

  init(_ destination: LogTarget.Destination) {
    self.destination = destination
    switch destination {
    case .stdout: descriptor = 1
    case .stderr: descriptor = 2
    case .descriptor(let number): descriptor = number
    case .udp, .udpName, .unixDatagram: break
    }
  }

  deinit { if isDatagram, descriptor >= 0 { Socket.close(descriptor) } }

  var isDatagram: Bool {
    switch destination {
    case .stdout, .stderr, .descriptor: false
    case .udp, .udpName, .unixDatagram: true
    }
  }

  var hasPending: Bool { pendingStart < pending.count }

  /// Lines lost so far, forgotten by asking.
  func takeDropped() -> Int {
    let count = dropped
    dropped = 0
    return count
  }

  /// The report of so many lost lines was itself lost.
  func restoreDropped(_ count: Int) { dropped = count }

  /// Whether it is time to find out if the sink works again; true once a second.
  func mayProbe() -> Bool {
    let now = Clock.monotonic_us()
    guard now - lastProbe_us >= LogSink.retry_us else { return false }
    lastProbe_us = now
    return true
  }

  private func drop() { dropped += 1 }

  /// One message with its final newline, which HAProxy's datagrams carry as well.
  func send(_ line: [UInt8]) {
    if isDatagram {
      sendDatagram(line)
    } else if pending.count - pendingStart + line.count > LogSink.pendingLimit_bytes {
      drop()
    } else {
      pending.append(contentsOf: line)
    }
  }

  /// Writes what a stream takes now.
  func flush() {
    while hasPending, System.isWritable(descriptor, timeout_ms: 0) {
      let count = min(LogSink.chunk_bytes, pending.count - pendingStart)
      let written = pending.withUnsafeBytes { bytes in
        System.write(
          descriptor, UnsafeRawBufferPointer(rebasing: bytes[pendingStart..<pendingStart + count]))
      }
      if written.raw > 0 {
        pendingStart += written.raw
      } else if written.isWouldBlock {
        break
      } else {
        // The reader is gone: what waits for it is lost.
        dropped += pending[pendingStart...].count { $0 == UInt8(ascii: "\n") }
        pendingStart = pending.count
      }
    }
    if pendingStart == pending.count {
      pending.removeAll(keepingCapacity: true)
      pendingStart = 0
    } else if pendingStart > LogSink.pendingLimit_bytes / 2 {
      pending.removeFirst(pendingStart)
      pendingStart = 0
    }
  }

  private func sendDatagram(_ line: [UInt8]) {
    if descriptor < 0, !connect() {
      drop()
      return
    }
    let sent = line.withUnsafeBytes { Socket.send(descriptor, $0.baseAddress!, $0.count) }
    if sent.raw >= 0 { return }
    // A syslog daemon that was restarted has a new socket behind the same path; an unreachable
    // UDP port answers the send before, so that the next may be tried at once.
    if !sent.isWouldBlock {
      if case .unixDatagram = destination {
        Socket.close(descriptor)
        descriptor = -1
        if connect() {
          let again = line.withUnsafeBytes { Socket.send(descriptor, $0.baseAddress!, $0.count) }
          if again.raw >= 0 { return }
        }
      } else if sent.errorCode == ECONNREFUSED {
        let again = line.withUnsafeBytes { Socket.send(descriptor, $0.baseAddress!, $0.count) }
        if again.raw >= 0 { return }
      }
    }
    drop()
  }

  private func connect() -> Bool {
    let now = Clock.monotonic_us()
    guard now - lastAttempt_us >= LogSink.retry_us else { return false }
    lastAttempt_us = now
    let address: KernelAddress?
    switch destination {
    case .udp(.ip(let ip, let port)):
      address = try? KernelAddress(NetworkEndpoint(ip, port: port))
    case .unixDatagram(let path): address = try? KernelAddress(unixPath: path)
    default: address = nil
    }
    guard let address else { return false }
    let fd = Socket.openDatagram(family: address.family)
    guard fd >= 0 else { return false }
    var raw = address.raw
    guard Socket.connect(fd, &raw) == 0 else {
      Socket.close(fd)
      return false
    }
    descriptor = fd
    lastAttempt_us = .min / 2
    return true
  }
}
