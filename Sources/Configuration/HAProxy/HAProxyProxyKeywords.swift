// Proxy keywords of both sides (manual, section 4.2): mode, timeouts, limits, backends, log.

extension HAProxyKeywords {
  static let proxyBasics: [Keyword] = [
    Keyword("mode", .proxy) { $0.mode($1) },
    Keyword("timeout", .proxy) { $0.timeout($1) },
    Keyword("option", .proxy) { parser, line in
      HAProxyOptions.run(line, parser, isOn: true, isDefault: false)
    },
    Keyword("bind", [.frontend, .listen]) { $0.bind($1) },
    Keyword("default_backend", .client) { parser, line in
      guard let name = parser.only(line, "default_backend") else { return }
      parser.change { $0.defaultBackend = (name, Place(line, 1)) }
    },
    Keyword("use_backend", [.frontend, .listen]) { $0.useBackend($1) },
    Keyword("maxconn", .client) { parser, line in
      guard let value = parser.only(line, "maxconn", in: 0...Int(Int32.max)) else { return }
      parser.change { $0.maxconn = value == 0 ? nil : value }
    },
    Keyword("backlog", .client) { parser, line in
      guard let value = parser.only(line, "backlog", in: 0...Int(Int32.max)) else { return }
      parser.change { $0.backlog = value == 0 ? nil : value }
    },
    Keyword("rate-limit", .client) { parser, line in
      guard line.text(1) == "sessions" else {
        return parser.error(line, 1, "'rate-limit' only supports 'sessions'")
      }
      guard let value = parser.integer(line, 2, "rate-limit sessions", in: 0...Int(Int32.max))
      else { return }
      parser.rejectExtra(line, after: 2)
      parser.change { $0.sessionRateLimit = value == 0 ? nil : value }
    },
    Keyword("clitcpka-cnt", .client) { parser, line in
      guard let value = parser.only(line, "clitcpka-cnt", in: 1...127) else { return }
      parser.change { $0.clientKeepalive.count = value }
    },
    Keyword("clitcpka-idle", .client) { parser, line in
      guard let value = parser.keepaliveTime(line) else { return }
      parser.change { $0.clientKeepalive.idle = value }
    },
    Keyword("clitcpka-intvl", .client) { parser, line in
      guard let value = parser.keepaliveTime(line) else { return }
      parser.change { $0.clientKeepalive.interval = value }
    },
    Keyword("disabled", .proxy) { parser, line in
      parser.rejectExtra(line, after: 0)
      parser.change { $0.isDisabled = true }
    },
    Keyword("enabled", .proxy) { parser, line in
      parser.rejectExtra(line, after: 0)
      parser.change { $0.isDisabled = false }
    },
    Keyword("id", [.frontend, .listen, .backend]) { parser, line in
      guard let value = parser.only(line, "id", in: 1...Int(Int32.max)) else { return }
      parser.proxy?.id = value
    },
    Keyword("description", [.frontend, .listen, .backend]) { parser, line in
      guard parser.string(line, 1, "description") != nil else { return }
      parser.proxy?.description = line.words.dropFirst().map(\.text).joined(separator: " ")
    },
    Keyword("guid", [.frontend, .listen, .backend]) { parser, line in
      parser.note(line, 0, "it only names the proxy in statistics")
    },
    Keyword("log", .proxy) { $0.proxyLog($1) },
    Keyword("log-tag", .proxy) { parser, line in
      guard let tag = parser.only(line, "log-tag") else { return }
      parser.change { $0.logTag = tag }
    },
    Keyword("log-format", .proxy) { $0.logFormat($1) },
    Keyword("log-format-sd", .proxy) { parser, line in
      parser.error(
        line, 0, "'log-format-sd' is not supported: rfc5424 lines carry no structured data here")
    },
    Keyword("error-log-format", .proxy) { parser, line in
      parser.warning(line, 0, "'error-log-format' ignored: failed sessions use 'log-format'")
    },
    Keyword("dispatch", [.listen, .backend]) { $0.dispatchKeyword($1) },
  ]

  /// Who may set what: a timeout of the other side is ignored with a warning (section 4.1).
  static func timeoutSections(_ name: TimeoutName) -> Sections {
    switch name {
    case .client, .clientFin: .client
    case .server, .serverFin, .connect, .queue, .tunnel, .check: .server
    }
  }
}

extension HAProxyParser {
  func mode(_ line: Line) {
    guard let name = string(line, 1, "mode") else { return }
    rejectExtra(line, after: 1)
    switch name {
    case "tcp", "http":
      change {
        $0.mode = name == "tcp" ? .tcp : .http
        $0.modePlace = Place(line, 1)
      }
    case "health":
      error(line, 1, "'mode health' is not supported anymore; use a TCP check of the service")
    case "log", "syslog", "spop", "haterm", "peers", "cli":
      error(line, 1, "'mode \(name)' is not supported; only 'mode tcp' is")
    default:
      let near = Spelling.nearest(to: name.lowercased(), among: ["tcp", "http"])
      let guess = ["tcp", "http"].contains(name.lowercased()) ? name.lowercased() : near
      error(line, 1, "unknown proxy mode '\(name)'\(HAProxyParser.hint(guess))")
    }
  }

