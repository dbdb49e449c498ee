// From drafts to the model, with the checks that need more than one line.

extension HAProxyParser {
  func assemble() -> ProxyConfiguration {
    var result = ProxyConfiguration(global: global)
    var served: [ProxyDraft] = []
    for draft in proxies where accepts(draft) { served.append(draft) }
    let backends = served.filter { $0.kind.hasBackend }
    let names = Set(backends.map(\.name))
    for draft in served {
      reportLeftovers(draft)
      if draft.kind.hasFrontend { result.frontends.append(frontend(draft, backends: names)) }
      if draft.kind.hasBackend { result.backends.append(backend(draft)) }
      reportTimeouts(draft)
    }
    checkListeners(served)
    checkIdentifiers(served)
    resolveTracking(&result, served)
    result.resolvers = resolvers.map(\.section)
    if served.isEmpty, errorCount == 0 {
      diagnostics.append(
        Diagnostic(
          .warning, file: fileOrder.min { $0.value < $1.value }?.key ?? "", line: 0, column: 0,
          message: "no 'frontend' or 'listen' in 'mode tcp': there is nothing to serve"))
    }
    return result
  }

  /// Whether a proxy is part of the model. `mode http` is refused where traffic would pass, and
  /// left out where only pages would be served.
  private func accepts(_ draft: ProxyDraft) -> Bool {
    guard draft.settings.mode == .http else { return true }
    if draft.settings.isDisabled { return false }
    let settings = draft.settings
    let carries =
      !draft.servers.isEmpty || draft.useBackend != nil || draft.hasConditionalBackend
      || draft.dispatch != nil || draft.kind != .backend && settings.defaultBackend != nil
    let mode = settings.modePlace
    guard carries else {
      let what =
        draft.httpOnly.isEmpty ? "" : " (\(draft.httpOnly.map(\.name).joined(separator: ", ")))"
      report(
        .warning, at: draft.place,
        "\(draft.title) in 'mode http' is not served yet\(what): its "
          + "addresses are not bound")
      return false
    }
    let origin =
      mode.map { $0.source.number == draft.place.source.number + 1 ? "" : " (set at \($0.text))" }
      ?? ""
    report(
      .error, at: draft.place,
      "\(draft.title) is in 'mode http'\(origin); only 'mode tcp' is "
        + "supported: use 'mode tcp', TLS and HTTP pass through untouched")
    return false
  }

  /// Section 1.2: HTTP leftovers in a TCP proxy, as HAProxy words them.
  private func reportLeftovers(_ draft: ProxyDraft) {
    for item in draft.httpOnly {
      let message =
        switch item.name {
        case "stats": "'stats' statement ignored for \(draft.title) as it requires HTTP mode."
        case "cookie", "monitor-uri", "monitor":
          "\(item.name) will be ignored for \(draft.title) (needs 'mode http')."
        default: "'\(item.name)' rules ignored for \(draft.title) as they require HTTP mode."
        }
      report(.warning, at: item.place, message)
    }
    let settings = draft.settings
    if settings.forwardFor {
      report(
        .warning, at: draft.place,
        "'option forwardfor' ignored for \(draft.title) as it "
          + "requires HTTP mode.")
    }
    for name in settings.inheritedHTTP.sorted() {
      let known = draft.httpOnly.contains { $0.name == name }
      guard !known, name == "cookie" ? draft.kind.hasBackend : draft.kind.hasFrontend else {
        continue
      }
      report(
        .warning, at: draft.place,
        "\(name) will be ignored for \(draft.title) (needs 'mode http').")
    }
    if let place = settings.layer7Balance, draft.kind.hasBackend {
      report(
        .warning, at: place,
        "Layer 7 hash not possible for \(draft.title) (needs 'mode http'). "
          + "Falling back to round robin.")
    }
    if draft.kind.hasFrontend, let place = settings.logLinePlace {
      if case .httplog = settings.logLine {
        report(
          .warning, at: place,
          "'option httplog' not usable with \(draft.title) (needs 'mode "
            + "http'). Falling back to 'option tcplog'.")
      }
      if settings.logs.isEmpty {
        report(
          .warning, at: place, "log format ignored for \(draft.title) since it has no log address.")
      }
    }
    guard let place = settings.transparent, draft.kind.hasBackend else { return }
    if draft.servers.isEmpty, draft.dispatch == nil {
      report(
        .error, at: place,
        "'option transparent' without servers is not supported; write "
          + "'server origin *' to reach the address the client asked for")
    } else {
      report(.note, at: place, "'option transparent' has no effect here: there are servers")
    }
  }

