// The findings as a page for people: grouped, aligned, the remedy below what it mends.

import Doctor

struct VerifyPage {
  let report: Report
  let node: String
  /// Lines are broken at this width; nil = not at all, so that they can be searched.
  let columns: Int?

  /// Subjects that are longer do not move the others.
  private static let widestSubject = 30
  /// Narrower terminals get lines of this width.
  private static let narrowest = 40

  init(_ report: Report, node: String, columns: Int?) {
    self.report = report
    self.node = node
    self.columns = columns
  }

  func rows() -> [Row] {
    var rows: [Row] = []
    for area in Area.allCases {
      let findings = report.findings.filter { $0.area == area }
      if findings.isEmpty { continue }
      rows.append([Span(area.title, .name)])
      let subjects = findings.map(\.subject.count).filter { $0 <= Self.widestSubject }
      let width = subjects.max() ?? 0
      for finding in findings { rows += self.rows(finding, subjectWidth: width) }
      rows.append(Row())
    }
    rows.append(summary())
    return rows
  }

  private func rows(_ finding: Finding, subjectWidth: Int) -> [Row] {
    let head = [
      Span("  "),
      Span(Self.padded(finding.severity.rawValue, 7), Self.style(finding.severity)),
      Span("  " + Self.padded(finding.subject, subjectWidth) + "  ", .bold),
    ]
    let indent = 2 + 7 + 2 + subjectWidth + 2
    var text = finding.text
    if finding.severity > .ok { text += " [\(finding.kind.rawValue)]" }
    let lines = wrapped(text, indent: indent)
    let plain: Style = finding.severity == .ok ? .dim : .plain
    var rows = [Row(head + [Span(lines[0], plain)])]
    let blanks = Span(String(repeating: " ", count: indent))
    rows += lines.dropFirst().map { [blanks, Span($0, plain)] }
    if let remedy = finding.remedy {
      for (number, line) in wrapped(remedy, indent: indent + 3).enumerated() {
        rows.append([blanks, Span(number == 0 ? "-> " : "   ", .dim), Span(line)])
      }
    }
    return rows
  }

  private func summary() -> Row {
    func count(_ severity: Severity, _ many: String) -> Span? {
      let count = report.findings.count { $0.severity == severity }
      if count == 0 { return nil }
      return Span("\(count) \(count == 1 ? severity.rawValue : many)", Self.style(severity))
    }
    let counts = [
      count(.problem, "problems"), count(.warning, "warnings"), count(.note, "notes"),
    ].compactMap { $0 }
    var spans = [Span("\(node): ", .bold)]
    if counts.isEmpty { spans.append(Span("nothing to mend", .good)) }
    for (number, span) in counts.enumerated() {
      if number > 0 { spans.append(Span(", ")) }
      spans.append(span)
    }
    let tenths = Int((report.duration_s * 10).rounded())
    spans.append(Span(" (\(tenths / 10).\(tenths % 10) s)", .dim))
    return Row(spans)
  }

  /// At least one line. Words that are longer than a line stand alone.
  private func wrapped(_ text: String, indent: Int) -> [String] {
    guard let columns else { return [text] }
    let width = max(Self.narrowest, columns - indent)
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return lines + [line]
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func style(_ severity: Severity) -> Style {
    switch severity {
    case .ok: .good
    case .note: .name
    case .warning: .busy
    case .problem: .bad
    }
  }
}
