// Regular expressions of checks. HAProxy's are PCRE; these are POSIX extended ones (glibc, which
// matches in linear time without back-references), with the PCRE escapes that files use
// rewritten. What cannot be honoured is refused when the file is loaded.

import Glibc

/// Why a regular expression of a check cannot be used.
public enum CheckPatternError: Error, Equatable, Sendable, CustomStringConvertible {
  case tooLong(limit: Int)
  case unsupported(String)
  case invalid(String)

  public var description: String {
    switch self {
    case .tooLong(let limit): "the regular expression is longer than \(limit) bytes"
    case .unsupported(let what): "\(what) is not supported in regular expressions of checks"
    case .invalid(let message): "invalid regular expression: \(message)"
    }
  }
}

/// A compiled regular expression over bytes; `^` and `$` stand for the ends of the whole buffer.
public final class CheckPattern: @unchecked Sendable {
  // Immutable after init; glibc's regexec locks the compiled expression itself.
  private let compiled: UnsafeMutablePointer<regex_t>

  /// Checks a pattern at load time without keeping it.
  public static func validate(_ pattern: String) throws(CheckPatternError) {
    _ = try CheckPattern(pattern)
  }

  public init(_ pattern: String) throws(CheckPatternError) {
    guard pattern.utf8.count <= Limits.pattern else {
      throw .tooLong(limit: Limits.pattern)
    }
    var translation = PatternTranslation(Array(pattern.utf8))
    let posix = try translation.run()
    let compiled = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
    compiled.initialize(to: regex_t())
    let flags = REG_EXTENDED | REG_NOSUB | (translation.ignoresCase ? REG_ICASE : 0)
    let code = regcomp(compiled, String(decoding: posix, as: UTF8.self), flags)
    guard code == 0 else {
      var message = [CChar](repeating: 0, count: 128)
      _ = regerror(code, compiled, &message, message.count)
      compiled.deinitialize(count: 1)
      compiled.deallocate()
      let words = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      throw .invalid(String(decoding: words, as: UTF8.self))
    }
    self.compiled = compiled  // from here on deinit frees it
  }

  deinit {
    regfree(compiled)
    compiled.deinitialize(count: 1)
    compiled.deallocate()
  }

  /// Whether the pattern occurs in `bytes`. As in PCRE, `$` also stands before a final newline.
  public func matches(_ bytes: [UInt8]) -> Bool {
    if matches(bytes, count: bytes.count) { return true }
    return bytes.last == UInt8(ascii: "\n") && matches(bytes, count: bytes.count - 1)
  }

  private func matches(_ bytes: [UInt8], count: Int) -> Bool {
    // REG_STARTEND bounds the subject by length, so NUL bytes are ordinary.
    var range = regmatch_t(rm_so: 0, rm_eo: regoff_t(count))
    return bytes.withUnsafeBytes { raw in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { empty in
        empty[0] = 0
        let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
        return regexec(compiled, base ?? UnsafePointer(empty.baseAddress!), 1, &range, REG_STARTEND)
          == 0
      }
    }
  }
}

/// Rewrites the PCRE that occurs in checks as a POSIX extended expression.
private struct PatternTranslation {
  private let source: [UInt8]
  private var index = 0
  private var output: [UInt8] = []
  private var repetitions = 1
  private(set) var ignoresCase = false

  init(_ source: [UInt8]) {
    self.source = source
    output.reserveCapacity(source.count * 2)
  }

  mutating func run() throws(CheckPatternError) -> [UInt8] {
    if source.starts(with: Array("(?i)".utf8)) {
      ignoresCase = true
      index = 4
    }
    while index < source.count {
      let byte = source[index]
      switch byte {
      case 0: throw .unsupported("a NUL byte")
      case UInt8(ascii: "\\"): try escape(inBrackets: false)
      case UInt8(ascii: "["): try bracket()
      case UInt8(ascii: "{"): try braces()
      case UInt8(ascii: "."):
        output += Array("[^\n]".utf8)
        index += 1
      case UInt8(ascii: "(") where peek(1) == UInt8(ascii: "?"):
        guard peek(2) == UInt8(ascii: ":") else { throw .unsupported("`(?`") }
        output.append(byte)
        index += 3
      default:
        output.append(byte)
        index += 1
      }
    }
    return output
  }

  private func peek(_ distance: Int) -> UInt8? {
    index + distance < source.count ? source[index + distance] : nil
  }

