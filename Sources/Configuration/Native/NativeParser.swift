// The top level of the native file, and what must hold between its parts.

import Yams

struct NativeParser {
  let reader: NativeReader

  static let keys = [
    "nodes", "virtualAddresses", "groups", "scripts", "files", "processes", "vrrp", "frontends",
    "servers", "check", "backends", "http", "logging", "process",
  ]

  func read(_ root: NativeValue) -> NativeDocument {
    var document = NativeDocument()
    var values: [String: NativeValue] = [:]
    for (name, place, value) in reader.entries(root) {
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
    if let value = values["nodes"] { document.nodes = readNodes(value) }
    readTracking(values, &document)
    if let value = values["virtualAddresses"] {
      let hasProxy = values["frontends"] != nil
      document.virtualAddresses = reader.elements(value).map { element in
        let address = readVirtualAddress(element)
        checkFollowing(address, hasProxy: hasProxy, at: element)
        checkTracks(address, document, at: element)
        return address
      }
      checkNames(document, at: value)
    }
    if let value = values["groups"] {
      document.groups = SyncGroup.read(reader, value)
      checkGroups(document, hasProxy: values["frontends"] != nil, at: value)
    }
    document.proxy = readProxy(values)
    if let value = values["http"] { document.http = NativeHTTP.read(reader, value) }
    if document.proxy == nil, document.virtualAddresses.isEmpty, !reader.hasErrors {
      reader.report(
        at: root, "nothing to do: there are neither 'frontends' nor 'virtualAddresses'")
    }
    return document
  }

  // MARK: nodes and virtual addresses

  private func readNodes(_ value: NativeValue) -> [NativeNode] {
    var nodes: [NativeNode] = []
    for (name, place, value) in reader.entries(value) {
      guard reader.name(NativeValue(node: place.node, path: place.path)) != nil else { continue }
      var node = NativeNode(name: name, addresses: [])
      if value.node.mapping != nil {
        reader.read(value, into: &node, with: NativeNode.keys)
      } else {
        NativeNode.keys[0].read(reader, value, &node)
      }
      // By name and with an interface a node can do without; adverts are then multicast.
      if node.addresses.isEmpty, node.interface == nil, !reader.hasErrors {
        reader.report(at: place, "the node's address is missing")
      }
      for address in node.addresses {
        guard let other = nodes.first(where: { $0.addresses.contains(address) }) else { continue }
        reader.report(at: value, "\(address) is already node '\(other.name)'")
      }
      nodes.append(node)
    }
    return nodes
  }

  private func readVirtualAddress(_ value: NativeValue) -> NativeVirtualAddress {
    var result = NativeVirtualAddress()
    result.origin = reader.origin(value)
    if value.text != nil {
      NativeVirtualAddress.keys[0].read(reader, value, &result)
    } else {
      reader.read(value, into: &result, with: NativeVirtualAddress.keys)
    }
    guard !result.addresses.isEmpty else {
      if !reader.hasErrors { reader.report(at: value, "'address' is missing") }
      return result
    }
    if result.password != nil, result.version == .v3 {
      reader.report(at: value, "VRRP version 3 has no passwords: remove 'password', or 'version'")
    }
    let isWhole = result.effectiveInterval.components.attoseconds == 0
    switch result.effectiveVersion {
    case .v2:
      if !isWhole {
        reader.report(
          at: value,
          "VRRP version 2 (with a password) carries whole seconds: write an interval of 1s, or "
            + "remove the password on every node")
      }
      if result.addresses.contains(where: { $0.address.family == .v6 }) {
        reader.report(at: value, "IPv6 needs VRRP version 3, which has no passwords")
      }
    case .v3:
      let components = result.effectiveInterval.components
      let fits = components.attoseconds % 10_000_000_000_000_000 == 0
      if !fits || result.effectiveInterval > .milliseconds(40_950) {
        reader.report(at: value, "VRRP version 3 counts in steps of 10ms, up to 40950ms")
      }
    }
    return result
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
    }
  }

  private func checkNames(_ document: NativeDocument, at value: NativeValue) {
    if document.nodes.isEmpty, !reader.hasErrors {
      reader.report(at: value, "'nodes' is missing: which machines hold these addresses?")
      return
    }
    var names: Set<String> = []
    for address in document.virtualAddresses {
      if !names.insert(address.effectiveName).inserted {
        reader.report(at: value, "two entries are called '\(address.effectiveName)'")
      }
      for held in address.addresses {
        guard let node = document.nodes.first(where: { $0.addresses.contains(held.address) }),
          // The owner of an address has it anyway.
          !(address.nodes ?? []).contains(where: { $0.node == node.name && $0.priority == 255 })
        else { continue }
        reader.report(
          at: value, "\(held.address) is node '\(node.name)' itself; a virtual address is one more")
      }
      for member in address.nodes ?? []
      where !document.nodes.contains(where: { $0.name == member.node }) {
        let known = document.nodes.map(\.name)
        let hint = Spelling.nearest(to: member.node, among: known)
        reader.report(
          at: value,
          "'\(address.effectiveName)' names node '\(member.node)', which is not in 'nodes'"
            + (hint.map { "; did you mean '\($0)'?" } ?? ""))
      }
      if address.nodes == nil, document.nodes.count > 16 {
        reader.report(at: value, "more than 16 nodes: give 'nodes' with priorities")
      }
    }
    checkRouterIDs(document, at: value)
  }

