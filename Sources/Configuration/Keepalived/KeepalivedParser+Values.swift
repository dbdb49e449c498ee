// Small readers of arguments, shared by every keyword. Each reports what is wrong with its
// word and returns nil; the caller then leaves the setting as it was.

extension KeepalivedParser {
  /// The word, or an error: keepalived stops at a keyword without its value.
  func required(_ statement: KeepalivedStatement, _ what: String) -> String? {
    if let text = statement.text(1), !text.isEmpty { return text }
    error(statement, 1, "'\(statement.keyword)' expects \(what)")
    return nil
  }

  func number(
    _ statement: KeepalivedStatement, _ index: Int, _ range: ClosedRange<Int>
  ) -> Int? {
    guard let text = statement.text(index) else {
      warning(statement, index, "'\(statement.keyword)' expects a number; the line is not used")
      return nil
    }
    if let value = KeepalivedUnits.integer(text), range.contains(value) { return value }
    warning(
      statement, index,
      "'\(text)' is not a whole number in \(range.lowerBound)…\(range.upperBound); the "
        + "setting keeps its default")
    return nil
  }

  /// Seconds with decimals, down to a microsecond.
  func seconds(
    _ statement: KeepalivedStatement, _ index: Int, _ range: ClosedRange<Double>
  ) -> Duration? {
    guard let text = statement.text(index) else {
      warning(statement, index, "'\(statement.keyword)' expects seconds; the line is not used")
      return nil
    }
    if let value = KeepalivedUnits.microseconds(text),
      range.contains(Double(value) / 1_000_000)
    {
      return .microseconds(value)
    }
    warning(
      statement, index,
      "'\(text)' is not a time in seconds in \(KeepalivedUnits.print(range.lowerBound))…"
        + "\(KeepalivedUnits.print(range.upperBound)); the setting keeps its default")
    return nil
  }

  /// on/off/true/false/yes/no; nothing means on.
  func flag(_ statement: KeepalivedStatement) -> Bool? {
    guard let text = statement.text(1) else { return true }
    switch text {
    case "on", "true", "yes": return true
    case "off", "false", "no": return false
    default:
      warning(
        statement, 1,
        "'\(statement.keyword)' takes on, off, true, false, yes or no, not '\(text)'; the "
          + "line is not used")
      return nil
    }
  }

  /// A command line: its own second word, split by the quoting rules of commands, then user
  /// and group where the keyword takes them.
  func command(_ statement: KeepalivedStatement, takesUser: Bool) -> ScriptCommand? {
    let words = statement.escapedWords
    guard words.count > 1 else {
      warning(statement, 1, "'\(statement.keyword)' expects a command; the line is not used")
      return nil
    }
    let parts = KeepalivedEscapes.command(words[1])
    guard let program = parts.first, !program.isEmpty, !parts.contains(where: hasNUL) else {
      warning(statement, 1, "'\(statement.keyword)' names no program; the line is not used")
      return nil
    }
    var result = ScriptCommand(words: parts, origin: origin(statement))
    let limit = takesUser ? 4 : 2
    if takesUser, words.count > 2 {
      result.user = ScriptUser(words[2], group: words.count > 3 ? words[3] : nil)
    }
    if words.count > limit {
      warning(
        statement, min(limit, statement.words.count),
        "'\(words[limit])' is not used"
          + (takesUser ? "" : ": put the command with its arguments between '\"'"))
    }
    return result
  }

  private func hasNUL(_ text: String) -> Bool { text.utf8.contains(0) }

  func origin(_ statement: KeepalivedStatement) -> Origin {
    Origin("\(statement.source.file):\(statement.source.number)")
  }

  /// `user NAME [GROUP]` from that word on.
  func user(_ statement: KeepalivedStatement, from index: Int) -> ScriptUser? {
    guard let name = statement.text(index), !name.isEmpty else { return nil }
    return ScriptUser(name, group: statement.text(index + 1))
  }

  /// An interface name, at most 15 bytes, as the kernel allows.
  func interface(_ statement: KeepalivedStatement, _ index: Int) -> String? {
    guard let name = statement.text(index), !name.isEmpty else {
      warning(statement, index, "an interface name is missing; it is not used")
      return nil
    }
    guard name.utf8.count <= 15, !name.utf8.contains(UInt8(ascii: "/")) else {
      warning(statement, index, "'\(name)' cannot be an interface: names have 15 bytes at most")
      return nil
    }
    return name
  }

  /// Lines of a block that is read over, and what that means.
  func rejectExtra(_ statement: KeepalivedStatement, after count: Int) {
    guard statement.words.count > count + 1 else { return }
    warning(
      statement, count + 1,
      "'\(statement.words[count + 1].text)' is not used: '\(statement.keyword)' takes "
        + "\(count == 0 ? "nothing" : count == 1 ? "one value" : "\(count) values") a line")
  }
}

/// Numbers and times as keepalived.conf writes them.
enum KeepalivedUnits {
  static func integer(_ text: String) -> Int? {
    var value = 0
    var digits = 0
    var isNegative = false
    for (index, byte) in text.utf8.enumerated() {
      if index == 0, byte == UInt8(ascii: "-") {
        isNegative = true
        continue
      }
      guard (48...57).contains(byte), digits < 12 else { return nil }
      value = value * 10 + Int(byte - 48)
      digits += 1
    }
    guard digits > 0 else { return nil }
    return isNegative ? -value : value
  }

  /// Digits beyond microseconds are cut off.
  static func microseconds(_ text: String) -> Int64? {
    var whole: Int64 = 0
    var fraction: Int64 = 0
    var scale: Int64 = 1_000_000
    var digits = 0
    var sawPoint = false
    for byte in text.utf8 {
      if byte == UInt8(ascii: "."), !sawPoint {
        sawPoint = true
        continue
      }
      guard (48...57).contains(byte), digits < 24 else { return nil }
      digits += 1
      if sawPoint {
        scale /= 10
        fraction += Int64(byte - 48) * scale
      } else {
        guard whole < 1_000_000_000 else { return nil }
        whole = whole * 10 + Int64(byte - 48)
      }
    }
    guard digits > 0 else { return nil }
    return whole * 1_000_000 + fraction
  }

  static func microseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000
  }

  /// Seconds, with as few decimals as needed.
  static func print(_ duration: Duration) -> String { print(microseconds: microseconds(duration)) }
  static func print(_ seconds: Double) -> String { print(microseconds: Int64(seconds * 1_000_000)) }

  static func print(microseconds: Int64) -> String {
    let whole = microseconds / 1_000_000
    var fraction = String(abs(microseconds % 1_000_000))
    guard fraction != "0" else { return String(whole) }
    fraction = String(repeating: "0", count: 6 - fraction.count) + fraction
    while fraction.hasSuffix("0") { fraction.removeLast() }
    return "\(whole).\(fraction)"
  }
}
