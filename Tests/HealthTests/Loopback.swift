// Servers on loopback for probes to talk to, and certificates made for one run.

import Configuration
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import Health

let group = MultiThreadedEventLoopGroup.singleton

/// What a server does with each connection.
enum Behaviour: Sendable {
  /// Reads and never answers.
  case silent
  /// Answers the first bytes with these pieces, each flushed alone; then closes or stays.
  case reply([String], closes: Bool)
  /// Sends as soon as connected.
  case greet(String)
  case close
  case reset
  /// One for each connection; the last for all that follow.
  indirect case inTurn([Behaviour])

  func forConnection(_ index: Int) -> Behaviour {
    guard case .inTurn(let all) = self else { return self }
    return all[min(index, all.count - 1)]
  }
}

/// A TCP or Unix server that lives until `stop`.
final class LoopbackServer: Sendable {
  let channel: any Channel
  let received: NIOLockedBox<[UInt8]>

  static func start(
    _ behaviour: Behaviour, tls: NIOSSLContext? = nil, unixPath: String? = nil
  ) async throws -> LoopbackServer {
    let received = NIOLockedBox<[UInt8]>([])
    let connections = NIOLockedBox(0)
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
          }
          let index = connections.use { count in
            count += 1
            return count - 1
          }
          try channel.pipeline.syncOperations.addHandler(
            BehaviourHandler(behaviour.forConnection(index), received))
        }
      }
    let channel =
      if let unixPath {
        try await bootstrap.bind(unixDomainSocketPath: unixPath).get()
      } else {
        try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
      }
    return LoopbackServer(channel, received)
  }

  private init(_ channel: any Channel, _ received: NIOLockedBox<[UInt8]>) {
    self.channel = channel
    self.received = received
  }

  var port: UInt16 { UInt16(channel.localAddress?.port ?? 0) }
  var address: Configuration.SocketAddress { .ip(.v4(0x7f00_0001), port: port) }
  func stop() async throws { try await channel.close() }
}

final class NIOLockedBox<Value: Sendable>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var value: Value
  init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
  }
  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }
  func use<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&value)
  }
}

private final class BehaviourHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let behaviour: Behaviour
  private let received: NIOLockedBox<[UInt8]>
  private var hasReplied = false

  init(_ behaviour: Behaviour, _ received: NIOLockedBox<[UInt8]>) {
    self.behaviour = behaviour
    self.received = received
  }

  func channelActive(context: ChannelHandlerContext) {
    switch behaviour {
    case .silent, .reply, .inTurn: break
    case .greet(let text):
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    case .close: context.close(promise: nil)
    case .reset:
      _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(
        linger(l_onoff: 1, l_linger: 0))
      context.close(promise: nil)
    }
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = Array(unwrapInboundIn(data).readableBytesView)
    received.use { $0 += bytes }
    guard case .reply(let pieces, let closes) = behaviour, !hasReplied else { return }
    hasReplied = true
    for piece in pieces {
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: piece)), promise: nil)
    }
    if closes { context.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}

/// A port that refuses connections: bound, but not listening.
final class RefusedPort {
  private let descriptor: CInt
  let port: UInt16
  init() {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    port = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, length)
        getsockname(descriptor, $0, &length)
      }
      return UInt16(bigEndian: pointer.pointee.sin_port)
    }
  }
  deinit { close(descriptor) }
  var address: Configuration.SocketAddress { .ip(.v4(0x7f00_0001), port: port) }
}

/// Self-signed certificates for `localhost` and for `other`, made by openssl once per run.
struct Certificates {
  let directory: String
  static let shared: Certificates = {
    var template = Array("/tmp/fairlead-health-XXXXXX".utf8CString)
    let made = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
    for name in ["localhost", "other"] {
      let status = system(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
          + "-keyout \(made)/\(name).key -out \(made)/\(name).crt -subj /CN=\(name) "
          + "-addext subjectAltName=DNS:\(name),IP:127.0.0.1 2>/dev/null && "
          + "cat \(made)/\(name).crt \(made)/\(name).key > \(made)/\(name).pem")
      precondition(status == 0, "this test needs the openssl program")
    }
    return Certificates(directory: made)
  }()

  func path(_ name: String) -> String { "\(directory)/\(name)" }

  /// - Parameter clientCA: when set, clients must present a certificate it signed.
  func server(clientCA: String? = nil, maximum: TLSVersion? = nil) throws -> NIOSSLContext {
    var settings = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(path("localhost.crt")).map {
        .certificate($0)
      },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: path("localhost.key"), format: .pem)))
    settings.maximumTLSVersion = maximum
    settings.applicationProtocols = ["h2", "http/1.1"]
    if let clientCA {
      settings.certificateVerification = .noHostnameVerification
      settings.trustRoots = .file(path(clientCA))
    }
    return try NIOSSLContext(configuration: settings)
  }
}

/// A listener on a port that was used before.
enum ServerBootstrapOnPort {
  static func start(_ port: UInt16) async throws -> any Channel {
    try await ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .bind(host: "127.0.0.1", port: Int(port)).get()
  }
}
