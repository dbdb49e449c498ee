// The `check` mapping: what is asked of a server, and when.

/// A check of the native file. Its defaults fit a Kubernetes API server.
struct NativeCheck: Equatable {
  enum Kind: String, CaseIterable { case https, http, tls, tcp, handshake }
  var kind: Kind = .https
  var path = "/readyz"
  var method = "GET"
  /// Empty sends no Host header.
  var host = "localhost"
  var httpVersion = "HTTP/1.1"
  /// 401 and 403 come from a living API server that does not answer strangers.
  var expect: HTTPExpect.Condition = .status([200...200, 401...401, 403...403])
  /// nil: one interval.
  var timeout: Duration?
  /// nil: two fifths of the interval, so that a server that hangs is found within interval ×
  /// fall (3 × 1 s): 1 s until a check begins, 0.8 s until the third, 1 s until that gives up.
  /// Zero: one check at a time.
  var hedgeAfter: Duration?
  /// Intervals, rise, fall, port; `tls` is set when the check is https.
  var timing = NativeCheck.defaultTiming
  var caFile: String?
  var serverName: String?
  /// A name that the certificate must have; for this alone `serverName` is not enough.
  var verifyHost: String?
  var alpn: [String] = []
  /// Client certificate and key, one PEM file.
  var certificate: String?
  /// The PROXY header of checks.
  var sendProxy: SendProxy = .asServer
  /// In place of path, method, host, httpVersion and expect.
  var rules: [String]?
  /// What `rules` mean; nil without them.
  var ruled: CheckMethod?
  var live = Live.usual
  /// Within the shutdown delay that API servers are usually given, and slow enough that clients
  /// come back one by one.
  var drainOver: Duration? = .seconds(20)

  /// What is asked of a server that says it is not ready.
  enum Live: Equatable {
    /// `/livez` beside `/readyz`, nothing beside other paths.
    case usual
    case off
    case path(String)
  }

  enum SendProxy: Equatable {
    /// As sessions send it, unless the check goes to another address or port.
    case asServer
    case own(ProxyProtocolVersion?)
  }

  private static var defaultTiming: ServerCheck {
    var timing = ServerCheck()
    timing.interval = .seconds(1)
    return timing
  }

  static var keys: [NativeKey<NativeCheck>] {
    [
      NativeKey(
        "type", \.kind,
        read: { $0.choice($1, Kind.allCases.map { ($0.rawValue, $0) }) },
        print: { .scalar($0.rawValue) }),
      NativeKey("path", \.path, read: requestWord, print: { .scalar($0) }),
      NativeKey("live", \.live, read: readLive, print: printLive),
      .time("drainOver", \.drainOver),
      NativeKey("method", \.method, read: requestWord, print: { .scalar($0) }),
      NativeKey(
        "host", \.host,
        read: { $1.text == "" ? "" : requestWord($0, $1) }, print: { .scalar($0) }),
      NativeKey(
        "httpVersion", \.httpVersion,
        read: { $0.choice($1, [("HTTP/1.0", "HTTP/1.0"), ("HTTP/1.1", "HTTP/1.1")]) },
        print: { .scalar($0) }),
      NativeKey("expect", \.expect, read: readExpect, print: printExpect),
      .time("interval", \.timing.interval),
      .time("fastInterval", \.timing.fastInterval),
      .time("downInterval", \.timing.downInterval),
      .time("timeout", \.timeout),
      NativeKey(
        "hedgeAfter", \.hedgeAfter,
        read: { $0.duration($1, in: .zero...NativeLimits.times.upperBound).map { .some($0) } },
        print: { $0.map { .scalar($0 == .zero ? "0" : HAProxyUnits.print($0)) } }),
      .number("rise", \.timing.rise, 1...1000),
      .number("fall", \.timing.fall, 1...1000),
      NativeKey(
        "port", \.timing.port,
        read: {
          $1.text == "false"
            ? .some(nil) : $0.integer($1, in: 1...65535).map { .some(UInt16($0)) }
        }, print: { .scalar($0.map { String($0) } ?? "false") }),
      NativeKey(
        "address", \.timing.address, read: readAddress,
        print: { .scalar($0.map(HAProxyPrinter.word) ?? "false") }),
      NativeKey(
        "sendProxy", \.sendProxy, read: { $0.choice($1, sendProxies) },
        print: { value in sendProxies.first { $0.1 == value }.map { .scalar($0.0) } }),
      .wordOrFalse("caFile", \.caFile),
      .wordOrFalse("serverName", \.serverName),
      .wordOrFalse("verifyHost", \.verifyHost),
      .words("alpn", \.alpn),
      .wordOrFalse("certificate", \.certificate),
      NativeKey(
        "rules", \.rules, read: NativeCheckRules.read,
        print: { $0.map { .list($0.map { .scalar($0) }) } }),
    ]
  }

