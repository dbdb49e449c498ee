// From what the file says for all nodes to what this node does.

struct NativeAssembly {
  let reader: NativeReader
  let document: NativeDocument
  let options: NativeOptions
  let node: NativeNode?

  init(reader: NativeReader, document: NativeDocument, options: NativeOptions) {
    self.reader = reader
    self.document = document
    self.options = options
    node = NativeAssembly.find(document.nodes, options)
  }

  /// `--node`, then the host name in full or its first part, then an address.
  static func find(_ nodes: [NativeNode], _ options: NativeOptions) -> NativeNode? {
    if let name = options.node { return nodes.first { $0.name == name } }
    let full = options.hostName.lowercased()
    func short(_ name: String) -> String { String(name.lowercased().prefix { $0 != "." }) }
    if let node = nodes.first(where: { $0.name.lowercased() == full }) { return node }
    let sameShort = nodes.filter { short($0.name) == short(full) }
    if sameShort.count == 1, !full.isEmpty { return sameShort[0] }
    // Addresses that several nodes could have are no proof; the file holds none twice.
    let own = Set(options.addresses.map(\.address))
    return nodes.first { !own.isDisjoint(with: $0.addresses) }
  }

  /// Of this node. nil without virtual addresses, when an error has been reported, or when only a
  /// check is asked for and this machine is none of the nodes.
  func failover() -> FailoverConfiguration? {
    guard !document.nodes.isEmpty else {
      if let name = options.node {
        reader.report(line: 0, column: 0, "--node \(name): the file has no 'nodes'")
      }
      return nil
    }
    guard let node else {
      // The proxy half is the same on every node, and does not ask.
      guard !document.virtualAddresses.isEmpty || options.node != nil else { return nil }
      if options.isOnlyChecked, options.node == nil {
        reader.report(
          .note, line: 0, column: 0,
          "this machine is none of the file's nodes, so all of them are looked at; their "
            + "interfaces are seen there")
        return nil
      }
      let known = document.nodes.map { node in
        let addresses = node.addresses.map { "\($0)" }.joined(separator: ", ")
        return node.name + (addresses.isEmpty ? "" : " (\(addresses))")
      }.joined(separator: ", ")
      let who =
        options.node.map { "there is no node '\($0)' in this file" }
        ?? "this machine is none of the file's nodes: neither its name '\(options.hostName)' nor "
        + "an address of its interfaces is there"
      reader.report(
        line: 0, column: 0,
        who + "; the nodes are \(known)" + (options.node == nil ? "; --node NAME says which" : ""))
      return nil
    }
    return failover(of: node)
  }

  /// Every node's part, for a check on a machine that is none of them; empty otherwise.
  func everyNode() -> [(node: String, failover: FailoverConfiguration)] {
    guard options.isOnlyChecked, node == nil, options.node == nil else { return [] }
    return document.nodes.compactMap { node in failover(of: node).map { (node.name, $0) } }
  }

  private func failover(of node: NativeNode) -> FailoverConfiguration? {
    var result = FailoverConfiguration()
    result.global = document.vrrp
    result.staticAddresses = node.staticAddresses.map { address in
      var address = address
      address.interface = address.interface ?? node.interface ?? anyInterface(node)
      if address.interface == nil {
        address.interface = missingInterface(
          node, "static address \(address.address) of node '\(node.name)' needs 'dev INTERFACE'")
      }
      return address
    }
    result.staticRoutes = node.staticRoutes
    result.staticRules = node.staticRules
    guard !document.virtualAddresses.isEmpty || result != FailoverConfiguration() else {
      return nil
    }
    result.global.routerID = node.name
    result.routers = document.virtualAddresses.compactMap { router($0, node) }
    (result.scripts, result.files) = (document.scripts, document.files)
    result.processes = document.processes
    result.groups = document.groups.compactMap { group in
      var group = group
      group.members.removeAll { name in !result.routers.contains { $0.name == name } }
      return group.members.isEmpty ? nil : group
    }
    return result
  }

  /// 200, 190, 180 … by the place in the list: room to put a keepalived peer between. Of many
  /// nodes that follow the proxy, all have to stay above 130.
  static func members(
    _ address: NativeVirtualAddress, _ document: NativeDocument
  ) -> [(node: NativeNode, priority: UInt8)] {
    let listed = address.nodes ?? document.nodes.map { NativeVirtualAddress.Member($0.name) }
    let step = listed.count > 8 && address.follows(hasProxy: document.proxy != nil) ? 4 : 10
    return listed.enumerated().compactMap { index, member in
      guard let node = document.nodes.first(where: { $0.name == member.node }) else { return nil }
      return (node, member.priority ?? UInt8(clamping: max(1, 200 - step * index)))
    }
  }

