// Section headers (manual, sections 3 and 4): names, `from`, and what happens in between.

extension HAProxyParser {
  func openSection(_ line: Line) {
    closeSection()
    let keyword = line.keyword
    if let consequence = HAProxyParser.skippedSections[keyword] {
      section = .skipped(keyword)
      unserved(keyword, line, consequence)
      return
    }
    switch keyword {
    case "global":
      section = .global
      rejectExtra(line, after: 0)
    case "defaults": openDefaults(line)
    case "frontend": openProxy(line, .frontend)
    case "listen": openProxy(line, .listen)
    case "backend": openProxy(line, .backend)
    case "resolvers": openResolvers(line)
    default:
      section = .skipped(keyword)
      error(
        line, 0,
        "'\(keyword)' sections are not supported: nothing would receive the log lines; "
          + "use a syslog server for it")
    }
  }

  func closeSection() {
    switch section {
    case .defaults:
      latestDefaults = defaults
      if let name = defaultsName { namedDefaults[name] = defaults }
    case .frontend, .listen, .backend:
      if let proxy {
        proxyIndices[proxy.name, default: []].append(proxies.count)
        proxies.append(proxy)
      }
      proxy = nil
      serverLines = [:]
    default: break
    }
    section = .none
  }

  private func openDefaults(_ line: Line) {
    section = .defaults
    defaults = ProxySettings()
    defaultsName = nil
    var index = 1
    if let name = line.text(1), name != "from" {
      if checkName(line, 1, "defaults") { defaultsName = name }
      index = 2
    }
    if let base = from(line, index) { defaults = base }
    startSection(&defaults)
  }

  private func openProxy(_ line: Line, _ kind: SectionKind) {
    section = kind
    guard let name = line.text(1) else {
      error(line, 1, "'\(kind.name)' expects an <id> argument")
      proxy = ProxyDraft(kind: kind, name: "", place: Place(line), settings: latestDefaults)
      return
    }
    _ = checkName(line, 1, kind.name)
    var settings = latestDefaults
    if let next = line.text(2) {
      if next == "from" {
        settings = from(line, 2) ?? settings
      } else {
        let bind = kind == .backend ? "" : "; please use the 'bind' keyword for listening addresses"
        error(line, 2, "'\(kind.name)' cannot handle unexpected argument '\(next)'\(bind)")
      }
    }
    startSection(&settings)
    let place = Place(line, 1)
    checkDuplicate(kind, name, place)
    proxy = ProxyDraft(kind: kind, name: name, place: place, settings: settings)
    // `listen name :80` is reported already.
    proxy?.triedToBind = line.text(2) != nil && line.text(2) != "from"
  }

  /// Inherited check rules are replaced, not extended, by the section's own.
  private func startSection(_ settings: inout ProxySettings) {
    settings.check.ownsTCPRules = false
    settings.check.ownsHTTPRules = false
    settings.check.hasUnusedTCPRules = false
    settings.check.hasUnusedHTTPRules = false
    settings.check.comment = nil
  }

  private func from(_ line: Line, _ index: Int) -> ProxySettings? {
    guard let word = line.text(index) else { return nil }
    guard word == "from", let name = line.text(index + 1) else {
      error(line, index, "'\(line.keyword)' expects 'from <defaults name>' here, not '\(word)'")
      return nil
    }
    rejectExtra(line, after: index + 1)
    guard let base = namedDefaults[name] else {
      let known = Spelling.nearest(to: name, among: Array(namedDefaults.keys))
      error(
        line, index + 1,
        "'defaults' section '\(name)' not found for '\(line.keyword)'"
          + HAProxyParser.hint(known))
      return nil
    }
    return base
  }

  private func checkDuplicate(_ kind: SectionKind, _ name: String, _ place: Place) {
    for other in (proxyIndices[name] ?? []).map({ proxies[$0] }) {
      let clash =
        kind.hasFrontend && other.kind.hasFrontend || kind.hasBackend && other.kind.hasBackend
      guard clash else { continue }
      report(
        .error, at: place,
        "\(kind.proxyWord) '\(name)' has the same name as \(other.title) "
          + "declared at \(other.place.text)")
      return
    }
  }

