// `option …chk`, `tcp-check` and `http-check` (manual, sections 4.2 and 5.2).

extension HAProxyParser {
  func changeCheck(_ body: (inout CheckDraft) -> Void) { change { body(&$0.check) } }

  /// The last check option of a section wins.
  func checkOption(_ line: Line, _ name: String) {
    switch name {
    case "httpchk": return httpCheckOption(line)
    case "tcp-check":
      changeCheck {
        $0.kind = .tcp
        $0.hasUnusedTCPRules = false
      }
    case "ssl-hello-chk": changeCheck { $0.kind = .sslHello }
    default: changeCheck { $0.kind = .redis }
    }
    if let extra = line.text(2) {
      error(line, 2, "'option \(name)' cannot handle unexpected argument '\(extra)'")
    }
  }

  private func httpCheckOption(_ line: Line) {
    var request = HTTPRequest()
    // One argument alone is the path.
    if let first = line.text(2) {
      if let second = line.text(3) {
        request.method = first
        request.uri = second
      } else {
        request.uri = first
      }
    }
    if line.words.count > 4 {
      // 2.5 and older hid headers and a body behind the version.
      let bytes = line.words.dropFirst(4).map(\.bytes).joined(separator: [32])
      let head = Array(bytes.prefix { $0 != 13 && $0 != 10 })
      request.version = String(decoding: head, as: UTF8.self)
      let rest = Array(bytes).dropFirst(head.count)
      if !rest.isEmpty {
        warning(
          line, 4,
          "'option httpchk' : hiding headers or body at the end of the version string "
            + "is deprecated. Please, consider to use 'http-check send' directive instead.")
        hiddenHeaders(line, Array(rest), &request)
      }
    }
    guard checkRequest(line, 2, request) else { return }
    changeCheck {
      // Measured with 2.6: the option drops rules inherited from `defaults`.
      if !$0.ownsHTTPRules { $0.httpRules = [] }
      $0.ownsHTTPRules = true
      $0.kind = .http
      $0.hasUnusedHTTPRules = false
      $0.request = request
    }
  }

  private func hiddenHeaders(_ line: Line, _ bytes: [UInt8], _ request: inout HTTPRequest) {
    var rest = bytes[...]
    while let first = rest.first {
      // Each header starts after a line end; an empty line ends them.
      guard first == 13 || first == 10 else { break }
      rest = rest.dropFirst(first == 13 && rest.dropFirst().first == 10 ? 2 : 1)
      if let next = rest.first, next == 13 || next == 10 {
        request.body = Array(rest.dropFirst(next == 13 && rest.dropFirst().first == 10 ? 2 : 1))
        return
      }
      let header = rest.prefix { $0 != 13 && $0 != 10 }
      rest = rest.dropFirst(header.count)
      if header.isEmpty { break }
      guard let colon = header.firstIndex(of: UInt8(ascii: ":")) else {
        return error(line, 4, "the header after the version has no colon")
      }
      let value = header[(colon + 1)...].drop { $0 == 32 || $0 == 9 }
      request.headers.append(
        HTTPHeader(
          name: String(decoding: header[..<colon], as: UTF8.self),
          value: String(decoding: value, as: UTF8.self)))
    }
  }

  /// A request must not smuggle a second one: no blanks or line ends inside its parts.
  func checkRequest(_ line: Line, _ index: Int, _ request: HTTPRequest) -> Bool {
    func isToken(_ text: String) -> Bool {
      !text.isEmpty && text.utf8.allSatisfy { $0 > 32 && $0 != 127 }
    }
    func isValue(_ text: String) -> Bool {
      !text.isEmpty && text.utf8.allSatisfy { $0 >= 32 && $0 != 127 || $0 == 9 }
    }
    guard isToken(request.method), isToken(request.uri), isToken(request.version),
      request.headers.allSatisfy({ isToken($0.name) && isValue($0.value) })
    else {
      error(line, index, "the request holds blanks, line ends or an empty part")
      return false
    }
    if request.uri.contains("%[") || request.headers.contains(where: { $0.value.contains("%[") }) {
      error(line, index, "'%[…]' expressions in a check's request are not supported")
      return false
    }
    return true
  }

  // MARK: tcp-check

