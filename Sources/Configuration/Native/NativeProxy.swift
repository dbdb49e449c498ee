// Frontends, backends and servers of the native file: their defaults and their keys.

/// One entry of `frontends`.
struct NativeFrontend {
  var model: Frontend
  /// What all of its `listen` addresses share.
  var bind: Bind
  /// Read when everything else of the frontend is known.
  var listen: NativeValue?
  /// What is said of its sessions, and what `logging` says.
  var log: NativeAccessLog
  var usualLog: NativeAccessLog

  init(name: String, log: NativeAccessLog) {
    self.log = log
    usualLog = log
    model = Frontend(name: name)
    model.timeoutClient = NativeDefaults.idleTimeout
    model.keepalive = NativeDefaults.clientKeepalive
    bind = Bind(addresses: [])
  }

  static var keys: [NativeKey<NativeFrontend>] {
    var listen = NativeKey<NativeFrontend>(
      "listen", \.listen, read: { .some($1) }, print: { _ in nil })
    listen.print = { draft in
      let binds = draft.model.binds
      return binds.isEmpty ? nil : NativeListen.output(binds, over: draft.bind)
    }
    return [
      NativeKey(
        "name", \.model.name, read: { $0.name($1) }, print: { .scalar($0) }),
      listen,
      NativeKey(
        "backend", \.model.defaultBackend, read: { $0.name($1) },
        print: { $0.map { .scalar($0) } }),
      .time("idleTimeout", \.model.timeoutClient),
      NativeKey(
        "keepalive", \.model.keepalive, read: NativeDefaults.readKeepalive,
        print: NativeDefaults.printKeepalive),
      .number("maxConnections", \.model.maxconn, 1...10_000_000),
      .flag("acceptProxy", \.bind.acceptProxy),
      .interface("interface", \.bind.interface),
      .optionalTime("closeTimeout", \.model.timeoutClientFin),
      .number("backlog", \.model.backlog, 1...10_000_000),
      .number("sessionsPerSecond", \.model.sessionRateLimit, 1...10_000_000),
      .flag("resetOnClose", \.model.noLinger),
      .flag("disabled", \.model.isDisabled),
      NativeAccessLog.key,
    ]
  }
}

/// One entry of `backends`, or the short form at the top of the file.
struct NativeBackend {
  var model: Backend
  /// nil: no checks.
  var check: NativeCheck? = NativeCheck()
  var tcpUserTimeout: Duration? = NativeDefaults.tcpUserTimeout
  var resetsWhenDown = true
  var log = NativeBackendLog()
  /// Read when everything else of the backend is known.
  var servers: [NativeValue] = []

  init(name: String) {
    model = Backend(name: name)
    model.balance = .leastConnections
    model.timeoutConnect = .seconds(2)
    model.timeoutServer = NativeDefaults.idleTimeout
    model.redispatch = 1
    model.keepalive = NativeDefaults.serverKeepalive
    model.logHealthChecks = true
    model.failsOpen = true
  }

  static var keys: [NativeKey<NativeBackend>] {
    [
      NativeKey("name", \.model.name, read: { $0.name($1) }, print: { .scalar($0) }),
      NativeBalance.key,
      NativeBalance.hashType,
      NativeKey("check", \.check, read: readCheck, print: { printCheck($0, NativeCheck()) }),
      .time("connectTimeout", \.model.timeoutConnect),
      .time("idleTimeout", \.model.timeoutServer),
      .time("queueTimeout", \.model.timeoutQueue),
      NativeKey(
        "keepalive", \.model.keepalive, read: NativeDefaults.readKeepalive,
        print: NativeDefaults.printKeepalive),
      .time("tcpUserTimeout", \.tcpUserTimeout),
      .flag("failOpen", \.model.failsOpen),
      .flag("resetWhenDown", \.resetsWhenDown),
      .number("retries", \.model.retries, 0...100),
      NativeKey("redispatch", \.model.redispatch, read: readRedispatch, print: printRedispatch),
      .optionalTime("closeTimeout", \.model.timeoutServerFin),
      .optionalTime("tunnelTimeout", \.model.timeoutTunnel),
      .flag("abortOnClose", \.model.abortOnClose),
      .flag("shareBackups", \.model.allBackups),
      .flag("resetOnClose", \.model.noLinger),
      .flag("logChecks", \.model.logHealthChecks),
      .number("fullConnections", \.model.fullconn, 1...10_000_000),
      NativeKey(
        "source", \.model.source, read: NativeAddress.source, print: NativeAddress.printSource),
      .flag("disabled", \.model.isDisabled),
      NativeBackendLog.key,
      NativeKey(
        "servers", \.servers, read: { $0.elements($1) }, print: { _ in nil }),
    ]
  }

  /// `false`, `last` (the last retry only) or every how many retries.
  static func readRedispatch(_ reader: NativeReader, _ value: NativeValue) -> Int?? {
    if value.text == "false" { return .some(nil) }
    if value.text == "last" { return .some(-1) }
    return reader.integer(value, in: 1...100).map { .some($0) }
  }

  static func printRedispatch(_ value: Int?) -> NativeOutput? {
    guard let value else { return .scalar("false") }
    return .scalar(value == -1 ? "last" : String(value))
  }

  static func readCheck(_ reader: NativeReader, _ value: NativeValue) -> NativeCheck?? {
    readCheck(reader, value, NativeCheck())
  }

  /// `false`, a type, or a mapping over `base`.
  static func readCheck(
    _ reader: NativeReader, _ value: NativeValue, _ base: NativeCheck
  ) -> NativeCheck?? {
    if value.text == "false" { return .some(nil) }
    if value.text == "true" { return .some(base) }
    var check = base
    reader.read(value, into: &check, with: NativeCheck.keys)
    check.readRules(reader, value)
    return .some(check)
  }

