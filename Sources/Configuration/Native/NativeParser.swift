// The top level of the native file, and what must hold between its parts.

import Yams

struct NativeParser {
  let reader: NativeReader

  static let keys = [
    "nodes", "virtualAddresses", "groups", "scripts", "files", "processes", "vrrp", "frontends",
    "servers", "check", "backends", "http", "logging", "process", "resolvers",
  ]

  func read(_ root: NativeValue) -> NativeDocument {
    var document = NativeDocument()
    var values: [String: NativeValue] = [:]
    let entries = reader.entries(root, known: NativeParser.keys)
    if entries.count > 1, !entries.contains(where: { isNear($0.key) }) {
      reader.report(
        at: root,
        "this is no native file: none of its keys is known; known are "
          + NativeParser.keys.joined(separator: ", "))
      return document
    }
    for (name, place, value) in entries {
      guard NativeParser.keys.contains(name) else {
        reader.unknown(name, at: place, among: NativeParser.keys)
        continue
      }
      if value.isEmpty {
        reader.report(at: place, "a value is missing")
      } else {
        values[name] = value
      }
    }
    // A misspelt key is not a missing one.
    let isWhole = !reader.hasErrors
    if let value = values["nodes"] { document.nodes = readNodes(value) }
    readTracking(values, &document)
    if let value = values["virtualAddresses"] {
      let hasProxy = values["frontends"] != nil
      document.virtualAddresses = reader.elements(value).map { element in
        let address = readVirtualAddress(element)
        if hasProxy || isWhole { checkFollowing(address, hasProxy: hasProxy, at: element) }
        checkTracks(address, document, at: element)
        return address
      }
      if values["nodes"] == nil, isWhole {
        reader.report(at: value, "'nodes' is missing: which machines hold these addresses?")
      }
      checkAddresses(document, at: value, nodes: values["nodes"])
    }
    if let value = values["groups"] {
      document.groups = SyncGroup.read(reader, value)
      checkGroups(document, hasProxy: values["frontends"] != nil, at: value)
    }
    document.proxy = readProxy(values, isWhole: isWhole)
    if let value = values["http"] {
      document.http = NativeHTTP.read(reader, value)
      checkDashboard(document, at: value)
    }
    if document.proxy == nil, document.virtualAddresses.isEmpty, !reader.hasErrors {
      reader.report(
        at: root, "nothing to do: there are neither 'frontends' nor 'virtualAddresses'")
    }
    return document
  }

  private func isNear(_ key: String) -> Bool {
    NativeParser.keys.contains(key) || Spelling.nearest(to: key, among: NativeParser.keys) != nil
  }

  // MARK: nodes and virtual addresses

  private func readNodes(_ value: NativeValue) -> [NativeNode] {
    var nodes: [NativeNode] = []
    if value.node.mapping?.isEmpty == true { reader.report(at: value, "there are no nodes") }
    for (name, place, value) in reader.entries(value) {
      let before = reader.errorCount
      guard reader.name(NativeValue(node: place.node, path: place.path)) != nil else { continue }
      var node = NativeNode(name: name, addresses: [])
      if value.node.mapping != nil {
        reader.read(value, into: &node, with: NativeNode.keys)
      } else {
        NativeNode.keys[0].read(reader, value, &node)
      }
      // By name and with an interface a node can do without; adverts are then multicast.
      if node.addresses.isEmpty, node.interface == nil, reader.errorCount == before {
        reader.report(at: place, "the node's address is missing")
      }
      for address in node.addresses {
        guard let other = nodes.first(where: { $0.addresses.contains(address) }) else { continue }
        reader.report(at: value["address"], "\(address) is already node '\(other.name)'")
      }
      nodes.append(node)
    }
    return nodes
  }

  private func readVirtualAddress(_ value: NativeValue) -> NativeVirtualAddress {
    var result = NativeVirtualAddress()
    result.origin = reader.origin(value)
    let before = reader.errorCount
    if value.text != nil {
      NativeVirtualAddress.keys[0].read(reader, value, &result)
    } else {
      reader.read(value, into: &result, with: NativeVirtualAddress.keys)
    }
    guard !result.addresses.isEmpty else {
      if reader.errorCount == before { reader.report(at: value, "'address' is missing") }
      return result
    }
    checkPassword(result, at: value)
    let isWhole = result.effectiveInterval.components.attoseconds == 0
    switch result.effectiveVersion {
    case .v2:
      if !isWhole {
        reader.report(
          at: value["interval"],
          "VRRP version 2 (with a password) carries whole seconds: write an interval of 1s, or "
            + "remove the password on every node")
      }
      if result.addresses.contains(where: { $0.address.family == .v6 }) {
        reader.report(
          at: value[result.password == nil ? "version" : "password"],
          "IPv6 needs VRRP version 3, which has no passwords")
      }
    case .v3:
      let components = result.effectiveInterval.components
      let fits = components.attoseconds % 10_000_000_000_000_000 == 0
      if !fits || result.effectiveInterval > .milliseconds(40_950) {
        reader.report(
          at: value["interval"], "VRRP version 3 counts in steps of 10ms, up to 40950ms")
      }
    }
    return result
  }

