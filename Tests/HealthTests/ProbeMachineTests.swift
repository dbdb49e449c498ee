// Transcripts of probes: what arrives, and what the check makes of it. Expected words are
// haproxy 2.6.12's, measured against the same replies.

import Configuration
import Testing

@testable import Health

/// What a scripted peer does after the request; each is one event of the machine.
enum PeerEvent: Sendable {
  case bytes(String), end, reset, timeout
}

struct ProbeCase: Sendable, CustomTestStringConvertible {
  var name: String
  var method: CheckMethod
  var events: [PeerEvent]
  var status: CheckStatus
  var code: Int?
  var info: String?
  var testDescription: String { name }
}

func expect(
  _ pattern: CheckExpect.Pattern, negated: Bool = false, minimum: Int? = nil,
  comment: String? = nil
) -> CheckStep {
  var expect = CheckExpect(pattern)
  expect.isNegated = negated
  expect.minimumReceived = minimum
  expect.comment = comment
  return .expect(expect)
}

func string(_ text: String) -> CheckExpect.Pattern { .string(Array(text.utf8)) }

let ping = CheckStep.send(CheckBytes(Array("PING\r\n".utf8)))

func http(
  _ condition: HTTPExpect.Condition, negated: Bool = false, comment: String? = nil,
  disableOn404: Bool = false
) -> CheckMethod {
  var expect = HTTPExpect(condition)
  expect.isNegated = negated
  expect.comment = comment
  var check = HTTPCheck(steps: [.sendHTTP(HTTPRequest()), .expectHTTP(expect)])
  check.disableOn404 = disableOn404
  return .http(check)
}

let ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"