  /// HAProxy's condition, naming those that are missing.
  private func reportTimeouts(_ draft: ProxyDraft) {
    // After an error the list would name what a broken line meant to set.
    guard !draft.settings.isDisabled, errorCount == 0 else { return }
    let set = draft.settings.timeouts
    var missing: [String] = []
    if draft.kind.hasFrontend, set[.client] == nil { missing.append("client") }
    if draft.kind.hasBackend, !draft.servers.isEmpty || draft.dispatch != nil {
      if set[.connect] == nil { missing.append("connect") }
      if set[.server] == nil, set[.tunnel] == nil { missing.append("server") }
    }
    guard !missing.isEmpty else { return }
    let list = missing.map { "'timeout \($0)'" }.joined(separator: ", ")
    report(
      .warning, at: draft.place,
      "missing timeouts for \(draft.title): without \(list) a silent "
        + "peer holds its session for ever")
  }

  private func frontend(_ draft: ProxyDraft, backends: Set<String>) -> Frontend {
    let settings = draft.settings
    var result = Frontend(name: draft.name)
    result.isListen = draft.kind == .listen
    result.binds = draft.binds.map(\.bind)
    result.maxconn = settings.maxconn
    result.backlog = settings.backlog
    result.sessionRateLimit = settings.sessionRateLimit
    result.timeoutClient = settings.timeouts[.client]
    result.timeoutClientFin = settings.timeouts[.clientFin]
    result.keepalive = settings.clientKeepalive
    result.keepalive.enabled = !settings.flags.isDisjoint(with: ["clitcpka", "tcpka"])
    result.noLinger = settings.flags.contains("nolinger")
    result.isDisabled = settings.isDisabled
    result.id = draft.id
    result.description = draft.description
    result.log = accessLog(settings)
    let target = draft.useBackend ?? settings.defaultBackend
    result.defaultBackend = target?.name ?? (result.isListen ? draft.name : nil)
    if let target, !backends.contains(target.name) { reportBackend(target, draft) }
    if result.isListen, let target, target.name == draft.name {
      report(.error, at: target.place, "\(draft.title): loop detected for backend '\(target.name)'")
    }
    if result.binds.isEmpty, !result.isDisabled, !draft.triedToBind {
      report(
        .error, at: draft.place,
        "\(draft.title) has no 'bind' directive; add one, or declare it "
          + "as a backend if this was intended")
    }
    if target == nil, draft.kind == .frontend, !result.isDisabled {
      report(
        .warning, at: draft.place,
        "\(draft.title) has no 'default_backend': every session ends "
          + "at once")
    }
    return result
  }

  private func reportBackend(_ target: (name: String, place: Place), _ draft: ProxyDraft) {
    let others = errorCount < 100 ? proxies.filter { $0.kind.hasBackend } : []
    // One that is there but refused has been reported already.
    guard !others.contains(where: { $0.name == target.name }) else {
      let other = others.first { $0.name == target.name }
      if other.map({ $0.settings.mode == .http }) ?? false {
        report(
          .error, at: target.place,
          "\(draft.title) tries to use '\(target.name)', which is not "
            + "served because of its 'mode http'")
      }
      return
    }
    let near = Spelling.nearest(to: target.name, among: others.map(\.name))
    report(
      .error, at: target.place,
      "\(draft.title): unable to find required backend "
        + "'\(target.name)'" + HAProxyParser.hint(near))
  }

