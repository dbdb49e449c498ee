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
    top.append(
      (
        "frontends",
        .list(proxy.frontends.map { .map(frontend($0, proxy)) })
      ))
    let isShort =
      proxy.backends.count == 1
      && backend(proxy.backends[0]).allSatisfy { ["name", "servers", "check"].contains($0.0) }
      && proxy.backends[0].name == NativeDefaults.backendName
    if isShort {
      top += backend(proxy.backends[0]).filter { $0.0 != "name" }
    } else if !proxy.backends.isEmpty {
      top.append(("backends", .list(proxy.backends.map { .map(backend($0)) })))
    }
    let logging = NativePrinter.logging(proxy)
    let said = pairs(logging, NativeLogging(), NativeLogging.keys)
    if !said.isEmpty { top.append(("logging", .map(said))) }
    let process = pairs(proxy.global, NativeLogging.defaultGlobal, NativeLogging.processKeys)
    if !process.isEmpty { top.append(("process", .map(process))) }
    return top
  }

  static func logging(_ proxy: ProxyConfiguration) -> NativeLogging {
    var logging = NativeLogging()
    logging.targets = proxy.global.logTargets
    logging.tag = proxy.global.logTag
    if let log = proxy.frontends.first?.log {
      logging.sessions = log.targets.isEmpty ? .none : log.dontLogNormal ? .failed : .all
      if logging.targets.isEmpty { logging.targets = log.targets }
    }
    return logging
  }

  private static func frontend(
    _ frontend: Frontend, _ proxy: ProxyConfiguration
  ) -> [(String, NativeOutput)] {
    var draft = NativeFrontend(name: "")
    draft.model = frontend
    if let bind = frontend.binds.first { draft.bind = bind }
    draft.listen = frontend.binds.flatMap { bind in bind.addresses.map { ($0, "") } }
    if proxy.backends.count == 1, frontend.defaultBackend == proxy.backends[0].name {
      draft.model.defaultBackend = nil
    }
    return pairs(draft, NativeFrontend(name: ""), NativeFrontend.keys)
  }

  private static func backend(_ backend: Backend) -> [(String, NativeOutput)] {
    var draft = NativeBackend(name: "")
    draft.model = backend
    let first = backend.servers.first { $0.check != nil }?.check
    draft.check = first.flatMap { NativeCheck(backend, $0) }
    draft.tcpUserTimeout = backend.servers.first?.tcpUserTimeout
    draft.resetsWhenDown = backend.servers.first?.resetsSessionsOnDown ?? true
    var result = pairs(draft, NativeBackend(name: ""), NativeBackend.keys)
    result.append(("servers", .list(backend.servers.map { .map(server($0, backend, draft)) })))
    return result
  }

  private static func server(
    _ server: Server, _ backend: Backend, _ shared: NativeBackend
  ) -> [(String, NativeOutput)] {
    var draft = NativeServer(shared)
    draft.model = server
    draft.check = server.check.flatMap { NativeCheck(backend, $0) }
    var result = pairs(
      draft, NativeServer(shared), NativeServer.keys.filter { $0.name != "check" })
    if draft.check != shared.check {
      let base = shared.check ?? NativeCheck()
      let said = draft.check?.said(over: base)
      if let text = NativeBackend.printCheck(said, base) { result.append(("check", text)) }
    }
    return result
  }
}
