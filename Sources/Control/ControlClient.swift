// The other end: what the subcommands use to talk to a running daemon. Plain blocking calls.

import Glibc

/// A connection to a daemon; closed when released.
public final class ControlClient {
  public static let defaultPath = "/run/fairlead/fairlead.sock"

  private let path: String
  private let descriptor: Int32
  private var received: [UInt8] = []

  /// Waits at most `patience_s` (0: for ever) for a daemon that has too many waiting already.
  /// Throws ControlError when no daemon answers at `path` or it may not be opened.
  public init(path: String, patience_s: Int = 10) throws(ControlError) {
    self.path = path
    descriptor = try ControlSocket.open(path)
    wait(atMost_s: patience_s)
    let result = try ControlSocket.withAddress(path) { connect(descriptor, $0, $1) }
    guard result == 0 else { throw .failed(path: path, code: errno) }
  }

  deinit { close(descriptor) }

  /// Asks and waits for the answer, at most for `timeout_s` between its parts (0: for ever).
  public func ask(_ request: ControlRequest, timeout_s: Int) throws(ControlError) -> ControlAnswer {
    wait(atMost_s: timeout_s)
    guard let text = try? MessageText.write(request) else {
      throw .noAnswer(path: path, reason: "the request cannot be written")
    }
    let line = Array((text + "\n").utf8)
    var sent = 0
    while sent < line.count {
      let count = line[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      // The daemon may have refused us already; then its answer says why.
      if count <= 0 { break }
      sent += count
    }
    return try answer()
  }

  private func wait(atMost_s timeout_s: Int) {
    var limit = timeval(tv_sec: timeout_s, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
  }

  /// The next answer.
  public func answer() throws(ControlError) -> ControlAnswer {
    let line = try nextLine()
    guard let answer = try? MessageText.read(ControlAnswer.self, line),
      answer.version == controlVersion
    else {
      throw .noAnswer(path: path, reason: "what answers there is not this version of fairlead")
    }
    return answer
  }

  private func nextLine() throws(ControlError) -> [UInt8] {
    var searched = 0
    while true {
      if let end = received[searched...].firstIndex(of: 10) {
        let line = Array(received[..<end])
        received.removeFirst(end + 1)
        return line
      }
      searched = received.count
      guard searched < ControlLimits.answer else {
        throw .noAnswer(path: path, reason: "the answer does not end")
      }
      var part = [UInt8](repeating: 0, count: 65536)
      let count = recv(descriptor, &part, part.count, 0)
      if count < 0, errno == EINTR { continue }
      if count < 0 {
        let isLate = errno == EAGAIN
        throw .noAnswer(
          path: path,
          reason: isLate ? "no answer in time" : String(cString: strerror(errno)))
      }
      if count == 0 { throw .noAnswer(path: path, reason: "the daemon ended the connection") }
      received.append(contentsOf: part[..<count])
    }
  }
}
