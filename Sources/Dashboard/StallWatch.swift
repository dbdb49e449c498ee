// Connections as the server sees them: who takes nothing is let go, and at the end everybody is.

import NIOCore
import Synchronization

/// The open connections of a server. May be used from any thread.
final class OpenConnections: Sendable {
  private struct State {
    var channels: [ObjectIdentifier: any Channel] = [:]
    var isClosing = false
  }
  private let state = Mutex(State())
  /// Where they come in, once the server listens.
  let listener = Mutex<(any Channel)?>(nil)

  /// False when the server ends: the connection must go.
  func add(_ channel: any Channel) -> Bool {
    state.withLock { state in
      if !state.isClosing { state.channels[ObjectIdentifier(channel)] = channel }
      return !state.isClosing
    }
  }

  func remove(_ channel: any Channel) {
    state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
  }

  /// Those that come later as well.
  func closeAll() {
    let channels = state.withLock { state in
      state.isClosing = true
      return Array(state.channels.values)
    }
    for channel in channels { channel.close(promise: nil) }
  }
}

/// Closes a connection whose outgoing bytes have been too many for too long. Confined to the
/// connection's event loop.
final class StallWatch: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = NIOAny

  private let connections: OpenConnections
  private var deadline: Scheduled<Void>?

  init(_ connections: OpenConnections) { self.connections = connections }

  func handlerAdded(context: ChannelHandlerContext) {
    if !connections.add(context.channel) { context.close(promise: nil) }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    deadline?.cancel()
    connections.remove(context.channel)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = nil
    if !context.channel.isWritable {
      let channel = context.channel
      deadline = context.eventLoop.scheduleTask(in: .seconds(Int64(DashboardLimits.stall_s))) {
        channel.close(promise: nil)
      }
    }
    context.fireChannelWritabilityChanged()
  }
}
