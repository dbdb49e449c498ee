// Walks statements and blocks, finds each keyword's function in the table, collects
// diagnostics.

final class KeepalivedParser: DiagnosticSink {
  static let maximumDiagnostics = 1000
  let options: KeepalivedOptions
  let statements: [KeepalivedStatement]
  var position = 0
  var diagnostics: [Diagnostic] = []
  let fileOrder: [String: Int]
  var dropped = 0
  var errorCount = 0

  var globals = KeepalivedGlobals()
  var model = FailoverConfiguration()
  /// The blocks being read.
  var router: RouterDraft?
  var group: GroupDraft?
  var script: ScriptDraft?
  var file: FileDraft?
  var process: ProcessDraft?
  var arpGroup = ARPGroupDraft()

  var routers: [RouterDraft] = []
  var routerIndices: [String: Int] = [:]
  var scriptIndices: [String: Int] = [:]
  var fileIndices: [String: Int] = [:]
  var processIndices: [String: Int] = [:]
  var groupIndices: [String: Int] = [:]
  /// Names of routers with an interface or id that was refused where it stands.
  var brokenRouters: Set<String> = []
  var groups: [GroupDraft] = []
  var scripts: [ScriptDraft] = []
  var files: [FileDraft] = []
  var processes: [ProcessDraft] = []
  /// By interface; the first group that names it counts.
  var arpGroups: [String: ARPGroupDraft] = [:]
  /// Preferences given to rules that name none, counted down for each family.
  var freePreferences: [AddressFamily: UInt32] = [.v4: 16_384, .v6: 16_384]
  /// One warning or note for all of a kind, at the first place.
  var lvsBlocks: (names: [String], count: Int, place: Place)?
  var mail: (isWanted: Bool, place: Place)?

  init(reader: KeepalivedReader) {
    options = reader.options
    statements = reader.statements
    fileOrder = reader.fileOrder
    dropped = reader.omitted
    for problem in reader.problems { report(problem.severity, at: problem.place, problem.message) }
  }

  // MARK: Diagnostics

  func error(_ statement: KeepalivedStatement, _ index: Int, _ message: String) {
    report(.error, at: statement.place(index), message)
  }
  func warning(_ statement: KeepalivedStatement, _ index: Int, _ message: String) {
    report(.warning, at: statement.place(index), message)
  }
  func note(_ statement: KeepalivedStatement, _ index: Int, _ message: String) {
    report(.note, at: statement.place(index), message)
  }

  // MARK: Blocks

  /// Calls `body` for each statement of the block that `opening` has just opened, up to its
  /// `}`. What `body` is given open, it must read to its end.
  func eachStatement(
    in opening: KeepalivedStatement, _ body: (KeepalivedStatement) -> Void
  ) {
    while position < statements.count {
      let statement = statements[position]
      position += 1
      if statement.shape == .closing { return }
      body(statement)
    }
    warning(
      opening, 0,
      "this block is never closed: a '}' is missing; keepalived runs on with what it understood")
  }

  /// The lines of a block of values. A `{` among them is most likely a `}` that is missing.
  func eachValue(in opening: KeepalivedStatement, _ body: (KeepalivedStatement) -> Void) {
    eachStatement(in: opening) { statement in
      if statement.shape == .opening {
        warning(
          statement, 0,
          "'{' among the values of '\(opening.keyword)': a '}' is missing before this line; "
            + "up to the next '}' every line is taken as a value")
      }
      if !statement.words.isEmpty { body(statement) }
    }
  }

  /// One warning names the first few of what belongs to the other half of keepalived.
  func noteLVS(_ name: String, _ statement: KeepalivedStatement) {
    if lvsBlocks == nil { lvsBlocks = ([], 0, statement.place()) }
    lvsBlocks?.count += 1
    if (lvsBlocks?.names.count ?? 0) < 8 { lvsBlocks?.names.append("'\(name)'") }
  }

  func skipBlock(_ opening: KeepalivedStatement) {
    var depth = 1
    while position < statements.count {
      let statement = statements[position]
      position += 1
      switch statement.shape {
      case .line: continue
      case .opening: depth += 1
      case .closing: depth -= 1
      }
      if depth == 0 { return }
    }
    warning(opening, 0, "this block is never closed: a '}' is missing")
  }

