// From the two models to the native file, and what could not be carried. Nothing is claimed: the
// result is parsed again, and every value that came out otherwise is told.

/// A native file made from other dialects' files.
public struct NativeConversion: Sendable {
  public var document = NativeDocument()
  /// One sentence for each thing the native file does not say.
  public var notes: [String] = []
  /// The name of each file's node, in the order of the files.
  private var given: [String] = []

  /// `nodes` are the virtual routers of each node's keepalived.conf, with the file's name.
  public init(
    proxy: ProxyConfiguration?, nodes: [(file: String, configuration: FailoverConfiguration)],
    names: [String?] = []
  ) {
    if let proxy { document.proxy = carried(proxy) }
    for (index, node) in nodes.enumerated() {
      let name = names.indices.contains(index) ? names[index] : nil
      given.append(name ?? nodeName(node.configuration, index))
      add(node.configuration, given[index], node.file)
    }
    nameOtherPeers(nodes.map(\.configuration))
    if document.nodes.count == 1 {
      notes.append(
        "only node \(document.nodes[0].name) is known: add the others with their addresses under "
          + "'nodes', and their priorities under 'nodes' of each virtual address")
    }
    compare(proxy, nodes)
  }

  // MARK: proxy

  /// Without what has no words in the native file.
  private mutating func carried(_ proxy: ProxyConfiguration) -> ProxyConfiguration? {
    var proxy = proxy
    for index in proxy.backends.indices {
      let backend = proxy.backends[index]
      proxy.backends[index].servers.removeAll { server in
        let isPlain: Bool
        switch (server.host, server.port) {
        case (.ip(let address), .fixed(let port)): isPlain = !address.isUnspecified && port > 0
        case (.name, .fixed(let port)): isPlain = port > 0
        default: isPlain = false
        }
        if !isPlain {
          note(server.origin, "server \(backend.name)/\(server.name): its address is not carried")
        }
        return !isPlain
      }
      // A script without rules connects, and that is all.
      if backend.check == .script([]) { proxy.backends[index].check = .connect }
      carryCheck(&proxy.backends[index])
    }
    proxy.backends.removeAll { backend in
      guard backend.servers.isEmpty || backend.isDisabled else { return false }
      notes.append("backend \(backend.name) is not carried: it is disabled or has no servers")
      return true
    }
    proxy.frontends = proxy.frontends.compactMap { frontend in
      var frontend = frontend
      let origin = Origin(frontend.binds.first?.origin ?? "")
      frontend.binds = frontend.binds.flatMap { bind in
        bind.addresses.compactMap { address in
          guard case .ip(_, let port) = address, port > 0 else {
            note(
              Origin(bind.origin),
              "frontend \(frontend.name): \(address) is not carried: no address with a port")
            return nil
          }
          var single = bind
          single.addresses = [address]
          return single
        }
      }
      let target = frontend.defaultBackend.flatMap { proxy.backend(named: $0) }
      if frontend.isDisabled || frontend.binds.isEmpty || target == nil {
        note(
          origin, "frontend \(frontend.name) is not carried: it listens nowhere or leads nowhere")
        return nil
      }
      return frontend
    }
    return proxy.frontends.isEmpty ? nil : proxy
  }

  private mutating func carryCheck(_ backend: inout Backend) {
    for index in backend.servers.indices {
      guard let check = backend.servers[index].check, NativeCheck(backend, check) == nil else {
        continue
      }
      note(
        backend.servers[index].origin,
        "backend \(backend.name): its check is not carried; a TCP connection is checked instead")
      backend.check = .connect
      for other in backend.servers.indices { backend.servers[other].check?.tls = nil }
      return
    }
  }

  // MARK: failover

