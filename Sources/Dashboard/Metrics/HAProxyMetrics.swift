// The same status under the names of HAProxy's own exporter, for dashboards and alerts that exist.
// Names, labels and meanings: HAProxy's documentation of its Prometheus service.

import Control

enum HAProxyMetrics {
  private typealias Labels = FairleadMetrics.Labels
  private typealias Parts = [(labels: Labels, traffic: TrafficReport)]

  static func text(_ report: StatusReport, _ vocabulary: MetricsVocabulary) -> String {
    var text = MetricsText()
    addProcess(report, to: &text)
    addFrontends(report.frontends, to: &text)
    addBackends(report.backends, to: &text)
    addServers(report.backends, vocabulary, to: &text)
    return text.text
  }

  private static func addProcess(_ report: StatusReport, to text: inout MetricsText) {
    func one(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: Double) {
      text.add("haproxy_process_\(name)", kind, help, [MetricSample([], value)])
    }
    one("nbthread", .gauge, "Worker threads.", Double(report.workers))
    one("start_time_seconds", .gauge, "Start of the process, since 1970.", report.started)
    one("uptime_seconds", .gauge, "Age of the process.", report.now - report.started)
    one("max_connections", .gauge, "Sessions that may be open.", Double(report.sessionLimit))
    one("current_connections", .gauge, "Sessions that are open.", Double(report.sessions))
    one("connections_total", .counter, "Connections accepted.", Double(report.accepted))
    one("current_connection_rate", .gauge, "Connections per second, lately.", report.rate)
  }

  private static func addFrontends(_ frontends: [ProxyReport], to text: inout MetricsText) {
    text.add(
      "haproxy_frontend_status", .gauge, "1 for the state that the frontend is in.",
      frontends.flatMap { frontend in
        [("DOWN", frontend.isDisabled), ("UP", !frontend.isDisabled)].map {
          MetricSample([("proxy", frontend.name), ("state", $0.0)], $0.1)
        }
      })
    let parts = frontends.map { ([("proxy", $0.name)] as Labels, $0.traffic) }
    addTraffic("frontend", parts, to: &text)
    text.add(
      "haproxy_frontend_connections_total", .counter, "Connections accepted.",
      parts.map { MetricSample($0.0, $0.1.total) })
  }

  private static func addBackends(_ backends: [BackendReport], to text: inout MetricsText) {
    func each(
      _ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (BackendReport) -> Int
    ) {
      text.add(
        "haproxy_backend_\(name)", kind, help,
        backends.map { MetricSample([("proxy", $0.name)], value($0)) })
    }
    text.add(
      "haproxy_backend_status", .gauge, "1 for the state that the backend is in.",
      backends.flatMap { backend in
        [("DOWN", backend.usableServers == 0), ("UP", backend.usableServers > 0)].map {
          MetricSample([("proxy", backend.name), ("state", $0.0)], $0.1)
        }
      })
    addTraffic("backend", backends.map { ([("proxy", $0.name)], $0.traffic) }, to: &text)
    addAborts("backend", backends.map { ([("proxy", $0.name)], $0.traffic) }, to: &text)
    each("current_queue", .gauge, "Sessions that wait.") { $0.queued }
    each("connection_errors_total", .counter, "Failed connections to servers.") {
      $0.servers.reduce(0) { $0 + $1.connectFailures }
    }
    each("retry_warnings_total", .counter, "Connections tried again.") { $0.retries }
    each("redispatch_warnings_total", .counter, "Sessions that moved to another server.") {
      $0.redispatches
    }
    each("active_servers", .gauge, "Usable servers that are no backups.") {
      $0.servers.count { $0.state == .up && !$0.isBackup }
    }
    each("backup_servers", .gauge, "Usable backup servers.") {
      $0.servers.count { $0.state == .up && $0.isBackup }
    }
    each("weight", .gauge, "Weight of usable servers.") {
      $0.servers.reduce(0) { $0 + ($1.state == .up ? $1.weight : 0) }
    }
  }

  private static func addServers(
    _ backends: [BackendReport], _ vocabulary: MetricsVocabulary, to text: inout MetricsText
  ) {
    let servers = backends.flatMap { backend in
      backend.servers.map {
        (labels: [("proxy", backend.name), ("server", $0.name)] as Labels, report: $0)
      }
    }
    func each(
      _ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (ServerReport) -> Int
    ) {
      text.add(
        "haproxy_server_\(name)", kind, help,
        servers.map { MetricSample($0.labels, value($0.report)) })
    }
    text.add(
      "haproxy_server_status", .gauge, "1 for the state that the server is in.",
      servers.flatMap { server in
        ["DOWN", "UP", "MAINT", "DRAIN", "NOLB"].map {
          MetricSample(server.labels + [("state", $0)], word(server.report.state) == $0)
        }
      })
    let parts = servers.map { (labels: $0.labels, traffic: $0.report.traffic) }
    addTraffic("server", parts, to: &text)
    addAborts("server", parts, to: &text)
    each("current_queue", .gauge, "Sessions that wait for this server.") { $0.queued }
    each("connection_errors_total", .counter, "Failed connections.") { $0.connectFailures }
    each("weight", .gauge, "Weight.") { $0.weight }
    let checked = servers.filter { $0.report.check != nil }
    text.add(
      "haproxy_server_check_status", .gauge, "1 for how the last check ended.",
      checked.flatMap { server in
        vocabulary.checkResults.map {
          MetricSample(server.labels + [("state", $0)], server.report.check?.status == $0)
        }
      })
    text.add(
      "haproxy_server_check_duration_seconds", .gauge, "How long the last check took.",
      checked.map {
        MetricSample($0.labels, Double($0.report.check?.duration_ms ?? 0) / 1000)
      })
  }

  private static func word(_ state: ServerReport.State) -> String {
    switch state {
    case .up: "UP"
    case .down: "DOWN"
    case .stopping, .draining: "NOLB"
    case .maintenance: "MAINT"
    case .drained: "DRAIN"
    }
  }

  // MARK: Common parts

  private static func addTraffic(_ kind: String, _ parts: Parts, to text: inout MetricsText) {
    func each(
      _ name: String, _ type: MetricsText.Kind, _ help: String,
      _ value: (TrafficReport) -> Double
    ) {
      text.add(
        "haproxy_\(kind)_\(name)", type, help,
        parts.map { MetricSample($0.labels, value($0.traffic)) })
    }
    each("current_sessions", .gauge, "Sessions that are open.") { Double($0.sessions) }
    each("max_sessions", .gauge, "The most that were open.") { Double($0.sessionsMaximum) }
    each("sessions_total", .counter, "Sessions since the start.") { Double($0.total) }
    each("current_session_rate", .gauge, "Sessions per second, lately.") { $0.rate }
    each("bytes_in_total", .counter, "Bytes from clients.") { Double($0.bytesIn) }
    each("bytes_out_total", .counter, "Bytes to clients.") { Double($0.bytesOut) }
  }

  private static func addAborts(_ kind: String, _ parts: Parts, to text: inout MetricsText) {
    func each(_ name: String, _ help: String, _ ends: [String]) {
      text.add(
        "haproxy_\(kind)_\(name)", .counter, help,
        parts.map { part in
          MetricSample(part.labels, ends.reduce(0) { $0 + (part.traffic.ends?[$1] ?? 0) })
        })
    }
    each(
      "client_aborts_total", "Sessions that clients gave up.",
      ["client_abort", "client_abort_queued", "client_abort_connecting"])
    each("server_aborts_total", "Sessions that servers gave up.", ["server_abort"])
  }
}
