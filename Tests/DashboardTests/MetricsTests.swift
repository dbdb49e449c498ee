// The metrics' text, and what is shipped that names them.

import Control
import Foundation
import Testing

@testable import Dashboard

@Suite struct MetricsTests {
  private let vocabulary = MetricsVocabulary(
    sessionEnds: ["complete", "client_abort"], dropReasons: ["bad-checksum"],
    checkResults: ["L4OK", "L4CON"], pathStates: ["healthy", "unhealthy"])

  private var report: StatusReport {
    var report = StatusReport(program: "0.1.0", pid: 1, started: 100, now: 160)
    report.accepted = 7
    var traffic = TrafficReport()
    traffic.total = 7
    traffic.ends = ["complete": 6, "client_abort": 1]
    var router = RouterReport(
      name: "VI_1", id: 51, interface: "eth0", addresses: ["10.0.0.179/26"], state: "master",
      since: 120.5, reason: "init", priority: 150, standing: "", master: "this node", faults: [],
      advertsSent: 3, advertsReceived: 0, drops: ["bad-checksum": 2])
    router.takeover = 0.34
    router.health = "unhealthy"
    router.transitions = [TransitionReport(state: "master", cause: "master_down", count: 2)]
    report.routers = [router]
    report.frontends = [
      ProxyReport(
        name: "edge \"x\"\\", addresses: ["0.0.0.0:1"], backend: "b", isDisabled: false,
        traffic: traffic)
    ]
    var server = ServerReport(
      name: "s", address: "10.0.0.1:1", state: .drained, isDrained: true, isBackup: false,
      weight: 1, since: 130,
      check: CheckResultReport(
        status: "L4OK", words: "ok", duration_ms: 3, health: 1, rise: 2, fall: 3),
      isChecked: true, queued: 0, connectFailures: 4, traffic: traffic)
    server.connectTimes = HistogramReport(bounds: [0.001, 0.25], counts: [3, 2, 1], sum: 1.5)
    server.checks = ["L4OK": 9]
    report.backends = [
      BackendReport(
        name: "b", isDisabled: false, usableServers: 0, queued: 0, retries: 0, redispatches: 0,
        isFailedOpen: true, failOpens: 2, traffic: traffic, servers: [server])
    ]
    return report
  }

  private var text: String {
    FairleadMetrics.text(report, vocabulary, ProcessReadings.now)
  }

  @Test func linesAreWhatPrometheusReads() {
    let lines = Set(text.split(separator: "\n").map(String.init))
    for line in [
      #"fairlead_accepted_connections_total 7"#,
      #"fairlead_router_state{router="VI_1",state="master"} 1"#,
      #"fairlead_router_state{router="VI_1",state="backup"} 0"#,
      #"fairlead_router_path_state{router="VI_1",state="unhealthy"} 1"#,
      #"fairlead_router_path_state{router="VI_1",state="healthy"} 0"#,
      #"fairlead_backend_failed_open{backend="b"} 1"#,
      #"fairlead_backend_fail_opens_total{backend="b"} 2"#,
      #"fairlead_virtual_address_held{router="VI_1",address="10.0.0.179/26"} 1"#,
      #"fairlead_router_state_change_timestamp_seconds{router="VI_1"} 120.5"#,
      #"fairlead_router_last_takeover_duration_seconds{router="VI_1"} 0.34"#,
      #"fairlead_router_dropped_packets_total{router="VI_1",reason="bad-checksum"} 2"#,
      #"fairlead_router_transitions_total{router="VI_1",state="master",cause="master_down"} 2"#,
      #"fairlead_frontend_sessions_total{frontend="edge \"x\"\\"} 7"#,
      #"fairlead_frontend_session_ends_total{frontend="edge \"x\"\\",reason="client_abort"} 1"#,
      #"fairlead_server_state{backend="b",server="s",state="drained"} 1"#,
      #"fairlead_server_up{backend="b",server="s"} 0"#,
      #"fairlead_server_connect_duration_seconds_bucket{backend="b",server="s",le="0.001"} 3"#,
      #"fairlead_server_connect_duration_seconds_bucket{backend="b",server="s",le="0.25"} 5"#,
      #"fairlead_server_connect_duration_seconds_bucket{backend="b",server="s",le="+Inf"} 6"#,
      #"fairlead_server_connect_duration_seconds_sum{backend="b",server="s"} 1.5"#,
      #"fairlead_server_connect_duration_seconds_count{backend="b",server="s"} 6"#,
      #"fairlead_server_checks_total{backend="b",server="s",result="L4OK"} 9"#,
      #"fairlead_server_checks_total{backend="b",server="s",result="L4CON"} 0"#,
      #"fairlead_server_last_check_duration_seconds{backend="b",server="s"} 0.003"#,
    ] {
      #expect(lines.contains(line), "\(line)")
    }
  }

  @Test func everyFamilyHasHelpAndTypeOnce() {
    for text in [text, HAProxyMetrics.text(report, vocabulary)] {
      var names: [Substring] = []
      for line in text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
        let words = line.split(separator: " ")
        names.append(words[2])
        #expect((words[3] == "counter") == words[2].hasSuffix("_total"), "\(line)")
      }
      #expect(Set(names).count == names.count)
      #expect(names.count == text.split(separator: "\n").count { $0.hasPrefix("# HELP ") })
    }
  }

  @Test func haproxysNames() {
    let text = HAProxyMetrics.text(report, vocabulary)
    let lines = Set(text.split(separator: "\n").map(String.init))
    for line in [
      #"haproxy_process_uptime_seconds 60"#,
      #"haproxy_server_status{proxy="b",server="s",state="DRAIN"} 1"#,
      #"haproxy_server_check_status{proxy="b",server="s",state="L4OK"} 1"#,
      #"haproxy_server_client_aborts_total{proxy="b",server="s"} 1"#,
      #"haproxy_backend_status{proxy="b",state="DOWN"} 1"#,
    ] {
      #expect(lines.contains(line), "\(line)")
    }
  }

  @Test(arguments: [
    "grafana-dashboard.json", "prometheus-alerts.yaml", "prometheus-alerts-test.yaml",
  ])
  func whatIsShippedNamesMetricsThatAre(file: String) throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Packaging/\(file)")
    let shipped = try String(contentsOf: path, encoding: .utf8)
    var known: Set<String> = []
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      known.insert(String(line.prefix { $0 != "{" && $0 != " " }))
    }
    let named = Set(shipped.matches(of: /fairlead_[a-z_]+/).map { String($0.output) })
    #expect(named.count > 5)
    #expect(named.subtracting(known) == [])
  }

  @Test func thePageIsWhole() {
    let page = PageText.text(nonce: "n")
    #expect(page.contains("<style nonce=\"n\">\n:root"))
    #expect(page.contains("<script nonce=\"n\">\n'use strict'"))
    #expect(!page.contains("<!-- "))
    // Nothing from elsewhere; namespaces are names.
    let addresses = page.matches(of: /https?:\/\/[^"' ]+/).map { String($0.output) }
    #expect(addresses.allSatisfy { $0.hasPrefix("http://www.w3.org/") })
  }
}
