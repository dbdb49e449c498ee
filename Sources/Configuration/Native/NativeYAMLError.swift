// What a YAML parser says of a file, in words for the person who wrote it by hand.

import Yams

enum NativeYAMLError {
  private typealias Place = (line: Int, column: Int, message: String)

  static func report(_ error: YamlError, _ reader: NativeReader) {
    switch error {
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let found =
        invisible(mark.line, reader) ?? bracket(problem, mark, context, reader)
        ?? colon(problem, mark, reader) ?? indentation(problem, mark, reader)
      if let found {
        reader.report(line: found.line, column: found.column, found.message)
      } else {
        let place = context.map { " (\($0.text.split(separator: "\n").first ?? ""))" } ?? ""
        reader.report(line: mark.line, column: mark.column, "this is not YAML: \(problem)\(place)")
      }
    case .duplicatedKeysInMapping(let keys, let context):
      reportTwice(keys.first ?? "", context.mark, reader)
    case .reader(let problem, _, _, _):
      reader.report(line: 0, column: 0, "this is not YAML: \(problem)")
    default:
      reader.report(line: 0, column: 0, "this is not YAML")
    }
  }

  /// The parser tells the first place; the second one is where the mistake is.
  private static func reportTwice(_ key: String, _ first: Mark, _ reader: NativeReader) {
    let message = "'\(key)' is already there, in line \(first.line)"
    func isKey(_ rest: Substring) -> Bool {
      guard rest.hasPrefix(key) else { return false }
      return rest.dropFirst(key.count).first { $0 != " " } == ":"
    }
    let source = reader.source(first.line)
    var rest = source.dropFirst(first.column)
    while !rest.isEmpty {
      if isKey(rest), source[..<rest.startIndex].last.map({ " {,".contains($0) }) ?? true {
        reader.report(
          line: first.line, column: source.count - rest.count + 1, length: key.utf8.count, message)
        return
      }
      rest = rest.dropFirst()
    }
    // On lines of their own the keys of one mapping stand below each other.
    for line in (first.line + 1)..<(first.line + 10_000) {
      let rest = reader.source(line).dropFirst(first.column - 1)
      let margin = reader.source(line).prefix(first.column - 1)
      guard isKey(rest), margin.allSatisfy({ $0 == " " }) else { continue }
      reader.report(line: line, column: first.column, length: key.utf8.count, message)
      return
    }
    reader.report(
      line: first.line, column: first.column, length: key.utf8.count,
      "'\(key)' is there twice")
  }

  /// Blanks that look like spaces and are none.
  private static func invisible(_ line: Int, _ reader: NativeReader) -> Place? {
    let margin = reader.source(line).unicodeScalars.prefix { $0.properties.isWhitespace }
    guard let index = margin.firstIndex(where: { $0 != " " && $0 != "\r" }) else { return nil }
    let name = margin[index] == "\t" ? "a tab" : "a blank that is no space"
    let column = margin.distance(from: margin.startIndex, to: index) + 1
    return (line, column, "\(name): YAML is indented with spaces")
  }

  private static func bracket(
    _ problem: String, _ mark: Mark, _ context: YamlError.Context?, _ reader: NativeReader
  ) -> Place? {
    let opening = context?.mark ?? mark
    let isQuoted = context?.text.contains("quoted scalar") == true
    if isQuoted, problem.contains("end of stream") {
      return (opening.line, opening.column, "this quote is not closed")
    }
    let expectsMore = problem.hasPrefix("did not find expected ',' or")
    guard expectsMore || problem.contains("expected node content") else { return nil }
    // `[::]:6443` begins a list.
    let source = reader.source(mark.line)
    if let address = source.firstIndex(of: "["), source[address...].contains("]:"),
      source[address...].dropFirst().prefix(while: { $0 != "]" }).contains("::")
    {
      let column = source.distance(from: source.startIndex, to: address) + 1
      return (mark.line, column, "an address in brackets needs quotes, such as '[::]:6443'")
    }
    guard expectsMore else { return (mark.line, mark.column, "a value is missing here") }
    if opening.line < mark.line {
      return (opening.line, opening.column, "this bracket is not closed")
    }
    let expected = problem.dropFirst("did not find ".count)
    return (mark.line, mark.column, "\(expected) here")
  }

  private static func colon(_ problem: String, _ mark: Mark, _ reader: NativeReader) -> Place? {
    guard problem.hasPrefix("mapping values are not allowed") else { return nil }
    let source = reader.source(mark.line)
    let margin = source.prefix { $0 == " " }.count
    let words = source.dropFirst(margin)
    if words.first == "-", let next = words.dropFirst().first, next != " ", next != "-" {
      return (mark.line, margin + 1, "a blank is missing after '-'")
    }
    if source.prefix(max(0, mark.column - 1)).contains(": ") {
      return (mark.line, mark.column, "a second ': ' in one line: the value needs quotes")
    }
    // The last line that says something.
    var above = mark.line - 1
    func said(_ line: Int) -> Substring {
      let text = reader.source(line).drop { $0 == " " || $0 == "\r" }
      return text.first == "#" ? "" : text
    }
    while above > 0, said(above).isEmpty { above -= 1 }
    guard above > 0 else { return nil }
    if !said(above).contains(":"), said(above).first != "-" {
      let end = reader.source(above).count
      return (above, max(1, end), "a ':' is missing after '\(said(above).prefix(64))'")
    }
    return (
      mark.line, margin + 1,
      "this line is indented further than the one before it, which has a value already"
    )
  }

  private static func indentation(
    _ problem: String, _ mark: Mark, _ reader: NativeReader
  ) -> Place? {
    let isFirst = reader.source(mark.line).prefix { $0 == " " }.count + 1 == mark.column
    switch problem {
    case "did not find expected '-' indicator" where isFirst:
      return (
        mark.line, mark.column,
        "this line does not line up with those before it: a list goes on with '- ', its entries "
          + "go on below their first key"
      )
    case "did not find expected key" where isFirst:
      return (mark.line, mark.column, "this line does not line up with those before it")
    case "did not find expected key":
      return (mark.line, mark.column, "the value before this has ended: it needs quotes as a whole")
    case "but found another document":
      return (mark.line, mark.column, "a second document begins here; a native file is one")
    default: return nil
    }
  }
}
