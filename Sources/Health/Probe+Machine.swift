// Decides what one probe does next and what its result is: rules in order, HAProxy's rules for
// waiting, and HAProxy's words. Pure: it sees bytes and events, never a socket or a clock.

import Configuration

/// Runs one check's plan as HAProxy runs it.
struct ProbeMachine {
  enum Action: Equatable {
    /// Open (another) connection as step `index` of the plan says.
    case connect(step: Int)
    /// Write these bytes, then call `sent()`.
    case send([UInt8])
    case wait
    case finish(CheckStatus, code: Int?, info: String?)
  }

  /// What went wrong on the way.
  enum Failure: Equatable {
    /// No connection could be tried: no address, no local address, no descriptor.
    case setup(String)
    /// connect(2) failed.
    case connect(String)
    /// The TLS handshake failed.
    case handshake(String)
    /// Reading or writing failed on an established connection.
    case transport(String)
  }

  private enum Phase: Equatable { case idle, connecting, handshaking, sending, reading, finished }

  private let plan: CheckPlan
  private let serverState: String?
  /// `disable-on-404` counts 404 as alive only while the server is not down.
  private let wasDown: Bool
  private var index = 0
  private var phase = Phase.idle
  private var reply: [UInt8] = []
  private var isEnded = false
  private var code: Int?
  private var isTLS = false
  private var isHead = false

  init(_ plan: CheckPlan, wasDown: Bool = false, serverState: String? = nil) {
    self.plan = plan
    self.wasDown = wasDown
    self.serverState = serverState
  }

  private var step: CheckPlan.Step { plan.steps[index] }
  /// No more bytes will come, or none that would be kept.
  private var isLast: Bool { isEnded || reply.count >= Limits.reply }

  mutating func start() -> Action {
    phase = .idle
    index = 0
    return run()
  }

  /// The TCP connection stands; with TLS the handshake comes next.
  mutating func connected(handshakeFollows: Bool) -> Action {
    guard phase == .connecting else { return .wait }
    isTLS = handshakeFollows
    if handshakeFollows {
      phase = .handshaking
      return .wait
    }
    return advance()
  }

  mutating func handshakeCompleted() -> Action {
    guard phase == .handshaking else { return .wait }
    return advance()
  }

  /// The bytes of the last `.send` were written.
  mutating func sent() -> Action {
    guard phase == .sending else { return .wait }
    return advance()
  }

  mutating func received(_ bytes: some Collection<UInt8>) -> Action {
    reply += bytes.prefix(Limits.reply - reply.count)
    return phase == .reading ? run() : .wait
  }

  /// The peer ended its side.
  mutating func ended() -> Action {
    switch phase {
    case .handshaking: return failed(.handshake("SSL handshake failure"))
    case .idle, .connecting, .finished: return .wait
    case .sending, .reading:
      isEnded = true
      return phase == .reading ? run() : .wait
    }
  }

  mutating func failed(_ failure: Failure) -> Action {
    guard phase != .finished else { return .wait }
    switch failure {
    case .setup(let words): return finish(.socketError, words + place)
    case .connect(let words): return finish(.layer4ConnectionProblem, words + place)
    case .handshake(let words): return finish(.layer6InvalidResponse, words + place)
    case .transport where phase == .handshaking:
      return finish(.layer6InvalidResponse, "SSL handshake failure" + place)
    case .transport(let words):
      // A reset behind the data is the end of the data, not an error.
      if phase == .reading, !reply.isEmpty {
        isEnded = true
        return run()
      }
      return finish(.socketError, words + place)
    }
  }

  /// The check's time is up.
  mutating func expired() -> Action {
    switch phase {
    case .finished: return .wait
    case .idle, .connecting: return finish(.layer4Timeout, place)
    case .handshaking: return finish(.layer6Timeout, place)
    case .sending, .reading:
      if case .expect(_, _, let outcomes) = step.rule { return finish(outcomes.timeout, place) }
      return finish(.layer7Timeout, place)
    }
  }

  // MARK: Rules

  private mutating func advance() -> Action {
    index += 1
    return run()
  }

  /// Runs rules from the current one until something must be waited for.
  private mutating func run() -> Action {
    while index < plan.steps.count {
      switch step.rule {
      case .connect:
        phase = .connecting
        reply = []
        isEnded = false
        return .connect(step: index)
      case .send(let bytes): return send(bytes)
      case .sendHTTP(let request):
        isHead = request.method == "HEAD"
        return send(request.bytes(serverState: serverState))
      case .expect(let expect, let pattern, let outcomes):
        phase = .reading
        if let action = evaluate(expect, pattern, outcomes) { return action }
      case .expectHTTP(let expect, let pattern):
        phase = .reading
        if let action = evaluate(expect, pattern) { return action }
      }
      index += 1
    }
    return succeed()
  }

  private mutating func send(_ bytes: [UInt8]) -> Action {
    phase = .sending
    reply = []
    return .send(bytes)
  }

