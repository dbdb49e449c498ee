// Requests to the kernel over rtnetlink(7) and nfnetlink, answered before the call returns: both
// carry a request out while it is sent, so that the acknowledgement is already there to be read.

import Kernel

/// A request that the kernel refused, or whose answer could not be understood.
public struct NetlinkError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was wanted, such as "add 10.0.0.179/26 to interface 2".
  public let what: String
  /// A positive errno value.
  public let code: Int32
  /// The kernel's own sentence, when it gave one.
  public let explanation: String?

  public init(what: String, code: Int32, explanation: String? = nil) {
    self.what = what
    self.code = code
    self.explanation = explanation
  }

  public var description: String {
    let reason = "\(what): \(KernelError.text(of: code))"
    return explanation.map { "\(reason) (\($0))" } ?? reason
  }
}

/// A netlink socket for requests, used by one thread.
final class RouteSocket {
  /// How long an answer may take that should be there at once.
  static let patience_ms: Int32 = 1000
  /// One datagram of a dump is at most 32 KiB (NLMSG_GOODSIZE and what ip(8) reads).
  static let datagram_bytes = 65_536
  /// A dump during which the table changed is asked for again, this often.
  static let dumpAttempts = 5
  /// A dump of more datagrams than this is not believed: 2^16 × about 8 KiB.
  static let maximumDatagrams = 65_536

  private let raw: Int32
  private var sequence: UInt32 = 0
  private var buffer = [UInt8](repeating: 0, count: datagram_bytes)

  init() throws(NetlinkError) {
    do {
      raw = try Netlink.openRoute(groups: 0, queue_bytes: 1 << 20).release()
    } catch {
      throw NetlinkError(what: error.call, code: error.code)
    }
  }

  /// One that speaks to the packet filter, see `commit`.
  init(netfilter: Void) throws(NetlinkError) {
    do {
      raw = try Netlink.openNetfilter(request_bytes: 1 << 22).release()
    } catch {
      throw NetlinkError(what: error.call, code: error.code)
    }
  }

  deinit { Socket.close(raw) }

  /// Sends a request and waits for its acknowledgement. Throws what the kernel refused it with.
  func request(_ message: NetlinkMessage, _ what: String) throws(NetlinkError) {
    try send(message, what)
    while true {
      let datagram = try receive(what)
      for answer in NetlinkReceived.all(in: datagram[...]) where answer.sequence == sequence {
        guard answer.type == RouteMessage.error else { continue }
        if let failure = RouteSocket.failure(in: answer, what) { throw failure }
        return
      }
    }
  }

  /// Sends messages between the marks of an nfnetlink batch and waits for the acknowledgement of
  /// the last one: either all of them take effect at once, or none does and the reason of the
  /// first that was refused is thrown.
  func commit(_ messages: [NetlinkMessage], _ what: String) throws(NetlinkError) {
    guard !messages.isEmpty else { return }
    let first = sequence &+ 1
    var bytes = NetlinkMessage.batchMark(NetfilterMessage.batchBegin).finished(sequence: first)
    for (index, message) in messages.enumerated() {
      bytes += message.finished(
        sequence: first &+ 1 &+ UInt32(index), acknowledged: index == messages.count - 1)
    }
    let last = first &+ UInt32(messages.count)
    sequence = last &+ 1
    bytes += NetlinkMessage.batchMark(NetfilterMessage.batchEnd).finished(sequence: sequence)
    try send(bytes, what)
    while true {
      let datagram = try receive(what)
      for answer in NetlinkReceived.all(in: datagram[...]) {
        // Refusals of the whole carry the number of its beginning.
        guard answer.type == RouteMessage.error, answer.sequence &- first <= last &- first
        else { continue }
        if let failure = RouteSocket.failure(in: answer, what) { throw failure }
        if answer.sequence == last { return }
      }
    }
  }

  /// All messages of one type that a dump request gives.
  func dump(
    _ message: NetlinkMessage, _ what: String
  ) throws(NetlinkError) -> [NetlinkReceived] {
    for _ in 0..<RouteSocket.dumpAttempts {
      if let found = try dumpOnce(message, what) { return found }
    }
    throw NetlinkError(what: what, code: Errno.interrupted)
  }

  /// Nil when the table changed meanwhile.
  private func dumpOnce(
    _ message: NetlinkMessage, _ what: String
  ) throws(NetlinkError) -> [NetlinkReceived]? {
    try send(message, what)
    var found: [NetlinkReceived] = []
    var isConsistent = true
    for _ in 0..<RouteSocket.maximumDatagrams {
      let datagram = try receive(what)
      for answer in NetlinkReceived.all(in: datagram[...]) where answer.sequence == sequence {
        if answer.flags & RequestFlag.dumpInterrupted != 0 { isConsistent = false }
        switch answer.type {
        case RouteMessage.done: return isConsistent ? found : nil
        case RouteMessage.error:
          throw RouteSocket.failure(in: answer, what)
            ?? NetlinkError(what: what, code: Errno.badMessage)
        default: found.append(answer)
        }
      }
    }
    throw NetlinkError(what: what, code: Errno.messageTooLong)
  }

  private func send(_ message: NetlinkMessage, _ what: String) throws(NetlinkError) {
    // An answer to an earlier request that was given up on is told by its number.
    sequence = sequence &+ 1
    try send(message.finished(sequence: sequence), what)
  }

  private func send(_ bytes: [UInt8], _ what: String) throws(NetlinkError) {
    let result = bytes.withUnsafeBytes { Netlink.send(raw, $0) }
    guard result.raw == bytes.count else {
      throw NetlinkError(what: what, code: max(result.errorCode, 1))
    }
  }

  private func receive(_ what: String) throws(NetlinkError) -> [UInt8] {
    var waited = false
    while true {
      var isFromKernel = false
      let result = buffer.withUnsafeMutableBytes {
        Netlink.receive(raw, into: $0, isFromKernel: &isFromKernel)
      }
      if result.isWouldBlock {
        guard !waited, System.waitReadable(raw, timeout_ms: RouteSocket.patience_ms) else {
          throw NetlinkError(what: what, code: Errno.timedOut)
        }
        waited = true
        continue
      }
      if result.isError { throw NetlinkError(what: what, code: result.errorCode) }
      guard isFromKernel else { continue }
      guard result.raw <= buffer.count else {
        throw NetlinkError(what: what, code: Errno.messageTooLong)
      }
      return Array(buffer[..<result.raw])
    }
  }

  /// What an NLMSG_ERROR says: nil for an acknowledgement.
  ///
  ///     | -errno i32 | header of the request (16) … | attributes: 1 = a sentence |
  static func failure(in answer: NetlinkReceived, _ what: String) -> NetlinkError? {
    guard let value = answer.payload.number(Int32.self, at: 0) else {
      return NetlinkError(what: what, code: Errno.badMessage)
    }
    guard value != 0 else { return nil }
    // CAP_ACK: only the header of the request is repeated.
    let explanation =
      answer.flags & RequestFlag.acknowledgeText == 0
      ? nil : answer.attributes(behind: 20).text(1)
    return NetlinkError(
      what: what, code: value == .min ? .max : abs(value), explanation: explanation)
  }
}
