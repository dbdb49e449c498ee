// Walks lines and sections, finds each keyword's function in the table, collects diagnostics.

final class HAProxyParser: DiagnosticSink {
  static let proxySections: Set<String> = ["defaults", "frontend", "listen", "backend"]
  /// Sections that are read over, and what that means for the reader of the file.
  static let skippedSections: [String: String] = [
    "peers": "tables are not shared with peers",
    "userlist": "no page asks for these passwords",
    "mailers": "no mail is sent",
    "ring": "nothing is written to this ring",
    "http-errors": "nothing here answers HTTP",
    "cache": "nothing here caches HTTP",
    "program": "the program is not started",
    "fcgi-app": "nothing here speaks FastCGI",
    "log-profile": "log lines keep their own format",
    "healthcheck": "checks are described in their backend",
    "traces": "there is nothing to trace",
    "acme": "no certificate is asked for",
    "crt-store": "no certificate is served",
  ]
  static let sectionNames: Set<String> = proxySections.union(skippedSections.keys)
    .union(["global", "resolvers", "log-forward"])

  /// Bytes that `setenv` lines may add, since each can double what an earlier one set.
  static let maximumEnvironment = 1 << 20
  var environmentBytes = 0
  var environment: [String: String]
  static var maximumDiagnostics: Int { HAProxyDialect.maximumDiagnostics }
  var diagnostics: [Diagnostic] = []
  var fileOrder: [String: Int] = [:]
  var dropped = 0
  var errorCount = 0
  var section: SectionKind = .none
  var conditionals = HAProxyConditionals()

  var global = GlobalSettings()
  var zeroWarning: Place?
  var namedDefaults: [String: ProxySettings] = [:]
  var latestDefaults = ProxySettings()
  /// The settings of the `defaults` section being read.
  var defaults = ProxySettings()
  var defaultsName: String?
  var proxy: ProxyDraft?
  var proxies: [ProxyDraft] = []
  /// Indices into `proxies` by name, and lines of the current proxy's servers by name.
  var proxyIndices: [String: [Int]] = [:]
  var serverLines: [String: Int] = [:]
  var resolverIndices: [String: Int] = [:]
  var resolvers: [(section: Resolvers, place: Place)] = []
  /// Things that parse and are not served yet, in the order first met.
  var unserved: [(kind: String, consequence: String, count: Int, place: Place)] = []
  var listenerCount = 0

  init(environment: [String: String]) { self.environment = environment }

  // MARK: Diagnostics

  func error(_ line: Line, _ index: Int, _ message: String) {
    report(.error, at: Place(line, index), message)
  }
  func warning(_ line: Line, _ index: Int, _ message: String) {
    report(.warning, at: Place(line, index), message)
  }
  func note(_ line: Line, _ index: Int, _ reason: String) {
    let name = line.text(index) ?? line.keyword
    report(.note, at: Place(line, index), "'\(name)' is accepted; it has no effect here: \(reason)")
  }

  /// Counts a line that is not served yet; one warning a kind comes at the end.
  func unserved(_ kind: String, _ line: Line, _ consequence: String) {
    if let index = unserved.firstIndex(where: { $0.kind == kind }) {
      unserved[index].count += 1
    } else {
      unserved.append((kind, consequence, 1, Place(line)))
    }
  }

  // MARK: Lines

  func read(path: String, bytes: [UInt8]) {
    if fileOrder[path] == nil { fileOrder[path] = fileOrder.count }
    var number = 0
    var rest = bytes[...]
    while !rest.isEmpty {
      number += 1
      let end = rest.firstIndex(of: 10)
      var content = Array(rest[..<(end ?? rest.endIndex)])
      rest = end.map { rest[rest.index(after: $0)...] } ?? []
      while content.last == 13 { content.removeLast() }
      let source = SourceLine(file: path, number: number, bytes: content)
      readLine(source)
      if end == nil {
        let line = Line(source: source, words: [])
        var place = Place(line)
        place.column = content.count + 1
        report(
          .error, at: place,
          "Missing LF on last line, file might have been truncated at position "
            + "\(content.count + 1); end it with a newline")
      }
    }
  }

