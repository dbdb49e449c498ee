// Metrics of servers: states, sessions, connecting, and what checks say.

import Control

extension FairleadMetrics {
  struct Server {
    var labels: Labels
    var report: ServerReport
  }

  static func addServers(
    _ servers: [Server], _ vocabulary: MetricsVocabulary, to text: inout MetricsText
  ) {
    func each(
      _ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (ServerReport) -> Int
    ) {
      text.add(name, kind, help, servers.map { MetricSample($0.labels, value($0.report)) })
    }
    text.add(
      "fairlead_server_state", .gauge, "1 for the state that the server is in.",
      servers.flatMap { server in
        ServerReport.State.allCases.map {
          MetricSample(
            server.labels + [("state", $0.rawValue)], server.report.state == $0)
        }
      })
    each("fairlead_server_up", .gauge, "Whether the server takes new sessions.") {
      $0.state == .up ? 1 : 0
    }
    each("fairlead_server_weight", .gauge, "Configured weight.") { $0.weight }
    text.add(
      "fairlead_server_state_change_timestamp_seconds", .gauge,
      "Last change of state, since 1970.",
      servers.compactMap { server in
        server.report.since.map { MetricSample(server.labels, $0) }
      })
    each("fairlead_server_queued_sessions", .gauge, "Sessions that wait for this server.") {
      $0.queued
    }
    each("fairlead_server_connect_failures_total", .counter, "Connections that failed.") {
      $0.connectFailures
    }
    addTraffic(
      "server", "clients", servers.map { ($0.labels, $0.report.traffic) }, vocabulary, to: &text)
    text.add(
      "fairlead_server_connect_duration_seconds", .histogram,
      "Time to connect to the server, of connections that came about.",
      servers.flatMap { server in
        server.report.connectTimes.map { samples($0, server.labels) } ?? []
      })
  }

  private static func samples(_ histogram: HistogramReport, _ labels: Labels) -> [MetricSample] {
    var sum = 0
    var samples: [MetricSample] = []
    for (index, count) in histogram.counts.enumerated() {
      sum += count
      let isLast = index >= histogram.bounds.count
      let bound = isLast ? "+Inf" : MetricsText.number(histogram.bounds[index])
      samples.append(MetricSample(labels + [("le", bound)], Double(sum), suffix: "_bucket"))
    }
    samples.append(MetricSample(labels, histogram.sum, suffix: "_sum"))
    samples.append(MetricSample(labels, Double(sum), suffix: "_count"))
    return samples
  }

  static func addChecks(
    _ servers: [Server], _ vocabulary: MetricsVocabulary, to text: inout MetricsText
  ) {
    let checked = servers.filter(\.report.isChecked)
    text.add(
      "fairlead_server_checks_total", .counter, "Finished checks, by HAProxy's code words.",
      checked.flatMap { server in
        vocabulary.checkResults.map {
          MetricSample(server.labels + [("result", $0)], server.report.checks?[$0] ?? 0)
        }
      })
    text.add(
      "fairlead_server_last_check_duration_seconds", .gauge, "How long the last check took.",
      checked.compactMap { server in
        server.report.check.map {
          MetricSample(server.labels, Double($0.duration_ms) / 1000)
        }
      })
  }
}
