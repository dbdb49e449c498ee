// A stand-in for a Kubernetes API server: it speaks TLS and answers what clients and health
// checks ask first. It can be killed, hung and brought back, and it can leave as a real one does.

import NIOCore
import NIOPosix
import NIOSSL

/// What the stand-in does at present.
public enum StandInState: Equatable, Sendable {
  case serving
  /// Its port is open, connections are taken, nothing is answered: a stopped process.
  case hung
  /// Its port is closed and its connections are gone: a killed process.
  case stopped
}

/// One server. All methods may be called from any thread.
public final class StandInServer: Sendable {
  public let name: String
  /// The port it was given.
  public let port: UInt16
  private let reservation: PortReservation?
  private let core: ServerCore

  /// Starts serving on 127.0.0.1.
  /// - Parameters:
  ///   - name: the certificate's common name, and what answers carry in `X-Served-By`.
  ///   - group: one of its loops runs the server.
  public convenience init(
    name: String, port: PortReservation, authority: Authority, group: any EventLoopGroup
  ) async throws {
    try await self.init(
      name: name, reservation: port,
      address: SocketAddress(
        ipAddress: "127.0.0.1", port: Int(port.port)),
      tls: authority.serverConfiguration(for: name), group: group)
  }

  /// Starts serving on an address of this machine.
  /// - Parameters:
  ///   - name: the certificate's common name, and what answers carry in `X-Served-By`.
  ///   - names: what else the certificate is good for; `address` itself always is.
  ///   - group: one of its loops runs the server.
  /// - Throws: when the address cannot be bound.
  public convenience init(
    name: String, address: SocketAddress, names: [SubjectName], authority: Authority,
    group: any EventLoopGroup
  ) async throws {
    let own = address.ipAddress.flatMap { SubjectName($0) }
    let tls = try authority.serverConfiguration(for: name, names: names + (own.map { [$0] } ?? []))
    try await self.init(name: name, reservation: nil, address: address, tls: tls, group: group)
  }

  private init(
    name: String, reservation: PortReservation?, address: SocketAddress, tls: TLSConfiguration,
    group: any EventLoopGroup
  ) async throws {
    self.name = name
    self.reservation = reservation
    port = UInt16(clamping: address.port ?? 0)
    core = ServerCore(
      name: name, address: address, tls: try NIOSSLContext(configuration: tls), loop: group.next())
    try await core.listen()
  }

  public var state: StandInState {
    get async { (try? await core.loop.submit { [core] in core.state }.get()) ?? .stopped }
  }

  /// What `/readyz` says from now on. `/livez` and `/healthz` stay green, as those of a server do
  /// that is about to stop.
  public func setReady(_ isReady: Bool) async {
    _ = try? await core.loop.submit { [core] in core.isReady = isReady }.get()
  }

  /// Closes the listener and every connection at once, as when the process is killed.
  public func stop() async { try? await core.stop() }

  /// Closes the listener, ends watches and idle connections in good order, and cuts what is left
  /// after `limit`.
  public func finish(within limit: Duration) async { try? await core.finish(within: limit) }

  /// Goes on accepting and answers nothing any more, on old and new connections.
  public func hang() async {
    _ = try? await core.loop.submit { [core] in core.hang() }.get()
  }

  /// Serves again. A hung server first answers what has waited.
  /// - Throws: when the port of a stopped server cannot be bound again.
  public func revive() async throws {
    let mustListen = try await core.loop.submit { [core] in core.resume() }.get()
    if mustListen { try await core.listen() }
  }
}