  /// The value of a key, or the whole where it is not said.
  private func place(_ key: String, in value: NativeValue) -> NativeValue {
    guard let pair = value.node.mapping?.first(where: { $0.key.string == key }) else {
      return value
    }
    return NativeValue(node: pair.value, path: "\(value.path).\(key)")
  }

  /// What a password costs is not to be seen in the file.
  private func checkPassword(_ address: NativeVirtualAddress, at value: NativeValue) {
    guard address.password != nil else { return }
    if address.version == .v3 {
      reader.report(
        at: value["password"], "VRRP version 3 has no passwords: remove 'password', or 'version'")
      return
    }
    let adverts = address.settings.downTimerAdverts
    let slow = HAProxyUnits.print(address.effectiveInterval * adverts)
    let fast = HAProxyUnits.print(.milliseconds(100) * (adverts + 1))
    reader.report(
      .warning, at: value["password"],
      "this makes it VRRP version 2, which carries whole seconds: another node takes over after "
        + "more than \(slow). Without a password, on all nodes at once, it takes less than \(fast)")
  }

  /// Health takes its place among the priorities.
  private func checkFollowing(
    _ address: NativeVirtualAddress, hasProxy: Bool, at value: NativeValue
  ) {
    if address.followsProxy == true, !hasProxy {
      reader.report(
        at: value["followsProxy"], "there are no 'frontends' that could be followed")
    }
    guard address.follows(hasProxy: hasProxy) else { return }
    let range = NativeVirtualAddress.followingPriorities
    for member in address.nodes ?? [] {
      guard let priority = member.priority, !range.contains(Int(priority)) else { continue }
      reader.report(
        at: value["nodes"][member.node],
        "an address that follows the proxy needs priorities from \(range.lowerBound) to "
          + "\(range.upperBound): what is below and above shows health and orders to the other "
          + "nodes; 'followsProxy: false' leaves health out")
      return
    }
  }

  // MARK: proxy

  private func readProxy(
    _ values: [String: NativeValue], isWhole: Bool
  ) -> ProxyConfiguration? {
    var proxy = ProxyConfiguration()
    proxy.global = NativeLogging.defaultGlobal
    var logging = NativeLogging()
    if let value = values["process"] {
      reader.read(value, into: &proxy.global, with: NativeLogging.processKeys)
    }
    if let value = values["logging"] {
      reader.read(value, into: &logging, with: NativeLogging.keys)
    }
    proxy.global.logTag = logging.tag
    proxy.global.logTargets = logging.access.targets
    proxy.global.logHostname = logging.hostName
    if let value = values["resolvers"] { proxy.resolvers = NativeResolvers.read(reader, value) }
    readBackends(values, logging, isWhole: isWhole, &proxy)
    if let value = values["backends"] ?? values["servers"] {
      checkResolvers(proxy, at: value)
      checkTracking(proxy, at: value)
    }
    guard let value = values["frontends"] else {
      if let other = values["servers"] ?? values["backends"], isWhole {
        reader.report(at: other, "'frontends' is missing: nothing listens for these servers")
      }
      return nil
    }
    let elements = reader.elements(value)
    if value.node.sequence != nil, elements.isEmpty {
      reader.report(at: value, "there are no frontends")
    }
    // Servers that were not read are not missing.
    let hasServers = values["servers"] != nil || values["backends"] != nil || !isWhole
    for element in elements {
      guard let frontend = readFrontend(element, logging, proxy, hasServers) else { continue }
      checkListening(frontend, proxy.frontends, at: element)
      proxy.frontends.append(frontend)
    }
    let listeners = proxy.frontends.reduce(0) {
      $0 + $1.binds.reduce(0) { $0 + $1.addresses.count }
    }
    if listeners > AddressText.maximumListeners {
      reader.report(
        at: value, "more than \(AddressText.maximumListeners) listening addresses in all")
    }
    return proxy
  }

