// The first handler of every connection: it can hold everything that arrives, as the kernel does
// for a process that has stopped running, or cut the connection below TLS, as it does for one
// that was killed.

import NIOCore

/// Lives on the server's event loop.
final class ConnectionGate: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer

  private let core: ServerCore
  private var context: ChannelHandlerContext?
  private var held: [ByteBuffer] = []
  private var wantsRead = false

  init(_ core: ServerCore) { self.core = core }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    core.add(self)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    core.remove(self)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if core.state == .hung {
      held.append(unwrapInboundIn(data))
    } else {
      context.fireChannelRead(data)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if core.state != .hung { context.fireChannelReadComplete() }
  }

  func read(context: ChannelHandlerContext) {
    if core.state == .hung { wantsRead = true } else { context.read() }
  }

  /// The process runs again: what was held goes on.
  func resume() {
    guard let context else { return }
    let buffers = held
    held = []
    for buffer in buffers { context.fireChannelRead(wrapInboundOut(buffer)) }
    if !buffers.isEmpty { context.fireChannelReadComplete() }
    if wantsRead {
      wantsRead = false
      context.read()
    }
  }

  /// No close_notify, no last words.
  func cut() { context?.close(promise: nil) }
}

extension ConnectionGate {
  typealias InboundOut = ByteBuffer
}
