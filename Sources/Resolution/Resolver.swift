// The DNS client of one `resolvers` section (configuration manual, section 5.3).

import Configuration
import NIOCore

/// What became of a name.
public enum ResolutionEvent: Equatable, Sendable {
  /// The name has an address, or another one. `nameserver` is the one that said so.
  case changed(ResolvedName, from: IPAddress?, to: IPAddress, nameserver: String)
  /// The address was not confirmed for longer than `hold` allows.
  case lost(ResolvedName, IPAddress, ResolutionFailure)
}

/// Why a section cannot resolve.
public enum ResolverError: Error, Equatable, Sendable, CustomStringConvertible {
  case noNameserver(section: String)
  case badName(String)

  public var description: String {
    switch self {
    case .noNameserver(let section): "resolvers \(section): no name server"
    case .badName(let name): "'\(name)' is not a name that DNS can resolve"
    }
  }
}

/// Watches names and tells when their addresses change.
///
/// Methods may be called from any thread; the handler runs on the event loop and must not block.
public final class Resolver: Sendable {
  public typealias Handler = @Sendable (ResolutionEvent) -> Void

  private let loop: any EventLoop
  private let core: ResolverCore

  /// - Parameter resolvConf: the text of /etc/resolv.conf, used when the section asks for it.
  public init(
    group: any EventLoopGroup, settings: Resolvers, resolvConf: String = "",
    handler: @escaping Handler
  ) throws(ResolverError) {
    var servers = settings.nameservers
    if settings.parseResolvConf { servers += ResolvConf.nameservers(in: resolvConf) }
    let endpoints = servers.prefix(Limits.nameservers).compactMap(endpoint)
    guard !endpoints.isEmpty else { throw .noNameserver(section: settings.name) }
    loop = group.next()
    core = ResolverCore(loop: loop, settings: settings, servers: endpoints, handler: handler)
  }

  /// Watches these names and no others. Names already watched go on undisturbed.
  /// - Parameter names: with the address each has now, if any; it is held as if just confirmed.
  public func watch(_ names: [ResolvedName: IPAddress?]) throws(ResolverError) {
    var wire: [ResolvedName: (DomainName, IPAddress?)] = [:]
    for (name, address) in names {
      guard let encoded = DomainName(name.name) else { throw .badName(name.name) }
      wire[name] = (encoded, address)
    }
    let result = wire
    loop.execute { [core] in core.watch(result) }
  }

  /// Stops all queries without further events.
  public func stop() { loop.execute { [core] in core.watch([:]) } }
}

/// The part that lives on the event loop.
private final class ResolverCore: @unchecked Sendable {
  private let loop: any EventLoop
  private let settings: Resolvers
  private let servers: [NIOCore.SocketAddress]
  private let handler: Resolver.Handler
  private var lookups: [ResolvedName: Lookup] = [:]

  init(
    loop: any EventLoop, settings: Resolvers, servers: [NIOCore.SocketAddress],
    handler: @escaping Resolver.Handler
  ) {
    self.loop = loop
    self.settings = settings
    self.servers = servers
    self.handler = handler
  }

  func watch(_ names: [ResolvedName: (DomainName, IPAddress?)]) {
    loop.preconditionInEventLoop()
    for (name, lookup) in lookups where names[name] == nil {
      lookup.stop()
      lookups[name] = nil
    }
    for (name, (wire, address)) in names where lookups[name] == nil {
      let lookup = Lookup(
        name, wireName: wire, settings: settings, servers: servers, address: address, on: loop,
        handler: handler)
      lookups[name] = lookup
      lookup.start()
    }
  }
}
