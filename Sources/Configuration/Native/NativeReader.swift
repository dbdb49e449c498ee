// Walks a YAML tree and remembers where it is: every mistake has a line, a column and a key path.

import Yams

/// A value of the file and the way to it, such as `servers[1].address`.
struct NativeValue {
  var node: Node
  var path: String

  /// The text of a scalar; nil for lists and mappings.
  var text: String? { node.scalar?.string }
  /// What stands behind a key of a mapping, unread; nil when there is none.
  func child(_ key: String) -> NativeValue? {
    guard let pair = node.mapping?.first(where: { $0.key.scalar?.string == key }) else {
      return nil
    }
    return NativeValue(node: pair.value, path: path.isEmpty ? key : "\(path).\(key)")
  }

  /// What stands behind a key of a mapping, or the value itself.
  subscript(key: String) -> NativeValue { child(key) ?? self }

  /// Nothing stands behind the key, or `null`.
  var isEmpty: Bool {
    guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else {
      return false
    }
    return ["", "~", "null"].contains(scalar.string)
  }
}

final class NativeReader {
  private(set) var diagnostics: [Diagnostic] = []
  let file: String
  private let lines: [Substring]

  init(file: String, text: String) {
    self.file = file
    // As the YAML parser counts lines: a carriage return belongs to their end.
    lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
  }

  /// Errors found so far. What would only follow from one of them is not said as well.
  private(set) var errorCount = 0
  var hasErrors: Bool { errorCount > 0 }

  /// One line of the file, without its end; empty beyond the last one.
  func source(_ line: Int) -> String {
    lines.indices.contains(line - 1) ? String(lines[line - 1]) : ""
  }

  func report(_ severity: Diagnostic.Severity = .error, at value: NativeValue, _ message: String) {
    let path = value.path.isEmpty ? "" : value.path + ": "
    report(
      severity, line: value.node.mark?.line ?? 0, column: value.node.mark?.column ?? 0,
      length: value.text?.utf8.count ?? 1, path + message)
  }

  /// `column` counts characters, as the YAML parser does; 0 means the whole line.
  func report(
    _ severity: Diagnostic.Severity = .error, line: Int, column: Int, length: Int = 1,
    _ message: String
  ) {
    if severity == .error { errorCount += 1 }
    guard diagnostics.count < 1000 || (severity == .error && errorCount == 1) else { return }
    let source = source(line)
    let before = String(String.UnicodeScalarView(source.unicodeScalars.prefix(max(0, column - 1))))
    diagnostics.append(
      Diagnostic(
        severity, file: file, line: line, column: column > 0 ? before.utf8.count + 1 : 0,
        length: max(1, length), message: message, sourceLine: source))
  }

  func origin(_ value: NativeValue) -> Origin { Origin("\(file):\(value.node.mark?.line ?? 0)") }

  // MARK: structure

  /// The entries of a mapping in file order; a key that comes twice is an error. `known` are the
  /// keys that are expected, if there are such.
  func entries(
    _ value: NativeValue, known: [String] = []
  ) -> [(key: String, place: NativeValue, value: NativeValue)] {
    guard let mapping = value.node.mapping else {
      if let key = NativeReader.keyWithoutBlank(value.text ?? "", known) {
        report(at: value, "a blank is missing after '\(key):'")
      } else if !value.isEmpty {
        let found = value.node.sequence == nil ? "" : ", found a list"
        report(at: value, "expected 'key: value' lines" + found)
      }
      return []
    }
    var seen: Set<String> = []
    var result: [(String, NativeValue, NativeValue)] = []
    for (keyNode, node) in mapping {
      let place = NativeValue(node: keyNode, path: value.path)
      guard let key = keyNode.scalar?.string else {
        report(at: place, "a key must be a word")
        continue
      }
      let path = value.path.isEmpty ? key : "\(value.path).\(key)"
      let located = NativeValue(node: keyNode, path: path)
      guard seen.insert(key).inserted else {
        report(at: located, "this key is already there")
        continue
      }
      result.append((key, located, NativeValue(node: node, path: path)))
    }
    return result
  }

  /// The elements of a list. A single value stands for a list of one where `acceptsOne`.
  func elements(_ value: NativeValue, acceptsOne: Bool = false) -> [NativeValue] {
    if let sequence = value.node.sequence {
      return sequence.enumerated().map { index, node in
        NativeValue(node: node, path: "\(value.path)[\(index)]")
      }
    }
    if acceptsOne, !value.isEmpty { return [value] }
    if !value.isEmpty { report(at: value, "expected a list ('- …' lines or [a, b])") }
    return []
  }

