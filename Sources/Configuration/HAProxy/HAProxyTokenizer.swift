// Words of a line (HAProxy configuration manual, sections 2.1 to 2.3): quoting, escapes,
// comments and environment variables, each word with the place it came from.

/// One line of one file, without its line end.
struct SourceLine {
  var file: String
  var number: Int
  var bytes: [UInt8]
  var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// One word after unquoting and expansion.
struct Word {
  /// The value. Kept as bytes because check payloads need not be UTF-8.
  var bytes: [UInt8]
  /// One-based byte column of the first source byte.
  var column: Int
  /// Source bytes the word covers.
  var length: Int
  var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// A line split into words; `words[0]` is the keyword.
struct Line {
  var source: SourceLine
  var words: [Word]
  /// The text of a word, or nil past the end.
  func text(_ index: Int) -> String? { words.indices.contains(index) ? words[index].text : nil }
  var keyword: String { words.first?.text ?? "" }
}

struct TokenizeError: Error {
  var message: String
  var column: Int
  var length: Int = 1
}

enum HAProxyTokenizer {
  /// HAProxy starts with 64 words and grows; this is where we stop.
  static let maximumWords = 4096
  /// Bytes of one expanded line.
  static let maximumExpansion = 1 << 18

  static func words(
    of bytes: [UInt8], environment: [String: String]
  ) throws(TokenizeError) -> [Word] {
    var state = State(bytes: bytes, environment: environment)
    return try state.run()
  }

  private struct State {
    let bytes: [UInt8]
    let environment: [String: String]
    var position = 0
    var words: [Word] = []
    var current: [UInt8] = []
    var start: Int?
    var expanded = 0
    /// Where an open quote stands.
    var doubleQuote: Int?

    init(bytes: [UInt8], environment: [String: String]) {
      self.bytes = bytes
      self.environment = environment
    }

    mutating func run() throws(TokenizeError) -> [Word] {
      while position < bytes.count {
        let byte = bytes[position]
        switch byte {
        case 0:
          throw TokenizeError(message: "NUL byte in the line", column: position + 1)
        case UInt8(ascii: "\""):
          begin()
          doubleQuote = doubleQuote == nil ? position : nil
          position += 1
        case UInt8(ascii: "'") where doubleQuote == nil:
          try strongQuote()
        case UInt8(ascii: "\\"):
          begin()
          try escape()
        case UInt8(ascii: "$") where doubleQuote != nil:
          try variable()
        case UInt8(ascii: "#") where doubleQuote == nil:
          try finish()
          return words
        case 9...13, 32:
          if doubleQuote == nil {
            try finish()
          } else {
            current.append(byte)
          }
          position += 1
        default:
          begin()
          current.append(byte)
          position += 1
        }
      }
      if let open = doubleQuote {
        throw TokenizeError(message: "unmatched quote", column: open + 1)
      }
      try finish()
      return words
    }

    private mutating func begin() { if start == nil { start = position } }

    private mutating func finish() throws(TokenizeError) {
      guard let from = start else { return }
      let word = Word(bytes: current, column: from + 1, length: max(1, position - from))
      guard !current.isEmpty else {
        throw TokenizeError(
          message: "argument number \(words.count) is empty and marks the end of the argument "
            + "list; remove it, or set the variable it comes from",
          column: word.column, length: word.length)
      }
      guard words.count < HAProxyTokenizer.maximumWords else {
        throw TokenizeError(
          message: "more than \(HAProxyTokenizer.maximumWords) words in one line",
          column: word.column, length: word.length)
      }
      words.append(word)
      current = []
      start = nil
    }

    private mutating func strongQuote() throws(TokenizeError) {
      begin()
      let open = position
      position += 1
      while position < bytes.count, bytes[position] != UInt8(ascii: "'") {
        if bytes[position] == 0 {
          throw TokenizeError(message: "NUL byte in the line", column: position + 1)
        }
        current.append(bytes[position])
        position += 1
      }
      guard position < bytes.count else {
        throw TokenizeError(message: "unmatched quote", column: open + 1)
      }
      position += 1
    }

