// Fairlead's own metrics: a status as Prometheus text.

import Control

enum FairleadMetrics {
  typealias Labels = [(name: String, value: String)]

  static func text(
    _ report: StatusReport, _ vocabulary: MetricsVocabulary, _ readings: ProcessReadings
  ) -> String {
    var text = MetricsText()
    addProcess(report, readings, to: &text)
    addRouters(report.routers, vocabulary, to: &text)
    addFrontends(report.frontends, vocabulary, to: &text)
    addBackends(report.backends, vocabulary, to: &text)
    let servers = report.backends.flatMap { backend in
      backend.servers.map { server in
        Server(
          labels: [("backend", backend.name), ("server", server.name)], report: server)
      }
    }
    addServers(servers, vocabulary, to: &text)
    addChecks(servers, vocabulary, to: &text)
    return text.text
  }

  // MARK: Process

  private static func addProcess(
    _ report: StatusReport, _ readings: ProcessReadings, to text: inout MetricsText
  ) {
    func one(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: Double) {
      text.add(name, kind, help, [MetricSample([], value)])
    }
    text.add(
      "fairlead_build_info", .gauge, "Version of the program; always 1.",
      [MetricSample([("version", report.program)], 1)])
    one("fairlead_workers", .gauge, "Worker threads.", Double(report.workers))
    one("fairlead_open_sessions", .gauge, "Sessions that are open.", Double(report.sessions))
    one(
      "fairlead_session_limit", .gauge, "Sessions that may be open at once.",
      Double(report.sessionLimit))
    one(
      "fairlead_accepted_connections_total", .counter, "Connections accepted.",
      Double(report.accepted))
    one(
      "process_start_time_seconds", .gauge, "Start of the process, since 1970.", report.started)
    one("process_cpu_seconds_total", .counter, "Processor time used.", readings.cpu_s)
    one(
      "process_resident_memory_bytes", .gauge, "Memory in use.",
      Double(readings.resident_bytes))
    one(
      "process_virtual_memory_bytes", .gauge, "Address space in use.",
      Double(readings.virtual_bytes))
    one("process_open_fds", .gauge, "Open descriptors.", Double(readings.openDescriptors))
    one("process_max_fds", .gauge, "Limit of open descriptors.", Double(readings.descriptorLimit))
  }

  // MARK: Virtual routers

  private static let routerStates = ["initialize", "backup", "master", "fault"]

  private static func addRouters(
    _ routers: [RouterReport], _ vocabulary: MetricsVocabulary, to text: inout MetricsText
  ) {
    func each(
      _ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (RouterReport) -> Double
    ) {
      text.add(
        name, kind, help, routers.map { MetricSample([("router", $0.name)], value($0)) })
    }
    text.add(
      "fairlead_router_state", .gauge, "1 for the state that the virtual router is in.",
      routers.flatMap { router in
        routerStates.map {
          MetricSample([("router", router.name), ("state", $0)], router.state == $0)
        }
      })
    text.add(
      "fairlead_virtual_address_held", .gauge, "Whether this node holds the virtual address.",
      routers.flatMap { router in
        router.addresses.map {
          MetricSample([("router", router.name), ("address", $0)], router.state == "master")
        }
      })
    // A router that does not follow the proxy has none of these states, unless drained.
    text.add(
      "fairlead_router_path_state", .gauge, "1 for what this node is worth as the holder.",
      routers.flatMap { router in
        vocabulary.pathStates.map {
          MetricSample([("router", router.name), ("state", $0)], router.health == $0)
        }
      })
    each("fairlead_router_priority", .gauge, "Effective priority.") { Double($0.priority) }
    each("fairlead_router_faults", .gauge, "Things that keep the router in fault.") {
      Double($0.faults.count)
    }
    each(
      "fairlead_router_state_change_timestamp_seconds", .gauge,
      "Last change of state, since 1970."
    ) { $0.since }
    text.add(
      "fairlead_router_last_takeover_duration_seconds", .gauge,
      "From another node's last advertisement to this node's last takeover.",
      routers.compactMap { router in
        router.takeover.map { MetricSample([("router", router.name)], $0) }
      })
    each("fairlead_router_sent_adverts_total", .counter, "Advertisements sent.") {
      Double($0.advertsSent)
    }
    each("fairlead_router_received_adverts_total", .counter, "Advertisements accepted.") {
      Double($0.advertsReceived)
    }
    text.add(
      "fairlead_router_dropped_packets_total", .counter, "Packets refused, by reason.",
      routers.flatMap { router in
        vocabulary.dropReasons.map {
          MetricSample([("router", router.name), ("reason", $0)], router.drops[$0] ?? 0)
        }
      })
    text.add(
      "fairlead_router_transitions_total", .counter, "Changes into a state, by cause.",
      routers.flatMap { router in
        (router.transitions ?? []).map {
          MetricSample(
            [("router", router.name), ("state", $0.state), ("cause", $0.cause)], $0.count)
        }
      })
  }

