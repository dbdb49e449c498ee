// The bytes of requests, the reading of responses, and regular expressions.

import Configuration
import Testing

@testable import Health

@Suite struct HTTPRequestTests {
  func text(_ request: HTTPRequest, state: String? = nil) -> String {
    String(decoding: request.bytes(serverState: state), as: UTF8.self)
  }

  @Test func bytesAreHAProxys() {
    var request = HTTPRequest()
    #expect(text(request) == "OPTIONS / HTTP/1.0\r\n\r\n")
    #expect(
      text(request, state: "UP; name=b/s")
        == "OPTIONS / HTTP/1.0\r\nx-haproxy-server-state: UP; name=b/s\r\n\r\n")
    request.method = "GET"
    request.uri = "/h"
    request.version = "HTTP/1.1"
    #expect(text(request) == "GET /h HTTP/1.1\r\nconnection: close\r\n\r\n")
    request.headers = [.init(name: "Host", value: "foo")]
    #expect(text(request) == "GET /h HTTP/1.1\r\nhost: foo\r\nconnection: close\r\n\r\n")
    request.method = "POST"
    request.headers = [.init(name: "Host", value: "x"), .init(name: "X-Foo", value: "Bar baz")]
    request.body = Array("hello w".utf8)
    #expect(
      text(request)
        == "POST /h HTTP/1.1\r\nhost: x\r\nx-foo: Bar baz\r\ncontent-length: 7\r\n"
        + "connection: close\r\n\r\nhello w")
    request.version = "HTTP/1.0"
    request.headers = []
    #expect(text(request) == "POST /h HTTP/1.0\r\ncontent-length: 7\r\n\r\nhello w")
    request.version = "HTTP/1.1"
    request.body = []
    request.headers = [.init(name: "Connection", value: "keep-alive")]
    #expect(text(request) == "POST /h HTTP/1.1\r\n\r\n")
  }

  @Test func sslHelloIsHAProxys() {
    let hello = CheckPlan.sslHello
    #expect(hello.count == 5 + 0x79)
    #expect(Array(hello.prefix(11)) == [0x16, 3, 0, 0, 0x79, 1, 0, 0, 0x75, 3, 0])
    #expect(Array(hello[15..<43]) == Array("HAPROXYSSLCHK\nHAPROXYSSLCHK\n".utf8))
    #expect(Array(hello[43..<46]) == [0, 0, 0x4e])
    #expect(Array(hello.suffix(4)) == [0, 0x3a, 1, 0])
  }
}

@Suite struct HTTPResponseTests {
  func read(_ text: String, isLast: Bool = false, hasBody: Bool = true) -> HTTPResponse.Reading {
    HTTPResponse.read(Array(text.utf8), isLast: isLast, hasBody: hasBody)
  }

  @Test func incompleteUntilTheHeadersEnd() {
    for text in ["", "H", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n"] {
      #expect(read(text) == .incomplete, "\(text)")
      #expect(read(text, isLast: true) == .invalid, "\(text)")
    }
  }