  private func checkRouterIDs(_ document: NativeDocument, at value: NativeValue) {
    for (index, first) in document.virtualAddresses.enumerated() {
      for second in document.virtualAddresses[(index + 1)...] {
        guard first.effectiveRouterID == second.effectiveRouterID,
          first.addresses.first?.address.family == second.addresses.first?.address.family
        else { continue }
        // On one interface two such routers are one to everybody who listens.
        reader.report(
          first.interface == second.interface ? .error : .warning, at: value,
          "'\(first.effectiveName)' and '\(second.effectiveName)' have the same router id "
            + "\(first.effectiveRouterID); give one of them another 'routerID'")
      }
    }
  }

  // MARK: proxy

  private func readProxy(_ values: [String: NativeValue]) -> ProxyConfiguration? {
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
    proxy.global.logTargets = logging.targets
    readBackends(values, logging, &proxy)
    guard let value = values["frontends"] else {
      if let other = values["servers"] ?? values["backends"] {
        reader.report(at: other, "'frontends' is missing: nothing listens for these servers")
      }
      return nil
    }
    for element in reader.elements(value) {
      guard let frontend = readFrontend(element, logging, proxy) else { continue }
      if proxy.frontends.contains(where: { $0.name == frontend.name }) {
        reader.report(at: element, "a frontend '\(frontend.name)' is already there; give a 'name'")
      }
      proxy.frontends.append(frontend)
    }
    return proxy
  }

  private func readFrontend(
    _ value: NativeValue, _ logging: NativeLogging, _ proxy: ProxyConfiguration
  ) -> Frontend? {
    var draft = NativeFrontend(name: "")
    reader.read(value, into: &draft, with: NativeFrontend.keys)
    guard !draft.listen.isEmpty else {
      reader.report(at: value, "'listen' is missing")
      return nil
    }
    if draft.model.name.isEmpty {
      if case .ip(_, let port) = draft.listen[0].address { draft.model.name = "port-\(port)" }
    }
    draft.model.binds = draft.listen.map { listen in
      var bind = draft.bind
      bind.addresses = [listen.address]
      bind.origin = listen.origin
      return bind
    }
    draft.model.log = logging.accessLog
    if let name = draft.model.defaultBackend {
      if proxy.backend(named: name) == nil {
        let hint = Spelling.nearest(to: name, among: proxy.backends.map(\.name))
        reader.report(
          at: value,
          "there is no backend '\(name)'" + (hint.map { "; did you mean '\($0)'?" } ?? ""))
      }
    } else if proxy.backends.count == 1 {
      draft.model.defaultBackend = proxy.backends[0].name
    } else {
      reader.report(
        at: value,
        proxy.backends.isEmpty
          ? "there are no 'servers' and no 'backends' to send connections to"
          : "'backend' is missing: one of " + proxy.backends.map(\.name).joined(separator: ", "))
    }
    return draft.model
  }

  private func readBackends(
    _ values: [String: NativeValue], _ logging: NativeLogging, _ proxy: inout ProxyConfiguration
  ) {
    if let value = values["servers"] {
      var draft = NativeBackend(name: NativeDefaults.backendName)
      draft.servers = reader.elements(value)
      if let check = values["check"], let read = NativeBackend.readCheck(reader, check) {
        draft.check = read
      }
      proxy.backends.append(assemble(draft, at: value, logging))
    } else if let value = values["check"] {
      reader.report(at: value, "this goes with 'servers'; a backend has a 'check' of its own")
    }
    guard let value = values["backends"] else { return }
    for element in reader.elements(value) {
      var draft = NativeBackend(name: "")
      reader.read(element, into: &draft, with: NativeBackend.keys)
      if draft.model.name.isEmpty { reader.report(at: element, "'name' is missing") }
      if proxy.backend(named: draft.model.name) != nil {
        reader.report(at: element, "a backend '\(draft.model.name)' is already there")
      }
      proxy.backends.append(assemble(draft, at: element, logging))
    }
  }

  private func assemble(
    _ draft: NativeBackend, at value: NativeValue, _ logging: NativeLogging
  ) -> Backend {
    var backend = draft.model
    backend.logTargets = logging.targets
    var method: CheckMethod?
    var timeout: Duration??
    if let check = draft.check { (method, timeout) = (check.checkMethod, .some(check.timeout)) }
    for element in draft.servers {
      var server = NativeServer(draft)
      if element.text != nil {
        // `- 10.0.0.21:6443` is enough; the address is then the name as well.
        if let address = NativeAddress.server(reader, element) {
          server.model.address = address
          server.model.name = element.text ?? ""
        }
      } else {
        reader.read(element, into: &server, with: NativeServer.keys)
        if server.model.host == .clientDestination, !reader.hasErrors {
          reader.report(at: element, "'address' is missing")
        }
        if server.model.name.isEmpty {
          server.model.name = NativeAddress.print(server.model.address)
        }
      }
      server.model.origin = reader.origin(element)
      if let check = server.check {
        server.model.check = check.serverCheck
        if let problem = check.problem(over: server.base), !reader.hasErrors {
          reader.report(at: element, "its check: \(problem)")
        }
        let own = check.checkMethod
        if method == nil { (method, timeout) = (own, .some(check.timeout)) }
        if method != own || timeout != .some(check.timeout) {
          reader.report(
            at: element,
            "servers of one backend are asked the same: 'check' may differ in intervals, "
              + "hedgeAfter, rise, fall, port, live, drainOver, caFile and serverName only")
        }
      }
      if backend.servers.contains(where: { $0.name == server.model.name }) {
        reader.report(at: element, "a server '\(server.model.name)' is already there")
      }
      backend.servers.append(server.model)
    }
    if backend.servers.isEmpty { reader.report(at: value, "there are no servers") }
    // What nobody is asked does not matter.
    if backend.servers.allSatisfy({ $0.check == nil }) { (method, timeout) = (nil, nil) }
    if let method { backend.check = method }
    backend.timeoutCheck = timeout ?? nil
    return backend
  }
}
