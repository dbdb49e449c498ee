// Cuts a line into statements: words by keepalived's plain rules, braces wherever they stand
// outside quotes, comments to the end of the line.

extension KeepalivedReader {
  /// `comments` is false for text that substitution has made: `${_HASH}` starts none.
  func cut(_ line: [UInt8], source: SourceLine, exactUpTo: Int, comments: Bool) {
    var words: [KeepalivedWord] = []
    var begin = 0
    var index = 0
    let count = line.count
    func finish(_ shape: KeepalivedStatement.Shape, at end: Int) {
      append(
        KeepalivedStatement(
          words: words, shape: shape, source: source, line: line, range: begin..<end,
          exactUpTo: exactUpTo))
      words.removeAll(keepingCapacity: true)
    }
    while index < count {
      let byte = line[index]
      if KeepalivedEscapes.isBlank(byte) {
        index += 1
        continue
      }
      if words.isEmpty { begin = index }
      switch byte {
      case UInt8(ascii: "#") where comments, UInt8(ascii: "!") where comments:
        if !words.isEmpty { finish(.line, at: index) }
        return
      case UInt8(ascii: "{"):
        finish(.opening, at: index)
        index += 1
      case UInt8(ascii: "}"):
        if !words.isEmpty { finish(.line, at: index) }
        begin = index
        finish(.closing, at: index + 1)
        index += 1
      case UInt8(ascii: "\""):
        words.append(quoted(line, &index, source: source, exactUpTo: exactUpTo))
      default: words.append(plain(line, &index, comments: comments))
      }
    }
    if !words.isEmpty { finish(.line, at: count) }
  }

  private func append(_ statement: KeepalivedStatement) {
    // `vrrp_instance A` and `{` on the next line are one.
    if statement.shape == .opening, statement.words.isEmpty, let last = statements.last,
      last.shape == .line
    {
      statements[statements.count - 1].shape = .opening
      return
    }
    guard statements.count < KeepalivedReader.maximumStatements else {
      return exhaust(
        Place(source: statement.source, column: 0, length: 1),
        "more than \(KeepalivedReader.maximumStatements) lines, included and expanded ones counted")
    }
    statements.append(statement)
  }

  /// A `"…"` word. A `\"` does not end it for the sake of commands; a plain word ends there.
  private func quoted(
    _ line: [UInt8], _ index: inout Int, source: SourceLine, exactUpTo: Int
  ) -> KeepalivedWord {
    let start = index
    var end = start + 1
    while end < line.count, line[end] != UInt8(ascii: "\"") {
      end += line[end] == UInt8(ascii: "\\") && end + 1 < line.count ? 2 : 1
    }
    if end >= line.count {
      end = line.count
      report(
        .warning,
        Place(source: source, column: min(start, exactUpTo) + 1, length: 1),
        "this '\"' is never closed; the rest of the line is taken as the word")
    }
    index = min(end + 1, line.count)
    var content = line[(start + 1)..<end]
    if let inner = content.firstIndex(of: UInt8(ascii: "\"")) { content = content[..<inner] }
    return KeepalivedReader.word(content, start, index)
  }

  private func plain(_ line: [UInt8], _ index: inout Int, comments: Bool) -> KeepalivedWord {
    let start = index
    while index < line.count {
      let byte = line[index]
      if KeepalivedEscapes.isBlank(byte) || byte == UInt8(ascii: "\"") { break }
      if comments, byte == UInt8(ascii: "#") || byte == UInt8(ascii: "!") { break }
      if byte == UInt8(ascii: "}") { break }
      if byte == UInt8(ascii: "{") {
        // `${NAME}` without a definition stays a word; its braces open nothing.
        guard index > start, line[index - 1] == UInt8(ascii: "$"),
          let close = line[index...].firstIndex(of: UInt8(ascii: "}"))
        else { break }
        index = close
      }
      index += 1
    }
    return KeepalivedReader.word(line[start..<index], start, index)
  }

  private static func word(
    _ content: ArraySlice<UInt8>, _ start: Int, _ end: Int
  ) -> KeepalivedWord {
    // No plain word ends in a backslash, so that every one of them can be written again.
    var bytes = content
    while bytes.last == UInt8(ascii: "\\") { bytes = bytes.dropLast() }
    let text = String(decoding: bytes, as: UTF8.self)
    var word = KeepalivedWord(
      text: text, exactBytes: nil, lostBackslash: bytes.count < content.count, start: start,
      end: end)
    if bytes.contains(where: { $0 >= 128 }), !text.utf8.elementsEqual(bytes) {
      word.exactBytes = Array(bytes)
    }
    return word
  }
}