  /// Reads every key of a mapping with its table; others are errors that name the nearest key.
  func read<Target>(
    _ value: NativeValue, into target: inout Target, with keys: [NativeKey<Target>]
  ) {
    for (name, place, value) in entries(value, known: keys.map(\.name)) {
      guard let key = keys.first(where: { $0.name == name }) else {
        unknown(name, at: place, among: keys.map(\.name))
        continue
      }
      if value.isEmpty {
        report(at: place, "a value is missing")
      } else {
        key.read(self, value, &target)
      }
    }
  }

  func unknown(_ name: String, at place: NativeValue, among known: [String]) {
    if let key = NativeReader.keyWithoutBlank(name, known) {
      report(at: place, "a blank is missing after '\(key):'")
      return
    }
    let hint: String
    if let nearest = Spelling.nearest(to: name, among: known) {
      hint = "; did you mean '\(nearest)'?"
    } else {
      hint = "; known here: " + known.joined(separator: ", ")
    }
    report(at: place, "unknown key" + hint)
  }

  /// The key of `key:value`, which YAML takes for one word.
  private static func keyWithoutBlank(_ text: String, _ known: [String]) -> String? {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    let key = String(text[..<colon])
    return known.contains(key) ? key : nil
  }

  // MARK: scalars

  func string(_ value: NativeValue) -> String? {
    guard let text = value.text, !text.isEmpty else {
      report(at: value, "expected a word")
      return nil
    }
    guard text.utf8.count <= 4096, !text.utf8.contains(where: { $0 < 32 || $0 == 127 }) else {
      report(at: value, "control characters and texts of more than 4096 bytes are not accepted")
      return nil
    }
    return text
  }

  /// A name that logs and files carry: no blanks.
  func name(_ value: NativeValue) -> String? {
    guard let text = string(value) else { return nil }
    if NativeReader.isName(text) { return text }
    report(at: value, "a name is made of letters, digits, '-', '_', '.' and ':'")
    return nil
  }

  static func isName(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
      && text.utf8.allSatisfy {
        switch $0 {
        case 45, 46, 48...58, 65...90, 95, 97...122: true
        default: false
        }
      }
  }

  func integer(_ value: NativeValue, in range: ClosedRange<Int>) -> Int? {
    if let text = value.text, let number = HAProxyUnits.integer(text, in: range) { return number }
    report(
      at: value, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    return nil
  }

  func bool(_ value: NativeValue) -> Bool? {
    switch value.text {
    case "true": return true
    case "false": return false
    default:
      report(at: value, "expected true or false")
      return nil
    }
  }

  /// A time with its unit; 0 needs none.
  func duration(_ value: NativeValue, in range: ClosedRange<Duration>) -> Duration? {
    guard let text = value.text, !text.isEmpty else {
      report(at: value, "expected a time such as 500ms or 30s")
      return nil
    }
    if text.utf8.allSatisfy({ (48...57).contains($0) }), !text.utf8.allSatisfy({ $0 == 48 }) {
      report(at: value, "a time needs its unit: \(text)ms, \(text)s, \(text)m or \(text)h")
      return nil
    }
    if case .value(let time) = HAProxyUnits.time(text), range.contains(time) { return time }
    let unit = text.drop { ("0"..."9").contains($0) }
    guard unit.count < text.count, ["", "us", "ms", "s", "m", "h", "d"].contains(unit) else {
      report(at: value, "expected a time such as 500ms, 30s, 5m or 2h, in whole numbers")
      return nil
    }
    let most = range.upperBound
    report(
      at: value,
      "expected a time from \(HAProxyUnits.print(range.lowerBound)) to "
        + (most == NativeLimits.times.upperBound ? "24d" : HAProxyUnits.print(most)))
    return nil
  }

  func choice<Value>(_ value: NativeValue, _ choices: [(String, Value)]) -> Value? {
    if let found = choices.first(where: { $0.0 == value.text }) { return found.1 }
    let hint = value.text.flatMap { Spelling.nearest(to: $0, among: choices.map(\.0)) }
    report(
      at: value,
      "expected one of " + choices.map(\.0).joined(separator: ", ")
        + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    return nil
  }
}
