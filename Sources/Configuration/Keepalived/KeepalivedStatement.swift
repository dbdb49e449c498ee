// The pieces a keepalived.conf is cut into: words, and the statements that braces and line
// ends make of them.

/// One word, as keepalived's plain rules see it: only `"` quotes, nothing escapes.
struct KeepalivedWord {
  var text: String
  /// Set when the word is not UTF-8, for what need not be text (passwords).
  var exactBytes: [UInt8]?
  /// There was a backslash at its end.
  var lostBackslash: Bool
  /// Offsets into the statement's line.
  var start: Int
  var end: Int
}

struct KeepalivedStatement {
  enum Shape {
    /// Words up to the end of the line or a brace.
    case line
    /// Words, possibly none, and `{`.
    case opening
    /// `}`
    case closing
  }
  var words: [KeepalivedWord]
  var shape: Shape
  var source: SourceLine
  /// The line after substitution, and the part of it that is this statement.
  var line: [UInt8]
  var range: Range<Int>
  /// Offsets below this are the same in the source line.
  var exactUpTo: Int

  func text(_ index: Int) -> String? { words.indices.contains(index) ? words[index].text : nil }
  var keyword: String { words.first?.text ?? "" }
  var arguments: ArraySlice<KeepalivedWord> { words.dropFirst() }

  /// Where to point for the word of that index; past the last word when there is none.
  func place(_ index: Int = 0) -> Place {
    guard !words.isEmpty || range.lowerBound < exactUpTo else {
      return Place(source: source, column: 0, length: 1)
    }
    let word = words.indices.contains(index) ? words[index] : nil
    let start = word?.start ?? words.last?.end ?? range.lowerBound
    let end = word?.end ?? start + 1
    guard start < exactUpTo else {
      return Place(source: source, column: min(exactUpTo, source.bytes.count) + 1, length: 1)
    }
    return Place(source: source, column: start + 1, length: max(1, min(end, exactUpTo) - start))
  }
}

extension Place {
  init(source: SourceLine, column: Int, length: Int) {
    self.source = source
    self.column = column
    self.length = length
  }
}

extension KeepalivedStatement {
  /// The words again, by the rules of lines that hold commands: both quotes, and escapes as
  /// the manual's "Quoted strings" lists them. Quotes join what they touch.
  var escapedWords: [String] { KeepalivedEscapes.words(of: line[range]) }
}

enum KeepalivedEscapes {
  static func words(of bytes: ArraySlice<UInt8>) -> [String] {
    var words: [String] = []
    var word: [UInt8] = []
    var isInWord = false
    var quote: UInt8 = 0
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: "\\"), index < bytes.endIndex {
        word.append(escaped(bytes, &index))
        isInWord = true
      } else if quote != 0 {
        if byte == quote { quote = 0 } else { word.append(byte) }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
        isInWord = true
      } else if isBlank(byte) {
        if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
        word.removeAll(keepingCapacity: true)
        isInWord = false
      } else {
        word.append(byte)
        isInWord = true
      }
    }
    if isInWord { words.append(String(decoding: word, as: UTF8.self)) }
    return words
  }

  /// A command: the string that is its own word of the line, split once more.
  static func command(_ text: String) -> [String] { words(of: Array(text.utf8)[...]) }

  static func isBlank(_ byte: UInt8) -> Bool { byte <= 32 || byte == 127 }

  private static func escaped(_ bytes: ArraySlice<UInt8>, _ index: inout Int) -> UInt8 {
    let byte = bytes[index]
    index += 1
    switch byte {
    case UInt8(ascii: "a"): return 7
    case UInt8(ascii: "b"): return 8
    case UInt8(ascii: "E"): return 27
    case UInt8(ascii: "f"): return 12
    case UInt8(ascii: "n"): return 10
    case UInt8(ascii: "r"): return 13
    case UInt8(ascii: "t"): return 9
    case UInt8(ascii: "v"): return 11
    case 48...55:
      var value = byte - 48
      var digits = 1
      while digits < 3, index < bytes.endIndex, (48...55).contains(bytes[index]) {
        value = value &<< 3 | (bytes[index] - 48)
        index += 1
        digits += 1
      }
      return value
    case UInt8(ascii: "x"):
      var value: UInt8 = 0
      while index < bytes.endIndex, let digit = hexadecimalValue(bytes[index]) {
        value = value &<< 4 | digit
        index += 1
      }
      return value
    case UInt8(ascii: "c"):
      guard index < bytes.endIndex else { return byte }
      index += 1
      return bytes[index - 1] & 31
    default: return byte
    }
  }
}