  // MARK: Frontends and backends

  private static func addFrontends(
    _ frontends: [ProxyReport], _ vocabulary: MetricsVocabulary, to text: inout MetricsText
  ) {
    text.add(
      "fairlead_frontend_enabled", .gauge, "Whether the frontend accepts connections.",
      frontends.map { MetricSample([("frontend", $0.name)], !$0.isDisabled) })
    addTraffic(
      "frontend", "clients", frontends.map { ([("frontend", $0.name)], $0.traffic) }, vocabulary,
      to: &text)
  }

  private static func addBackends(
    _ backends: [BackendReport], _ vocabulary: MetricsVocabulary, to text: inout MetricsText
  ) {
    func each(
      _ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (BackendReport) -> Int
    ) {
      text.add(
        name, kind, help, backends.map { MetricSample([("backend", $0.name)], value($0)) })
    }
    each("fairlead_backend_servers", .gauge, "Configured servers.") { $0.servers.count }
    each(
      "fairlead_backend_usable_servers", .gauge, "Servers that take new sessions, ready or not."
    ) { $0.usableServers }
    each(
      "fairlead_backend_failed_open", .gauge,
      "Whether no server is ready, and some take sessions nevertheless."
    ) { $0.isFailedOpen ? 1 : 0 }
    each("fairlead_backend_fail_opens_total", .counter, "Times that it began to fail open.") {
      $0.failOpens
    }
    each("fairlead_backend_queued_sessions", .gauge, "Sessions that wait for any server.") {
      $0.queued
    }
    each("fairlead_backend_retries_total", .counter, "Connections tried again.") { $0.retries }
    each(
      "fairlead_backend_redispatches_total", .counter, "Sessions that moved to another server."
    ) { $0.redispatches }
    addTraffic(
      "backend", "clients", backends.map { ([("backend", $0.name)], $0.traffic) }, vocabulary,
      to: &text)
  }

  /// What frontends, backends and servers have in common.
  static func addTraffic(
    _ kind: String, _ peer: String, _ parts: [(Labels, TrafficReport)],
    _ vocabulary: MetricsVocabulary, to text: inout MetricsText
  ) {
    func each(
      _ name: String, _ type: MetricsText.Kind, _ help: String, _ value: (TrafficReport) -> Int
    ) {
      text.add(
        "fairlead_\(kind)_\(name)", type, help,
        parts.map { MetricSample($0.0, value($0.1)) })
    }
    each("open_sessions", .gauge, "Sessions that are open.") { $0.sessions }
    each("open_sessions_peak", .gauge, "The most that were open at once.") { $0.sessionsMaximum }
    each("sessions_total", .counter, "Sessions since the start.") { $0.total }
    each("received_bytes_total", .counter, "Bytes from \(peer).") {
      $0.bytesIn
    }
    each("sent_bytes_total", .counter, "Bytes to \(peer).") { $0.bytesOut }
    text.add(
      "fairlead_\(kind)_session_ends_total", .counter, "Ended sessions, by how they ended.",
      parts.flatMap { labels, traffic in
        vocabulary.sessionEnds.map {
          MetricSample(labels + [("reason", $0)], traffic.ends?[$0] ?? 0)
        }
      })
  }
}