  @Test(arguments: [
    "garbage", "HTTP/x.1 200 OK\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n",
    "HTTP/1.1 abc OK\r\n", "HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n",
    "HTTP/1.1 200 OK\r\n: x\r\n", "HTTP/1.1 200 OK\r\na b: x\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
  ])
  func invalid(_ text: String) { #expect(read(text) == .invalid) }

  @Test func endsOfBodies() {
    func isComplete(_ text: String, isLast: Bool = false, hasBody: Bool = true) -> Bool? {
      guard case .response(let response) = read(text, isLast: isLast, hasBody: hasBody) else {
        return nil
      }
      return response.isComplete
    }
    let head = "HTTP/1.1 200 OK\r\n"
    #expect(isComplete(head + "Content-Length: 3\r\n\r\nab") == false)
    #expect(isComplete(head + "Content-Length: 3\r\n\r\nab", isLast: true) == true)
    #expect(isComplete(head + "Content-Length: 3\r\n\r\nabcd") == true)
    #expect(isComplete(head + "\r\nabcd") == false)
    #expect(isComplete(head + "\r\nabcd", isLast: true) == true)
    #expect(isComplete(head + "Content-Length: 3\r\n\r\n", hasBody: false) == true)
    #expect(isComplete("HTTP/1.1 204 No\nA: b\n\n") == true)
    #expect(isComplete(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n") == false)
    #expect(isComplete(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n") == true)
  }

  @Test func mutatedResponsesNeverTrap() {
    var random = SplitMix(seed: 0x6865_616c)
    let seeds = [
      ok, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "HTTP/1.0 404 Not Found\r\nA:\r\n\r\n",
    ].map { Array($0.utf8) }
    for _ in 0..<50_000 {
      var bytes = seeds[Int(random.next() % 3)]
      for _ in 0..<(random.next() % 4) {
        let at = Int(random.next() % UInt64(bytes.count))
        bytes[at] = UInt8(truncatingIfNeeded: random.next())
      }
      bytes.removeLast(Int(random.next() % UInt64(bytes.count)))
      for isLast in [false, true] {
        if case .response(let response) = HTTPResponse.read(bytes, isLast: isLast, hasBody: true) {
          #expect(response.body.count <= bytes.count)
        }
      }
    }
  }
}

/// Seeded random numbers, the same on every machine.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

@Suite struct CheckPatternTests {
  @Test(arguments: [
    ("^HTTP/1\\.[01] 200", "HTTP/1.1 200 OK\r\n", true),
    ("^HTTP/1\\.[01] 200", "HTTP/1.1 500\r\n", false),
    ("\\d{3}", "ab123", true), ("^[\\d,]+$", "1,2\n", true), ("^\\d+$", "12a", false),
    ("(?i)^MASTER$", "master", true), ("(?:a|b)c", "xbc", true), ("a.c", "a\nc", false),
    ("\\r\\n", "a\r\n", true), ("\\x41", "A", true), ("\\x2e", "A", false), ("[^ab]", "ab", false),
    ("^$", "", true), ("x*", "", true), ("[[:digit:]]", "7", true), ("\\+OK", "+OK", true),
    ("[]a]", "]", true),
  ])
  func matching(_ pattern: String, _ text: String, _ expected: Bool) throws {
    #expect(try CheckPattern(pattern).matches(Array(text.utf8)) == expected)
  }

  @Test func nulBytesAreOrdinary() throws {
    #expect(try CheckPattern("b$").matches([0, 97, 0, 98]))
    #expect(try !CheckPattern("^b").matches([0, 98]))
  }

  @Test(arguments: [
    "(", "[", "a{2", "*\\", "(?=a)", "(?P<x>a)", "(a)\\1", "\\p{L}", "a{2000}",
    "((a{100}){100}){100}", "[\\]]", "\\xzz", "\\x00", "a{x}", "[[.a.]]", "[a", "[[:nope:]]",
    String(repeating: "(", count: 100_000),
  ])
  func refused(_ pattern: String) {
    #expect(throws: CheckPatternError.self) { try CheckPattern.validate(pattern) }
  }

  @Test func randomPatternsNeverTrapOrHang() {
    var random = SplitMix(seed: 0x7265_6765)
    let alphabet = Array("ab01.*+?()[]{}|^$\\dwx:,-=\n".utf8)
    let subject = [UInt8](repeating: UInt8(ascii: "a"), count: 200)
    for _ in 0..<3_000 {
      let length = Int(random.next() % 16)
      let bytes = (0..<length).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
      let pattern = try? CheckPattern(String(decoding: bytes, as: UTF8.self))
      _ = pattern?.matches(subject)
    }
  }

  @Test func rulesAreCheckedAtLoadTime() {
    #expect(throws: CheckPlanError.self) {
      try CheckMethod.script([ping, expect(.regex("("))]).validate()
    }
    #expect(throws: CheckPlanError.misplacedRule(step: 1)) {
      try CheckMethod.script([.sendHTTP(HTTPRequest())]).validate()
    }
    #expect(throws: CheckPlanError.misplacedRule(step: 1)) {
      try CheckMethod.http(HTTPCheck(steps: [ping])).validate()
    }
  }

  @Test func wildcardsCoverOneLabel() {
    func matches(_ name: String, _ pattern: String) -> Bool {
      hostname(Array(name.utf8), matches: Array(pattern.utf8))
    }
    #expect(matches("a.b.c", "*.b.c"))
    #expect(!matches("x.a.b.c", "*.b.c"))
    #expect(!matches("b.c", "*.b.c"))
    #expect(!matches(".b.c", "*.b.c"))
    #expect(matches("b.c", "b.c"))
    #expect(!matches("", "*."))
  }
}
