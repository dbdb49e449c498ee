// The HTTP server: listens, and stops again. A thread of its own, so that whatever clients do,
// only clients can notice.

import Configuration
import Control
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// What the server shows and carries out. Every closure may be called from any thread.
public struct DashboardSource: Sendable {
  public var report: @Sendable () async -> StatusReport
  /// drain, undrain and reload.
  public var carryOut: @Sendable (ControlRequest) async -> ControlAnswer
  /// Why this daemon does not serve; nil when it does.
  public var obstacle: @Sendable () async -> String?
  public var history: EventHistory
  public var vocabulary: MetricsVocabulary

  public init(
    report: @escaping @Sendable () async -> StatusReport,
    carryOut: @escaping @Sendable (ControlRequest) async -> ControlAnswer,
    obstacle: @escaping @Sendable () async -> String?, history: EventHistory,
    vocabulary: MetricsVocabulary
  ) {
    self.report = report
    self.carryOut = carryOut
    self.obstacle = obstacle
    self.history = history
    self.vocabulary = vocabulary
  }
}

/// Why there is no HTTP server.
public struct DashboardError: Error, CustomStringConvertible {
  public let description: String
}

/// Serves the dashboard until it is stopped.
public final class DashboardServer: Sendable {
  /// For people to open.
  public let url: String
  /// The first is nil when it listens; the next says that it has ended.
  private let outcomes: AsyncStream<String?>
  private let outcome: AsyncStream<String?>.Continuation
  private let connections: OpenConnections
  private let group: MultiThreadedEventLoopGroup
  private let serving: Task<Void, Never>
  private let ticking: Task<Void, Never>
  private let feed: EventFeed
  private let history: EventHistory
  private let following: Int

  private init(
    outcomes: AsyncStream<String?>, outcome: AsyncStream<String?>.Continuation,
    connections: OpenConnections, url: String, group: MultiThreadedEventLoopGroup,
    serving: Task<Void, Never>,
    ticking: Task<Void, Never>, feed: EventFeed, history: EventHistory, following: Int
  ) {
    self.outcomes = outcomes
    self.outcome = outcome
    self.connections = connections
    self.url = url
    self.group = group
    self.serving = serving
    self.ticking = ticking
    self.feed = feed
    self.history = history
    self.following = following
  }

  /// Listens. Throws DashboardError when the address cannot be had or a certificate not be used.
  public static func start(
    _ settings: HTTPSettings, source: DashboardSource
  ) async throws(DashboardError) -> DashboardServer {
    guard case .ip(let address, let port) = settings.effectiveAddress else {
      throw DashboardError(description: "http: an address and a port are needed")
    }
    let tls = try tls(settings)
    let feed = EventFeed()
    let routes = Routes(access: Access(settings), source: source, feed: feed)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let connections = OpenConnections()
    let (outcomes, outcome) = AsyncStream<String?>.makeStream()
    let application: Application<RouterResponder<BasicRequestContext>>
    do {
      application = Application(
        responder: routes.router.buildResponder(), server: try builder(tls, connections),
        configuration: ApplicationConfiguration(
          address: .hostname("\(address)", port: Int(port)), backlog: DashboardLimits.connections,
          availableConnectionsDelegate: MaximumAvailableConnections(
            DashboardLimits.connections, logger: silence)),
        onServerRunning: { channel in
          connections.listener.withLock { $0 = channel }
          outcome.yield(nil)
        },
        eventLoopGroupProvider: .shared(group), logger: silence)
    } catch {
      try? await group.shutdownGracefully()
      throw DashboardError(description: "http: \(error)")
    }
    let serving = Task {
      do { try await application.run() } catch { outcome.yield("\(words(of: error))") }
      outcome.yield("ended")
    }
    var iterator = outcomes.makeAsyncIterator()
    if let problem = await iterator.next() ?? "ended" {
      serving.cancel()
      try? await group.shutdownGracefully()
      throw DashboardError(description: "http \(settings.effectiveAddress): \(problem)")
    }
    let (following, events) = source.history.follow { feed.add($0) }
    for event in events { feed.add(event) }
    let scheme = settings.certificate == nil ? "http" : "https"
    return DashboardServer(
      outcomes: outcomes, outcome: outcome, connections: connections,
      url: "\(scheme)://\(settings.effectiveAddress)/", group: group, serving: serving,
      ticking: routes.tick(), feed: feed, history: source.history, following: following)
  }

  /// Closes every connection.
  public func stop() async {
    history.unfollow(following)
    ticking.cancel()
    feed.end()
    // First the listener, so that nobody is on the way in when the others are closed.
    try? await connections.listener.withLock { $0 }?.close().get()
    connections.closeAll()
    // Everybody's part is over before the loop is; a patience nevertheless, since others wait.
    let outcome = self.outcome
    let late = Task {
      try? await Task.sleep(for: .seconds(DashboardLimits.ending_s))
      outcome.yield("late")
    }
    for await _ in outcomes { break }
    late.cancel()
    serving.cancel()
    // What the last connections have left to do on their loop.
    try? await group.next().submit {}.get()
    try? await group.shutdownGracefully()
  }

  // MARK: Parts

  /// nil when the settings have no TLS. Throws DashboardError when it cannot be used.
  private static func tls(
    _ settings: HTTPSettings
  ) throws(DashboardError) -> TLSConfiguration? {
    guard let certificate = settings.certificate, let key = settings.key else { return nil }
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(certificate)
      guard !chain.isEmpty else {
        throw DashboardError(description: "http: \(certificate) holds no certificate")
      }
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) },
        privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
      configuration.minimumTLSVersion = .tlsv12
      // Says whether the two belong together.
      _ = try NIOSSLContext(configuration: configuration)
      return configuration
    } catch let error as DashboardError {
      throw error
    } catch {
      throw DashboardError(
        description: "http: certificate \(certificate) with key \(key) cannot be used: \(error)")
    }
  }

  /// Looks at the files of the settings as a start would.
  public static func validate(_ settings: HTTPSettings) throws(DashboardError) {
    _ = try tls(settings)
  }

  private static func builder(
    _ tls: TLSConfiguration?, _ connections: OpenConnections
  ) throws -> HTTPServerBuilder {
    let http = HTTPServerBuilder.http1(
      configuration: HTTP1Channel.Configuration(
        additionalChannelHandlers: [StallWatch(connections)],
        idleTimeout: .seconds(Int64(DashboardLimits.patience_s)),
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: DashboardLimits.header, maxHeaderListSize: DashboardLimits.header,
          maxHeaderFieldCount: DashboardLimits.headerFields)))
    guard let tls else { return http }
    return try .tls(http, tlsConfiguration: tls)
  }

  /// The daemon has its own log, and says what matters there.
  private static var silence: Logger {
    Logger(label: "http", factory: { _ in SwiftLogNoOpLogHandler() })
  }

  private static func words(of error: any Error) -> String {
    guard let error = error as? IOError else { return "\(error)" }
    return String(cString: strerror(error.errnoCode))
  }
}