@Suite struct ProbeMachineTests {
  static let scripts: [ProbeCase] = [
    .init(
      name: "expected string", method: .script([ping, expect(string("+PONG"))]),
      events: [.bytes("+PONG\r\n")], status: .layer7OK, info: "(tcp-check)"),
    .init(
      name: "split reply", method: .script([ping, expect(string("+PONG"))]),
      events: [.bytes("+P"), .bytes("ON"), .bytes("G")], status: .layer7OK, info: "(tcp-check)"),
    .init(
      name: "a mismatch waits", method: .script([ping, expect(string("+PONG"))]),
      events: [.bytes("-ERR no\r\n"), .timeout], status: .layer7Timeout,
      info: " at step 2 of tcp-check (expect string '+PONG')"),
    .init(
      name: "a mismatch at the end fails", method: .script([ping, expect(string("+PONG"))]),
      events: [.bytes("-ERR\r\n"), .end], status: .layer7InvalidResponse,
      info: "TCPCHK did not match content '+PONG' at step 2"),
    .init(
      name: "comment", method: .script([ping, expect(string("+PONG"), comment: "want pong")]),
      events: [.bytes("-ERR\r\n"), .end], status: .layer7InvalidResponse,
      info: "TCPCHK did not match content '+PONG' at step 2 comment: want pong"),
    .init(
      name: "unwanted content", method: .script([ping, expect(string("ERR"), negated: true)]),
      events: [.bytes("-ERR\r\n")], status: .layer7InvalidResponse,
      info: "TCPCHK matched unwanted content 'ERR' at step 2"),
    .init(
      name: "a negated expect waits as well",
      method: .script([ping, expect(string("PONG"), negated: true)]),
      events: [.bytes("-ERR\r\n"), .timeout], status: .layer7Timeout,
      info: " at step 2 of tcp-check (expect string 'PONG')"),
    .init(
      name: "a negated expect passes at the end",
      method: .script([ping, expect(string("PONG"), negated: true)]),
      events: [.bytes("-ERR\r\n"), .end], status: .layer7OK, info: "(tcp-check)"),
    .init(
      name: "min-recv makes a mismatch count",
      method: .script([ping, expect(string("nada"), minimum: 3)]),
      events: [.bytes("+"), .bytes("PONG")], status: .layer7InvalidResponse,
      info: "TCPCHK did not match content 'nada' at step 2"),
    .init(
      name: "min-recv lets a negated expect pass",
      method: .script([ping, expect(string("ERR"), negated: true, minimum: 0)]),
      events: [.bytes("+PONG")], status: .layer7OK, info: "(tcp-check)"),
    .init(
      name: "consecutive expects look at the same bytes",
      method: .script([ping, expect(string("role:master")), expect(string("redis"))]),
      events: [.bytes("# redis\r\nrole:ma"), .bytes("ster\r\n")], status: .layer7OK,
      info: "(tcp-check)"),
    .init(
      name: "the second of them times out",
      method: .script([ping, expect(string("+PONG")), expect(string("nada"))]),
      events: [.bytes("+PONG\r\n"), .timeout], status: .layer7Timeout,
      info: " at step 3 of tcp-check (expect string 'nada')"),
    .init(
      name: "a send forgets what was received",
      method: .script([ping, expect(string("+PONG")), ping, expect(string("+PONG"))]),
      events: [.bytes("+PONG\r\n"), .end], status: .layer7InvalidResponse,
      info: "TCPCHK got an empty response at step 4"),
    .init(
      name: "regex", method: .script([ping, expect(.regex("^\\+P[A-Z]+$"))]),
      events: [.bytes("+PONG\n")], status: .layer7OK, info: "(tcp-check)"),
    .init(
      name: "regex mismatch", method: .script([ping, expect(.regex("^.PONX"))]),
      events: [.bytes("+PONG\n"), .end], status: .layer7InvalidResponse,
      info: "TCPCHK did not match content (regex) at step 2"),
    .init(
      name: "regex timeout", method: .script([ping, expect(.regex("^.PONX"))]),
      events: [.bytes("+PONG\n"), .timeout], status: .layer7Timeout,
      info: " at step 2 of tcp-check (expect regex)"),
    .init(
      name: "binary", method: .script([ping, expect(.binary([0x2b, 0x50]))]),
      events: [.bytes("+PONG\n")], status: .layer7OK, info: "(tcp-check)"),
    .init(
      name: "binary mismatch", method: .script([ping, expect(.binary(Array("+PONX".utf8)))]),
      events: [.bytes("+PONG"), .end], status: .layer7InvalidResponse,
      info: "TCPCHK did not match content (binary) at step 2"),
    .init(
      name: "binary timeout", method: .script([ping, expect(.binary(Array("+PONX".utf8)))]),
      events: [.bytes("+PONG"), .timeout], status: .layer7Timeout,
      info: " at step 2 of tcp-check (expect binary '+PONX')"),
    .init(
      name: "rbinary", method: .script([ping, expect(.binaryRegex("^2B504F"))]),
      events: [.bytes("+PONG")], status: .layer7OK, info: "(tcp-check)"),
    .init(
      name: "rbinary mismatch", method: .script([ping, expect(.binaryRegex("^2B504F4E58"))]),
      events: [.bytes("+PONG"), .end], status: .layer7InvalidResponse,
      info: "TCPCHK did not match content (binary regex) at step 2"),
    .init(
      name: "empty", method: .script([ping, expect(string("x"))]), events: [.end],
      status: .layer7InvalidResponse, info: "TCPCHK got an empty response at step 2"),
    .init(
      name: "reset", method: .script([ping, expect(string("+PONG"))]), events: [.reset],
      status: .socketError,
      info: "Connection reset by peer at step 2 of tcp-check (expect string '+PONG')"),
    .init(
      name: "a reset behind data is their end", method: .script([ping, expect(string("+PONG"))]),
      events: [.bytes("-ERR"), .reset], status: .layer7InvalidResponse,
      info: "TCPCHK did not match content '+PONG' at step 2"),
    .init(
      name: "control bytes never reach a log line",
      method: .script([ping, expect(string("a\r\nb\u{7f}"))]), events: [.timeout],
      status: .layer7Timeout, info: " at step 2 of tcp-check (expect string 'a\\r\\nb\\x7F')"),
    .init(
      name: "send only", method: .script([ping]), events: [], status: .layer7OK,
      info: "(tcp-check)"),
    .init(
      name: "explicit connect only", method: .script([.connect(CheckConnect())]), events: [],
      status: .layer4OK, info: "(tcp-check)"),
    .init(name: "no rule", method: .script([]), events: [], status: .layer4OK),
    .init(name: "plain", method: .connect, events: [], status: .layer4OK),
    .init(
      name: "ssl-hello", method: .sslHello,
      events: [.bytes("\u{15}\u{3}"), .bytes("\u{3}\u{0}\u{2}")], status: .layer6OK),
    .init(
      name: "ssl-hello refused", method: .sslHello, events: [.bytes("hello")],
      status: .layer6InvalidResponse),
    .init(
      name: "ssl-hello hangs", method: .sslHello, events: [.timeout], status: .layer6Timeout),
    .init(
      name: "ssl-hello ends", method: .sslHello, events: [.end], status: .layer6InvalidResponse,
      info: "TCPCHK got an empty response at step 2"),
  ]

