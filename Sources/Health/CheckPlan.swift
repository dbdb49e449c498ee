// Turns a configured check into the list of rules that one probe runs: every plan begins with a
// connect, patterns are compiled, and each rule knows the number HAProxy would give it.

import Configuration

/// Why a check cannot run as configured.
public enum CheckPlanError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `step` counts from 1.
  case pattern(step: Int, CheckPatternError)
  /// A rule of the other protocol (`send` in an HTTP check and the like).
  case misplacedRule(step: Int)

  public var description: String {
    switch self {
    case .pattern(let step, let error): "check rule \(step): \(error)"
    case .misplacedRule(let step): "check rule \(step) does not belong to this kind of check"
    }
  }
}

/// What one probe does. Immutable and shared by all checks of a server.
struct CheckPlan: Sendable {
  /// How results are worded.
  enum Kind: Equatable, Sendable {
    /// Only a connection, without any check option.
    case connect
    /// `option tcp-check`, with or without rules: failures name their rule.
    case script
    /// A built-in dialogue: failures carry no generic text.
    case dialogue
    case http(disableOn404: Bool, sendState: Bool)
  }

  enum Rule: Sendable {
    case connect(CheckConnect, isImplicit: Bool)
    case send([UInt8])
    case sendHTTP(HTTPRequest)
    case expect(CheckExpect, CompiledPattern, Outcomes)
    case expectHTTP(HTTPExpect, CheckPattern?)
  }

  enum CompiledPattern: Sendable {
    case bytes([UInt8])
    case regex(CheckPattern)
    case binaryRegex(CheckPattern)
  }

  /// The statuses an expect ends with; built-in dialogues have their own.
  struct Outcomes: Equatable, Sendable {
    var ok = CheckStatus.layer7OK
    var error = CheckStatus.layer7InvalidResponse
    var timeout = CheckStatus.layer7Timeout
  }

  struct Step: Sendable {
    var rule: Rule
    /// 0 = the implicit connection.
    var number: Int
    var comment: String?
  }

  var kind: Kind
  var steps: [Step]

  /// Only a connection is made, without TLS: the handshake needs no last acknowledgement.
  var isBareConnection: Bool { steps.count == 1 }

  /// Checks at load time that a method can run.
  static func validate(_ method: CheckMethod) throws(CheckPlanError) {
    _ = try CheckPlan(method)
  }

  init(_ method: CheckMethod) throws(CheckPlanError) {
    switch method {
    case .connect:
      kind = .connect
      steps = []
    case .script(let rules):
      kind = .script
      steps = try Self.compile(rules, isHTTP: false)
    case .http(let check):
      kind = .http(disableOn404: check.disableOn404, sendState: check.sendState)
      steps = try Self.compile(check.steps, isHTTP: true)
    case .sslHello:
      kind = .dialogue
      var expect = CheckExpect(.binaryRegex("^1[56]"))
      expect.minimumReceived = 5  // a TLS record header
      let outcomes = Outcomes(
        ok: .layer6OK, error: .layer6InvalidResponse, timeout: .layer6Timeout)
      let pattern = try Self.pattern("^1[56]", step: 2)
      steps = [
        Step(rule: .send(Self.sslHello), number: 1),
        Step(rule: .expect(expect, .binaryRegex(pattern), outcomes), number: 2),
      ]
    }
    if case .connect = steps.first?.rule { return }
    var connect = CheckConnect()
    connect.useServerDefaults = true
    steps.insert(Step(rule: .connect(connect, isImplicit: true), number: 0), at: 0)
  }

  private static func compile(
    _ rules: [CheckStep], isHTTP: Bool
  ) throws(CheckPlanError) -> [Step] {
    var steps: [Step] = []
    for (index, rule) in rules.enumerated() {
      let number = index + 1
      switch rule {
      case .connect(let connect):
        steps.append(
          Step(
            rule: .connect(connect, isImplicit: false), number: number, comment: connect.comment))
      case .send(let data):
        guard !isHTTP else { throw .misplacedRule(step: number) }
        steps.append(Step(rule: .send(data.bytes), number: number, comment: data.comment))
      case .expect(let expect):
        guard !isHTTP else { throw .misplacedRule(step: number) }
        let pattern = try compile(expect.pattern, step: number)
        steps.append(
          Step(
            rule: .expect(expect, pattern, Outcomes()), number: number, comment: expect.comment))
      case .sendHTTP(let request):
        guard isHTTP else { throw .misplacedRule(step: number) }
        steps.append(Step(rule: .sendHTTP(request), number: number, comment: request.comment))
      case .expectHTTP(let expect):
        guard isHTTP else { throw .misplacedRule(step: number) }
        var compiled: CheckPattern?
        switch expect.condition {
        case .statusRegex(let text), .bodyRegex(let text):
          compiled = try pattern(text, step: number)
        case .success, .status, .body, .header: break
        }
        steps.append(
          Step(rule: .expectHTTP(expect, compiled), number: number, comment: expect.comment))
      }
    }
    return steps
  }

  private static func compile(
    _ source: CheckExpect.Pattern, step: Int
  ) throws(CheckPlanError) -> CompiledPattern {
    switch source {
    case .string(let bytes), .binary(let bytes): .bytes(bytes)
    case .regex(let text): .regex(try pattern(text, step: step))
    case .binaryRegex(let text): .binaryRegex(try pattern(text, step: step))
    }
  }

  private static func pattern(
    _ text: String, step: Int
  ) throws(CheckPlanError) -> CheckPattern {
    do {
      return try CheckPattern(text)
    } catch {
      throw .pattern(step: step, error)
    }
  }

  /// The ClientHello of `option ssl-hello-chk`: an SSLv3 record with 39 cipher suites. HAProxy
  /// puts the time in the first four bytes of the random; a constant serves as well.
  static let sslHello: [UInt8] = {
    var body: [UInt8] = [0x03, 0x00, 0x6b, 0x01, 0x09, 0x36]
    body += Array("HAPROXYSSLCHK\nHAPROXYSSLCHK\n".utf8)
    body.append(0)  // no session id
    let suites: [UInt8] = Array(1...0x1b) + Array(0x2f...0x3a)
    body += [0, UInt8(suites.count * 2)]
    for suite in suites { body += [0, suite] }
    body += [1, 0]  // one compression method: none
    let handshake: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
    return [0x16, 0x03, 0x00, 0, UInt8(handshake.count)] + handshake
  }()
}

extension CheckMethod {
  /// Checks at load time that the rules can run: their patterns compile and their kinds fit.
  public func validate() throws(CheckPlanError) { try CheckPlan.validate(self) }
}