  private static let sendProxies: [(String, SendProxy)] = [
    ("server", .asServer), ("v1", .own(.v1)), ("v2", .own(.v2)), ("false", .own(nil)),
  ]

  private static func readAddress(_ reader: NativeReader, _ value: NativeValue) -> ServerHost?? {
    let text = value.text ?? ""
    if text == "false" { return .some(nil) }
    if let address = IPAddress(text), !address.isUnspecified { return .some(.ip(address)) }
    if case .value(let parts) = AddressText.read(text), parts.port == .none,
      case .value(let target) = parts.server(text)
    {
      switch target.host {
      case .ip, .name, .unix: return .some(target.host)
      case .abstract, .clientDestination: break
      }
    }
    reader.report(at: value, "expected an address, a name or a socket's path, without a port")
    return nil
  }

  /// Blanks would end the word on the request's first line.
  private static func requestWord(_ reader: NativeReader, _ value: NativeValue) -> String? {
    guard let text = reader.string(value) else { return nil }
    guard !text.utf8.contains(where: { $0 <= 32 }) else {
      reader.report(at: value, "blanks are not accepted here")
      return nil
    }
    return text
  }

  private static func readLive(_ reader: NativeReader, _ value: NativeValue) -> Live? {
    if value.text == "false" { return .off }
    if value.text == "true" { return .path(usualLive) }
    return requestWord(reader, value).map { .path($0) }
  }

  private static func printLive(_ live: Live) -> NativeOutput? {
    switch live {
    case .usual: .scalar("true")
    case .off: .scalar("false")
    case .path(let path): .scalar(path)
    }
  }

  private static func readExpect(
    _ reader: NativeReader, _ value: NativeValue
  ) -> HTTPExpect.Condition? {
    if value.text == "success" { return .success }
    var ranges: [ClosedRange<Int>] = []
    for element in reader.elements(value, acceptsOne: true) {
      let parts = (element.text ?? "").split(separator: "-", maxSplits: 1).map(String.init)
      let numbers = parts.compactMap { HAProxyUnits.integer($0, in: 100...599) }
      guard let low = numbers.first, let high = numbers.last, numbers.count == parts.count,
        low <= high
      else {
        reader.report(
          at: element, "expected a status such as 200, a range such as 200-299, or 'success'")
        continue
      }
      ranges.append(low...high)
    }
    return ranges.isEmpty ? nil : .status(ranges)
  }

  private static func printExpect(_ condition: HTTPExpect.Condition) -> NativeOutput? {
    guard case .status(let ranges) = condition else { return .scalar("success") }
    return .list(
      ranges.map {
        .scalar($0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)")
      })
  }

  // MARK: to and from the model

  private static let usualLive = "/livez"
  private static let usualPath = "/readyz"

  /// The path, or nil when nothing is asked.
  var livePath: String? {
    guard isHTTP, rules == nil else { return nil }
    switch live {
    case .usual: return path == Self.usualPath ? Self.usualLive : nil
    case .off: return nil
    case .path(let path): return path
    }
  }

  /// What cannot work together. Over a `base` that drains, its `drainOver` is inherited and no
  /// word of this check.
  func problem(over base: NativeCheck?) -> String? {
    if let problem = rulesProblem(over: base) { return problem }
    if case .path = live, livePath == nil { return "'live' needs a check of type https or http" }
    let isInherited = base?.livePath != nil && drainOver == base?.drainOver
    if livePath == nil, drainOver != NativeCheck().drainOver, !isInherited {
      return "'drainOver' needs 'live': nothing else tells a draining server from a dead one"
    }
    return nil
  }