  func timeout(_ line: Line) {
    let unused = ["http-request", "http-keep-alive", "tarpit", "client-hs"]
    let all = TimeoutName.allCases.map(\.rawValue) + unused
    guard let text = line.text(1), all.contains(text) else {
      let near = Spelling.nearest(to: line.text(1) ?? "", among: all)
      return error(
        line, 1,
        "'timeout' supports \(all.map { "'\($0)'" }.joined(separator: ", ")) "
          + "(got '\(line.text(1) ?? "")')" + HAProxyParser.hint(near.map { "timeout \($0)" }))
    }
    guard let value = time(line, 2, "timeout \(text)") else { return }
    if line.text(3) != nil {
      return error(line, 3, "'timeout \(text)' cannot handle unexpected argument")
    }
    guard let name = TimeoutName(rawValue: text) else {
      return note(line, 1, "it concerns HTTP requests and TLS termination")
    }
    if HAProxyKeywords.timeoutSections(name).isDisjoint(with: .of(section)) {
      let side = section == .frontend ? "backend" : "frontend"
      return warning(
        line, 1,
        "'timeout \(text)' will be ignored because \(proxy?.title ?? "it") has no "
          + "\(side) capability")
    }
    let hasUnit = line.text(2)?.last.map { !$0.isNumber } ?? true
    if !hasUnit, value > .zero, value < .milliseconds(100) {
      warning(
        line, 2,
        "'timeout \(text)' is suspiciously small (\(HAProxyUnits.print(value))); without "
          + "a unit it counts milliseconds, add 's' for seconds")
    }
    change { $0.timeouts[name] = value == .zero ? nil : value }
  }

  func keepaliveTime(_ line: Line) -> Duration? {
    guard let value = time(line, 1, line.keyword) else { return nil }
    rejectExtra(line, after: 1)
    guard value >= .seconds(1), value.components.attoseconds == 0 else {
      error(line, 1, "'\(line.keyword)' is a whole number of seconds, at least 1s")
      return nil
    }
    return value
  }

  func useBackend(_ line: Line) {
    guard let name = string(line, 1, "use_backend") else { return }
    if let word = line.text(2) {
      guard word == "if" || word == "unless" else {
        return error(line, 2, "'use_backend' expects 'if' or 'unless' here, not '\(word)'")
      }
      proxy?.hasConditionalBackend = true
      return unserved(
        "use_backend \(word)", line,
        "no condition is evaluated; such sessions go where "
          + "'default_backend' says, or to the section's own servers")
    }
    if name.contains("%") {
      return error(line, 1, "backend names made of log-format expressions are not supported")
    }
    guard proxy?.useBackend == nil else {
      return warning(
        line, 0, "'use_backend' ignored: an earlier one without condition is always taken")
    }
    proxy?.useBackend = (name, Place(line, 1))
  }

  func proxyLog(_ line: Line) {
    if line.text(1) == "global" {
      rejectExtra(line, after: 1)
      let targets = global.logTargets
      change { settings in
        for (index, target) in targets.enumerated()
        where !settings.logs.contains(where: { $0.globalIndex == index }) {
          settings.logs.append(LogEntry(target: target, globalIndex: index))
        }
      }
      return
    }
    guard let target = logTarget(line) else { return }
    change { $0.logs.append(LogEntry(target: target, globalIndex: nil)) }
  }

  func logFormat(_ line: Line) {
    guard let word = line.words.count > 1 ? line.words[1] : nil else {
      return error(line, 1, "'log-format' expects an argument")
    }
    guard line.text(2) == nil else {
      return error(
        line, 2, "log-format expects only one argument, don't forget to escape spaces!")
    }
    let compiled = HAProxyLogFormat.compile(word.text)
    for problem in compiled.problems {
      // Inside a word without quotes and escapes, the byte offset is the source column.
      var place = Place(line, 1)
      let raw = Array(line.source.bytes.dropFirst(word.column - 1).prefix(word.length))
      let shift = raw.first == UInt8(ascii: "\"") || raw.first == UInt8(ascii: "'") ? 1 : 0
      if raw.dropFirst(shift).starts(with: word.bytes) {
        place.column += problem.offset + shift
        place.length = problem.length
      }
      report(problem.isError ? .error : .warning, at: place, "log-format: " + problem.message)
    }
    change {
      $0.logLine = .custom(compiled.items)
      $0.logLinePlace = Place(line)
    }
  }

  /// `dispatch` is one server without a check; only its name in the log differs.
  func dispatchKeyword(_ line: Line) {
    guard let address = address(line, 1, "dispatch"), let text = line.text(1) else { return }
    rejectExtra(line, after: 1)
    guard let target = accept(address.server(text), line, 1, "dispatch") else { return }
    guard case .fixed = target.port, target.host != .clientDestination else {
      return error(line, 1, "'dispatch' expects an address and a port, not '\(text)'")
    }
    var draft = ServerDraft()
    draft.server = Server(name: "dispatch", host: target.host, port: target.port)
    draft.server.origin = Origin("\(line.source.file):\(line.source.number)")
    draft.place = Place(line)
    proxy?.dispatch = (draft, Place(line))
  }
}