  private func router(_ address: NativeVirtualAddress, _ node: NativeNode) -> VirtualRouter? {
    let members = NativeAssembly.members(address, document)
    guard let own = members.first(where: { $0.node.name == node.name }),
      let family = address.addresses.first?.address.family
    else { return nil }
    let unknown =
      "virtual address '\(address.effectiveName)': no interface of this machine has an address of "
      + "node '\(node.name)'; name it: nodes.\(node.name).interface"
    guard let interface = interface(address, node) ?? missingInterface(node, unknown) else {
      return nil
    }
    var router = address.settings
    router.name = address.effectiveName
    router.origin = address.origin
    router.interface = interface
    router.id = address.effectiveRouterID
    router.family = family
    router.version = address.effectiveVersion
    router.priority = own.priority
    router.prefersMaster = own.priority == 255
    router.advertisementInterval = address.effectiveInterval
    router.addresses = address.addresses
    // After a network has healed, a master that yields says so once more: the one that stays may
    // not have heard of it, and has to announce itself, or clients go on asking here.
    router.sendsAdvertOnHigherPriority = true
    router.preemption = address.preempt ? .immediate : .never
    if address.follows(hasProxy: document.proxy != nil) {
      router.following = ProxyFollowing(
        preemptDelay: address.preemptDelay ?? NativeVirtualAddress.usualPreemptDelay)
    } else if address.preempt, let delay = address.preemptDelay, delay > .zero {
      router.preemption = .delayed(delay)
    }
    if let password = address.password {
      let bytes = Array(password.utf8)
      router.password = bytes + [UInt8](repeating: 0, count: max(0, 8 - bytes.count))
    }
    let others = members.filter { $0.node.name != node.name }
    let peers = others.compactMap { NativeAssembly.exchangeAddress($0.node, family) }
    if let source = NativeAssembly.exchangeAddress(node, family), !address.multicast,
      !others.isEmpty, peers.count == others.count
    {
      router.source = source
      router.peers = peers.map { UnicastPeer($0) }
      // Everybody's address is known: an advert from elsewhere is not from a node.
      router.checksUnicastSource = address.checkSource
    } else if interface == node.interface || address.interface == nil {
      // Elsewhere, another address of this machine is the one.
      router.source = NativeAssembly.multicastSource(node, family)
    }
    return router
  }

  /// Adverts of VRRP over IPv6 come from link-local addresses; others can be peers as well.
  static func exchangeAddress(_ node: NativeNode, _ family: AddressFamily) -> IPAddress? {
    node.addresses.first { $0.family == family }
  }

  /// Over IPv6, adverts to the group come from a link-local address (RFC 9568, section 5.1.2.1).
  static func multicastSource(_ node: NativeNode, _ family: AddressFamily) -> IPAddress? {
    node.addresses.first { address in
      guard address.family == family else { return false }
      guard case .v6(let high, _) = address else { return true }
      return high >> 54 == 0xfe80 >> 6
    }
  }

  private func anyInterface(_ node: NativeNode) -> String? {
    options.addresses.first { node.addresses.contains($0.address) }?.interface
  }

  /// An error where it is to run. A check elsewhere cannot know; then a word that says so takes
  /// the interface's place. Who found itself by its host name is where it is to run.
  private func missingInterface(_ node: NativeNode, _ message: String) -> String? {
    if !options.isOnlyChecked || self.node?.name == node.name {
      let isItself = options.node == nil
      reader.report(
        !options.isOnlyChecked ? .error : isItself ? .warning : .note, line: 0, column: 0,
        message + (options.isOnlyChecked ? ", if that is so on the node itself" : ""))
    }
    return options.isOnlyChecked ? "interface-of-\(node.name)" : nil
  }

  private func interface(_ address: NativeVirtualAddress, _ node: NativeNode) -> String? {
    if let name = address.interface ?? node.interface { return name }
    let own = options.addresses.filter { node.addresses.contains($0.address) }
    guard let virtual = address.addresses.first?.address else { return nil }
    let near = own.first {
      NativeAddress.contains(virtual, in: $0.address, prefix: $0.prefixLength)
    }
    return (near ?? own.first)?.interface
  }
}
