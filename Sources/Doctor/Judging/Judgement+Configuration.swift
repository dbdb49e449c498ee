// What the files alone say: timeouts, checks, numbers of servers, times of a takeover.

import Configuration
import VRRP

extension Judgement {
  /// A session may be silent for this long without being cut: `kubectl exec`, `logs -f` and
  /// watches of quiet objects say nothing for minutes.
  static let shortestIdle_s = 600.0
  /// A dead server that gets sessions for longer than this is noticed by people first.
  static let longestDetection_s = 10.0
  /// What version 2 needs at least for a takeover, with an interval of one second.
  static let slowTakeover_s = 3.0

  static func configuration(_ subject: Subject, _ facts: Facts) -> [Finding] {
    if subject.frontends.isEmpty, subject.routers.isEmpty {
      return [
        Finding(
          .nothingConfigured, "files",
          "no frontend that runs and no virtual router is in them: nothing could be examined",
          remedy: "Name the files that 'fairlead run' gets: 'fairlead verify FILE…'.")
      ]
    }
    var findings: [Finding] = []
    for backend in subject.apiBackends {
      findings += timeouts(of: backend, subject)
      findings += check(of: backend)
      findings += serverCount(of: backend)
    }
    findings += loops(subject, facts)
    findings += unserved(subject)
    findings += equalPriorities(subject)
    findings += subject.routers.map { takeover($0, subject.document) }
    return findings
  }

  // MARK: Timeouts

  private static func timeouts(of backend: Backend, _ subject: Subject) -> [Finding] {
    subject.frontends(of: backend).map { frontend in
      let tunnel = backend.timeoutTunnel
      let client = tunnel ?? frontend.timeoutClient
      let server = tunnel ?? backend.timeoutServer
      let name = tunnel == nil ? nil : "timeout tunnel"
      let limits = [(name ?? "timeout client", client), (name ?? "timeout server", server)]
      let said = limits.compactMap { name, limit in
        limit.map { "\(name) \(Words.span($0))" }
      }
      let words = tunnel == nil ? said.joined(separator: ", ") : said.first ?? ""
      let shortest = [client, server].compactMap { $0 }.map(Words.seconds).min()
      if let shortest, shortest < shortestIdle_s {
        return Finding(
          .timeoutShort, frontend.name,
          "sessions that are silent for \(Words.span(shortest)) are cut (\(words)): 'kubectl exec',"
            + " 'logs -f' and quiet watches end",
          remedy: "Set 'timeout client' and 'timeout server', or 'timeout tunnel', to 10m or more"
            + " (idleTimeout in a fairlead.yaml, whose default is 5h).")
      }
      if client == nil, server == nil, !frontend.keepalive.enabled {
        return Finding(
          .timeoutMissing, frontend.name,
          "sessions never end by silence, and vanished clients are not looked for",
          remedy: "Set 'option clitcpka' and 'option srvtcpka', or a 'timeout tunnel' of hours.")
      }
      return Finding(
        .timeoutsGood, frontend.name,
        words.isEmpty ? "sessions may be silent for ever" : "sessions may be silent: \(words)")
    }
  }

  // MARK: Checks

  private static func check(of backend: Backend) -> [Finding] {
    let active = backend.servers.filter { !$0.isDisabled }
    let unchecked = active.filter { $0.check == nil && $0.track == nil }
    var findings: [Finding] = []
    if !unchecked.isEmpty {
      let names = Words.list(unchecked.map(\.name))
      findings.append(
        Finding(
          .checkMissing, backend.name,
          "\(names): not checked, so a dead server goes on getting its share of the sessions",
          remedy: "Add 'check' to the server lines and 'option httpchk GET /readyz' to the"
            + " backend (check: in a fairlead.yaml)."))
    }
    guard active.contains(where: { $0.check != nil }) else { return findings }
    if let slow = slowest(active, backend) { findings.append(slow) }
    findings.append(depth(of: backend))
    return findings
  }

  private static func depth(of backend: Backend) -> Finding {
    let nature = CheckNature(backend)
    let remedy =
      "Ask for readiness: 'option httpchk GET /readyz', 'http-check expect status 200,401,403' and"
      + " 'check-ssl verify none' (check: {type: https} in a fairlead.yaml)."
    if let statuses = nature.statuses {
      if statuses.contains(500) || statuses.contains(503) {
        return Finding(
          .checkSuperficial, backend.name,
          "the check takes errors of the server (500, 503) for health", remedy: remedy)
      }
    } else if !nature.expectsContent {
      return Finding(
        .checkSuperficial, backend.name,
        "the check only looks whether the port \(nature.isTLS ? "speaks TLS" : "is open"), which it"
          + " does while the API hangs or shuts down",
        remedy: remedy)
    }
    if let path = nature.path, path != "/readyz", !path.hasPrefix("/readyz/") {
      return Finding(
        .checkPath, backend.name,
        "the check asks for \(path); only /readyz turns red before an API server stops",
        remedy: "Ask for /readyz ('option httpchk GET /readyz').")
    }
    return Finding(
      .checkGood, backend.name,
      nature.path.map { "the check asks for \($0)" } ?? "the check compares the answer")
  }