  static func printCheck(_ check: NativeCheck?, _ base: NativeCheck) -> NativeOutput? {
    guard let check else { return .scalar("false") }
    let pairs = NativeCheck.keys.compactMap { key -> (String, NativeOutput)? in
      let usual = key.print(base)
      guard let value = key.print(check) else {
        return usual == nil ? nil : (key.name, .scalar("0"))
      }
      return value == usual ? nil : (key.name, value)
    }
    return pairs.isEmpty ? .scalar("true") : .map(pairs)
  }
}

/// One entry of `servers`.
struct NativeServer {
  /// No server has this address, so that each one's is printed.
  var model = Server(name: "", host: .unix(path: ""), port: .offset(0))
  /// nil inside: no checks.
  var check: NativeCheck?
  /// The backend's, over which a `check` of the server's own is read.
  var base: NativeCheck?

  init(_ backend: NativeBackend) {
    check = backend.check
    base = backend.check
    model.tcpUserTimeout = backend.tcpUserTimeout
    model.resetsSessionsOnDown = backend.resetsWhenDown
  }

  static var keys: [NativeKey<NativeServer>] {
    var check = NativeKey<NativeServer>(
      "check", \.check, read: { _, _ in nil },
      print: { NativeBackend.printCheck($0, NativeCheck()) })
    check.read = { reader, value, server in
      let base = server.base ?? NativeCheck()
      if let read = NativeBackend.readCheck(reader, value, base) { server.check = read }
    }
    return [
      NativeKey("name", \.model.name, read: { $0.name($1) }, print: { .scalar($0) }),
      NativeKey(
        "address", \.model.address, read: NativeAddress.server,
        print: { .scalar(NativeAddress.print($0)) }),
      .number("weight", \.model.weight, 0...256),
      .number("maxConnections", \.model.maxconn, 0...10_000_000),
      .flag("backup", \.model.isBackup),
      .flag("disabled", \.model.isDisabled),
      .number("minConnections", \.model.minconn, 0...10_000_000),
      .number("maxQueue", \.model.maxqueue, 0...10_000_000),
      .optionalTime("slowStart", \.model.slowstart),
      .time("tcpUserTimeout", \.model.tcpUserTimeout),
      NativeKey(
        "sendProxy", \.model.sendProxy,
        read: { $0.choice($1, [("v1", .v1), ("v2", .v2), ("false", nil)]) },
        print: { .scalar($0.map { $0 == .v1 ? "v1" : "v2" } ?? "false") }),
      .flag("closeSessionsWhenDown", \.model.shutdownSessionsOnDown),
      .flag("closeBackupSessionsWhenUp", \.model.shutdownBackupSessionsOnUp),
      .flag("preferIPv4", \.model.resolvePreferIPv4),
      .word("resolvers", \.model.resolvers),
      NativeResolvers.initAddress,
      NativeKey(
        "source", \.model.source, read: NativeAddress.source, print: NativeAddress.printSource),
      track,
      check,
    ]
  }
}

extension Server {
  /// Host and port as one value.
  struct Endpoint {
    var host: ServerHost
    var port: ServerPort
  }
  var address: Endpoint {
    get { Endpoint(host: host, port: port) }
    set { (host, port) = (newValue.host, newValue.port) }
  }
}

enum NativeDefaults {
  static let backendName = "kubernetes-apiserver"
  /// Longer than the four hours after which a kubelet ends an idle exec or port-forward itself.
  static let idleTimeout = Duration.seconds(5 * 3600)
  static let tcpUserTimeout = Duration.seconds(5)

  static var serverKeepalive: KeepaliveSettings { keepalive(idle: 2, interval: 1, count: 3) }
  static var clientKeepalive: KeepaliveSettings { keepalive(idle: 30, interval: 10, count: 3) }

  private static func keepalive(idle: Int, interval: Int, count: Int) -> KeepaliveSettings {
    var result = KeepaliveSettings()
    result.enabled = true
    result.idle = .seconds(idle)
    result.interval = .seconds(interval)
    result.count = count
    return result
  }

  static var keepaliveKeys: [NativeKey<KeepaliveSettings>] {
    let seconds: ClosedRange<Duration> = .seconds(1) ... .seconds(32_767)
    func time(
      _ name: String, _ path: WritableKeyPath<KeepaliveSettings, Duration?>
    ) -> NativeKey<KeepaliveSettings> {
      NativeKey(
        name, path,
        read: { reader, value in
          guard let time = reader.duration(value, in: seconds) else { return nil }
          if time.components.attoseconds == 0 { return .some(time) }
          reader.report(at: value, "whole seconds only")
          return nil
        }, print: { $0.map { .scalar(HAProxyUnits.print($0)) } })
    }
    return [
      time("idle", \.idle), time("interval", \.interval), .number("count", \.count, 1...127),
    ]
  }

  /// `false`, `true` (the kernel's times) or a mapping.
  static func readKeepalive(_ reader: NativeReader, _ value: NativeValue) -> KeepaliveSettings? {
    var result = KeepaliveSettings()
    if value.text == "false" { return result }
    result.enabled = true
    if value.text != "true" { reader.read(value, into: &result, with: keepaliveKeys) }
    return result
  }

  static func printKeepalive(_ value: KeepaliveSettings) -> NativeOutput? {
    guard value.enabled else { return .scalar("false") }
    let pairs = keepaliveKeys.compactMap { key in key.print(value).map { (key.name, $0) } }
    return pairs.isEmpty ? .scalar("true") : .map(pairs)
  }
}
