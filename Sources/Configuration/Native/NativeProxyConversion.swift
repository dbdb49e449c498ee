// The proxy half of a conversion: what has no effect goes quietly, what cannot be said is named.

extension NativeConversion {
  /// Without what has no words in the native file.
  mutating func carried(_ source: ProxyConfiguration) -> ProxyConfiguration? {
    let global = source.global
    if global.user != nil || global.group != nil || global.chroot != nil {
      notes.append(
        "user, group and chroot are not carried: Fairlead does not apply them; its service unit "
          + "says as whom it runs")
    }
    var proxy = source.plain
    // A server that others track stays, even where nobody else needs its backend.
    proxy.backends.removeAll { backend in
      guard backend.servers.isEmpty else { return false }
      notes.append(
        "backend \(backend.name) is not carried: it has no servers, and sessions sent there end "
          + "at once")
      return true
    }
    let known = Set(proxy.backends.map(\.name))
    proxy.frontends.removeAll { frontend in
      let leads = frontend.defaultBackend.map(known.contains) ?? false
      guard frontend.binds.isEmpty || !leads else { return false }
      note(
        Origin(frontend.binds.first?.origin ?? ""),
        "frontend \(frontend.name) is not carried: it listens nowhere or leads nowhere")
      return true
    }
    return proxy.frontends.isEmpty ? nil : proxy
  }

  /// Both plain.
  mutating func compare(_ wanted: ProxyConfiguration, _ got: ProxyConfiguration) {
    difference("global", "", wanted.global, got.global)
    for (a, b) in zip(wanted.resolvers, got.resolvers) {
      difference("resolvers \(a.name)", "", a, b)
    }
    for (a, b) in zip(wanted.frontends, got.frontends) {
      difference("frontend \(a.name)", a.binds.first?.origin ?? "", a, b)
    }
    for (a, b) in zip(wanted.backends, got.backends) {
      var (plainA, plainB) = (a, b)
      (plainA.servers, plainB.servers) = ([], [])
      let origin = a.servers.first?.origin.description ?? ""
      difference("backend \(a.name)", origin, plainA, plainB)
      for (a, b) in zip(a.servers, b.servers) {
        difference("server \(plainA.name)/\(a.name)", a.origin.description, a, b)
      }
    }
  }
}

extension ProxyConfiguration {
  /// The same for everybody who uses it, without what has no effect in Fairlead or is said twice.
  var plain: ProxyConfiguration {
    var result = self
    result.global = global.plain
    result.frontends = frontends.map(\.plain)
    result.backends = backends.map(\.plain)
    return result
  }
}

extension GlobalSettings {
  fileprivate var plain: GlobalSettings {
    var result = self
    // Fairlead stays in the foreground and changes neither its user nor its root.
    result.daemon = false
    (result.user, result.group, result.chroot) = (nil, nil, nil)
    // Paths and verification are worked out for each server.
    (result.caBase, result.crtBase, result.serverVerifyNone) = (nil, nil, false)
    result.description = nil
    return result
  }
}

extension Frontend {
  fileprivate var plain: Frontend {
    var result = self
    (result.isListen, result.id, result.description) = (false, nil, nil)
    // How nothing is logged does not matter.
    if log.targets.isEmpty { result.log = AccessLogSettings() }
    result.binds = binds.flatMap(\.plain)
    return result
  }
}

extension Bind {
  /// One for each address where they share no limit, so that they can stand as a simple list.
  fileprivate var plain: [Bind] {
    var bind = self
    // Only names the listener.
    (bind.name, bind.id) = (name ?? id.map { String($0) }, nil)
    guard bind.name == nil, maxconn == nil, addresses.count <= 8 else { return [bind] }
    return addresses.map { address in
      bind.addresses = [address]
      return bind
    }
  }
}

extension Backend {
  fileprivate var plain: Backend {
    var result = self
    (result.isListen, result.id, result.description) = (false, nil, nil)
    for index in servers.indices { result.servers[index].id = nil }
    // What nobody is asked does not matter.
    if servers.allSatisfy({ $0.check == nil }) {
      (result.check, result.timeoutCheck) = (.connect, nil)
    }
    // A script without rules connects, and that is all.
    if check == .script([]) { result.check = .connect }
    // `http-check connect ssl` before plain rules is a check over TLS, if the server's own TLS
    // settings are those of that rule.
    if case .http(var http) = result.check, case .connect(let step)? = http.steps.first {
      var open = CheckConnect()
      open.tls = true
      let checks = servers.compactMap(\.check)
      let isSame = checks.allSatisfy { $0.tls == CheckTLS(verify: false) && $0.sendProxy == nil }
      let isOnly = http.steps.dropFirst().allSatisfy {
        if case .connect = $0 { false } else { true }
      }
      if step == open, isSame, isOnly, !checks.isEmpty {
        http.steps.removeFirst()
        result.check = .http(http)
      }
    }
    return result
  }
}