  func tcpCheck(_ line: Line) {
    guard let kind = string(line, 1, "tcp-check") else { return }
    var step: CheckStep?
    switch kind {
    case "comment":
      guard let text = string(line, 2, "tcp-check comment") else { return }
      return changeCheck { $0.comment = text }
    case "connect": step = checkConnect(line).map { .connect($0) }
    case "send", "send-binary": step = checkSend(line, kind).map { .send($0) }
    case "expect": step = checkExpect(line).map { .expect($0) }
    case "send-lf", "send-binary-lf", "set-var", "set-var-fmt", "unset-var":
      return error(line, 1, "'tcp-check \(kind)' is not supported; use 'send' or 'send-binary'")
    default:
      let near = Spelling.nearest(
        to: kind, among: ["comment", "connect", "send", "send-binary", "expect"])
      return error(
        line, 1,
        "'tcp-check' only supports 'comment', 'connect', 'send', 'send-binary', "
          + "'expect', not '\(kind)'" + HAProxyParser.hint(near))
    }
    guard let step else { return }
    let before = section == .defaults ? defaults.check : proxy?.settings.check
    let own = before.map { $0.ownsTCPRules ? $0.tcpRules : [] } ?? []
    if case .connect = step { requireFirstConnect(line, own.first) }
    changeCheck {
      if !$0.ownsTCPRules { $0.tcpRules = [] }
      $0.ownsTCPRules = true
      $0.tcpPlace = Place(line)
      if $0.kind != .tcp { $0.hasUnusedTCPRules = true }
      $0.tcpRules.append(step)
    }
  }

  /// With one `connect` rule, the first rule is a `connect` too.
  func requireFirstConnect(_ line: Line, _ first: CheckStep?) {
    guard let first else { return }
    if case .connect = first { return }
    error(
      line, 1,
      "'\(line.keyword) connect' : first step MUST also be a 'connect' when there is a 'connect' "
        + "step in the ruleset")
  }

  var pendingComment: String? {
    section == .defaults ? defaults.check.comment : proxy?.settings.check.comment
  }

  func checkConnect(_ line: Line) -> CheckConnect? {
    var result = CheckConnect()
    result.comment = pendingComment
    var index = 2
    while let name = line.text(index) {
      switch name {
      case "default": result.useServerDefaults = true
      case "ssl": result.tls = true
      case "send-proxy": result.sendProxy = true
      case "linger": result.linger = true
      case "port", "addr", "sni", "alpn", "comment":
        guard let text = string(line, index + 1, name),
          connectText(line, index + 1, name, text, &result)
        else { return nil }
        index += 1
      case "via-socks4", "proto":
        error(line, index, "'\(line.keyword) connect \(name)' is not supported")
        return nil
      default:
        let known = [
          "default", "ssl", "send-proxy", "linger", "port", "addr", "sni", "alpn", "comment",
        ]
        error(
          line, index,
          "'\(line.keyword) connect': unknown option '\(name)'"
            + HAProxyParser.hint(Spelling.nearest(to: name, among: known)))
        return nil
      }
      index += 1
    }
    return result
  }

  private func connectText(
    _ line: Line, _ index: Int, _ name: String, _ text: String, _ result: inout CheckConnect
  ) -> Bool {
    switch name {
    case "port":
      guard let port = integer(line, index, "port", in: 1...65_535) else { return false }
      result.port = UInt16(port)
    case "addr":
      guard let address = address(line, index, "addr"),
        let target = accept(address.server(text), line, index, "addr")
      else { return false }
      result.address = target.host == .clientDestination ? nil : target.host
      if case .fixed(let port) = target.port { result.port = port }
    case "sni": result.serverName = text
    case "alpn":
      let names = text.split(separator: ",").map(String.init)
      guard !names.isEmpty else {
        error(line, index, "'alpn' expects protocol names separated by commas")
        return false
      }
      result.alpn = names
    default: result.comment = text
    }
    return true
  }

  private func checkSend(_ line: Line, _ kind: String) -> CheckBytes? {
    guard line.words.count > 2 else {
      error(line, 2, "'tcp-check \(kind)' expects the data to send")
      return nil
    }
    var bytes = line.words[2].bytes
    if kind == "send-binary" {
      guard let decoded = hexadecimal(line, 2) else { return nil }
      bytes = decoded
    }
    var result = CheckBytes(bytes, comment: pendingComment)
    if let word = line.text(3) {
      guard word == "comment", let comment = line.text(4), line.text(5) == nil else {
        error(line, 3, "'tcp-check \(kind)' expects only 'comment' after the data")
        return nil
      }
      result.comment = comment
    }
    return result
  }

  func hexadecimal(_ line: Line, _ index: Int) -> [UInt8]? {
    let digits = line.words[index].bytes.map(hexadecimalValue)
    guard digits.count % 2 == 0, !digits.contains(nil) else {
      error(line, index, "binary data is an even number of hexadecimal digits")
      return nil
    }
    let values = digits.compactMap { $0 }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
  }
}
