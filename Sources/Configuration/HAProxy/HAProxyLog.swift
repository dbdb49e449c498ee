// `log` lines (manual, section 4.2, "log") and `resolvers` sections (5.3).

extension LogFacility {
  init?(name: String) {
    guard let found = LogFacility.allCases.first(where: { "\($0)" == name }) else { return nil }
    self = found
  }
}

extension LogLevel {
  init?(name: String) {
    guard let found = LogLevel.allCases.first(where: { "\($0)" == name }) else { return nil }
    self = found
  }
}

extension HAProxyParser {
  /// `log <target> [len N] [format F] [sample R:S] <facility> [max [min]]`.
  func logTarget(_ line: Line) -> LogTarget? {
    guard line.words.count > 2, let text = line.text(1) else {
      error(line, line.words.count, "log : expects <address> and <facility> as arguments")
      return nil
    }
    guard let destination = logDestination(line, text) else { return nil }
    var target = LogTarget(destination, facility: .local0)
    var index = 2
    while let name = line.text(index), ["len", "format", "sample", "profile"].contains(name) {
      guard let value = string(line, index + 1, "log \(name)"),
        logOption(line, index + 1, name, value, &target)
      else { return nil }
      index += 2
    }
    guard let facility = line.text(index) else {
      error(line, index, "log : expects <address> and <facility> as arguments")
      return nil
    }
    guard let known = LogFacility(name: facility) else {
      let near = Spelling.nearest(
        to: facility, among: LogFacility.allCases.map { "\($0)" } + ["format", "sample"])
      error(line, index, "log : unknown log facility '\(facility)'" + HAProxyParser.hint(near))
      return nil
    }
    target.facility = known
    for offset in 1...2 {
      guard let name = line.text(index + offset) else { return target }
      guard let level = LogLevel(name: name) else {
        let near = Spelling.nearest(to: name, among: LogLevel.allCases.map { "\($0)" })
        error(
          line, index + offset,
          "log : unknown optional log level '\(name)'"
            + HAProxyParser.hint(near))
        return nil
      }
      if offset == 1 { target.maximumLevel = level } else { target.minimumLevel = level }
    }
    guard let extra = line.text(index + 3) else { return target }
    error(line, index + 3, "log : cannot handle unexpected argument '\(extra)'")
    return nil
  }

  private func logDestination(_ line: Line, _ text: String) -> LogTarget.Destination? {
    switch text {
    case "stdout": return .stdout
    case "stderr": return .stderr
    default: break
    }
    if text.hasPrefix("ring@") || text.hasPrefix("backend@") || text.hasPrefix("tcp@")
      || text.hasPrefix("tcp4@") || text.hasPrefix("tcp6@")
    {
      error(
        line, 1,
        "log : '\(text)' is not supported; log to stdout, a file descriptor, a "
          + "datagram socket such as /dev/log, or UDP")
      return nil
    }
    guard let address = address(line, 1, "log") else { return nil }
    switch address.host {
    case .stdout: return .stdout
    case .stderr: return .stderr
    case .unix(let path): return .unixDatagram(path: path)
    case .descriptor(let number): return .descriptor(number)
    case .abstract:
      error(line, 1, "log : abstract sockets are not supported; use a path such as /dev/log")
      return nil
    case .name(let host):
      switch address.port {
      case .none: return .udpName(host: host, port: 514)
      case .range(let range) where range.count == 1 && range.lowerBound > 0:
        return .udpName(host: host, port: UInt16(range.lowerBound))
      default:
        error(line, 1, "log : invalid port in '\(text)'")
        return nil
      }
    case .ip, .any:
      guard let numeric = accept(address.numeric(text, defaultPort: 514), line, 1, "log") else {
        return nil
      }
      return .udp(numeric)
    }
  }