  private func readFrontend(
    _ value: NativeValue, _ logging: NativeLogging, _ proxy: ProxyConfiguration,
    _ hasServers: Bool
  ) -> Frontend? {
    let before = reader.errorCount
    var draft = NativeFrontend(name: "", log: logging.access)
    reader.read(value, into: &draft, with: NativeFrontend.keys)
    if let listen = draft.listen {
      draft.model.binds = NativeListen.read(reader, listen, over: draft.bind)
    }
    guard let first = draft.model.binds.first else {
      if reader.errorCount == before { reader.report(at: value, "'listen' is missing") }
      return nil
    }
    if draft.model.name.isEmpty {
      if case .ip(_, let port) = first.addresses.first {
        draft.model.name = "port-\(port)"
      } else if !reader.hasErrors {
        reader.report(at: value, "'name' is missing: there is no port that could give one")
      }
    }
    draft.model.log = draft.log.settings
    if let name = draft.model.defaultBackend {
      if proxy.backend(named: name) == nil, hasServers == !proxy.backends.isEmpty {
        let hint = Spelling.nearest(to: name, among: proxy.backends.map(\.name))
        reader.report(
          at: value["backend"],
          "there is no backend '\(name)'" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
      }
    } else if proxy.backends.count == 1 {
      draft.model.defaultBackend = proxy.backends[0].name
    } else if !proxy.backends.isEmpty || !hasServers {
      reader.report(
        at: value,
        proxy.backends.isEmpty
          ? "there are no 'servers' and no 'backends' to send connections to"
          : "'backend' is missing: one of " + proxy.backends.map(\.name).joined(separator: ", "))
    }
    return draft.model
  }

  private func readBackends(
    _ values: [String: NativeValue], _ logging: NativeLogging, isWhole: Bool,
    _ proxy: inout ProxyConfiguration
  ) {
    if let value = values["servers"] {
      let before = reader.errorCount
      var draft = NativeBackend(name: NativeDefaults.backendName)
      draft.servers = reader.elements(value)
      if let check = values["check"], let read = NativeBackend.readCheck(reader, check) {
        draft.check = read
      }
      proxy.backends.append(assemble(draft, at: value, check: values["check"], before, logging))
    } else if let value = values["check"], isWhole {
      reader.report(at: value, "this goes with 'servers'; a backend has a 'check' of its own")
    }
    guard let value = values["backends"] else { return }
    if value.node.sequence?.isEmpty == true { reader.report(at: value, "there are no backends") }
    for element in reader.elements(value) {
      let before = reader.errorCount
      var draft = NativeBackend(name: "")
      reader.read(element, into: &draft, with: NativeBackend.keys)
      let name = draft.model.name
      if name.isEmpty, reader.errorCount == before {
        reader.report(at: element, "'name' is missing")
      } else if !name.isEmpty, proxy.backend(named: name) != nil {
        reader.report(at: element["name"], "a backend '\(name)' is already there")
      }
      let check = element.child("check")
      proxy.backends.append(assemble(draft, at: element, check: check, before, logging))
    }
  }

  /// `before`: the errors there were before anything of this backend was read.
  private func assemble(
    _ draft: NativeBackend, at value: NativeValue, check place: NativeValue?, _ before: Int,
    _ logging: NativeLogging
  ) -> Backend {
    var backend = draft.model
    backend.logTargets = draft.log.targets ?? logging.access.targets
    backend.logTag = draft.log.tag
    var method: CheckMethod?
    var timeout: Duration??
    if let check = draft.check { (method, timeout) = (check.checkMethod, .some(check.timeout)) }
    var names: Set<String> = []
    var addresses: [String: String] = [:]
    let checkProblem = draft.check?.problem(over: nil)
    if let checkProblem, reader.errorCount == before {
      reader.report(at: place ?? value, checkProblem)
    }
    for element in draft.servers {
      let before = reader.errorCount
      var server = NativeServer(draft)
      if element.text != nil {
        // `- 10.0.0.21:6443` is enough; the address is then the name as well.
        if let address = NativeAddress.server(reader, element) {
          server.model.address = address
          let text = element.text ?? ""
          server.model.name = NativeReader.isName(text) ? text : NativeAddress.print(address)
        }
      } else {
        reader.read(element, into: &server, with: NativeServer.keys)
        if element.child("address") == nil, reader.errorCount == before {
          reader.report(at: element, "'address' is missing")
        }
        if server.model.name.isEmpty {
          server.model.name = NativeAddress.print(server.model.address)
        }
      }
      server.model.origin = reader.origin(element)
      if server.model.track?.backend == "" { server.model.track?.backend = backend.name }
      if server.model.track != nil {
        // Its state is the other's.
        if let own = element.child("check"), own.text != "false" {
          reader.report(at: own, "a server that tracks another has no check of its own")
        }
        server.check = nil
      }
      if let check = server.check {
        // Nothing of a disabled backend is started.
        if !backend.isDisabled { server.model.check = check.serverCheck(server.model.sendProxy) }
        if checkProblem == nil, reader.errorCount == before,
          let problem = check.problem(over: server.base)
        {
          reader.report(at: element["check"], problem)
        }
        let own = check.checkMethod
        checkTarget(server.model, own, at: element)
        if method == nil { (method, timeout) = (own, .some(check.timeout)) }
        if method != own || timeout != .some(check.timeout) {
          reader.report(
            at: element["check"],
            "servers of one backend are asked the same: 'check' may differ in intervals, "
              + "hedgeAfter, rise, fall, live, drainOver, in where it goes and in TLS only")
        }
      }
      checkServer(server.model, &names, &addresses, at: element)
      backend.servers.append(server.model)
    }
    if backend.servers.isEmpty, reader.errorCount == before {
      reader.report(at: value, "there are no servers")
    }
    // What nobody is asked does not matter.
    if backend.servers.allSatisfy({ $0.check == nil }) { (method, timeout) = (nil, nil) }
    if let method { backend.check = method }
    backend.timeoutCheck = timeout ?? nil
    return backend
  }
}
