// Whether the balancer kept its promise: failures only while a failure could not yet be known,
// and no more of them than that allows.

import Configuration

struct Verdict: Sendable {
  /// One disturbance with what it cost.
  struct Cost: Sendable {
    var disturbance: Disturbance
    var failures: Int
    var watchBreaks: Int
  }

  private let record: Record
  private let timing: DemoTiming
  private let length: Duration
  private(set) var costs: [Cost]
  private(set) var failuresOutside: [RequestFailure] = []
  private(set) var breaksOutside: [RequestFailure] = []
  /// Why the demo failed; empty = it did not.
  private(set) var complaints: [String] = []

  /// - Parameters:
  ///   - length: how long clients asked.
  ///   - isComplete: the story was played to its end, so that everything must have recovered.
  init(
    _ record: Record, timing: DemoTiming, servers: [String], length: Duration, isComplete: Bool
  ) {
    self.record = record
    self.timing = timing
    self.length = length
    costs = record.disturbances.map { Cost(disturbance: $0, failures: 0, watchBreaks: 0) }
    for failure in record.failures {
      if let index = cause(of: failure) {
        costs[index].failures += 1
      } else {
        failuresOutside.append(failure)
      }
    }
    for failure in record.watchBreaks {
      if let index = cause(of: failure, onlyItsEnd: true) {
        costs[index].watchBreaks += 1
      } else {
        breaksOutside.append(failure)
      }
    }
    judgeFailures()
    if isComplete { judgeRecovery(servers) }
  }

  var isGood: Bool { complaints.isEmpty }
  var failuresInside: Int { costs.reduce(0) { $0 + $1.failures } }

  /// The disturbance in whose window a request was on its way. A watch is always on its way: for
  /// it the moment counts at which it broke.
  private func cause(of failure: RequestFailure, onlyItsEnd: Bool = false) -> Int? {
    record.disturbances.firstIndex { disturbance in
      let window = disturbance.window(timing)
      let began = onlyItsEnd ? failure.ended : failure.began
      return began <= window.upperBound && failure.ended >= window.lowerBound
    }
  }

  private mutating func judgeFailures() {
    for failure in failuresOutside.prefix(5) {
      complaints.append(
        "a request failed outside every window, at \(failure.ended.stamp): \(failure.reason)")
    }
    for failure in breaksOutside.prefix(5) {
      complaints.append(
        "the watch broke outside every window, at \(failure.ended.stamp): \(failure.reason)")
    }
    for cost in costs {
      let allowance = cost.disturbance.allowance(timing, clients: DemoClients.count)
      if cost.failures > allowance {
        complaints.append(
          "\(cost.failures) requests failed when \(cost.disturbance.server) was"
            + " \(cost.disturbance.word); at most \(allowance) may")
      }
      if cost.watchBreaks > 1 {
        complaints.append(
          "the watch broke \(cost.watchBreaks) times when \(cost.disturbance.server) was"
            + " \(cost.disturbance.word); at most once may")
      }
    }
    if record.answered == 0 { complaints.append("no request was answered") }
    if !isGood, record.longestStall > .milliseconds(500) {
      complaints.append(
        "note: this machine once kept the demo waiting for \(record.longestStall.shown)")
    }
  }

  private mutating func judgeRecovery(_ servers: [String]) {
    for cost in costs {
      let it = cost.disturbance
      judge(
        it.noticed.map { $0 - it.began }, bound: it.bound(timing),
        "that \(it.server) was \(it.word)", verb: "noticed")
      guard let revived = it.revived else { continue }
      judge(
        it.recovered.map { $0 - revived }, bound: timing.recoveryBound,
        "that \(it.server) was back", verb: "noticed")
    }
    if record.surprises > 0 {
      complaints.append("\(record.surprises) times a healthy server was marked down")
    }
    let calm = length - min(.seconds(3), length / 2)
    for server in servers where (record.lastAnswer[server] ?? .zero) < calm {
      complaints.append("\(server) answered nothing at the end")
    }
  }

  private mutating func judge(
    _ time: Duration?, bound: Duration, _ what: String, verb: String
  ) {
    guard let time else {
      complaints.append("it was never \(verb) \(what)")
      return
    }
    if time > bound + timing.slack {
      complaints.append(
        "it was \(verb) only after \(time.shown) \(what);"
          + " the bound is \(bound.shown) + \(timing.slack.shown)")
    }
  }

  // MARK: In words

  /// The counts, then the verdict.
  func lines(wasInterrupted: Bool) -> [String] {
    let failed = record.failures.count
    var lines = ["fairlead demo: \(length.shown)\(wasInterrupted ? ", ended early" : "")"]
    lines.append(
      "  requests  \(record.answered + failed) asked = \(record.answered) answered"
        + " + \(failuresInside) failed inside detection windows"
        + " + \(failuresOutside.count) failed outside")
    let answers = record.answers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    lines.append("  answers   " + answers.joined(separator: ", "))
    lines.append(
      "  watch     \(record.watchEvents) events; broken off"
        + " \(record.watchBreaks.count - breaksOutside.count)"
        + " x inside detection windows, \(breaksOutside.count) x outside")
    if !costs.isEmpty {
      lines.append("  bounds    " + timing.explanation[0])
      lines += timing.explanation.dropFirst().map { "            " + $0 }
    }
    lines += costs.map(line)
    lines += complaints.map { "  " + $0 }
    lines.append(sentence(wasInterrupted: wasInterrupted))
    return lines
  }

  private func sentence(wasInterrupted: Bool) -> String {
    if !isGood { return "FAIL: see the \(complaints.count == 1 ? "line" : "lines") above" }
    return "PASS\(wasInterrupted ? " as far as it went" : ""): "
      + (record.failures.isEmpty
        ? "no request failed" : "requests failed only while a failure could not be noticed yet")
  }

  private func line(_ cost: Cost) -> String {
    let it = cost.disturbance
    let noticed = it.noticed.map { "noticed after \(($0 - it.began).shown)" } ?? "not noticed"
    var back = ""
    if let revived = it.revived {
      back = it.recovered.map { ", back after \(($0 - revived).shown)" } ?? ", not back"
    }
    let allowance = it.allowance(timing, clients: DemoClients.count)
    return "  \(it.began.stamp)    \(it.server) \(it.word): \(noticed)\(back);"
      + " \(cost.failures) failed (at most \(allowance))"
  }
}

extension Disturbance {
  var word: String { kind == .killed ? "killed" : "hung" }
}
