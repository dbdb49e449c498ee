// `tcp-check expect`, `http-check …` rules, and how they complete `option httpchk`.

extension HAProxyParser {
  /// What stands between `expect` and its match: comment, min-recv, `!`.
  struct ExpectHead {
    var comment: String?
    var minimum: Int?
    var isNegated = false
    /// Index of the match keyword.
    var index = 2
  }

  func expectHead(_ line: Line) -> ExpectHead? {
    var head = ExpectHead(comment: pendingComment)
    while let name = line.text(head.index) {
      switch name {
      case "!": head.isNegated = true
      case "comment":
        guard let text = string(line, head.index + 1, name) else { return nil }
        head.comment = text
        head.index += 1
      case "min-recv":
        guard let value = integer(line, head.index + 1, name, in: -1...Int(Int32.max)) else {
          return nil
        }
        head.minimum = value < 0 ? nil : value
        head.index += 1
      case "on-success", "on-error", "status-code":
        guard string(line, head.index + 1, name) != nil else { return nil }
        note(line, head.index, "the report of a check has a fixed form")
        head.index += 1
      case "ok-status", "error-status", "tout-status":
        error(line, head.index, "'\(line.keyword) expect \(name)' is not supported")
        return nil
      default: return head
      }
      head.index += 1
    }
    error(line, head.index, "'\(line.keyword) expect' expects a match such as 'string <text>'")
    return nil
  }

  func checkExpect(_ line: Line) -> CheckExpect? {
    guard let head = expectHead(line), let match = line.text(head.index) else { return nil }
    let at = head.index + 1
    let known = ["string", "rstring", "binary", "rbinary"]
    guard known.contains(match) else {
      let extra = ["string-lf", "binary-lf", "custom"].contains(match) ? " is not supported" : ""
      error(
        line, head.index,
        "'tcp-check expect \(match)'\(extra): use 'string', 'rstring', 'binary' "
          + "or 'rbinary'" + HAProxyParser.hint(Spelling.nearest(to: match, among: known)))
      return nil
    }
    guard line.words.indices.contains(at) else {
      error(line, at, "'tcp-check expect \(match)' expects a pattern")
      return nil
    }
    guard line.text(at + 1) == nil else {
      error(line, at + 1, "'tcp-check expect' takes one pattern; quote it if it holds spaces")
      return nil
    }
    let pattern: CheckExpect.Pattern
    switch match {
    case "string": pattern = .string(line.words[at].bytes)
    case "binary":
      guard let bytes = hexadecimal(line, at) else { return nil }
      pattern = .binary(bytes)
    default:
      guard let expression = expression(line, at) else { return nil }
      pattern = match == "rstring" ? .regex(expression) : .binaryRegex(expression)
    }
    var result = CheckExpect(pattern)
    result.isNegated = head.isNegated
    result.minimumReceived = head.minimum
    result.comment = head.comment
    return result
  }

  /// A regular expression that regcomp(3) accepts.
  func expression(_ line: Line, _ index: Int) -> String? {
    guard let text = string(line, index, "regular expression") else { return nil }
    if let reason = regularExpressionError(text) {
      error(line, index, "regular expression '\(text)': \(reason)")
      return nil
    }
    return text
  }

  // MARK: http-check

  func httpCheck(_ line: Line) {
    guard let kind = string(line, 1, "http-check") else { return }
    var rule: HTTPRule?
    switch kind {
    case "disable-on-404", "send-state": return httpCheckFlag(line, isOn: true)
    case "comment":
      guard let text = string(line, 2, "http-check comment") else { return }
      return changeCheck { $0.comment = text }
    case "connect": rule = checkConnect(line).map { .step(.connect($0)) }
    case "send": rule = httpSend(line).map { .send($0) }
    case "expect": rule = httpExpect(line).map { .step(.expectHTTP($0)) }
    case "set-var", "set-var-fmt", "unset-var":
      return error(line, 1, "'http-check \(kind)' is not supported")
    default:
      let known = ["disable-on-404", "send-state", "comment", "connect", "send", "expect"]
      return error(
        line, 1,
        "'http-check' only supports 'disable-on-404', 'send-state', 'comment', "
          + "'connect', 'send', 'expect', not '\(kind)'"
          + HAProxyParser.hint(Spelling.nearest(to: kind, among: known)))
    }
    guard let rule else { return }
    let before = section == .defaults ? defaults.check : proxy?.settings.check
    let own = before.map { $0.ownsHTTPRules ? $0.httpRules : [] } ?? []
    requireOrder(line, rule, after: own)
    changeCheck {
      if !$0.ownsHTTPRules { $0.httpRules = [] }
      $0.ownsHTTPRules = true
      $0.httpPlace = Place(line)
      if $0.kind != .http { $0.hasUnusedHTTPRules = true }
      $0.httpRules.append(rule)
    }
  }

  /// A connection carries one request, and the first rule opens it if any rule does.
  private func requireOrder(_ line: Line, _ rule: HTTPRule, after own: [HTTPRule]) {
    guard let last = own.last else { return }
    switch (rule, last) {
    case (.send, .send), (.send, .step(.expectHTTP)):
      error(line, 1, "'http-check send' : needs an 'http-check connect' rule before it")
    case (.step(.connect), _):
      switch own.first {
      case .step(let first): requireFirstConnect(line, first)
      case .send: requireFirstConnect(line, .send(CheckBytes([])))
      case nil: break
      }
    default: break
    }
  }

