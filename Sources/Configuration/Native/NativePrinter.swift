// The document as YAML: what is a default stays unsaid.

enum NativePrinter {
  static func output(_ document: NativeDocument) -> NativeOutput {
    var top: [(String, NativeOutput)] = []
    if !document.nodes.isEmpty {
      top.append(("nodes", .map(document.nodes.map { ($0.name, node($0)) })))
    }
    if !document.virtualAddresses.isEmpty {
      let items = document.virtualAddresses.map {
        pairs($0, NativeVirtualAddress(), NativeVirtualAddress.keys)
      }
      top.append(("virtualAddresses", .list(items.map { .map($0) })))
    }
    top += tracking(document)
    if let proxy = document.proxy { top += sections(proxy) }
    if let http = document.http.output { top.append(("http", http)) }
    return .map(top)
  }

  private static func node(_ node: NativeNode) -> NativeOutput {
    let said = pairs(node, NativeNode(name: "", addresses: []), NativeNode.keys)
    if said.count == 1, node.addresses.count == 1 { return .scalar("\(node.addresses[0])") }
    return .map(said)
  }

  private static func tracking(_ document: NativeDocument) -> [(String, NativeOutput)] {
    func named<Target>(
      _ all: [Target], _ name: KeyPath<Target, String>, _ keys: [NativeKey<Target>],
      _ empty: (String) -> Target
    ) -> NativeOutput {
      .map(all.map { ($0[keyPath: name], .map(pairs($0, empty($0[keyPath: name]), keys))) })
    }
    let vrrp = pairs(document.vrrp, FailoverGlobals(), FailoverGlobals.keys)
    let top: [(String, NativeOutput)] = [
      (
        "groups",
        named(document.groups, \.name, SyncGroup.keys) { SyncGroup(name: $0, origin: Origin()) }
      ),
      (
        "scripts",
        named(
          document.scripts.map { NativeScript($0) }, \.model.name, NativeScript.keys,
          NativeScript.init)
      ),
      (
        "files",
        named(document.files, \.name, TrackedFile.keys) { TrackedFile(name: $0, path: "") }
      ),
      (
        "processes",
        named(document.processes, \.name, TrackedProcess.keys) {
          TrackedProcess(name: $0, process: "")
        }
      ),
      ("vrrp", .map(vrrp)),
    ]
    return top.filter { if case .map(let pairs) = $0.1 { !pairs.isEmpty } else { true } }
  }

  /// Keys whose values differ from those of `usual`.
  static func pairs<Target>(
    _ value: Target, _ usual: Target, _ keys: [NativeKey<Target>]
  ) -> [(String, NativeOutput)] {
    keys.compactMap { key in
      guard let text = key.print(value), text != key.print(usual) else { return nil }
      return (key.name, text)
    }
  }

  private static func sections(_ proxy: ProxyConfiguration) -> [(String, NativeOutput)] {
    var top: [(String, NativeOutput)] = []
    let logging = NativePrinter.logging(proxy)
    top.append(
      (
        "frontends",
        .list(proxy.frontends.map { .map(frontend($0, proxy, logging.access)) })
      ))
    let isShort =
      proxy.backends.count == 1
      && backend(proxy.backends[0], logging).allSatisfy {
        ["name", "servers", "check"].contains($0.0)
      }
      && proxy.backends[0].name == NativeDefaults.backendName
    if isShort {
      top += backend(proxy.backends[0], logging).filter { $0.0 != "name" }
    } else if !proxy.backends.isEmpty {
      top.append(("backends", .list(proxy.backends.map { .map(backend($0, logging)) })))
    }
    if !proxy.resolvers.isEmpty {
      top.append(("resolvers", NativeResolvers.output(proxy.resolvers)))
    }
    let said = pairs(logging, NativeLogging(), NativeLogging.keys)
    if !said.isEmpty { top.append(("logging", .map(said))) }
    let process = pairs(proxy.global, NativeLogging.defaultGlobal, NativeLogging.processKeys)
    if !process.isEmpty { top.append(("process", .map(process))) }
    return top
  }

  static func logging(_ proxy: ProxyConfiguration) -> NativeLogging {
    var logging = NativeLogging()
    logging.access.targets = proxy.global.logTargets
    logging.tag = proxy.global.logTag
    logging.hostName = proxy.global.logHostname
    // What the first that logs does is said for all; the others say what they do otherwise.
    if let first = proxy.frontends.first(where: { !$0.log.targets.isEmpty }) {
      logging.access = NativeAccessLog(first.log, logging.access)
      logging.access.targets = proxy.global.logTargets
      logging.access.tag = nil
    } else {
      logging.access.sessions = .none
    }
    return logging
  }

  private static func frontend(
    _ frontend: Frontend, _ proxy: ProxyConfiguration, _ log: NativeAccessLog
  ) -> [(String, NativeOutput)] {
    var draft = NativeFrontend(name: "", log: log)
    draft.model = frontend
    draft.bind = NativeListen.shared(frontend.binds)
    draft.log = NativeAccessLog(frontend.log, log)
    if proxy.backends.count == 1, frontend.defaultBackend == proxy.backends[0].name {
      draft.model.defaultBackend = nil
    }
    return pairs(draft, NativeFrontend(name: "", log: log), NativeFrontend.keys)
  }

  private static func backend(
    _ backend: Backend, _ logging: NativeLogging
  ) -> [(String, NativeOutput)] {
    var draft = NativeBackend(name: "")
    draft.model = backend
    let first = backend.servers.first { $0.check != nil }
    draft.check = first.flatMap { check(backend, $0) }
    if backend.logTargets != logging.access.targets { draft.log.targets = backend.logTargets }
    draft.log.tag = backend.logTag
    draft.tcpUserTimeout = backend.servers.first?.tcpUserTimeout
    draft.resetsWhenDown = backend.servers.first?.resetsSessionsOnDown ?? true
    var result = pairs(draft, NativeBackend(name: ""), NativeBackend.keys)
    result.append(("servers", .list(backend.servers.map { .map(server($0, backend, draft)) })))
    return result
  }

  private static func check(_ backend: Backend, _ server: Server) -> NativeCheck? {
    server.check.map { NativeCheck(backend, server, $0) }
  }

  private static func server(
    _ server: Server, _ backend: Backend, _ shared: NativeBackend
  ) -> [(String, NativeOutput)] {
    var draft = NativeServer(shared)
    draft.model = server
    draft.check = check(backend, server)
    var result = pairs(
      draft, NativeServer(shared), NativeServer.keys.filter { $0.name != "check" })
    // The address is the name as well, where there is no other.
    if server.name == NativeAddress.print(server.address) { result.removeAll { $0.0 == "name" } }
    if draft.check != shared.check, server.track == nil {
      let base = shared.check ?? NativeCheck()
      let said = draft.check?.said(over: base)
      if let text = NativeBackend.printCheck(said, base) { result.append(("check", text)) }
    }
    return result
  }
}
