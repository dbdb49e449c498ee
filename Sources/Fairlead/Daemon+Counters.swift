// What the control plane counts itself: results of checks and changes of virtual routers.

import Configuration
import Control
import Failover
import Health
import Proxy

/// Counts since the start; each table is as long as the configuration makes it.
struct ControlCounters {
  struct Change: Hashable {
    var router: String
    var state: String
    var cause: String
  }
  /// Finished checks by their code word.
  private var checks: [ServerReference: [String: Int]] = [:]
  private var changes: [Change: Int] = [:]

  mutating func count(_ report: CheckReport, of server: ServerReference) {
    checks[server, default: [:]][report.status.code, default: 0] += 1
  }

  mutating func count(_ transition: RouterTransition) {
    let change = Change(
      router: transition.router, state: transition.to.rawValue, cause: transition.cause.label)
    changes[change, default: 0] += 1
  }

  /// nil for a server that is not checked.
  func checks(of server: ServerReference, isChecked: Bool) -> [String: Int]? {
    isChecked ? checks[server] ?? [:] : nil
  }

  func transitions(of router: String) -> [TransitionReport] {
    changes.filter { $0.key.router == router }
      .map { TransitionReport(state: $0.key.state, cause: $0.key.cause, count: $0.value) }
      .sorted { ($0.state, $0.cause) < ($1.state, $1.cause) }
  }

  /// After a reload: who is gone is forgotten.
  mutating func keep(servers: Set<ServerReference>) {
    checks = checks.filter { servers.contains($0.key) }
  }

  mutating func keep(routers: Set<String>) {
    changes = changes.filter { routers.contains($0.key.router) }
  }
}

extension HistogramReport {
  init(_ histogram: DurationHistogram) {
    self.init(
      bounds: DurationHistogram.bounds_us.map { Double($0) / 1_000_000 },
      counts: histogram.counts, sum: Double(histogram.sum_us) / 1_000_000)
  }
}

extension SessionEnd {
  /// Sessions by how they ended, without ways that never happened.
  static func counts(_ count: (SessionEnd) -> Int) -> [String: Int] {
    var counts: [String: Int] = [:]
    for end in SessionEnd.allCases {
      let number = count(end)
      if number > 0 { counts[end.label] = number }
    }
    return counts
  }
}
