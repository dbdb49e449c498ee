// What is examined: the configuration as `run` would take it, seen as one endpoint.

import Configuration

/// The configuration, and what the person who asks wants to know.
public struct Subject: Sendable {
  public var proxy: ProxyConfiguration?
  public var failover: FailoverConfiguration?
  /// Names by which clients reach the endpoint.
  public var names: [String]
  /// This node's name, for the report.
  public var node: String
  /// The native file, which knows the other nodes too.
  public var document: NativeDocument?

  public init(
    proxy: ProxyConfiguration?, failover: FailoverConfiguration?, names: [String] = [],
    node: String = "", document: NativeDocument? = nil
  ) {
    self.proxy = proxy
    self.failover = failover
    self.names = names
    self.node = node
    self.document = document
  }

  var routers: [VirtualRouter] { failover?.routers ?? [] }

  /// Every virtual address with its router.
  var virtualAddresses: [(router: VirtualRouter, address: VirtualAddress)] {
    routers.flatMap { router in
      (router.addresses + router.excludedAddresses).map { (router, $0) }
    }
  }

  /// The addresses alone, each once, in file order.
  var virtualIPs: [IPAddress] {
    var seen: Set<IPAddress> = []
    return virtualAddresses.map(\.address.address).filter { seen.insert($0).inserted }
  }

  /// Frontends that run.
  var frontends: [Frontend] { proxy?.frontends.filter { !$0.isDisabled } ?? [] }

  /// Backends that a running frontend sends sessions to.
  var backends: [Backend] {
    let used = Set(frontends.compactMap(\.defaultBackend))
    return proxy?.backends.filter { !$0.isDisabled && used.contains($0.name) } ?? []
  }

  /// Frontends of a backend.
  func frontends(of backend: Backend) -> [Frontend] {
    frontends.filter { $0.defaultBackend == backend.name }
  }

  /// Where a frontend listens, IP addresses only.
  static func listening(_ frontend: Frontend) -> [(address: IPAddress, port: UInt16, Bind)] {
    frontend.binds.flatMap { bind in
      bind.addresses.compactMap { address in
        if case .ip(let ip, let port) = address { (ip, port, bind) } else { nil }
      }
    }
  }

  /// Whether sessions of this backend are for the Kubernetes API: port 6443 on either side, or
  /// a check of one of its health pages over TLS.
  func carriesAPI(_ backend: Backend) -> Bool {
    let port: UInt16 = 6443
    if backend.servers.contains(where: { $0.port == .fixed(port) || $0.check?.port == port }) {
      return true
    }
    let listens = frontends(of: backend).contains { frontend in
      Subject.listening(frontend).contains { $0.port == port }
    }
    return listens || (CheckNature(backend).isTLS && CheckNature(backend).asksHealthPage)
  }

  var apiBackends: [Backend] { backends.filter(carriesAPI) }
}

/// What a backend's check looks at.
struct CheckNature: Equatable {
  var isTLS = false
  /// Path of an HTTP request, without a query.
  var path: String?
  /// Statuses in 100...599 that pass; nil when no status is looked at.
  var statuses: Set<Int>?
  /// Whether some answer is waited for and compared.
  var expectsContent = false

  static let healthPages: Set<String> = ["/readyz", "/livez", "/healthz"]

  var asksHealthPage: Bool {
    path.map { path in CheckNature.healthPages.contains { path == $0 || path.hasPrefix($0 + "/") } }
      ?? false
  }

  init(_ backend: Backend) {
    isTLS = backend.servers.contains { $0.check?.tls != nil }
    switch backend.check {
    case .connect: break
    case .sslHello: isTLS = true
    case .script(let steps): read(steps)
    case .http(let check): read(check.steps)
    }
  }

  private mutating func read(_ steps: [CheckStep]) {
    for step in steps {
      switch step {
      case .connect(let connect): if connect.tls { isTLS = true }
      case .send: break
      case .sendHTTP(let request):
        path = String(request.uri.prefix { $0 != "?" })
      case .expect(let expect): if !expect.isNegated { expectsContent = true }
      case .expectHTTP(let expect): read(expect)
      }
    }
  }

  private mutating func read(_ expect: HTTPExpect) {
    let passing: Set<Int>
    switch expect.condition {
    case .success: passing = Set(200...399)
    case .status(let ranges):
      passing = Set((100...599).filter { status in ranges.contains { $0.contains(status) } })
    case .statusRegex, .body, .bodyRegex, .header:
      if !expect.isNegated { expectsContent = true }
      return
    }
    let all = Set(100...599)
    let kept = expect.isNegated ? all.subtracting(passing) : passing
    statuses = (statuses ?? all).intersection(kept)
  }
}
