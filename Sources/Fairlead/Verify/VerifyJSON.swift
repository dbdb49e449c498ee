// The findings as JSON. Members may be added; those that are there keep their meaning.

import Control
import Doctor

struct VerifyJSON: Encodable {
  struct Item: Encodable {
    var area: Area
    var finding: FindingKind
    var severity: Severity
    var subject: String
    var text: String
    var remedy: String?
  }

  var version = 1
  var node: String
  /// Seconds.
  var duration: Double
  var listened: Double
  /// The worst of the findings: ok, note, warning or problem.
  var worst: Severity
  var findings: [Item]

  init(_ report: Report, _ subject: Subject) {
    node = subject.node
    duration = report.duration_s
    listened = report.listened_s
    worst = report.findings.worst
    findings = report.findings.map {
      Item(
        area: $0.area, finding: $0.kind, severity: $0.severity, subject: $0.subject,
        text: $0.text, remedy: $0.remedy)
    }
  }

  func text() -> String {
    // Strings and numbers can always be written.
    MessageText.write(self, indented: true, otherwise: "{}")
  }
}
