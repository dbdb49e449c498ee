// The `check` mapping: what is asked of a server, and when.

/// A check of the native file. Its defaults fit a Kubernetes API server.
struct NativeCheck: Equatable {
  enum Kind: String, CaseIterable { case https, http, tls, tcp }
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
        read: { $0.integer($1, in: 1...65535).map { UInt16($0) } },
        print: { $0.map { .scalar(String($0)) } }),
      .word("caFile", \.caFile),
      .word("serverName", \.serverName),
    ]
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
    guard kind == .https || kind == .http else { return nil }
    switch live {
    case .usual: return path == Self.usualPath ? Self.usualLive : nil
    case .off: return nil
    case .path(let path): return path
    }
  }

  /// What cannot work together. Over a `base` that drains, its `drainOver` is inherited and no
  /// word of this check.
  func problem(over base: NativeCheck?) -> String? {
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
    switch kind {
    case .tcp: return .connect
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

  var serverCheck: ServerCheck {
    var check = timing
    check.tls = nil
    check.live = livePath
    check.drainOver = livePath == nil ? nil : drainOver
    let hedge = hedgeAfter ?? Self.usualHedge(timing)
    check.hedgeAfter = hedge == .zero ? nil : hedge
    guard kind == .https else { return check }
    var tls = CheckTLS(verify: caFile != nil, caFile: caFile)
    tls.serverName = serverName
    check.tls = tls
    return check
  }

  private static func usualHedge(_ timing: ServerCheck) -> Duration {
    max(.milliseconds(1), timing.interval * 2 / 5)
  }

  /// nil when the native file cannot say it.
  init?(_ backend: Backend, _ check: ServerCheck) {
    self.init()
    timing = check
    timing.tls = nil
    timing.live = nil
    timing.drainOver = nil
    timing.hedgeAfter = nil
    if check.hedgeAfter != Self.usualHedge(timing) { hedgeAfter = check.hedgeAfter ?? .zero }
    timeout = backend.timeoutCheck
    switch backend.check {
    case .connect, .script([]):
      kind = .tcp
      guard check.tls == nil else { return nil }
    case .sslHello:
      kind = .tls
      guard check.tls == nil else { return nil }
    case .http(let http):
      var steps = http.steps
      kind = check.tls == nil ? .http : .https
      if case .connect(let step)? = steps.first {
        var plain = CheckConnect()
        plain.tls = true
        // `http-check connect ssl` verifies as the server says, and that is not at all.
        guard step == plain, check.tls == nil || check.tls?.verify == false else { return nil }
        kind = .https
        steps.removeFirst()
      }
      guard steps.count == 2, case .sendHTTP(let request) = steps[0], request.body.isEmpty,
        case .expectHTTP(let answer) = steps[1], !answer.isNegated
      else { return nil }
      switch answer.condition {
      case .success, .status: expect = answer.condition
      default: return nil
      }
      let hosts = request.headers.filter { $0.name.lowercased() == "host" }
      guard hosts.count == request.headers.count, hosts.count <= 1 else { return nil }
      host = hosts.first?.value ?? ""
      method = request.method
      path = request.uri
      httpVersion = request.version
      guard ["HTTP/1.0", "HTTP/1.1"].contains(request.version) else { return nil }
      guard !http.disableOn404, !http.sendState else { return nil }
      if let tls = check.tls {
        caFile = tls.caFile
        serverName = tls.serverName
      }
    case .script: return nil
    }
    guard let live = check.live else {
      // Said only where it would be there otherwise.
      if livePath != nil { self.live = .off }
      return
    }
    if live != livePath { self.live = .path(live) }
    drainOver = check.drainOver
  }

  init() {}
}
