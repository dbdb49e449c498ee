// Prometheus' text format, version 0.0.4: families with their help, type and samples.

/// The words that label values come from, so that a counter is there before it first counts.
public struct MetricsVocabulary: Sendable {
  /// Ways in which sessions end.
  public var sessionEnds: [String]
  /// Reasons for which packets are dropped.
  public var dropReasons: [String]
  /// Code words of check results.
  public var checkResults: [String]
  /// What a node can be worth as the holder of an address.
  public var pathStates: [String]

  public init(
    sessionEnds: [String], dropReasons: [String], checkResults: [String], pathStates: [String]
  ) {
    self.sessionEnds = sessionEnds
    self.dropReasons = dropReasons
    self.checkResults = checkResults
    self.pathStates = pathStates
  }
}

/// One line: labels and a number.
struct MetricSample {
  var suffix = ""
  var labels: [(name: String, value: String)]
  var value: Double

  init(_ labels: [(name: String, value: String)] = [], _ value: Double, suffix: String = "") {
    self.labels = labels
    self.value = value
    self.suffix = suffix
  }
  init(_ labels: [(name: String, value: String)] = [], _ value: Int) {
    self.init(labels, Double(value))
  }
  init(_ labels: [(name: String, value: String)] = [], _ value: Bool) {
    self.init(labels, value ? 1 : 0)
  }
}

struct MetricsText {
  enum Kind: String {
    case counter, gauge, histogram
  }
  static let type = "text/plain; version=0.0.4; charset=utf-8"

  private(set) var text = ""

  /// Families without samples are left out.
  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [MetricSample]) {
    guard !samples.isEmpty else { return }
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    for sample in samples {
      text += name
      text += sample.suffix
      write(sample.labels)
      text += " "
      text += MetricsText.number(sample.value)
      text += "\n"
    }
  }

  private mutating func write(_ labels: [(name: String, value: String)]) {
    guard !labels.isEmpty else { return }
    text += "{"
    for (index, label) in labels.enumerated() {
      if index > 0 { text += "," }
      text += label.name
      text += "=\""
      for scalar in label.value.unicodeScalars {
        switch scalar {
        case "\\": text += "\\\\"
        case "\"": text += "\\\""
        case "\n": text += "\\n"
        default: text.unicodeScalars.append(scalar)
        }
      }
      text += "\""
    }
    text += "}"
  }

  /// Whole numbers without a fraction.
  static func number(_ value: Double) -> String {
    if let whole = Int(exactly: value) { return String(whole) }
    return value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : "\(value)"
  }
}
