// Servers and checks of the model: what needs the whole backend, or other backends, to decide.

extension HAProxyParser {
  func checkMethod(_ draft: ProxyDraft) -> CheckMethod {
    let check = draft.settings.check
    if check.hasUnusedHTTPRules, let place = check.httpPlace {
      report(
        .warning, at: place,
        "\(draft.title) uses http-check rules without 'option httpchk', so "
          + "the rules are ignored.")
    }
    if check.hasUnusedTCPRules, let place = check.tcpPlace {
      report(
        .warning, at: place,
        "\(draft.title) uses tcp-check rules without 'option tcp-check', so "
          + "the rules are ignored.")
    }
    switch check.kind {
    case .connect: return .connect
    case .sslHello: return .sslHello
    case .tcp: return .script(check.tcpRules)
    case .http: return .http(check.httpCheck())
    case .redis:
      // What HAProxy's own rules for `option redis-check` send and expect.
      return .script([
        .send(CheckBytes(Array("*1\r\n$4\r\nPING\r\n".utf8))),
        .expect(CheckExpect(.string(Array("+PONG\r\n".utf8)))),
      ])
    }
  }

  func server(_ draft: ServerDraft, in backend: Backend) -> Server {
    var result = draft.server
    let title = "server \(backend.name)/\(result.name)"
    // As HAProxy: only minconn, or one above maxconn, is a plain limit.
    if result.minconn > result.maxconn { result.maxconn = result.minconn }
    if result.minconn == result.maxconn { result.minconn = 0 }
    guard let place = draft.place, !backend.isDisabled else { return result }
    if let name = result.resolvers, resolverIndices[name] == nil {
      report(
        .error, at: draft.resolversPlace ?? place,
        "'\(title)': unable to find required resolvers "
          + "'\(name)'")
    }
    guard draft.isChecked else { return result }
    guard draft.trackText == nil else {
      report(
        .error, at: draft.trackPlace ?? place,
        "'\(title)' : unable to enable checks and tracking "
          + "at the same time!")
      return result
    }
    var check = draft.check
    let steps = backend.check.connectSteps
    requireTarget(result, check, steps, title, place)
    check.tls = tls(draft, backend, title, place)
    if draft.checkSendsProxy {
      check.sendProxy = result.sendProxy ?? .v1
    } else if check.port == nil, check.address == nil {
      check.sendProxy = result.sendProxy
    }
    result.check = check
    return result
  }

  /// A check needs somewhere to go: an address and a port of the server or of the check.
  private func requireTarget(
    _ server: Server, _ check: ServerCheck, _ steps: [CheckConnect], _ title: String,
    _ place: Place
  ) {
    if server.host == .clientDestination, check.address == nil,
      steps.isEmpty || steps.contains(where: { $0.address == nil })
    {
      report(
        .error, at: place,
        "'\(title)' goes to the client's destination, which a check cannot "
          + "know; add 'addr', or remove 'check'")
      return
    }
    let host = check.address ?? server.host
    switch host {
    case .unix: return
    case .abstract:
      report(
        .error, at: place,
        "'\(title)' : an abstract socket cannot be checked; use a path, or remove 'check'")
      return
    case .ip, .name, .clientDestination: break
    }
    if case .fixed = server.port { return }
    guard check.port == nil, steps.isEmpty || steps.contains(where: { $0.port == nil }) else {
      return
    }
    report(
      .error, at: place,
      "'\(title)' has neither service port nor check port; add 'port', or "
        + "remove 'check'")
  }

  /// TLS of checks: asked for by `check-ssl`, or by `connect ssl` rules, whose verification is
  /// the server's too.
  private func tls(
    _ draft: ServerDraft, _ backend: Backend, _ title: String, _ place: Place
  ) -> CheckTLS? {
    let steps = backend.check.connectSteps
    let inRules = steps.contains(where: \.tls)
    guard draft.checksTLS || inRules else { return nil }
    // The model has one TLS setting a server: rules that want the server's own connection
    // would get TLS without having asked for it.
    if !draft.checksTLS,
      !backend.check.startsWithConnect || steps.contains(where: { $0.useServerDefaults && !$0.tls })
    {
      report(
        .error, at: place,
        "'\(title)': rules mix 'connect ssl' with the server's own plain "
          + "connection; start with an explicit 'connect' or add 'check-ssl'")
    }
    let verifies =
      switch draft.verify {
      case .none: false
      case .required: true
      case .unset: !global.serverVerifyNone
      }
    if verifies, draft.caFile == nil {
      report(
        .error, at: place,
        "'\(title)' : verify is enabled by default but no CA file specified. "
          + "Add 'ca-file <file>' (or 'ca-file @system-ca'), or set an explicit 'verify none' on "
          + "the 'server' line, or use 'ssl-server-verify none' in the global section.")
    }
    let authorities = draft.caFile.map { path($0, from: global.caBase) }
    var result = CheckTLS(verify: verifies, caFile: verifies ? authorities : nil)
    result.serverName = draft.checkSNI
    result.verifyHost = draft.verifyHost
    result.alpn = draft.checkALPN
    result.certificateFile = draft.certificateFile.map { path($0, from: global.crtBase) }
    return result
  }

