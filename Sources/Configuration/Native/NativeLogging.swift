// `logging` and `process`: what is said where, and the limits of the whole daemon.

struct NativeLogging {
  var access = NativeAccessLog()
  var tag = "fairlead"
  /// nil: none is sent; empty: the machine's.
  var hostName: String?

  static var standardOutput: LogTarget {
    var target = LogTarget(.stdout, facility: .daemon)
    target.format = .raw
    target.contents = usualContents(.stdout)
    return target
  }

  /// Whoever reads standard output or error has the daemon's own lines already.
  static func usualContents(_ destination: LogTarget.Destination) -> LogTarget.Contents {
    destination == .stdout || destination == .stderr ? .sessions : .everything
  }

  static var defaultGlobal: GlobalSettings {
    var global = GlobalSettings()
    global.logTag = "fairlead"
    return global
  }

  static var keys: [NativeKey<NativeLogging>] {
    NativeAccessLog.sharedKeys.map { $0.within(\.access) } + [
      NativeKey("tag", \.tag, read: { $0.string($1) }, print: { .scalar($0) }),
      NativeKey(
        "hostName", \.hostName, read: readHostName,
        print: { .scalar($0.map { $0.isEmpty ? "true" : $0 } ?? "false") }),
    ]
  }

  private static func readHostName(_ reader: NativeReader, _ value: NativeValue) -> String?? {
    switch value.text {
    case "false": .some(nil)
    case "true": .some("")
    default: reader.name(value).map { .some($0) }
    }
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
      NativeKey(
        "minimumLevel", \.minimumLevel,
        read: { $0.choice($1, LogLevel.allCases.map { ("\($0)", $0) }) },
        print: { $0.map { .scalar("\($0)") } }),
      NativeKey(
        "contents", \.contents,
        read: { $0.choice($1, [("everything", .everything), ("sessions", .sessions)]) },
        print: { .scalar("\($0)") }),
      .number("length", \.maximumLength, 80...65_535),
      NativeKey("sample", \.sample, read: readSample, print: printSample),
    ]
  }

  private static func readSample(_ reader: NativeReader, _ value: NativeValue) -> LogSample?? {
    if let sample = HAProxyParser.sample(value.text ?? "") { return .some(sample) }
    reader.report(at: value, "expected ranges and a size, such as '1,3-4:10'")
    return nil
  }

  private static func printSample(_ sample: LogSample?) -> NativeOutput? {
    guard let sample else { return nil }
    let ranges = sample.ranges.map {
      $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
    }
    return .scalar(ranges.joined(separator: ",") + ":\(sample.size)")
  }

  static var processKeys: [NativeKey<GlobalSettings>] {
    [
      .number("maxConnections", \.maxconn, 1...10_000_000),
      .number("threads", \.threads, 1...64),
      NativeKey(
        "hardStopAfter", \.hardStopAfter, read: { $0.duration($1, in: NativeLimits.times) },
        print: { $0.map { .scalar(HAProxyUnits.print($0)) } }),
      .number("spreadChecks", \.spreadChecks, 0...50),
      .number("connectionsPerSecond", \.maxConnectionRate, 1...10_000_000),
      .number("fileDescriptors", \.fileDescriptorLimit, 1...10_000_000),
      NativeKey(
        "splice", \.noSplice, read: { reader, value in reader.bool(value).map { !$0 } },
        print: { .scalar($0 ? "false" : "true") }),
      .number("pipes", \.maxPipes, 1...10_000_000),
      .word("pidFile", \.pidFile),
      .word("node", \.node),
    ]
  }

  static func readTargets(_ reader: NativeReader, _ value: NativeValue) -> [LogTarget]? {
    reader.elements(value, acceptsOne: true).compactMap { element in
      var target = LogTarget(.stdout, facility: .daemon)
      if element.text != nil {
        guard let destination = readDestination(reader, element) else { return nil }
        target.destination = destination
        target.format = usualFormat(destination)
        target.contents = usualContents(destination)
        return target
      }
      let names = element.child("to")
      if let to = names, let destination = readDestination(reader, to) {
        target.format = usualFormat(destination)
        target.contents = usualContents(destination)
      }
      reader.read(element, into: &target, with: targetKeys)
      return target
    }
  }

  static func usualFormat(_ destination: LogTarget.Destination) -> LogTarget.Format {
    switch destination {
    case .stdout, .stderr, .descriptor: .raw
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
    if text.hasPrefix("fd@"),
      let number = HAProxyUnits.integer(
        String(text.dropFirst(3)), in: 0...Int(Int32.max))
    {
      return .descriptor(Int32(number))
    }
    if case .value(let parts) = AddressText.read(text), case .name(let host) = parts.host,
      case .range(let ports) = parts.port, ports.count == 1, ports.lowerBound > 0
    {
      return .udpName(host: host, port: UInt16(ports.lowerBound))
    }
    reader.report(
      at: value,
      "expected stdout, stderr, a socket such as /dev/log, or ADDRESS:PORT or NAME:PORT for UDP")
    return nil
  }

  private static func printDestination(_ destination: LogTarget.Destination) -> NativeOutput? {
    switch destination {
    case .stdout: .scalar("stdout")
    case .stderr: .scalar("stderr")
    case .unixDatagram(let path): .scalar(path)
    case .udp(let address): .scalar(address.description)
    case .udpName(let host, let port): .scalar("\(host):\(port)")
    case .descriptor(let number): .scalar("fd@\(number)")
    }
  }

  static func printTarget(_ target: LogTarget) -> NativeOutput {
    var usual = LogTarget(target.destination, facility: .daemon)
    usual.format = usualFormat(target.destination)
    usual.contents = usualContents(target.destination)
    return .map(
      targetKeys.compactMap { key in
        guard let value = key.print(target) else { return nil }
        return key.name != "to" && value == key.print(usual) ? nil : (key.name, value)
      })
  }
}