  static let requests: [ProbeCase] = [
    .init(
      name: "200", method: http(.success), events: [.bytes(ok)], status: .layer7OK, code: 200),
    .init(
      name: "503", method: http(.success),
      events: [.bytes("HTTP/1.1 503 Nope\r\n"), .bytes("\r\n")], status: .layer7WrongStatus,
      code: 503, info: "Nope"),
    .init(
      name: "100 is no success", method: http(.success),
      events: [.bytes("HTTP/1.1 100 Continue\r\n\r\n")], status: .layer7WrongStatus, code: 100,
      info: "Continue"),
    .init(
      name: "no reason", method: http(.success), events: [.bytes("HTTP/1.1 200\r\n\r\n")],
      status: .layer7OK, code: 200),
    .init(
      name: "garbage", method: http(.success), events: [.bytes("garbage\r\n\r\n")],
      status: .layer7InvalidResponse),
    .init(
      name: "empty", method: http(.success), events: [.end], status: .layer7InvalidResponse),
    .init(
      name: "headers cut off", method: http(.success),
      events: [.bytes("HTTP/1.1 200 OK\r\n"), .end],
      status: .layer7InvalidResponse),
    .init(
      name: "reset", method: http(.success), events: [.reset], status: .socketError,
      info: "Connection reset by peer"),
    .init(name: "hangs", method: http(.success), events: [.timeout], status: .layer7Timeout),
    .init(
      name: "status ranges with a comment",
      method: http(
        .status([201...204, 500...500]),
        comment: "my status"), events: [.bytes(ok)], status: .layer7WrongStatus, code: 200,
      info: "OK comment: my status"),
    .init(
      name: "not 200", method: http(.status([200...200]), negated: true), events: [.bytes(ok)],
      status: .layer7WrongStatus, code: 200, info: "OK"),
    .init(
      name: "rstatus", method: http(.statusRegex("^[23]")), events: [.bytes(ok)],
      status: .layer7OK, code: 200),
    .init(
      name: "body found before its end", method: http(.body(Array("abc".utf8))),
      events: [.bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")], status: .layer7OK,
      code: 200),
    .init(
      name: "body not in it", method: http(.body(Array("zzz".utf8))), events: [.bytes(ok)],
      status: .layer7InvalidResponse, info: "HTTP content check did not match"),
    .init(
      name: "unwanted body", method: http(.body(Array("abc".utf8)), negated: true),
      events: [.bytes(ok)], status: .layer7InvalidResponse,
      info: "HTTP check matched unwanted content"),
    .init(
      name: "body without end", method: http(.body(Array("zzz".utf8))),
      events: [.bytes("HTTP/1.0 200 OK\r\n\r\nabc"), .timeout], status: .layer7Timeout),
    .init(
      name: "chunks", method: http(.bodyRegex("^abcd$")),
      events: [
        .bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"),
        .bytes("c\r\n1;x=y\r\nd\r\n0\r\n\r\n"),
      ], status: .layer7OK, code: 200),
    .init(
      name: "header", method: http(.header(name: "X-A", value: "one")),
      events: [.bytes("HTTP/1.1 200 OK\r\nx-a:  one \r\n\r\n")], status: .layer7OK, code: 200),
    .init(
      name: "other header", method: http(.header(name: "x-a", value: "two")),
      events: [.bytes("HTTP/1.1 200 OK\r\nX-A: one\r\n\r\n")], status: .layer7WrongStatus,
      code: 200, info: "OK"),
    .init(
      name: "404 with disable-on-404", method: http(.success, disableOn404: true),
      events: [.bytes("HTTP/1.1 404 Not Found\r\n\r\n")], status: .layer7ConditionallyOK,
      code: 404),
  ]

  @Test(arguments: scripts + requests)
  func replies(_ probe: ProbeCase) throws {
    let (action, code) = try run(probe, wasDown: false)
    guard case .finish(let status, _, let info) = action else {
      Issue.record("not finished: \(action)")
      return
    }
    #expect(status == probe.status)
    #expect(info == probe.info)
    #expect(code == probe.code)
  }

  private func run(
    _ probe: ProbeCase, wasDown: Bool
  ) throws -> (ProbeMachine.Action, Int?) {
    var machine = ProbeMachine(try CheckPlan(probe.method), wasDown: wasDown)
    var events = probe.events[...]
    var action = machine.start()
    while true {
      switch action {
      case .connect: action = machine.connected(handshakeFollows: false)
      case .send: action = machine.sent()
      case .finish(_, let code, _): return (action, code)
      case .wait:
        switch events.popFirst() {
        case .bytes(let text): action = machine.received(Array(text.utf8))
        case .end: action = machine.ended()
        case .reset: action = machine.failed(.transport("Connection reset by peer"))
        case .timeout: action = machine.expired()
        case nil: return (action, nil)
        }
      }
    }
  }

  @Test func a404IsWrongWhileTheServerIsDown() throws {
    let probe = ProbeCase(
      name: "", method: http(.success, disableOn404: true),
      events: [.bytes("HTTP/1.1 404 Not Found\r\n\r\n")], status: .layer7WrongStatus)
    let (action, _) = try run(probe, wasDown: true)
    #expect(action == .finish(.layer7WrongStatus, code: 404, info: "Not Found"))
  }

  @Test func connectFailuresNameTheirStep() throws {
    func refused(_ method: CheckMethod) throws -> ProbeMachine.Action {
      var machine = ProbeMachine(try CheckPlan(method))
      _ = machine.start()
      return machine.failed(.connect("Connection refused"))
    }
    var port = CheckConnect()
    port.port = 18099
    port.comment = "hey"
    let words: [(CheckMethod, String)] = [
      (.connect, "Connection refused"),
      (http(.success), "Connection refused"),
      (.script([]), "Connection refused at initial connection step of tcp-check"),
      (.script([ping]), "Connection refused at initial connection step of tcp-check"),
      (
        .script([.connect(CheckConnect()), ping]),
        "Connection refused at step 1 of tcp-check (connect)"
      ),
      (
        .script([.connect(port)]),
        "Connection refused at step 1 of tcp-check (connect port 18099) comment: 'hey'"
      ),
    ]
    for (method, info) in words {
      #expect(try refused(method) == .finish(.layer4ConnectionProblem, code: nil, info: info))
    }
  }

  @Test func phasesOfTimeAndTLS() throws {
    func machine() throws -> ProbeMachine {
      var machine = ProbeMachine(try CheckPlan(.script([])))
      #expect(machine.start() == .connect(step: 0))
      return machine
    }
    let place = " at initial connection step of tcp-check"
    var first = try machine()
    #expect(first.expired() == .finish(.layer4Timeout, code: nil, info: place))
    #expect(first.expired() == .wait)
    var second = try machine()
    #expect(second.connected(handshakeFollows: true) == .wait)
    #expect(second.expired() == .finish(.layer6Timeout, code: nil, info: place))
    var third = try machine()
    _ = third.connected(handshakeFollows: true)
    #expect(
      third.ended()
        == .finish(.layer6InvalidResponse, code: nil, info: "SSL handshake failure" + place))
    var fourth = try machine()
    _ = fourth.connected(handshakeFollows: true)
    #expect(fourth.handshakeCompleted() == .finish(.layer6OK, code: nil, info: nil))
  }

  @Test func aFullBufferIsTheEnd() throws {
    var machine = ProbeMachine(try CheckPlan(.script([expect(string("nada"))])))
    _ = machine.start()
    #expect(machine.connected(handshakeFollows: false) == .wait)
    let chunk = [UInt8](repeating: 65, count: 10_000)
    #expect(machine.received(chunk) == .wait)
    let words = "TCPCHK did not match content 'nada' at step 1"
    #expect(
      machine.received(chunk) == .finish(.layer7InvalidResponse, code: nil, info: words))
    #expect(machine.received(chunk) == .wait)
  }

  @Test func severalConnections() throws {
    var machine = ProbeMachine(
      try CheckPlan(.script([.connect(CheckConnect()), ping, .connect(CheckConnect()), ping])))
    #expect(machine.start() == .connect(step: 0))
    #expect(machine.connected(handshakeFollows: false) == .send(Array("PING\r\n".utf8)))
    #expect(machine.sent() == .connect(step: 2))
    #expect(machine.connected(handshakeFollows: false) == .send(Array("PING\r\n".utf8)))
    #expect(machine.sent() == .finish(.layer7OK, code: nil, info: "(tcp-check)"))
  }
}