  func httpCheckFlag(_ line: Line, isOn: Bool) {
    switch line.text(1) {
    case "disable-on-404": changeCheck { $0.disableOn404 = isOn }
    case "send-state": changeCheck { $0.sendState = isOn }
    default: return error(line, 1, "'no http-check' is for 'disable-on-404' and 'send-state'")
    }
    if line.text(2) != nil { error(line, 2, "'http-check' cannot handle unexpected argument") }
  }

  private func httpSend(_ line: Line) -> HTTPSend? {
    var result = HTTPSend()
    result.comment = pendingComment
    var index = 2
    while let name = line.text(index) {
      guard let text = line.text(index + 1) else {
        error(line, index + 1, "'http-check send': '\(name)' expects an argument")
        return nil
      }
      switch name {
      case "meth": result.method = text
      case "uri": result.uri = text
      case "ver": result.version = text
      case "body": result.body = line.words[index + 1].bytes
      case "comment": result.comment = text
      case "hdr":
        guard let value = line.text(index + 2) else {
          error(line, index + 2, "'http-check send hdr' expects a name and a value")
          return nil
        }
        result.headers.append(HTTPHeader(name: text, value: value))
        index += 1
      case "uri-lf", "body-lf":
        error(line, index, "'http-check send \(name)' is not supported; use '\(name.dropLast(3))'")
        return nil
      default:
        let near = Spelling.nearest(
          to: name, among: ["meth", "uri", "ver", "hdr", "body", "comment"])
        error(
          line, index, "'http-check send': unknown option '\(name)'" + HAProxyParser.hint(near))
        return nil
      }
      index += 2
    }
    return checkRequest(line, 1, result.request(over: HTTPRequest())) ? result : nil
  }

  private func httpExpect(_ line: Line) -> HTTPExpect? {
    guard let head = expectHead(line), let match = line.text(head.index) else { return nil }
    if head.minimum != nil {
      note(line, head.index, "'min-recv' concerns 'tcp-check'")
    }
    let at = head.index + 1
    guard line.words.indices.contains(at) else {
      error(line, at, "'http-check expect \(match)' expects a value")
      return nil
    }
    var last = at
    let condition: HTTPExpect.Condition
    switch match {
    case "status":
      guard let ranges = statusRanges(line, at) else { return nil }
      condition = .status(ranges)
    case "string": condition = .body(line.words[at].bytes)
    case "rstatus", "rstring":
      guard let text = expression(line, at) else { return nil }
      condition = match == "rstatus" ? .statusRegex(text) : .bodyRegex(text)
    case "hdr":
      guard line.text(at) == "name", let name = line.text(at + 1) else {
        error(line, at, "'http-check expect hdr' supports exact matches: name <name> [value <v>]")
        return nil
      }
      last = at + 1
      var value: String?
      if let word = line.text(at + 2) {
        guard word == "value", let text = line.text(at + 3) else {
          error(line, at + 2, "'http-check expect hdr' supports only 'value <text>' here")
          return nil
        }
        value = text
        last = at + 3
      }
      condition = .header(name: name, value: value)
    default:
      let known = ["status", "rstatus", "string", "rstring", "hdr"]
      error(
        line, head.index,
        "'http-check expect \(match)' is not supported: use 'status', "
          + "'rstatus', 'string', 'rstring' or 'hdr'"
          + HAProxyParser.hint(Spelling.nearest(to: match, among: known)))
      return nil
    }
    guard line.text(last + 1) == nil else {
      error(line, last + 1, "'http-check expect' cannot handle unexpected argument; quote the text")
      return nil
    }
    var result = HTTPExpect(condition)
    result.isNegated = head.isNegated
    result.comment = head.comment
    return result
  }

  /// `200`, `200-299,401`.
  private func statusRanges(_ line: Line, _ index: Int) -> [ClosedRange<Int>]? {
    guard let text = line.text(index) else { return nil }
    var ranges: [ClosedRange<Int>] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        .map { HAProxyUnits.integer(String($0), in: 100...999) }
      guard let low = ends[0], let high = ends.count > 1 ? ends[1] : low, low <= high else {
        error(
          line, index,
          "'http-check expect status' : expects codes such as 200-299,401, not '\(part)'")
        return nil
      }
      ranges.append(low...high)
    }
    return ranges
  }
}

extension CheckDraft {
  /// The steps of an HTTP check: the `option httpchk` request goes after a first `connect`,
  /// is completed by a `send` that follows directly, and a last `expect` is supplied.
  func httpCheck() -> HTTPCheck {
    var rest = httpRules[...]
    var steps: [CheckStep] = []
    if case .step(.connect(let connect)) = rest.first {
      steps.append(.connect(connect))
      rest = rest.dropFirst()
    }
    var first = request
    if case .send(let send) = rest.first {
      first = send.request(over: request)
      rest = rest.dropFirst()
    }
    steps.append(.sendHTTP(first))
    for rule in rest {
      switch rule {
      case .step(let step): steps.append(step)
      case .send(let send): steps.append(.sendHTTP(send.request(over: HTTPRequest())))
      }
    }
    if case .expectHTTP = steps.last {} else { steps.append(.expectHTTP(HTTPExpect(.success))) }
    var result = HTTPCheck(steps: steps)
    result.disableOn404 = disableOn404
    result.sendState = sendState
    return result
  }
}
