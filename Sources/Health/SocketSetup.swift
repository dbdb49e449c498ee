// Socket options of a check's connection that must be set before it is opened.

import Configuration
import Glibc
import NIOCore

struct SocketSetup: Sendable {
  var source: SourceAddress?
  /// A bare connection check resets before the last acknowledgement of the handshake leaves, so
  /// the server's program never sees it: no `TLS handshake error: EOF` per check in its log.
  var delaysAcknowledgement: Bool

  /// An interface name as setsockopt takes it: 16 bytes, zero-padded (IFNAMSIZ).
  private struct InterfaceName: Sendable { var high: UInt64 = 0, low: UInt64 = 0 }

  func apply(to channel: any Channel) -> EventLoopFuture<Void> {
    guard let options = channel as? any SocketOptionProvider else {
      return channel.eventLoop.makeSucceededVoidFuture()
    }
    var last = channel.eventLoop.makeSucceededVoidFuture()
    if delaysAcknowledgement {
      // Fails on Unix sockets, where it means nothing.
      last = options.unsafeSetSocketOption(
        level: .tcp, name: .init(rawValue: TCP_QUICKACK), value: CInt(0)
      ).recover { _ in }
    }
    guard let interface = source?.interface else { return last }
    var name = InterfaceName()
    withUnsafeMutableBytes(of: &name) { $0.copyBytes(from: interface.utf8.prefix(15)) }
    let value = name
    return last.flatMap {
      options.unsafeSetSocketOption(
        level: .socket, name: .init(rawValue: SO_BINDTODEVICE), value: value)
    }
  }
}