  private func openResolvers(_ line: Line) {
    section = .resolvers
    guard let name = line.text(1) else {
      error(line, 1, "missing name for 'resolvers' section")
      resolvers.append((Resolvers(name: ""), Place(line)))
      return
    }
    _ = checkName(line, 1, "resolvers")
    rejectExtra(line, after: 1)
    if let other = resolverIndices.updateValue(resolvers.count, forKey: name).map({ resolvers[$0] })
    {
      error(line, 1, "resolvers '\(name)' has the same name as the one at \(other.place.text)")
    }
    resolvers.append((Resolvers(name: name), Place(line, 1)))
  }

  /// Names hold letters, digits, `-`, `_`, `.` and `:` (section 4).
  func checkName(_ line: Line, _ index: Int, _ what: String) -> Bool {
    guard let name = line.text(index) else { return false }
    for scalar in name.unicodeScalars where !HAProxyParser.isNameScalar(scalar) {
      error(line, index, "character '\(scalar)' is not permitted in '\(what)' name '\(name)'")
      return false
    }
    return true
  }

  static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", ":": true
    default: false
    }
  }

  static func hint(_ nearest: String?) -> String {
    nearest.map { "; did you mean '\($0)' maybe?" } ?? ""
  }
}

// Small readers of arguments, shared by every keyword.
extension HAProxyParser {
  /// An error when more words follow than the keyword takes.
  @discardableResult
  func rejectExtra(_ line: Line, after last: Int) -> Bool {
    guard let extra = line.text(last + 1) else { return true }
    error(line, last + 1, "'\(line.keyword)' cannot handle unexpected argument '\(extra)'")
    return false
  }

  func string(_ line: Line, _ index: Int, _ name: String) -> String? {
    guard let text = line.text(index) else {
      error(line, index, "'\(name)' expects an argument")
      return nil
    }
    return text
  }

  func integer(_ line: Line, _ index: Int, _ name: String, in range: ClosedRange<Int>) -> Int? {
    guard let text = line.text(index) else {
      error(line, index, "'\(name)' expects an integer argument")
      return nil
    }
    guard let value = HAProxyUnits.integer(text, in: range) else {
      error(
        line, index,
        "'\(name)' expects an integer from \(range.lowerBound) to "
          + "\(range.upperBound), not '\(text)'")
      return nil
    }
    return value
  }

  func time(
    _ line: Line, _ index: Int, _ name: String, unit: HAProxyUnits.TimeUnit = .milliseconds
  ) -> Duration? {
    guard let text = line.text(index) else {
      error(line, index, "'\(name)' expects a time such as 500ms or 30s")
      return nil
    }
    switch HAProxyUnits.time(text, unit: unit) {
    case .value(let value): return value
    case .doubtful(let value, let message):
      warning(line, index, message)
      return value
    case .wrong(let message):
      error(line, index, "'\(name)': \(message)")
      return nil
    }
  }

  /// Unwraps an address reading, with variables expanded outside quotes too.
  func address(_ line: Line, _ index: Int, _ name: String, text: String? = nil) -> AddressText? {
    guard let raw = text ?? line.text(index) else {
      error(line, index, "'\(name)' expects an address")
      return nil
    }
    guard let expanded = try? HAProxyTokenizer.expandAddress(raw, environment: environment)
    else {
      error(line, index, "'\(name)': invalid variable in the address '\(raw)'")
      return nil
    }
    return accept(AddressText.read(expanded), line, index, name)
  }

  func accept<Value>(
    _ reading: Reading<Value>, _ line: Line, _ index: Int, _ name: String
  ) -> Value? {
    switch reading {
    case .value(let value): return value
    case .doubtful(let value, let message):
      warning(line, index, "'\(name)': \(message)")
      return value
    case .wrong(let message):
      error(line, index, "'\(name)': \(message)")
      return nil
    }
  }

  /// The settings that the current line changes: a proxy's or the `defaults` section's.
  func change(_ body: (inout ProxySettings) -> Void) {
    if section == .defaults { body(&defaults) } else if proxy != nil { body(&proxy!.settings) }
  }
}
