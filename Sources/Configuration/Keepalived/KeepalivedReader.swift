// From files to statements: physical lines are joined, included files are read in place,
// conditional lines kept or dropped, definitions stored and substituted. Every expansion is
// bounded, so that no file can make this run on.

final class KeepalivedReader {
  /// All files together.
  static let maximumBytes = 16 << 20
  static let maximumStatements = 500_000
  /// Files within files, and definitions within definitions.
  static let maximumDepth = 32
  /// Of one `~SEQ`.
  static let maximumRounds = 65_536
  static let maximumSubstitutions = 200_000
  static let maximumSubstitutedBytes = 8 << 20
  /// Kept until the parser sorts them among its own.
  static let maximumProblems = 2000
  static let includeWords: Set<String> = [
    "include", "includer", "includem", "includew", "includeb", "includea",
  ]

  struct Definition {
    /// More than one for `$NAME= \` and what follows.
    var lines: [(bytes: [UInt8], source: SourceLine)]
    var isMultiline: Bool
  }

  let options: KeepalivedOptions
  var statements: [KeepalivedStatement] = []
  var definitions: [String: Definition] = [:]
  var problems: [(severity: Diagnostic.Severity, place: Place, message: String)] = []
  var omitted = 0
  private var hasError = false
  var fileOrder: [String: Int] = [:]
  var bytesRead = 0
  var substitutions = 0
  var substitutedBytes = 0
  /// A limit was passed: nothing more is read.
  var isExhausted = false

  init(options: KeepalivedOptions) { self.options = options }

  func report(_ severity: Diagnostic.Severity, _ place: Place, _ message: String) {
    // The first error is always kept: without one, what was read would count as complete.
    guard
      problems.count < KeepalivedReader.maximumProblems || (severity == .error && !hasError)
    else {
      omitted += 1
      return
    }
    if severity == .error { hasError = true }
    problems.append((severity, place, message))
  }
  func exhaust(_ place: Place, _ message: String) {
    guard !isExhausted else { return }
    isExhausted = true
    report(.error, place, message)
  }

  // MARK: Physical lines

  func read(path: String, bytes: [UInt8], depth: Int) {
    if fileOrder[path] == nil { fileOrder[path] = fileOrder.count }
    bytesRead &+= bytes.count
    var lines = PhysicalLines(path: path, bytes: bytes)
    guard bytesRead <= KeepalivedReader.maximumBytes else {
      return exhaust(
        Place(source: SourceLine(file: path, number: 0, bytes: []), column: 0, length: 1),
        "the files together are larger than \(KeepalivedReader.maximumBytes >> 20) MiB")
    }
    while !isExhausted, let line = lines.next() {
      guard lines.endsInBackslash(line.bytes) else {
        process(line.bytes, source: line, exactUpTo: line.bytes.count, depth: depth)
        continue
      }
      if let (name, kept) = multilineName(line) {
        var parts: [(bytes: [UInt8], source: SourceLine)] = []
        while let next = lines.next() {
          let goesOn = lines.endsInBackslash(next.bytes)
          let text = goesOn ? lines.withoutBackslash(next.bytes) : next.bytes
          parts.append((withoutComment(text), next))
          if !goesOn { break }
        }
        if kept { definitions[name] = Definition(lines: parts, isMultiline: true) }
        continue
      }
      // Any other line goes on in the next one.
      var joined = lines.withoutBackslash(line.bytes)
      let exact = joined.count
      while let next = lines.next() {
        let goesOn = lines.endsInBackslash(next.bytes)
        joined += goesOn ? lines.withoutBackslash(next.bytes) : next.bytes
        if !goesOn || joined.count > 1 << 20 { break }
      }
      process(joined, source: line, exactUpTo: exact, depth: depth)
    }
  }

  /// `$NAME= \`, possibly behind `@id`: the name, and whether the condition holds.
  private func multilineName(_ line: SourceLine) -> (name: String, kept: Bool)? {
    var rest = line.bytes[...]
    var kept = true
    while let condition = takeCondition(&rest) { kept = kept && condition }
    guard let (name, value) = definition(rest) else { return nil }
    // Anything between `=` and the backslash makes it an ordinary definition.
    let text = value.drop { KeepalivedEscapes.isBlank($0) }
    guard text.first == UInt8(ascii: "\\"), text.dropFirst().allSatisfy(KeepalivedEscapes.isBlank)
    else { return nil }
    return (name, kept)
  }

  // MARK: Logical lines