  /// How long a server that hangs from now on may get sessions: a check was just done, and each
  /// of the next runs into its timeout.
  static func detection_s(_ check: ServerCheck, timeout: Duration?) -> Double {
    let interval = Words.seconds(check.interval)
    let fast = Words.seconds(check.fastInterval ?? check.interval)
    let timeout = timeout.map(Words.seconds) ?? interval
    let more = Double(max(0, check.fall - 1))
    if let hedge = check.hedgeAfter.map(Words.seconds), hedge < timeout {
      return interval + timeout + more * hedge
    }
    return interval + timeout + more * max(fast, timeout)
  }

  private static func slowest(_ servers: [Server], _ backend: Backend) -> Finding? {
    let times = servers.compactMap(\.check).map { detection_s($0, timeout: backend.timeoutCheck) }
    guard let slowest = times.max(), slowest > longestDetection_s else { return nil }
    return Finding(
      .checkSlow, backend.name,
      "a server that hangs gets sessions for up to \(Words.span(slowest)) before its checks say so",
      remedy: "Shorten them: 'default-server inter 1s fall 3' and 'timeout check 2s' find it within"
        + " 7 s.")
  }

  // MARK: Servers and addresses

  private static func serverCount(of backend: Backend) -> [Finding] {
    let usable = backend.servers.filter { !$0.isDisabled }
    guard usable.count == 1 else { return [] }
    return [
      Finding(
        .serverSingle, backend.name,
        "\(usable[0].name) is the only server: when it stops, so does the API",
        remedy: "Add the other API servers, or accept this for a cluster with one.")
    ]
  }

  /// A server that is this very proxy.
  private static func loops(_ subject: Subject, _ facts: Facts) -> [Finding] {
    let virtual = Set(subject.virtualIPs)
    let local = Set(facts.interfaces.flatMap { $0.addresses.map(\.address) }).union(virtual)
    return subject.backends.flatMap { backend in
      let listening = subject.frontends(of: backend).flatMap(Subject.listening)
      return backend.servers.compactMap { server -> Finding? in
        guard case .ip(let address) = server.host, case .fixed(let port) = server.port,
          !server.isDisabled, local.contains(address),
          listening.contains(where: { $0.port == port && $0.address.overlaps(address) })
        else { return nil }
        let what = virtual.contains(address) ? "the virtual address" : "this node"
        return Finding(
          .serverLoop, "\(backend.name)/\(server.name)",
          "\(address):\(port) is \(what), where the frontend itself listens: sessions go round in"
            + " circles",
          remedy: "Give the server's own address and port, and let frontend and server listen on"
            + " different addresses or ports.")
      }
    }
  }

  private static func unserved(_ subject: Subject) -> [Finding] {
    guard !subject.frontends.isEmpty else { return [] }
    let listening = subject.frontends.flatMap(Subject.listening)
    return subject.virtualIPs.compactMap { address in
      let serves = listening.contains { bound, _, bind in
        bound == address
          || bound.isUnspecified && bound.overlaps(address)
            && !(bind.familyMode == .v6only && address.family == .v4)
      }
      if serves { return nil }
      return Finding(
        .addressUnserved, "\(address)", "no frontend listens on it, so connections are refused",
        remedy: "Bind a frontend to it or to every address of its family ('bind"
          + " \(address.family == .v4 ? "*" : ":::"):6443').")
    }
  }

  // MARK: Elections

  private static func equalPriorities(_ subject: Subject) -> [Finding] {
    (subject.document?.virtualAddresses ?? []).compactMap { virtual in
      var nodes: [UInt8: [String]] = [:]
      for member in virtual.nodes ?? [] {
        if let priority = member.priority { nodes[priority, default: []].append(member.node) }
      }
      let equal = nodes.filter { $0.value.count > 1 }.sorted { $0.key > $1.key }
      guard let first = equal.first else { return nil }
      return Finding(
        .priorityEqual, virtual.effectiveName,
        "\(first.value.joined(separator: " and ")) have priority \(first.key) both: the higher"
          + " address wins, after a fight",
        remedy: "Give each node a priority of its own, at least 2 apart.")
    }
  }

  private static func takeover(_ router: VirtualRouter, _ document: NativeDocument?) -> Finding {
    let interval_us = Int64(Words.seconds(router.advertisementInterval) * 1e6)
    let time_s =
      Double(
        Timing.masterDown_us(
          version: router.version == .v2 ? .v2 : .v3, priority: router.priority,
          masterInterval_us: interval_us, adverts: router.downTimerAdverts)) / 1e6
    let words =
      "VRID \(router.id) on \(router.interface), version \(router.version.rawValue), priority"
      + " \(router.priority): this node takes over \(Words.span(time_s)) after a master's last"
      + " advert"
    if router.version == .v2, time_s > slowTakeover_s {
      if document != nil {
        let key = router.password == nil ? "version: 2" : "password"
        return Finding(
          .takeoverSlow, router.name, words + "; version 2 counts in whole seconds",
          remedy: "Remove '\(key)' on all nodes at once: version 3 takes less than half a second.",
          severity: .warning)
      }
      return Finding(
        .takeoverSlow, router.name, words + "; version 2 counts in whole seconds",
        remedy: "For less, use 'version 3' with 'advert_int 0.1' and no 'authentication' on all"
          + " nodes at once.")
    }
    return Finding(.takeover, router.name, words)
  }
}
