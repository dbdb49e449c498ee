// Listens on the control socket. A thread of its own: whatever clients do, nothing but other
// clients can notice.

import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// Answers operators on a Unix socket until it is stopped.
public final class ControlServer: Sendable {
  /// Carries out what the server does not answer by itself (`events`).
  public typealias Responder = @Sendable (ControlRequest) async -> ControlAnswer

  public let path: String
  private let inode: UInt?
  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel

  /// Makes the socket, mode 0600, in place of one whose daemon is gone, and listens.
  /// Throws ControlError.
  public static func start(
    path: String, history: EventHistory, patience: Duration = .seconds(ControlLimits.patience_s),
    respond: @escaping Responder
  ) async throws -> ControlServer {
    let descriptor = try ControlSocket.listen(path)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let count = ConnectionCount()
    let bootstrap = ServerBootstrap(group: group)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            ControlConnection(
              history: history, patience: TimeAmount(patience), count: count, respond: respond))
        }
      }
    do {
      let channel = try await bootstrap.withBoundSocket(descriptor).get()
      return ControlServer(path, ControlSocket.inode(path), group, channel)
    } catch {
      unlink(path)
      try? await group.shutdownGracefully()
      throw error
    }
  }

  private init(
    _ path: String, _ inode: UInt?, _ group: MultiThreadedEventLoopGroup, _ channel: any Channel
  ) {
    self.path = path
    self.inode = inode
    self.group = group
    self.channel = channel
  }

  /// Closes every connection and removes the socket, unless somebody else's has taken its place.
  public func stop() async {
    if let inode, ControlSocket.inode(path) == inode { unlink(path) }
    try? await channel.close()
    try? await group.shutdownGracefully()
  }
}

final class ConnectionCount: Sendable {
  let open = Atomic<Int>(0)
}