  /// One line: `bytes` is text of the file, or what a definition holds. `isMade` when
  /// substitution has already been at it, so that nothing in it starts a comment.
  func process(
    _ bytes: [UInt8], source: SourceLine, exactUpTo: Int, depth: Int, isMade: Bool = false,
    expansion: Int = 0
  ) {
    guard !isExhausted else { return }
    var rest = bytes[...]
    rest = rest.drop { KeepalivedEscapes.isBlank($0) }
    guard let first = rest.first else { return }
    let place = Place(source: source, column: min(rest.startIndex, exactUpTo) + 1, length: 1)
    guard expansion < KeepalivedReader.maximumDepth else {
      return exhaust(place, "definitions are nested too deeply here, or one contains itself")
    }
    switch first {
    case UInt8(ascii: "#") where !isMade, UInt8(ascii: "!") where !isMade: return
    case UInt8(ascii: "i") where expansion == 0 && !isMade:
      if include(rest, source: source, depth: depth) { return }
    case UInt8(ascii: "@"):
      guard let kept = takeCondition(&rest) else { break }
      guard kept else { return }
      var text = bytes
      // Blanks keep the columns of what follows.
      for index in 0..<rest.startIndex { text[index] = 32 }
      return process(
        text, source: source, exactUpTo: exactUpTo, depth: depth, isMade: isMade,
        expansion: expansion + 1)
    case UInt8(ascii: "~"):
      if repeats(
        rest, source: source, exactUpTo: exactUpTo, depth: depth, isMade: isMade,
        expansion: expansion)
      {
        return
      }
    case UInt8(ascii: "$"):
      if define(rest, source: source, isMade: isMade) { return }
      if let name = wholeName(isMade ? rest : withoutComment(Array(rest))[...]),
        let definition = definitions[name], definition.isMultiline
      {
        guard countSubstitution(0, place) else { return }
        for line in definition.lines {
          process(
            line.bytes, source: line.source, exactUpTo: line.source.bytes.count, depth: depth,
            isMade: true, expansion: expansion + 1)
        }
        return
      }
    default: break
    }
    let dollar = bytes.firstIndex(of: UInt8(ascii: "$"))
    guard let dollar else {
      return cut(bytes, source: source, exactUpTo: exactUpTo, comments: !isMade)
    }
    substituteAndCut(
      isMade ? bytes : withoutComment(bytes), source: source, exactUpTo: exactUpTo, dollar: dollar,
      depth: depth, expansion: expansion)
  }

  private func substituteAndCut(
    _ bytes: [UInt8], source: SourceLine, exactUpTo wholeLine: Int, dollar: Int, depth: Int,
    expansion: Int
  ) {
    let exactUpTo = min(wholeLine, dollar)
    let place = Place(source: source, column: exactUpTo + 1, length: 1)
    guard let text = substitute(bytes, place: place, depth: expansion) else {
      return cut(bytes, source: source, exactUpTo: wholeLine, comments: false)
    }
    let lines = text.split(separator: 10)
    for line in lines {
      let start = line.first { !KeepalivedEscapes.isBlank($0) }
      // What came out may be a line of a kind that is looked at before words are.
      if lines.count > 1 || start == UInt8(ascii: "@") || start == UInt8(ascii: "~")
        || start == UInt8(ascii: "$")
      {
        let goesOn = Array(line) != bytes
        if goesOn {
          process(
            Array(line), source: source, exactUpTo: exactUpTo, depth: depth, isMade: true,
            expansion: expansion + 1)
          continue
        }
      }
      cut(Array(line), source: source, exactUpTo: exactUpTo, comments: false)
    }
  }

  /// Reads an `@id` or `@^id` prefix; nil when there is none.
  private func takeCondition(_ rest: inout ArraySlice<UInt8>) -> Bool? {
    rest = rest.drop { KeepalivedEscapes.isBlank($0) }
    guard rest.first == UInt8(ascii: "@") else { return nil }
    rest = rest.dropFirst()
    let isNegative = rest.first == UInt8(ascii: "^")
    if isNegative { rest = rest.dropFirst() }
    let name = rest.prefix { !KeepalivedEscapes.isBlank($0) }
    rest = rest[name.endIndex...]
    return name.elementsEqual(options.configurationID.utf8) != isNegative
  }
}

/// The lines of one file, without their ends.
struct PhysicalLines {
  let path: String
  let bytes: [UInt8]
  private var position = 0
  private var number = 0

  init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }

  mutating func next() -> SourceLine? {
    guard position < bytes.count else { return nil }
    var end = position
    while end < bytes.count, bytes[end] != 10 { end += 1 }
    var last = end
    while last > position, bytes[last - 1] == 13 { last -= 1 }
    let line = Array(bytes[position..<last])
    position = end + 1
    number += 1
    return SourceLine(file: path, number: number, bytes: line)
  }

  func endsInBackslash(_ line: [UInt8]) -> Bool {
    guard let last = line.last(where: { !KeepalivedEscapes.isBlank($0) }) else { return false }
    return last == UInt8(ascii: "\\")
  }

  func withoutBackslash(_ line: [UInt8]) -> [UInt8] {
    guard let last = line.lastIndex(of: UInt8(ascii: "\\")) else { return line }
    return Array(line[..<last])
  }
}
