// What reading a route and reading a rule have in common: words one after the other, and the
// first mistake drops the whole line.

protocol KeepalivedPathReader {
  /// What is not used after a mistake.
  static var subject: String { get }
  var parser: KeepalivedParser { get }
  var line: KeepalivedStatement { get }
  var index: Int { get set }
  var isBroken: Bool { get set }
}

extension KeepalivedPathReader {
  mutating func fail(_ index: Int, _ message: String, near: String? = nil) {
    if !isBroken {
      parser.warning(
        line, index, message + "; the \(Self.subject) is not used" + HAProxyParser.hint(near))
    }
    isBroken = true
  }

  /// The word after the current one.
  mutating func value() -> String? {
    let word = line.words[index].text
    index += 1
    guard let text = line.text(index), !text.isEmpty else {
      fail(index, "'\(word)' expects a value")
      return nil
    }
    return text
  }
}
