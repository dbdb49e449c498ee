// Check methods as `option …` and `tcp-check` / `http-check` rules.

extension HAProxyPrinter {
  mutating func print(_ method: CheckMethod) {
    switch method {
    case .connect: break
    case .sslHello: line("option", "ssl-hello-chk")
    case .script(let steps):
      line("option", "tcp-check")
      for step in steps { rule("tcp-check", step) }
    case .http(let check):
      line("option", "httpchk")
      if check.disableOn404 { line("http-check", "disable-on-404") }
      if check.sendState { line("http-check", "send-state") }
      for step in check.steps { rule("http-check", step) }
    }
  }

  private mutating func rule(_ keyword: String, _ step: CheckStep) {
    switch step {
    case .connect(let connect): line([keyword] + HAProxyPrinter.words(connect))
    case .send(let data):
      // Printable text reads better as text; anything else as hexadecimal.
      let isText = data.bytes.allSatisfy { (32...126).contains($0) || $0 == 13 || $0 == 10 }
      let comment = data.comment.map { ["comment", $0] } ?? []
      if isText {
        bytes([keyword, "send"], data.bytes, comment)
      } else {
        line([keyword, "send-binary", HAProxyPrinter.hexadecimal(data.bytes)] + comment)
      }
    case .sendHTTP(let request): send(keyword, request)
    case .expect(let expect):
      var words = [keyword, "expect"]
      if let minimum = expect.minimumReceived { words += ["min-recv", String(minimum)] }
      if let comment = expect.comment { words += ["comment", comment] }
      if expect.isNegated { words.append("!") }
      switch expect.pattern {
      case .string(let value): bytes(words + ["string"], value, [])
      case .regex(let value): line(words + ["rstring", value])
      case .binary(let value): line(words + ["binary", HAProxyPrinter.hexadecimal(value)])
      case .binaryRegex(let value): line(words + ["rbinary", value])
      }
    case .expectHTTP(let expect): self.expect(keyword, expect)
    }
  }

  /// A line with one word that may hold any bytes.
  private mutating func bytes(_ before: [String], _ value: [UInt8], _ after: [String]) {
    let words =
      before.map { HAProxyPrinter.quoted(Array($0.utf8)) }
      + [HAProxyPrinter.quoted(value)] + after.map { HAProxyPrinter.quoted(Array($0.utf8)) }
    text += "  " + words.joined(separator: " ") + "\n"
  }

  private mutating func send(_ keyword: String, _ request: HTTPRequest) {
    var words = [keyword, "send", "meth", request.method, "uri", request.uri]
    words += ["ver", request.version]
    for header in request.headers { words += ["hdr", header.name, header.value] }
    if let comment = request.comment { words += ["comment", comment] }
    if request.body.isEmpty { line(words) } else { bytes(words + ["body"], request.body, []) }
  }

  private mutating func expect(_ keyword: String, _ expect: HTTPExpect) {
    // The default expectation has no words of its own; it is what no rule means.
    if expect.condition == .success { return }
    var words = [keyword, "expect"]
    if let comment = expect.comment { words += ["comment", comment] }
    if expect.isNegated { words.append("!") }
    switch expect.condition {
    case .success: break
    case .status(let ranges):
      let text = ranges.map {
        $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
      }
      line(words + ["status", text.joined(separator: ",")])
    case .statusRegex(let value): line(words + ["rstatus", value])
    case .body(let value): bytes(words + ["string"], value, [])
    case .bodyRegex(let value): line(words + ["rstring", value])
    case .header(let name, let value):
      line(words + ["hdr", "name", name] + (value.map { ["value", $0] } ?? []))
    }
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static func words(_ connect: CheckConnect) -> [String] {
    var words = ["connect"]
    if connect.useServerDefaults { words.append("default") }
    if let address = connect.address { words += ["addr", word(address)] }
    if let port = connect.port { words += ["port", String(port)] }
    if connect.tls { words.append("ssl") }
    if let name = connect.serverName { words += ["sni", name] }
    if !connect.alpn.isEmpty { words += ["alpn", connect.alpn.joined(separator: ",")] }
    if connect.sendProxy { words.append("send-proxy") }
    if connect.linger { words.append("linger") }
    if let comment = connect.comment { words += ["comment", comment] }
    return words
  }
}