  private mutating func add(_ failover: FailoverConfiguration, _ name: String, _ file: String) {
    var node = NativeNode(name: name, addresses: [])
    for router in failover.routers {
      guard let first = router.addresses.first else {
        note(router.origin, "\(router.name) is not carried: it has no virtual address")
        continue
      }
      node.interface = node.interface ?? router.interface
      if let source = router.source, !node.addresses.contains(source) {
        node.addresses.append(source)
      }
      let member = NativeVirtualAddress.Member(node.name, priority: router.priority)
      if let known = document.virtualAddresses.firstIndex(where: {
        $0.routerID == router.id && $0.addresses.first?.address == first.address
      }) {
        document.virtualAddresses[known].nodes?.append(member)
        document.virtualAddresses[known].nodes?.sort { ($0.priority ?? 0) > ($1.priority ?? 0) }
        continue
      }
      var made = NativeVirtualAddress()
      made.origin = router.origin
      made.settings = router
      made.name = plainName(router)
      made.addresses = router.addresses
      made.routerID = router.id
      made.nodes = [member]
      made.interval = router.advertisementInterval
      made.version = router.version
      made.password = router.password.map {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      made.preempt = router.preemption != .never
      if case .delayed(let delay) = router.preemption { made.preemptDelay = delay }
      // As it was: health has not moved these addresses, and their priorities leave no room.
      made.followsProxy = false
      made.multicast = router.peers.isEmpty
      if router.interface != node.interface { made.interface = router.interface }
      document.virtualAddresses.append(made)
    }
    if node.interface != nil { document.nodes.append(node) }
    let lost =
      failover.groups.map { "sync group \($0.name)" }
      + failover.scripts.map { "script \($0.name)" } + failover.files.map { "file \($0.name)" }
      + failover.processes.map { "process \($0.name)" }
      + (failover.staticAddresses.isEmpty && failover.staticRoutes.isEmpty
        && failover.staticRules.isEmpty ? [] : ["static addresses, routes and rules"])
    for thing in lost { notes.append("\(file): \(thing): not carried") }
  }

  /// A name may hold anything in keepalived.conf.
  private mutating func plainName(_ router: VirtualRouter) -> String {
    let bytes = router.name.utf8.prefix(128).map { byte in
      switch byte {
      case 45, 46, 48...58, 65...90, 95, 97...122: byte
      default: UInt8(ascii: "-")
      }
    }
    var name = String(decoding: bytes, as: UTF8.self)
    if document.virtualAddresses.contains(where: { $0.name == name }) {
      name = String(name.prefix(120)) + "-\(document.virtualAddresses.count + 1)"
    }
    if name != router.name { note(router.origin, "\(router.name) is now called \(name)") }
    return name
  }

  private func nodeName(_ failover: FailoverConfiguration, _ index: Int) -> String {
    let name = failover.global.routerID ?? ""
    let isPlain = name.utf8.allSatisfy { $0 > 44 && $0 < 123 && $0 != 47 }
    if isPlain, !given.contains(name), !name.isEmpty, name.utf8.count < 64 { return name }
    var number = index + 1
    while given.contains("node-\(number)") { number += 1 }
    return "node-\(number)"
  }

  /// Peers whose own files were not given.
  private mutating func nameOtherPeers(_ nodes: [FailoverConfiguration]) {
    for router in nodes.flatMap(\.routers) {
      guard
        let index = document.virtualAddresses.firstIndex(where: {
          $0.routerID == router.id
            && $0.addresses.first?.address == router.addresses.first?.address
        })
      else { continue }
      for peer in router.peers {
        let known = document.nodes.first { $0.addresses.contains(peer.address) }?.name
        if let known, given.contains(known) { continue }
        let name = known ?? unusedPeerName()
        if known == nil {
          document.nodes.append(NativeNode(name: name, addresses: [peer.address]))
        }
        let members = document.virtualAddresses[index].nodes ?? []
        if members.contains(where: { $0.node == name }) { continue }
        document.virtualAddresses[index].nodes?.append(.init(name, priority: 100))
        note(
          router.origin,
          "\(router.name): \(peer.address) is called \(name), priority 100: its file was not given")
      }
    }
  }

  private func unusedPeerName() -> String {
    var number = document.nodes.count + 1
    while document.nodes.contains(where: { $0.name == "peer-\(number)" }) { number += 1 }
    return "peer-\(number)"
  }

  // MARK: what came out otherwise

  private mutating func compare(
    _ proxy: ProxyConfiguration?, _ nodes: [(file: String, configuration: FailoverConfiguration)]
  ) {
    if document == NativeDocument() {
      notes.append("nothing is left that a native file could say")
      return
    }
    let bytes = Array(NativeDialect.print(document).utf8)
    func parsed(_ node: String?) -> NativeParseResult {
      NativeDialect.parse(
        files: [("fairlead.yaml", bytes)], options: NativeOptions(hostName: "", node: node))
    }
    let first = parsed(document.nodes.first?.name)
    for problem in first.diagnostics where problem.severity == .error {
      notes.append("the result needs a hand: \(problem.message)")
    }
    if let wanted = document.proxy, let got = first.proxy {
      difference("global", "", wanted.global, got.global)
      if !wanted.resolvers.isEmpty { notes.append("resolvers sections: not carried") }
      for (a, b) in zip(wanted.frontends, got.frontends) {
        difference("frontend \(a.name)", a.binds.first?.origin ?? "", a, b)
      }
      for (a, b) in zip(wanted.backends, got.backends) {
        var (plainA, plainB) = (a, b)
        (plainA.servers, plainB.servers) = ([], [])
        difference("backend \(a.name)", a.servers[0].origin.description, plainA, plainB)
        for (a, b) in zip(a.servers, b.servers) {
          difference("server \(plainA.name)/\(a.name)", a.origin.description, a, b)
        }
      }
    }
    for (index, name) in given.enumerated() {
      let result = parsed(name)
      let got = result.failover?.routers ?? []
      var global = nodes[index].configuration.global
      // The node's name takes its place.
      global.routerID = name
      if let made = result.failover?.global { difference(name, "", global, made) }
      for router in nodes[index].configuration.routers {
        guard let made = got.first(where: { $0.id == router.id && $0.family == router.family })
        else {
          note(router.origin, "\(name), \(router.name): not carried")
          continue
        }
        var wanted = router
        // Only changes defaults, all of which are said.
        wanted.prefersMaster = made.prefersMaster
        // One advert more when it yields harms nobody.
        wanted.sendsAdvertOnHigherPriority = made.sendsAdvertOnHigherPriority
        wanted.name = made.name
        difference("\(name), \(router.name)", router.origin.description, wanted, made)
      }
    }
  }

  /// One note for each stored property that differs.
  private mutating func difference<Value>(
    _ what: String, _ origin: String, _ wanted: Value, _ got: Value
  ) {
    let quiet = ["isListen", "origin"]
    for (a, b) in zip(Mirror(reflecting: wanted).children, Mirror(reflecting: got).children) {
      guard let label = a.label, !quiet.contains(label) else { continue }
      let (was, now) = (String(describing: a.value), String(describing: b.value))
      guard NativeConversion.plain(was) != NativeConversion.plain(now) else { continue }
      let short = was.utf8.count <= 60 && now.utf8.count <= 60
      note(
        Origin(origin),
        "\(what): \(label) is not carried as written"
          + (short ? " (\(was) becomes \(now))" : ""))
    }
  }

  /// Places are no difference.
  private static func plain(_ text: String) -> String {
    guard text.contains("origin: ") else { return text }
    var result = ""
    var rest = text[...]
    while let start = rest.firstIndexOf("origin: ") {
      result += rest[..<start]
      let tail = rest[start...].dropFirst(8)
      rest = tail.drop { $0 != ")" && $0 != "," }
    }
    return result + rest
  }

  private mutating func note(_ origin: Origin, _ text: String) {
    notes.append((origin.description.isEmpty ? "" : origin.description + ": ") + text)
  }
}

extension Substring {
  fileprivate func firstIndexOf(_ text: String) -> Index? {
    indices.first { self[$0...].hasPrefix(text) }
  }
}

extension NativeDialect {
  /// A new file from the words of a command line, and what is wrong with them. Pairs are a name
  /// and an address.
  public static func starter(
    virtualAddresses: [String], nodes: [(String, String)], servers: [(String, String)],
    listen: String
  ) -> (text: String, diagnostics: [Diagnostic]) {
    var top: [(String, NativeOutput)] = []
    if !nodes.isEmpty { top.append(("nodes", .map(nodes.map { ($0.0, .scalar($0.1)) }))) }
    if !virtualAddresses.isEmpty {
      top.append(
        ("virtualAddresses", .list(virtualAddresses.map { .map([("address", .scalar($0))]) })))
    }
    top.append(("frontends", .list([.map([("listen", .scalar(listen))])])))
    top.append(
      (
        "servers",
        .list(servers.map { .map([("name", .scalar($0.0)), ("address", .scalar($0.1))]) })
      ))
    let text = NativeOutput.map(top).block()
    // Which node this machine is does not matter here, nor do its interfaces.
    let local = nodes.compactMap { IPAddress($0.1) }.map {
      NativeOptions.LocalAddress(interface: "any", address: $0, prefixLength: 32)
    }
    let options = NativeOptions(hostName: "", addresses: local, node: nodes.first?.0)
    let result = parse(files: [("fairlead.yaml", Array(text.utf8))], options: options)
    return (text, result.diagnostics)
  }
}
