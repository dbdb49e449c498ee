// From the two models to the native file, and what could not be carried. Nothing is claimed: the
// result is parsed again, and every value that came out otherwise is told.

/// A native file made from other dialects' files.
public struct NativeConversion: Sendable {
  public var document = NativeDocument()
  /// One sentence for each thing the native file does not say.
  public var notes: [String] = []
  /// The name of each file's node, in the order of the files.
  var given: [String] = []
  /// Of each node, what its file's routers are called here.
  var groupNames: [String: [String: String]] = [:]

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

  // MARK: failover

  private mutating func add(_ failover: FailoverConfiguration, _ name: String, _ file: String) {
    var node = NativeNode(name: name, addresses: [])
    node.staticAddresses = failover.staticAddresses
    node.staticRoutes = failover.staticRoutes
    node.staticRules = failover.staticRules
    /// What routers of this file are called here.
    var called: [String: String] = [:]
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
        called[router.name] = document.virtualAddresses[known].effectiveName
        continue
      }
      var made = NativeVirtualAddress()
      made.origin = router.origin
      made.settings = router
      made.name = plainName(router)
      called[router.name] = made.name
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
      made.checkSource = router.peers.isEmpty || router.checksUnicastSource
      if router.interface != node.interface { made.interface = router.interface }
      document.virtualAddresses.append(made)
    }
    if node != NativeNode(name: name, addresses: []) { document.nodes.append(node) }
    // The first file to name a thing says what it is; `compare` tells where others differ.
    func take<Thing>(
      _ things: [Thing], _ name: KeyPath<Thing, String>,
      into all: WritableKeyPath<NativeDocument, [Thing]>
    ) {
      for thing in things {
        let isKnown = document[keyPath: all].contains {
          $0[keyPath: name] == thing[keyPath: name]
        }
        if !isKnown { document[keyPath: all].append(thing) }
      }
    }
    take(failover.scripts, \.name, into: \.scripts)
    take(failover.files, \.name, into: \.files)
    take(failover.processes, \.name, into: \.processes)
    take(
      failover.groups.compactMap { group in
        var group = group
        group.members = group.members.compactMap { called[$0] }
        return group.members.isEmpty ? nil : group
      }, \.name, into: \.groups)
    groupNames[name] = called
    if given.count == 1 {
      document.vrrp = failover.global
      document.vrrp.routerID = nil
    }
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

  mutating func note(_ origin: Origin, _ text: String) {
    notes.append((origin.description.isEmpty ? "" : origin.description + ": ") + text)
  }
}