  func readTopLevel() {
    while position < statements.count {
      let statement = statements[position]
      position += 1
      if statement.shape == .closing {
        warning(statement, 0, "'}' closes nothing here: one too many, or a '{' is missing above")
      } else {
        run(statement, in: .top)
      }
    }
  }

  func readBlock(_ opening: KeepalivedStatement, as block: KeepalivedBlock) {
    eachStatement(in: opening) { run($0, in: block) }
  }

  func run(_ statement: KeepalivedStatement, in block: KeepalivedBlock) {
    guard !statement.words.isEmpty else {
      warning(statement, 0, "'{' opens nothing here; what it holds is not used")
      return skipBlock(statement)
    }
    guard let keyword = KeepalivedKeywords.table(of: block)[statement.keyword] else {
      return unknown(statement, in: block)
    }
    switch (keyword.shape, statement.shape) {
    case (.line, .opening):
      keyword.run(self, statement)
      warning(statement, 0, "'\(statement.keyword)' takes no block; what it holds is not used")
      skipBlock(statement)
    case (.block, .line), (.block, .closing):
      warning(statement, 0, "'\(statement.keyword)' expects a '{' after it; it is not used")
    case (.line, .line), (.line, .closing), (.block, .opening): keyword.run(self, statement)
    }
  }

  private func unknown(_ statement: KeepalivedStatement, in block: KeepalivedBlock) {
    let name = statement.keyword
    let title = block.title
    defer { if statement.shape == .opening { skipBlock(statement) } }
    let elsewhere = KeepalivedBlock.allCases.first {
      $0 != block && KeepalivedKeywords.table(of: $0)[name] != nil
    }
    if KeepalivedReader.includeWords.contains(name) {
      return warning(
        statement, 0,
        "'\(name)' must be the first word of a line of the file, before any '@' or '$'; "
          + "nothing is included")
    }
    if let elsewhere {
      let isOuter = elsewhere == .top && statement.shape == .opening
      return warning(
        statement, 0,
        isOuter
          ? "'\(name)' cannot stand in \(title): a '}' is missing before this line; "
            + "the block is not used"
          : "'\(name)' belongs in \(elsewhere.title), not in \(title); it is not used")
    }
    // Guesses cost time; a file of another kind gets them for its first lines only.
    let near =
      diagnostics.count < 100
      ? Spelling.nearest(to: name, among: KeepalivedKeywords.names(of: block)) : nil
    warning(
      statement, 0,
      "unknown keyword '\(name)' in \(title)\(HAProxyParser.hint(near))")
  }

  // MARK: The end

  func finish() -> FailoverParseResult {
    assemble()
    if let lvsBlocks {
      let names = lvsBlocks.names.joined(separator: ", ")
      let rest = lvsBlocks.count - lvsBlocks.names.count
      let more = rest > 0 ? " and \(rest) more" : ""
      report(
        .warning, at: lvsBlocks.place,
        "no IPVS load balancing here; not used: \(names)\(more). Put the servers into a "
          + "haproxy.cfg instead")
    }
    if let mail {
      report(
        mail.isWanted ? .warning : .note, at: mail.place,
        "no mail is sent: use 'notify' scripts or the log instead of mail settings")
    }
    if dropped > 0 {
      diagnostics.append(
        Diagnostic(
          .warning, file: diagnostics.first?.file ?? "", line: 0, column: 0,
          message: "\(dropped) more diagnostics are not shown"))
    }
    if diagnostics.count > 1 {
      let sorted = diagnostics.enumerated().sorted { a, b in
        let left = (fileOrder[a.element.file] ?? 0, a.element.line, a.element.column, a.offset)
        let right = (fileOrder[b.element.file] ?? 0, b.element.line, b.element.column, b.offset)
        return left < right
      }
      diagnostics = sorted.map(\.element)
    }
    return FailoverParseResult(
      configuration: errorCount == 0 ? model : nil, diagnostics: diagnostics)
  }
}
