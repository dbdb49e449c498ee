// `rules` of a check: what is sent and what is expected, in the words of haproxy.cfg.

enum NativeCheckRules {
  /// The rules of a method, each without `tcp-check` or `http-check`.
  static func lines(_ method: CheckMethod) -> [String] {
    var printer = HAProxyPrinter()
    printer.print(method)
    return printer.text.split(separator: "\n").compactMap { line in
      for keyword in ["  tcp-check ", "  http-check "] where line.hasPrefix(keyword) {
        return String(line.dropFirst(keyword.count))
      }
      return nil
    }
  }

  /// Reads rules as HAProxy's parser does. nil when a problem has been reported, at the element
  /// it is about; `places` are those of `rules`, or one for all of them.
  static func method(
    _ rules: [String], isHTTP: Bool, _ reader: NativeReader, _ places: [NativeValue]
  ) -> CheckMethod? {
    let (option, keyword) = isHTTP ? ("httpchk", "http-check") : ("tcp-check", "tcp-check")
    let head = ["backend check", "mode tcp", "option \(option)"]
    let text = (head + rules.map { "\(keyword) \($0)" }).joined(separator: "\n") + "\n"
    let result = HAProxyDialect.parse(files: [("", Array(text.utf8))])
    for problem in result.diagnostics where problem.severity != .note {
      let index = problem.line - head.count - 1
      guard rules.indices.contains(index), let last = places.last else { continue }
      let place = places.indices.contains(index) ? places[index] : last
      reader.report(problem.severity, at: place, problem.message)
    }
    return result.configuration?.backends.first?.check
  }

  static func read(_ reader: NativeReader, _ value: NativeValue) -> [String]?? {
    let elements = reader.elements(value)
    guard value.node.sequence != nil else { return nil }
    guard (1...256).contains(elements.count) else {
      reader.report(at: value, "expected 1 to 256 rules")
      return nil
    }
    return .some(elements.compactMap { reader.string($0) })
  }
}

extension NativeCheck {
  var isHTTP: Bool { kind == .http || kind == .https }

  /// Makes a method of `rules`, once everything of the mapping at `value` is known.
  mutating func readRules(_ reader: NativeReader, _ value: NativeValue) {
    guard let rules else { return }
    var places = [value]
    if let own = value.child("rules") {
      guard own.node.sequence != nil else { return }
      places = reader.elements(own)
      // One that was refused has been reported.
      guard places.count == rules.count else { return }
    }
    ruled = NativeCheckRules.method(rules, isHTTP: isHTTP, reader, places)
    if kind == .handshake { reader.report(at: value, "'rules' need type https, http, tls or tcp") }
  }

  /// What `rules` and TLS do not go with; nil when all is well.
  func rulesProblem(over base: NativeCheck?) -> String? {
    if rules != nil {
      let usual = NativeCheck()
      let isAsked =
        path != usual.path || method != usual.method || host != usual.host
        || httpVersion != usual.httpVersion || expect != usual.expect
      if isAsked {
        return "'rules' say what is asked: path, method, host, httpVersion and expect do not go "
          + "with them"
      }
      if case .path = live { return "'live' goes with 'path', not with 'rules'" }
    }
    let isInherited =
      verifyHost == base?.verifyHost && alpn == base?.alpn && certificate == base?.certificate
    if !speaksTLS, verifyHost != nil || !alpn.isEmpty || certificate != nil, !isInherited {
      return "'verifyHost', 'alpn' and 'certificate' need a check that speaks TLS"
    }
    let steps = ruled?.connectSteps ?? []
    if steps.contains(where: \.tls), kind == .tcp || kind == .http,
      ruled?.startsWithConnect == false
        || steps.contains(where: { $0.useServerDefaults && !$0.tls })
    {
      return "rules mix 'connect ssl' with the server's own plain connection; start with an "
        + "explicit 'connect', or make the type \(kind == .tcp ? "tls" : "https")"
    }
    return nil
  }

  /// Whether certificates and names mean anything to this check.
  var speaksTLS: Bool {
    switch kind {
    case .https, .handshake: true
    case .tls: rules != nil
    case .http, .tcp: ruled?.connectSteps.contains(where: \.tls) ?? false
    }
  }

  /// A check that the plain keys cannot say.
  static func ruled(_ method: CheckMethod, hasTLS: Bool) -> (kind: Kind, rules: [String]) {
    // Rules that open TLS themselves bring the server's settings along.
    let opens =
      method.startsWithConnect && method.connectSteps.contains(where: \.tls)
      && !method.connectSteps.contains { $0.useServerDefaults && !$0.tls }
    let isTLS = hasTLS && !opens
    let rules = NativeCheckRules.lines(method)
    if case .http = method { return (isTLS ? .https : .http, rules) }
    return (isTLS ? .tls : .tcp, rules)
  }
}

extension NativeParser {
  /// A check needs somewhere to go.
  func checkTarget(_ server: Server, _ method: CheckMethod, at value: NativeValue) {
    guard let check = server.check, !reader.hasErrors else { return }
    let steps = method.connectSteps
    if server.host == .clientDestination, check.address == nil,
      steps.isEmpty || steps.contains(where: { $0.address == nil })
    {
      reader.report(
        at: value,
        "a check cannot know where clients wanted to go; give its 'address', or 'check: false'")
      return
    }
    switch check.address ?? server.host {
    case .unix: return
    case .abstract:
      reader.report(
        at: value, "an abstract socket cannot be checked; use a path, or 'check: false'")
      return
    case .ip, .name, .clientDestination: break
    }
    if case .fixed = server.port { return }
    guard check.port == nil, steps.isEmpty || steps.contains(where: { $0.port == nil }) else {
      return
    }
    reader.report(
      at: value,
      "neither the server nor its check has a port; give the check's 'port', or "
        + "'check: false'")
  }
}