  private func logOption(
    _ line: Line, _ index: Int, _ name: String, _ value: String, _ target: inout LogTarget
  ) -> Bool {
    switch name {
    case "len":
      guard let length = HAProxyUnits.integer(value, in: 80...65_535) else {
        error(line, index, "log : invalid log length '\(value)', must be between 80 and 65535")
        return false
      }
      target.maximumLength = length
    case "format":
      guard let format = LogTarget.Format(rawValue: value) else {
        let known = LogTarget.Format.allCases.map(\.rawValue)
        error(
          line, index,
          "log : unknown log format '\(value)'"
            + HAProxyParser.hint(Spelling.nearest(to: value, among: known)))
        return false
      }
      target.format = format
    case "sample":
      guard let sample = HAProxyParser.sample(value) else {
        error(
          line, index,
          "log : invalid sample '\(value)', expected ranges and a size such as "
            + "1,3-4:10")
        return false
      }
      target.sample = sample
    default:
      error(line, index - 1, "log : 'profile' is not supported; use 'log-format'")
      return false
    }
    return true
  }

  /// `<ranges>:<size>`, ranges ascending and apart, all within 1...size.
  static func sample(_ text: String) -> LogSample? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2,
      let size = HAProxyUnits.integer(String(parts[1]), in: 1...Int(Int32.max))
    else { return nil }
    var ranges: [ClosedRange<Int>] = []
    for part in parts[0].split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        .map { HAProxyUnits.integer(String($0), in: 1...size) }
      guard let low = ends[0], let high = ends.count > 1 ? ends[1] : low, low <= high,
        low > (ranges.last?.upperBound ?? 0)
      else { return nil }
      ranges.append(low...high)
    }
    return LogSample(ranges: ranges, size: size)
  }
}

extension HAProxyKeywords {
  static let resolvers: [Keyword] = [
    Keyword("nameserver", .resolvers) { parser, line in
      guard parser.string(line, 1, "nameserver") != nil else { return }
      guard let address = parser.address(line, 2, "nameserver"), let text = line.text(2) else {
        return
      }
      if text.hasPrefix("tcp@") || text.hasPrefix("tcp4@") || text.hasPrefix("tcp6@") {
        return parser.error(line, 2, "'nameserver' over TCP is not supported; use UDP")
      }
      parser.rejectExtra(line, after: 2)
      guard
        let server = parser.accept(address.numeric(text, defaultPort: nil), line, 2, "nameserver")
      else { return }
      parser.changeResolvers { $0.nameservers.append(server) }
    },
    Keyword("parse-resolv-conf", .resolvers) { parser, line in
      parser.rejectExtra(line, after: 0)
      parser.changeResolvers { $0.parseResolvConf = true }
    },
    Keyword("resolve_retries", .resolvers) { parser, line in
      guard let value = parser.only(line, "resolve_retries", in: 1...1000) else { return }
      parser.changeResolvers { $0.resolveRetries = value }
    },
    Keyword("accepted_payload_size", .resolvers) { parser, line in
      guard parser.only(line, "accepted_payload_size", in: 512...65_535) != nil else { return }
      parser.note(line, 0, "answers of any size are accepted")
    },
    Keyword("timeout", .resolvers) { parser, line in
      let name = line.text(1) ?? ""
      guard ["retry", "resolve"].contains(name) else {
        return parser.error(
          line, 1, "'timeout' in 'resolvers' supports 'retry' and 'resolve' (got '\(name)')")
      }
      guard let value = parser.time(line, 2, "timeout \(name)") else { return }
      guard value > .zero else { return parser.error(line, 2, "'timeout \(name)' has to be > 0") }
      parser.changeResolvers {
        if name == "retry" { $0.timeoutRetry = value } else { $0.timeoutResolve = value }
      }
    },
    Keyword("hold", .resolvers) { parser, line in
      let name = line.text(1) ?? ""
      guard ["valid", "obsolete", "other", "nx", "refused", "timeout"].contains(name) else {
        return parser.error(
          line, 1,
          "'hold' supports 'valid', 'obsolete', 'other', 'nx', 'refused' and 'timeout' "
            + "(got '\(name)')")
      }
      guard let value = parser.time(line, 2, "hold \(name)") else { return }
      switch name {
      case "valid": parser.changeResolvers { $0.holdValid = value }
      case "obsolete": parser.changeResolvers { $0.holdObsolete = value }
      case "other": parser.changeResolvers { $0.holdOther = value }
      default: parser.note(line, 1, "all failed answers are held as 'hold other' says")
      }
    },
  ]
}

extension HAProxyParser {
  func changeResolvers(_ body: (inout Resolvers) -> Void) {
    guard let last = resolvers.indices.last else { return }
    body(&resolvers[last].section)
  }
}