  private mutating func escape(inBrackets: Bool) throws(CheckPatternError) {
    guard let next = peek(1) else { throw .invalid("it ends in a backslash") }
    index += 2
    switch next {
    case UInt8(ascii: "d"): output += Array((inBrackets ? "0-9" : "[0-9]").utf8)
    case UInt8(ascii: "D") where !inBrackets: output += Array("[^0-9]".utf8)
    case UInt8(ascii: "w") where inBrackets: output += Array("a-zA-Z0-9_".utf8)
    case UInt8(ascii: "s") where inBrackets: output += Array(" \t\r\n\u{c}".utf8)
    case UInt8(ascii: "n"): output.append(10)
    case UInt8(ascii: "r"): output.append(13)
    case UInt8(ascii: "t"): output.append(9)
    case UInt8(ascii: "x"): try hexadecimal(inBrackets: inBrackets)
    case UInt8(ascii: "0")...UInt8(ascii: "9"): throw .unsupported("a back-reference")
    case UInt8(ascii: "w"), UInt8(ascii: "W"), UInt8(ascii: "s"), UInt8(ascii: "S"),
      UInt8(ascii: "b"), UInt8(ascii: "B"):
      guard !inBrackets else { throw .unsupported("`\\\(Character(Unicode.Scalar(next)))` in []") }
      output += [UInt8(ascii: "\\"), next]  // glibc knows these
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
      throw .unsupported("`\\\(Character(Unicode.Scalar(next)))`")
    default: literal(next, inBrackets: inBrackets)
    }
  }

  private mutating func hexadecimal(inBrackets: Bool) throws(CheckPatternError) {
    guard index + 1 < source.count, let high = hexValue(source[index]),
      let low = hexValue(source[index + 1])
    else { throw .invalid("`\\x` needs two hexadecimal digits") }
    index += 2
    guard high << 4 | low != 0 else { throw .unsupported("a NUL byte") }
    guard high < 8 else { throw .unsupported("a byte above 0x7f") }
    literal(high << 4 | low, inBrackets: inBrackets)
  }

  private mutating func literal(_ byte: UInt8, inBrackets: Bool) {
    // In brackets POSIX has no escapes: only ] ^ - [ need care, and those are refused by
    // position in `bracket`; elsewhere every special character takes a backslash.
    if !inBrackets, "^$.[]()|*+?{}\\".utf8.contains(byte) { output.append(UInt8(ascii: "\\")) }
    output.append(byte)
  }

  private mutating func bracket() throws(CheckPatternError) {
    output.append(UInt8(ascii: "["))
    index += 1
    if peek(0) == UInt8(ascii: "^") {
      output.append(UInt8(ascii: "^"))
      index += 1
    }
    var isFirst = true
    while let byte = peek(0) {
      if byte == UInt8(ascii: "]"), !isFirst {
        output.append(byte)
        index += 1
        return
      }
      if byte == UInt8(ascii: "["), let kind = peek(1), ".=".utf8.contains(kind) {
        throw .unsupported("a collating element")
      }
      if byte == UInt8(ascii: "["), peek(1) == UInt8(ascii: ":") {
        try characterClass()
      } else if byte == UInt8(ascii: "\\") {
        if let next = peek(1), "]^-[".utf8.contains(next) {
          throw .unsupported("`\\\(Character(Unicode.Scalar(next)))` in []")
        }
        try escape(inBrackets: true)
      } else {
        output.append(byte)
        index += 1
      }
      isFirst = false
    }
    throw .invalid("unmatched [")
  }

  private mutating func characterClass() throws(CheckPatternError) {
    guard let end = source[index...].firstIndex(of: UInt8(ascii: "]")) else {
      throw .invalid("unmatched [")
    }
    output += source[index...end]
    index = end + 1
  }

  /// Copies `{n,m}` and bounds the size that expanding all of them gives.
  private mutating func braces() throws(CheckPatternError) {
    guard let end = source[index...].firstIndex(of: UInt8(ascii: "}")) else {
      throw .invalid("unmatched {")
    }
    var largest = 0
    var value = 0
    for byte in source[(index + 1)..<end] {
      if byte == UInt8(ascii: ",") {
        value = 0
      } else if let digit = hexValue(byte), digit < 10 {
        value = min(value * 10 + Int(digit), Limits.repetitions + 1)
        largest = max(largest, value)
      } else {
        throw .invalid("a repetition is {N}, {N,} or {N,M}")
      }
    }
    repetitions *= max(1, largest)
    guard repetitions <= Limits.repetitions else {
      throw .unsupported("repeating more than \(Limits.repetitions) times")
    }
    output += source[index...end]
    index = end + 1
  }
}

/// The value of one hexadecimal digit.
func hexValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