  private func accessLog(_ settings: ProxySettings) -> AccessLogSettings {
    var result = AccessLogSettings()
    result.targets = settings.logs.map(\.target)
    result.tag = settings.logTag
    switch settings.logLine {
    case .unset: result.format = .basic
    case .tcplog, .httplog: result.format = .tcplog
    case .custom(let items): result.format = .custom(items)
    }
    result.dontLogNull = settings.flags.contains("dontlognull")
    result.dontLogNormal = settings.flags.contains("dontlog-normal")
    result.separateErrors = settings.flags.contains("log-separate-errors")
    result.logASAP = settings.flags.contains("logasap")
    return result
  }

  private func backend(_ draft: ProxyDraft) -> Backend {
    let settings = draft.settings
    var result = Backend(name: draft.name)
    result.isListen = draft.kind == .listen
    result.balance = settings.balance
    result.hashType = settings.hashType
    result.timeoutConnect = settings.timeouts[.connect]
    result.timeoutServer = settings.timeouts[.server]
    result.timeoutServerFin = settings.timeouts[.serverFin]
    result.timeoutQueue = settings.timeouts[.queue]
    result.timeoutTunnel = settings.timeouts[.tunnel]
    result.timeoutCheck = settings.timeouts[.check]
    result.retries = settings.retries
    result.redispatch = settings.redispatch
    result.fullconn = settings.fullconn
    result.abortOnClose = settings.flags.contains("abortonclose")
    result.allBackups = settings.flags.contains("allbackups")
    result.keepalive = settings.serverKeepalive
    result.keepalive.enabled = !settings.flags.isDisjoint(with: ["srvtcpka", "tcpka"])
    result.noLinger = settings.flags.contains("nolinger")
    result.logHealthChecks = settings.flags.contains("log-health-checks")
    result.logTargets = settings.logs.map(\.target)
    result.logTag = settings.logTag
    result.source = settings.source
    result.isDisabled = settings.isDisabled
    result.id = draft.id
    result.description = draft.description
    result.check = checkMethod(draft)
    var servers = draft.servers
    if let dispatch = draft.dispatch {
      if servers.isEmpty {
        servers = [dispatch.draft]
        report(
          .warning, at: dispatch.place,
          "'dispatch' is served as 'server dispatch' without a "
            + "check; logs show that name")
      } else {
        report(
          .error, at: dispatch.place, "'dispatch' beside 'server' lines is not supported; keep one")
      }
    }
    result.servers = servers.map { server($0, in: result) }
    let isFallback = draft.kind == .listen && (draft.useBackend ?? settings.defaultBackend) != nil
    if servers.isEmpty, !result.isDisabled, settings.transparent == nil, !isFallback {
      report(
        .warning, at: draft.place, "\(draft.title) has no server: sessions sent there end at once")
    }
    return result
  }

  /// Custom ids are unique: of proxies in the file, of servers in their backend.
  private func checkIdentifiers(_ drafts: [ProxyDraft]) {
    var proxies: [Int: ProxyDraft] = [:]
    for draft in drafts {
      if let id = draft.id {
        if let other = proxies[id] {
          report(
            .error, at: draft.place,
            "\(draft.title) reuses same custom id as \(other.title) (declared at "
              + "\(other.place.text)).")
        }
        proxies[id] = draft
      }
      var servers: [Int: String] = [:]
      for server in draft.servers {
        guard let id = server.server.id, let place = server.place else { continue }
        if let other = servers[id] {
          report(
            .error, at: place,
            "server \(draft.name)/\(server.server.name) reuses same custom id as server '\(other)'."
          )
        }
        servers[id] = server.server.name
      }
    }
  }

  /// Duplicate listening addresses: the kernel would share connections among them.
  private func checkListeners(_ drafts: [ProxyDraft]) {
    var seen: [SocketAddress: [(bind: Bind, draft: ProxyDraft, place: Place)]] = [:]
    for draft in drafts where draft.kind.hasFrontend && !draft.settings.isDisabled {
      for (bind, place) in draft.binds {
        for address in bind.addresses {
          let others = seen[address] ?? []
          if let other = others.first(where: { $0.bind.interface == bind.interface }) {
            report(
              .error, at: place,
              "\(draft.title) listens on \(address), as \(other.draft.title) "
                + "does at \(other.place.text); each connection would go to one of them by chance")
          } else {
            seen[address] = others + [(bind, draft, place)]
          }
        }
      }
    }
  }
}