  /// A relative path starts at `ca-base` or `crt-base`; `@…` names no file (manual, section 3.1).
  private func path(_ text: String, from base: String?) -> String {
    guard let base, !text.hasPrefix("/"), !text.hasPrefix("@") else { return text }
    return base.hasSuffix("/") ? base + text : base + "/" + text
  }

  // MARK: tracking

  /// Fills `track`, and refuses unknown servers, loops and chains that end without a check.
  func resolveTracking(_ configuration: inout ProxyConfiguration, _ drafts: [ProxyDraft]) {
    var known: [ServerReference: Server] = [:]
    for backend in configuration.backends {
      for server in backend.servers {
        known[ServerReference(backend: backend.name, server: server.name)] = server
      }
    }
    let backends = Set(configuration.backends.map(\.name))
    var tracks: [ServerReference: (target: ServerReference, place: Place)] = [:]
    for draft in drafts where draft.kind.hasBackend && !draft.settings.isDisabled {
      for server in draft.servers {
        guard let text = server.trackText, let place = server.trackPlace else { continue }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let target = ServerReference(
          backend: parts.count > 1 ? String(parts[0]) : draft.name,
          server: String(parts[parts.count - 1]))
        let title = "server \(draft.name)/\(server.server.name)"
        guard known[target] != nil else {
          let what =
            backends.contains(target.backend)
            ? "server '\(target.server)'" : "proxy '\(target.backend)'"
          report(.error, at: place, "'\(title)' : unable to find required \(what) for tracking.")
          continue
        }
        tracks[ServerReference(backend: draft.name, server: server.server.name)] = (target, place)
      }
    }
    for (reference, track) in tracks.sorted(by: { Self.order($0.key) < Self.order($1.key) }) {
      checkChain(reference, track.place, tracks, known)
    }
    for backend in configuration.backends.indices {
      let name = configuration.backends[backend].name
      for server in configuration.backends[backend].servers.indices {
        let reference = ServerReference(
          backend: name, server: configuration.backends[backend].servers[server].name)
        configuration.backends[backend].servers[server].track = tracks[reference]?.target
      }
    }
  }

  private static func order(_ reference: ServerReference) -> String {
    reference.backend + "/" + reference.server
  }

  private func checkChain(
    _ start: ServerReference, _ place: Place,
    _ tracks: [ServerReference: (target: ServerReference, place: Place)],
    _ known: [ServerReference: Server]
  ) {
    var next = start
    // Longer chains than this are of no use, and following each would take quadratic time.
    for _ in 0..<64 {
      guard let track = tracks[next] else {
        if next != start, known[next]?.check == nil {
          report(
            .error, at: place,
            "'server \(Self.order(start))' : unable to use \(Self.order(next)) "
              + "for tracking as it does not have any check enabled.")
        }
        return
      }
      next = track.target
      if next == start {
        report(
          .error, at: place,
          "'server \(Self.order(start))' : belongs to a tracking chain looping "
            + "back to itself.")
        return
      }
    }
    report(.error, at: place, "'server \(Self.order(start))' : tracking chain longer than 64")
  }
}

extension CheckMethod {
  private var steps: [CheckStep] {
    switch self {
    case .connect, .sslHello: []
    case .script(let steps): steps
    case .http(let check): check.steps
    }
  }

  var connectSteps: [CheckConnect] {
    steps.compactMap { if case .connect(let connect) = $0 { connect } else { nil } }
  }

  var startsWithConnect: Bool {
    if case .connect = steps.first { true } else { false }
  }
}