  /// Itself, with words for what `base` has and it does not.
  func said(over base: NativeCheck) -> NativeCheck {
    guard livePath == nil, base.livePath != nil else { return self }
    var check = self
    check.live = .off
    check.drainOver = base.drainOver
    return check
  }

  var checkMethod: CheckMethod {
    if let ruled { return ruled }
    switch kind {
    case .tcp, .handshake: return .connect
    case .tls: return .sslHello
    case .http, .https:
      var request = HTTPRequest()
      request.method = method
      request.uri = path
      request.version = httpVersion
      request.headers = host.isEmpty ? [] : [HTTPHeader(name: "Host", value: host)]
      return .http(HTTPCheck(steps: [.sendHTTP(request), .expectHTTP(HTTPExpect(expect))]))
    }
  }

  /// For a server that gets this PROXY header.
  func serverCheck(_ proxyHeader: ProxyProtocolVersion?) -> ServerCheck {
    var check = timing
    check.tls = nil
    check.live = livePath
    check.drainOver = livePath == nil ? nil : drainOver
    let hedge = hedgeAfter ?? Self.usualHedge(timing)
    check.hedgeAfter = hedge == .zero ? nil : hedge
    switch sendProxy {
    case .asServer: check.sendProxy = Self.usualHeader(check, proxyHeader)
    case .own(let header): check.sendProxy = header
    }
    guard speaksTLS else { return check }
    var tls = CheckTLS(verify: caFile != nil, caFile: caFile)
    tls.serverName = serverName
    tls.verifyHost = verifyHost
    tls.alpn = alpn
    tls.certificateFile = certificate
    check.tls = tls
    return check
  }

  private static func usualHeader(
    _ check: ServerCheck, _ header: ProxyProtocolVersion?
  ) -> ProxyProtocolVersion? {
    check.port == nil && check.address == nil ? header : nil
  }

  private static func usualHedge(_ timing: ServerCheck) -> Duration {
    max(.milliseconds(1), timing.interval * 2 / 5)
  }

  init(_ backend: Backend, _ server: Server, _ check: ServerCheck) {
    self.init()
    timing = check
    timing.tls = nil
    timing.live = nil
    timing.drainOver = nil
    timing.hedgeAfter = nil
    timing.sendProxy = nil
    if check.hedgeAfter != Self.usualHedge(timing) { hedgeAfter = check.hedgeAfter ?? .zero }
    if check.sendProxy != Self.usualHeader(check, server.sendProxy) {
      sendProxy = .own(check.sendProxy)
    }
    timeout = backend.timeoutCheck
    if let tls = check.tls {
      caFile = tls.caFile
      serverName = tls.serverName
      verifyHost = tls.verifyHost
      alpn = tls.alpn
      certificate = tls.certificateFile
    }
    switch backend.check {
    case .connect, .script([]): kind = check.tls == nil ? .tcp : .handshake
    case .sslHello: kind = .tls
    case .http(let http) where says(http): kind = check.tls == nil ? .http : .https
    case .http, .script:
      let known = Self.ruled(backend.check, hasTLS: check.tls != nil)
      (kind, rules, ruled) = (known.kind, known.rules, backend.check)
    }
    guard let live = check.live else {
      // Said only where it would be there otherwise.
      if livePath != nil { self.live = .off }
      return
    }
    if live != livePath { self.live = .path(live) }
    drainOver = check.drainOver
  }

  /// Takes one request and one answer that plain keys can say.
  private mutating func says(_ http: HTTPCheck) -> Bool {
    guard http.steps.count == 2, case .sendHTTP(let request) = http.steps[0],
      case .expectHTTP(let answer) = http.steps[1], !answer.isNegated, request.body.isEmpty,
      request.comment == nil, answer.comment == nil, !http.disableOn404, !http.sendState,
      ["HTTP/1.0", "HTTP/1.1"].contains(request.version)
    else { return false }
    switch answer.condition {
    case .success, .status: break
    default: return false
    }
    let hosts = request.headers.filter { $0.name.lowercased() == "host" }
    guard hosts.count == request.headers.count, hosts.count <= 1,
      hosts.allSatisfy({ $0.name == "Host" && $0.value.utf8.allSatisfy { $0 > 32 } })
    else { return false }
    expect = answer.condition
    host = hosts.first?.value ?? ""
    method = request.method
    path = request.uri
    httpVersion = request.version
    return true
  }

  init() {}
}
