// Lines that stand for more than themselves: `include` and its variants, `~SEQ`, `~LST`.

extension KeepalivedReader {
  /// True when the line was an include line.
  func include(_ line: ArraySlice<UInt8>, source: SourceLine, depth: Int) -> Bool {
    guard line.starts(with: Array("include".utf8)) else { return false }
    let word = line.prefix { !KeepalivedEscapes.isBlank($0) && $0 != UInt8(ascii: "\"") }
    let keyword = String(decoding: word, as: UTF8.self)
    guard KeepalivedReader.includeWords.contains(keyword) else { return false }
    let argument = withoutComment(Array(line[word.endIndex...]))
    let place = Place(source: source, column: word.endIndex + 1, length: max(1, argument.count))
    guard let pattern = KeepalivedEscapes.words(of: argument[...]).first, !pattern.isEmpty else {
      report(.warning, place, "'\(keyword)' expects a file name or pattern")
      return true
    }
    guard depth < KeepalivedReader.maximumDepth else {
      exhaust(place, "files include each other more than \(KeepalivedReader.maximumDepth) deep")
      return true
    }
    let full =
      pattern.hasPrefix("/")
      ? pattern : KeepalivedReader.folder(of: source.file) + "/" + pattern
    let isPattern = pattern.contains { "*?[{".contains($0) }
    let paths = isPattern ? options.expand(full) : [full]
    if paths.isEmpty {
      // A folder of optional files may well be empty; the variants say that it must not be.
      let mayBeEmpty = keyword == "include" || keyword == "includer" || keyword == "includem"
      report(mayBeEmpty ? .note : .error, place, "no file matches '\(full)'")
    }
    for path in paths where !isExhausted {
      do {
        read(path: path, bytes: try options.readFile(path), depth: depth + 1)
      } catch {
        report(
          keyword == "include" ? .warning : .error, place,
          "'\(path)' cannot be included: \(error.reason)")
      }
    }
    return true
  }

  /// True when the line began with `~SEQ(…)`, `~SEQx(…)` or `~LST(…)`: the rest of it is read
  /// once for every value.
  func repeats(
    _ line: ArraySlice<UInt8>, source: SourceLine, exactUpTo: Int, depth: Int, isMade: Bool,
    expansion: Int
  ) -> Bool {
    let word = line.prefix { $0 != UInt8(ascii: "(") }
    let keyword = String(decoding: word, as: UTF8.self)
    guard ["~SEQ", "~SEQx", "~LST"].contains(keyword) else { return false }
    let column = min(line.startIndex, exactUpTo) + 1
    let place = Place(source: source, column: column, length: word.count)
    guard let close = line.firstIndex(of: UInt8(ascii: ")")) else {
      report(.warning, place, "'\(keyword)' lacks its ')'; the line is not used")
      return true
    }
    let inside = String(decoding: line[(word.endIndex + 1)..<close], as: UTF8.self)
    let rest = Array(line[(close + 1)...])
    let rounds: [[(String, String)]]?
    if keyword == "~LST" {
      rounds = listRounds(inside)
    } else {
      let sequence = sequence(inside, keyword)
      guard (sequence?.count ?? 0) <= KeepalivedReader.maximumRounds else {
        exhaust(
          place,
          "'\(keyword)(\(inside))' has more than \(KeepalivedReader.maximumRounds) values; nothing "
            + "after this is read")
        return true
      }
      rounds = sequence?.rounds
    }
    guard let rounds else {
      report(
        .warning, place,
        "'\(keyword)(\(inside))' is not of the form "
          + (keyword == "~LST" ? "~LST(NAME, value, …)" : "~SEQ(NAME, start, step, end)")
          + "; the line is not used")
      return true
    }
    for round in rounds {
      guard !isExhausted, countSubstitution(rest.count, place) else { return true }
      for (name, value) in round {
        definitions[name] = Definition(lines: [(Array(value.utf8), source)], isMultiline: false)
      }
      process(
        rest, source: source, exactUpTo: 0, depth: depth, isMade: isMade, expansion: expansion + 1)
    }
    return true
  }

  /// An arithmetic sequence, before it is written out.
  private struct Sequence {
    var name: String
    var start: Int
    var step: Int
    var end: Int
    var radix: Int
    /// Numbers have 32 bits, so nothing here overflows.
    var count: Int {
      let distance = end - start
      return distance.signum() == -step.signum() ? 0 : distance / step + 1
    }
    var rounds: [[(String, String)]] {
      stride(from: start, through: end, by: step).map { [(name, String($0, radix: radix))] }
    }
  }

  private func sequence(_ text: String, _ keyword: String) -> Sequence? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
    guard (2...4).contains(parts.count), isName(parts[0]) else { return nil }
    let numbers = parts.dropFirst().compactMap(integer)
    guard numbers.count == parts.count - 1, let end = numbers.last else { return nil }
    let start = numbers.count > 1 ? numbers[0] : (end > 0 ? 1 : -1)
    let step = numbers.count > 2 ? numbers[1] : (end >= start ? 1 : -1)
    guard step != 0, keyword == "~SEQ" || min(start, end) >= 0 else { return nil }
    return Sequence(
      name: parts[0], start: start, step: step, end: end, radix: keyword == "~SEQx" ? 16 : 10)
  }

  /// Numbers as C reads them: `0x` and leading zeros mean what they mean there.
  private func integer(_ text: String) -> Int? {
    let digits = text.hasPrefix("-") ? String(text.dropFirst()) : text
    let value: Int?
    if digits.lowercased().hasPrefix("0x") {
      value = Int(digits.dropFirst(2), radix: 16)
    } else {
      value = digits.first == "+" ? nil : Int(digits, radix: digits.hasPrefix("0") ? 8 : 10)
    }
    guard let value, value >= 0, value <= Int(UInt32.max) else { return nil }
    return text.hasPrefix("-") ? -value : value
  }

  /// `NAME, a, b` or `{N1, N2}, {a, b}, {c, d}`.
  private func listRounds(_ text: String) -> [[(String, String)]]? {
    var groups: [[String]] = []
    var rest = Substring(text)
    while true {
      rest = rest.drop { $0 == " " || $0 == "\t" }
      if rest.first == "{" {
        guard let close = rest.firstIndex(of: "}") else { return nil }
        let inside = rest[rest.index(after: rest.startIndex)..<close]
        groups.append(inside.split(separator: ",", omittingEmptySubsequences: false).map(trimmed))
        rest = rest[rest.index(after: close)...].drop { $0 == " " || $0 == "\t" }
        guard rest.isEmpty || rest.first == "," else { return nil }
      } else {
        let value = rest.prefix { $0 != "," }
        groups.append([trimmed(value)])
        rest = rest[value.endIndex...]
      }
      guard rest.first == "," else { break }
      rest = rest.dropFirst()
    }
    guard let names = groups.first, groups.count > 1, names.allSatisfy(isName),
      groups.allSatisfy({ $0.count == names.count })
    else { return nil }
    return groups.dropFirst().map { Array(zip(names, $0)) }
  }

  private func trimmed(_ text: Substring) -> String {
    let start = text.drop { $0 == " " || $0 == "\t" }
    let end = start.reversed().drop { $0 == " " || $0 == "\t" }
    return String(String(end).reversed())
  }

  private func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, !(48...57).contains(first) else { return false }
    return text.utf8.allSatisfy(KeepalivedReader.isNameByte)
  }
}
