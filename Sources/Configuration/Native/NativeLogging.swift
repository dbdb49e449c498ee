// `logging` and `process`: what is said where, and the limits of the whole daemon.

struct NativeLogging {
  enum Sessions: String, CaseIterable { case all, failed, none }
  var targets: [LogTarget] = [NativeLogging.standardOutput]
  var tag = "fairlead"
  var sessions = Sessions.all

  private static var standardOutput: LogTarget {
    var target = LogTarget(.stdout, facility: .daemon)
    target.format = .raw
    return target
  }

  /// What `logging` makes of every frontend.
  var accessLog: AccessLogSettings {
    var log = AccessLogSettings()
    log.targets = sessions == .none ? [] : targets
    log.format = .tcplog
    log.dontLogNull = true
    log.dontLogNormal = sessions == .failed
    return log
  }

  static var defaultGlobal: GlobalSettings {
    var global = GlobalSettings()
    global.logTag = "fairlead"
    return global
  }

  static var keys: [NativeKey<NativeLogging>] {
    [
      NativeKey(
        "targets", \.targets, read: readTargets,
        print: { .list($0.map(printTarget)) }),
      NativeKey("tag", \.tag, read: { $0.name($1) }, print: { .scalar($0) }),
      NativeKey(
        "sessions", \.sessions,
        read: { $0.choice($1, Sessions.allCases.map { ($0.rawValue, $0) }) },
        print: { .scalar($0.rawValue) }),
    ]
  }

  static var targetKeys: [NativeKey<LogTarget>] {
    [
      NativeKey("to", \.destination, read: readDestination, print: printDestination),
      NativeKey(
        "format", \.format,
        read: { $0.choice($1, LogTarget.Format.allCases.map { ($0.rawValue, $0) }) },
        print: { .scalar($0.rawValue) }),
      NativeKey(
        "facility", \.facility,
        read: { $0.choice($1, LogFacility.allCases.map { ("\($0)", $0) }) },
        print: { .scalar("\($0)") }),
      NativeKey(
        "level", \.maximumLevel,
        read: { $0.choice($1, LogLevel.allCases.map { ("\($0)", $0) }) },
        print: { .scalar("\($0)") }),
    ]
  }

  static var processKeys: [NativeKey<GlobalSettings>] {
    [
      .number("maxConnections", \.maxconn, 1...10_000_000),
      .number("threads", \.threads, 1...64),
      NativeKey(
        "hardStopAfter", \.hardStopAfter, read: { $0.duration($1, in: NativeLimits.times) },
        print: { $0.map { .scalar(HAProxyUnits.print($0)) } }),
      .number("spreadChecks", \.spreadChecks, 0...50),
    ]
  }

  private static func readTargets(_ reader: NativeReader, _ value: NativeValue) -> [LogTarget]? {
    reader.elements(value, acceptsOne: true).compactMap { element in
      var target = LogTarget(.stdout, facility: .daemon)
      if element.text != nil {
        guard let destination = readDestination(reader, element) else { return nil }
        target.destination = destination
        target.format = usualFormat(destination)
        return target
      }
      let names = reader.node(element, "to")
      if let to = names, let destination = readDestination(reader, to) {
        target.format = usualFormat(destination)
      }
      reader.read(element, into: &target, with: targetKeys)
      return target
    }
  }

  static func usualFormat(_ destination: LogTarget.Destination) -> LogTarget.Format {
    switch destination {
    case .stdout, .stderr: .raw
    case .unixDatagram: .local
    default: .rfc3164
    }
  }

  private static func readDestination(
    _ reader: NativeReader, _ value: NativeValue
  ) -> LogTarget.Destination? {
    let text = value.text ?? ""
    switch text {
    case "stdout": return .stdout
    case "stderr": return .stderr
    case _ where text.hasPrefix("/") && text.utf8.count < 108: return .unixDatagram(path: text)
    default: break
    }
    if let separator = text.utf8.lastIndex(of: 58),
      let port = HAProxyUnits.integer(String(text[text.index(after: separator)...]), in: 1...65535)
    {
      var host = String(text[..<separator])
      if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
      if let address = IPAddress(host) { return .udp(.ip(address, port: UInt16(port))) }
    }
    reader.report(
      at: value, "expected stdout, stderr, a socket such as /dev/log, or ADDRESS:PORT for UDP")
    return nil
  }

  private static func printDestination(_ destination: LogTarget.Destination) -> NativeOutput? {
    switch destination {
    case .stdout: .scalar("stdout")
    case .stderr: .scalar("stderr")
    case .unixDatagram(let path): .scalar(path)
    case .udp(let address): .scalar(address.description)
    case .udpName, .descriptor: nil
    }
  }

  private static func printTarget(_ target: LogTarget) -> NativeOutput {
    var usual = LogTarget(target.destination, facility: .daemon)
    usual.format = usualFormat(target.destination)
    return .map(
      targetKeys.compactMap { key in
        guard let value = key.print(target) else { return nil }
        return key.name != "to" && value == key.print(usual) ? nil : (key.name, value)
      })
  }
}

extension NativeReader {
  /// The value of one key of a mapping, unread.
  func node(_ value: NativeValue, _ key: String) -> NativeValue? {
    guard let mapping = value.node.mapping else { return nil }
    for (name, node) in mapping where name.scalar?.string == key {
      return NativeValue(node: node, path: "\(value.path).\(key)")
    }
    return nil
  }
}
