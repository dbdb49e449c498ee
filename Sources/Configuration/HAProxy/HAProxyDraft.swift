// What a section has said so far, before inheritance and references are settled. A `defaults`
// section is a ProxySettings and nothing else; a proxy starts from a copy of one.

enum SectionKind: Equatable {
  case none, global, defaults, frontend, listen, backend, resolvers
  /// A section that is read over; its name.
  case skipped(String)

  var hasFrontend: Bool { self == .frontend || self == .listen }
  var hasBackend: Bool { self == .backend || self == .listen }
  /// HAProxy's word for it in messages.
  var proxyWord: String {
    switch self {
    case .frontend: "frontend"
    case .backend: "backend"
    default: "proxy"
    }
  }
  var name: String {
    switch self {
    case .none: "top-level"
    case .global: "global"
    case .defaults: "defaults"
    case .frontend: "frontend"
    case .listen: "listen"
    case .backend: "backend"
    case .resolvers: "resolvers"
    case .skipped(let name): name
    }
  }
}

/// A place to point at later, when checks across lines fail.
struct Place {
  var source: SourceLine
  var column: Int
  var length: Int
  init(_ line: Line, _ index: Int = 0) {
    source = line.source
    if line.words.indices.contains(index) {
      column = line.words[index].column
      length = line.words[index].length
    } else {
      // Past the last word: what is missing is missing there.
      column = line.words.last.map { $0.column + $0.length } ?? 1
      length = 1
    }
  }
  var text: String { "\(source.file):\(source.number)" }
}

enum ProxyMode: String { case tcp, http }

enum TimeoutName: String, CaseIterable {
  case client, server, connect, queue, tunnel, check
  case clientFin = "client-fin"
  case serverFin = "server-fin"
}

struct LogEntry {
  var target: LogTarget
  /// Set for targets that came from `log global`, so that saying it twice adds nothing.
  var globalIndex: Int?
}

enum LogLine {
  case unset, tcplog, httplog
  case custom([LogFormatItem])
}

/// Settings that `defaults` sections hand on.
struct ProxySettings {
  var mode: ProxyMode = .tcp
  var modePlace: Place?
  var defaultBackend: (name: String, place: Place)?
  var timeouts: [TimeoutName: Duration] = [:]
  var maxconn: Int?
  var backlog: Int?
  var sessionRateLimit: Int?
  var retries = 3
  var redispatch: Int?
  var fullconn: Int?
  var balance: Balance = .roundRobin
  /// `balance uri` and its like: falls back to round robin in mode tcp.
  var layer7Balance: Place?
  var hashType = HashType()
  var source: SourceAddress?
  var flags: Set<String> = []
  var clientKeepalive = KeepaliveSettings()
  var serverKeepalive = KeepaliveSettings()
  var logs: [LogEntry] = []
  var logTag: String?
  var logLine: LogLine = .unset
  var logLinePlace: Place?
  var check = CheckDraft()
  var defaultServer = ServerDraft()
  var isDisabled = false
  var forwardFor = false
  /// HTTP-only keywords said in `defaults`.
  var inheritedHTTP: Set<String> = []
  var transparent: Place?
}

struct CheckDraft {
  enum Kind { case connect, tcp, http, sslHello, redis }
  var kind: Kind = .connect
  /// The request of the `option httpchk` line.
  var request = HTTPRequest()
  var tcpRules: [CheckStep] = []
  var httpRules: [HTTPRule] = []
  var tcpPlace: Place?
  var httpPlace: Place?
  /// Rules stand in this section itself: the inherited ones are forgotten.
  var ownsTCPRules = false
  var ownsHTTPRules = false
  /// Rules were met before their option, which has not come since.
  var hasUnusedTCPRules = false
  var hasUnusedHTTPRules = false
  var disableOn404 = false
  var sendState = false
  var comment: String?
}

/// An `http-check` rule; `send` remembers what it set, since it completes `option httpchk`.
enum HTTPRule {
  case step(CheckStep)
  case send(HTTPSend)
}

struct HTTPSend {
  var method: String?
  var uri: String?
  var version: String?
  var headers: [HTTPHeader] = []
  var body: [UInt8]?
  var comment: String?

  func request(over base: HTTPRequest) -> HTTPRequest {
    var result = base
    if let method { result.method = method }
    if let uri { result.uri = uri }
    if let version { result.version = version }
    if !headers.isEmpty { result.headers = headers }
    if let body { result.body = body }
    if let comment { result.comment = comment }
    return result
  }
}

/// A `server` or `default-server` line.
struct ServerDraft {
  enum Verify { case unset, none, required }
  var server = Server(name: "", host: .clientDestination, port: .offset(0))
  var place: Place?
  var isChecked = false
  var check = ServerCheck()
  var checksTLS = false
  var verify: Verify = .unset
  var caFile: String?
  var certificateFile: String?
  var verifyHost: String?
  var checkSNI: String?
  var checkALPN: [String] = []
  var checkSendsProxy = false
  var observePlace: Place?
  var trackText: String?
  var trackPlace: Place?
  var resolversPlace: Place?
}

struct ProxyDraft {
  var kind: SectionKind
  var name: String
  var place: Place
  var settings: ProxySettings
  var binds: [(bind: Bind, place: Place)] = []
  /// A listening address was given, valid or not.
  var triedToBind = false
  var servers: [ServerDraft] = []
  /// Unconditional `use_backend`: always taken, so it beats `default_backend`.
  var useBackend: (name: String, place: Place)?
  var hasConditionalBackend = false
  var dispatch: (draft: ServerDraft, place: Place)?
  var id: Int?
  var description: String?
  /// HTTP-only things said in this section (`monitor-uri`, `stats`, `http-request` …), each once.
  var httpOnly: [(name: String, place: Place)] = []

  init(kind: SectionKind, name: String, place: Place, settings: ProxySettings) {
    self.kind = kind
    self.name = name
    self.place = place
    self.settings = settings
  }

  /// "frontend 'f'", as messages name it.
  var title: String { "\(kind.proxyWord) '\(name)'" }
}