  private func readLine(_ source: SourceLine) {
    var variables = environment
    // Pseudo-variables of section 2.3 cost a copy only where they are asked for.
    if source.bytes.contains(UInt8(ascii: "$")) {
      variables[".FILE"] = source.file
      variables[".LINE"] = String(source.number)
      variables[".SECTION"] = section.name
    }
    do {
      let words = try HAProxyTokenizer.words(of: source.bytes, environment: variables)
      guard !words.isEmpty else { return }
      let line = Line(source: source, words: words)
      if HAProxyConditionals.directives.contains(line.keyword) { return directive(line) }
      guard conditionals.isActive else { return }
      dispatch(line)
    } catch {
      guard conditionals.isActive else { return }
      var place = Place(Line(source: source, words: []))
      place.column = error.column
      place.length = error.length
      report(.error, at: place, error.message)
    }
  }

  private func directive(_ line: Line) {
    let parts = line.words.dropFirst().map(\.text)
    switch line.keyword {
    case ".if":
      guard conditionals.blocks.count < HAProxyConditionals.maximumDepth else {
        return error(line, 0, "too many nested '.if'")
      }
      let taken = conditionals.isActive && condition(line, parts)
      conditionals.blocks.append(.init(done: taken, active: taken, place: Place(line)))
    case ".elif", ".else":
      guard var block = conditionals.blocks.popLast(), !block.sawElse else {
        return error(line, 0, "'\(line.keyword)' without '.if'")
      }
      let outer = conditionals.isActive
      block.sawElse = line.keyword == ".else"
      block.active = outer && !block.done && (block.sawElse || condition(line, parts))
      block.done = block.done || block.active
      conditionals.blocks.append(block)
    case ".endif":
      if conditionals.blocks.popLast() == nil { error(line, 0, "'.endif' without '.if'") }
    default:
      guard conditionals.isActive else { return }
      let text = parts.joined(separator: " ")
      switch line.keyword {
      case ".alert": error(line, 0, text)
      case ".warning": warning(line, 0, text)
      default: report(.note, at: Place(line), text)
      }
    }
  }

  private func condition(_ line: Line, _ words: [String]) -> Bool {
    switch HAProxyConditionals.evaluate(words, environment: environment) {
    case .value(let value), .doubtful(let value, _): return value
    case .wrong(let message):
      error(line, 1, message)
      return false
    }
  }

  private func dispatch(_ line: Line) {
    let keyword = line.keyword
    if HAProxyParser.sectionNames.contains(keyword) { return openSection(line) }
    switch section {
    case .none: error(line, 0, "'listen' or 'defaults' expected, found '\(keyword)'")
    case .skipped: return
    default: HAProxyKeywords.run(line, with: self)
    }
  }

  func finish() -> ParseResult {
    closeSection()
    for block in conditionals.blocks {
      report(.error, at: block.place, "'.if' without '.endif'")
    }
    let configuration = assemble()
    for item in unserved {
      let lines = item.count == 1 ? "1 line" : "\(item.count) lines"
      report(
        .warning, at: item.place,
        "'\(item.kind)' is not served yet (\(lines), first here): \(item.consequence)")
    }
    if let zeroWarning, errorCount == 0, diagnostics.contains(where: { $0.severity == .warning }) {
      report(
        .error, at: zeroWarning,
        "'zero-warning' is set and there are warnings; remove it, or "
          + "what they are about")
    }
    if dropped > 0 {
      diagnostics.append(
        Diagnostic(
          .warning, file: diagnostics.first?.file ?? "", line: 0, column: 0,
          message: "\(dropped) more diagnostics are not shown"))
    }
    let sorted = diagnostics.enumerated().sorted { a, b in
      let left = (fileOrder[a.element.file] ?? 0, a.element.line, a.element.column, a.offset)
      let right = (fileOrder[b.element.file] ?? 0, b.element.line, b.element.column, b.offset)
      return left < right
    }
    return ParseResult(
      configuration: errorCount == 0 ? configuration : nil, diagnostics: sorted.map(\.element))
  }
}