    /// Section 2.2: what a backslash means; other combinations stay as they are.
    private mutating func escape() throws(TokenizeError) {
      let next = position + 1 < bytes.count ? bytes[position + 1] : 0
      switch next {
      case UInt8(ascii: " "), UInt8(ascii: "\\"), UInt8(ascii: "#"), UInt8(ascii: "\""):
        current.append(next)
      case UInt8(ascii: "'") where doubleQuote == nil: current.append(next)
      case UInt8(ascii: "$") where doubleQuote != nil: current.append(next)
      case UInt8(ascii: "n"): current.append(10)
      case UInt8(ascii: "r"): current.append(13)
      case UInt8(ascii: "t"): current.append(9)
      case UInt8(ascii: "x"):
        guard position + 3 < bytes.count, let high = hexadecimalValue(bytes[position + 2]),
          let low = hexadecimalValue(bytes[position + 3])
        else {
          throw TokenizeError(
            message: "truncated or invalid hexadecimal sequence", column: position + 1)
        }
        guard high | low != 0 else {
          throw TokenizeError(
            message: "'\\x00' would end the word; use 'send-binary' or 'expect binary'",
            column: position + 1, length: 4)
        }
        current.append(high << 4 | low)
        position += 2
      default:
        current.append(UInt8(ascii: "\\"))
        position += 1
        return
      }
      position += 2
    }

    private mutating func variable() throws(TokenizeError) {
      begin()
      let from = position
      let reference = try HAProxyTokenizer.reference(in: bytes, at: position)
      position = reference.end
      let value = environment[reference.name] ?? reference.fallback
      expanded += value.utf8.count
      guard expanded <= HAProxyTokenizer.maximumExpansion else {
        throw TokenizeError(
          message: "the line expands to more than \(HAProxyTokenizer.maximumExpansion) bytes",
          column: from + 1, length: position - from)
      }
      guard reference.isList else {
        current.append(contentsOf: value.utf8)
        return
      }
      // "${V[*]}" makes one word of each blank-separated part.
      let parts = value.utf8.split(separator: 32)
      for (index, part) in parts.enumerated() {
        current.append(contentsOf: part)
        if index < parts.count - 1 {
          try finish()
          start = from
        }
      }
    }
  }

  struct Reference {
    var name: String
    var fallback: String
    var isList: Bool
    /// Index after the reference.
    var end: Int
  }

  /// Reads `$NAME`, `${NAME}`, `${NAME-default}` or `${NAME[*]}` at the dollar sign.
  static func reference(
    in bytes: [UInt8], at dollar: Int
  ) throws(TokenizeError) -> Reference {
    var index = dollar + 1
    let braced = index < bytes.count && bytes[index] == UInt8(ascii: "{")
    if braced { index += 1 }
    let from = index
    while index < bytes.count, isNameByte(bytes[index], first: index == from) { index += 1 }
    let name = String(decoding: bytes[from..<index], as: UTF8.self)
    guard !name.isEmpty else {
      throw TokenizeError(
        message: "forbidden first character in an environment variable name", column: dollar + 1)
    }
    var result = Reference(name: name, fallback: "", isList: false, end: index)
    guard braced else { return result }
    if bytes[index...].starts(with: Array("[*]".utf8)) {
      result.isList = true
      index += 3
    }
    if index < bytes.count, bytes[index] == UInt8(ascii: "-") {
      let start = index + 1
      while index < bytes.count, bytes[index] != UInt8(ascii: "}") { index += 1 }
      result.fallback = String(decoding: bytes[start..<max(start, index)], as: UTF8.self)
    }
    guard index < bytes.count, bytes[index] == UInt8(ascii: "}") else {
      throw TokenizeError(
        message: "unmatched brace in an environment variable", column: dollar + 1)
    }
    result.end = index + 1
    return result
  }

  private static func isNameByte(_ byte: UInt8, first: Bool) -> Bool {
    switch byte {
    case 65...90, 97...122, UInt8(ascii: "_"), UInt8(ascii: "."): true
    case 48...57: !first
    default: false
    }
  }

  /// Expands variables of an address, which HAProxy does outside quotes too (section 11).
  static func expandAddress(
    _ text: String, environment: [String: String]
  ) throws(TokenizeError) -> String {
    let bytes = Array(text.utf8)
    guard bytes.contains(UInt8(ascii: "$")) else { return text }
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      guard bytes[index] == UInt8(ascii: "$") else {
        result.append(bytes[index])
        index += 1
        continue
      }
      let reference = try reference(in: bytes, at: index)
      result.append(contentsOf: (environment[reference.name] ?? reference.fallback).utf8)
      guard result.count <= maximumExpansion else {
        throw TokenizeError(message: "the address expands without end", column: 1)
      }
      index = reference.end
    }
    return String(decoding: result, as: UTF8.self)
  }
}