  /// nil = as expected, on to the next rule.
  private mutating func evaluate(
    _ expect: CheckExpect, _ pattern: CheckPlan.CompiledPattern, _ outcomes: CheckPlan.Outcomes
  ) -> Action? {
    guard !reply.isEmpty else {
      guard isLast else { return .wait }
      return finish(
        outcomes.error, withComment("TCPCHK got an empty response at step \(step.number)"))
    }
    if !isLast {
      if case .bytes(let bytes) = pattern, reply.count < bytes.count { return .wait }
      if let minimum = expect.minimumReceived, reply.count < minimum { return .wait }
    }
    let isMatch =
      switch pattern {
      case .bytes(let bytes): contains(reply, bytes)
      case .regex(let regex): regex.matches(reply)
      case .binaryRegex(let regex): regex.matches(hexadecimal(reply))
      }
    // A mismatch, even one that a negated rule wants, may still turn into a match.
    if !isMatch, !isLast, expect.minimumReceived == nil { return .wait }
    if isMatch != expect.isNegated { return nil }
    return finish(outcomes.error, mismatch(expect, isMatch: isMatch))
  }

  private mutating func evaluate(_ expect: HTTPExpect, _ pattern: CheckPattern?) -> Action? {
    guard !reply.isEmpty || isLast else { return .wait }
    let response: HTTPResponse
    switch HTTPResponse.read(reply, isLast: isLast, hasBody: !isHead) {
    case .incomplete: return .wait
    case .invalid: return finish(.layer7InvalidResponse, withComment(""))
    case .response(let read): response = read
    }
    code = response.status
    if accepts404(response.status) { return nil }
    switch evaluateHTTP(expect, pattern, response) {
    case .matched where !expect.isNegated: return nil
    case .mismatched where expect.isNegated: return nil
    case .undecided: return .wait
    case .matched, .mismatched: break
    }
    switch expect.condition {
    case .body, .bodyRegex:
      let words =
        expect.isNegated
        ? "HTTP check matched unwanted content" : "HTTP content check did not match"
      return finish(.layer7InvalidResponse, withComment(words))
    case .success, .status, .statusRegex, .header:
      return finish(.layer7WrongStatus, withComment(printable(response.reason)))
    }
  }

  private func accepts404(_ status: Int) -> Bool {
    if case .http(disableOn404: true, _) = plan.kind { return status == 404 && !wasDown }
    return false
  }

  private mutating func succeed() -> Action {
    if let code, accepts404(code) { return finish(.layer7ConditionallyOK, "") }
    guard let last = plan.steps.last else { return finish(.layer4OK, "") }
    let words = plan.kind == .script ? "(tcp-check)" : ""
    switch last.rule {
    case .connect(_, let isImplicit):
      return finish(isTLS ? .layer6OK : .layer4OK, isImplicit ? "" : words)
    case .expect(_, _, let outcomes): return finish(outcomes.ok, words)
    case .send, .sendHTTP, .expectHTTP: return finish(.layer7OK, words)
    }
  }

  private mutating func finish(_ status: CheckStatus, _ info: String) -> Action {
    phase = .finished
    index = min(index, plan.steps.count - 1)
    reply = []
    return .finish(
      status, code: status.printsCode ? code : nil,
      info: info.isEmpty ? nil : String(info.prefix(Limits.info)))
  }

  // MARK: Words

  /// Where a tcp-check was when something other than an expectation failed.
  private var place: String {
    guard plan.kind == .script else { return "" }
    guard step.number > 0 else { return " at initial connection step of tcp-check" }
    var words = " at step \(step.number) of tcp-check"
    switch step.rule {
    case .connect(let connect, _):
      words += connect.port.map { " (connect port \($0))" } ?? " (connect)"
    case .send: words += " (send)"
    case .expect(let expect, _, _):
      switch expect.pattern {
      case .string(let bytes): words += " (expect string '\(printable(bytes))')"
      case .binary(let bytes): words += " (expect binary '\(printable(bytes))')"
      case .regex: words += " (expect regex)"
      case .binaryRegex: words += " (expect binary regex)"
      }
    case .sendHTTP, .expectHTTP: break
    }
    if let comment = step.comment { words += " comment: '\(comment)'" }
    return words
  }

  private func mismatch(_ expect: CheckExpect, isMatch: Bool) -> String {
    guard plan.kind == .script else { return withComment("") }
    var words = isMatch ? "TCPCHK matched unwanted content" : "TCPCHK did not match content"
    switch expect.pattern {
    case .string(let bytes): words += " '\(printable(bytes))'"
    case .binary: words += " (binary)"
    case .regex: words += " (regex)"
    case .binaryRegex: words += " (binary regex)"
    }
    return withComment(words + " at step \(step.number)")
  }

  private func withComment(_ words: String) -> String {
    step.comment.map { "\(words) comment: \($0)" } ?? words
  }
}
