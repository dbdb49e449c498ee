// What must hold between the parts of a native file. Complaints stand at the later of two places.

extension NativeParser {
  // MARK: virtual addresses and nodes

  func checkAddresses(
    _ document: NativeDocument, at value: NativeValue, nodes: NativeValue?
  ) {
    guard !document.nodes.isEmpty, !document.virtualAddresses.isEmpty else { return }
    let entries = Array(zip(document.virtualAddresses, reader.elements(value)))
    for (index, (address, place)) in entries.enumerated() where !address.addresses.isEmpty {
      checkMembers(address, document.nodes, at: place)
      checkOwners(address, document.nodes, at: place)
      checkDifferences(
        address, from: entries[..<index].map(\.0).filter { !$0.addresses.isEmpty }, at: place)
    }
    if let nodes { checkUnused(document, at: nodes) }
  }

  private func checkMembers(
    _ address: NativeVirtualAddress, _ nodes: [NativeNode], at place: NativeValue
  ) {
    guard let members = address.nodes else {
      if nodes.count > 16 {
        reader.report(at: place, "more than 16 nodes: give 'nodes' with priorities")
      }
      return
    }
    let list = place["nodes"]
    if list.node.sequence?.isEmpty ?? list.node.mapping?.isEmpty ?? false {
      reader.report(at: list, "there are no nodes; without this key it is all of them")
    }
    for member in members where !nodes.contains(where: { $0.name == member.node }) {
      let hint = Spelling.nearest(to: member.node, among: nodes.map(\.name))
      var at = list.node.sequence == nil ? list[member.node] : list
      if let key = list.node.mapping?.first(where: { $0.key.string == member.node })?.key {
        at.node = key
      } else if let item = reader.elements(list).first(where: { $0.text == member.node }) {
        at = item
      }
      reader.report(
        at: at,
        "there is no node '\(member.node)' in 'nodes'"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
  }

  private func checkOwners(
    _ address: NativeVirtualAddress, _ nodes: [NativeNode], at place: NativeValue
  ) {
    for held in address.addresses {
      guard let node = nodes.first(where: { $0.addresses.contains(held.address) }),
        // The owner of an address has it anyway.
        !(address.nodes ?? []).contains(where: { $0.node == node.name && $0.priority == 255 })
      else { continue }
      reader.report(
        at: self.place(of: held.address, in: place),
        "\(held.address) is node '\(node.name)' itself; a virtual address is one more")
    }
  }

  /// One complaint for each entry: an address that is there twice has the same name and router
  /// id as well.
  private func checkDifferences(
    _ address: NativeVirtualAddress, from others: [NativeVirtualAddress], at place: NativeValue
  ) {
    for other in others where other.interface == address.interface {
      let twice = address.addresses.first { held in
        other.addresses.contains { $0.address == held.address }
      }
      guard let twice else { continue }
      reader.report(
        at: self.place(of: twice.address, in: place),
        "\(twice.address) is already a virtual address"
          + (other.name.map { ", of '\($0)'" } ?? ""))
      return
    }
    if others.contains(where: { $0.effectiveName == address.effectiveName }) {
      reader.report(
        at: place["name"],
        "a virtual address '\(address.effectiveName)' is already there"
          + (address.name == nil ? "; give a 'name'" : ""))
      return
    }
    for other in others {
      guard other.effectiveRouterID == address.effectiveRouterID,
        other.addresses.first?.address.family == address.addresses.first?.address.family
      else { continue }
      // On one interface two such routers are one to everybody who listens.
      reader.report(
        other.interface == address.interface ? .error : .warning, at: place["routerID"],
        "'\(other.effectiveName)' and '\(address.effectiveName)' have the same router id "
          + "\(address.effectiveRouterID); give one of them another 'routerID'")
      return
    }
  }

  private func checkUnused(_ document: NativeDocument, at value: NativeValue) {
    guard !reader.hasErrors else { return }
    for (name, place, _) in reader.entries(value) {
      let isUsed = document.virtualAddresses.contains { address in
        address.nodes?.contains { $0.node == name } ?? true
      }
      if isUsed { continue }
      reader.report(.warning, at: place, "this node is in no 'nodes' of a virtual address")
    }
  }

  /// Where an entry names one of its addresses.
  private func place(of address: IPAddress, in value: NativeValue) -> NativeValue {
    let all = value["address"]
    return reader.elements(all, acceptsOne: true).first { element in
      IPAddress(String((element.text ?? "").prefix { $0 != "/" })) == address
    } ?? all
  }

  // MARK: proxy

  /// Two sockets on one address would share its connections at random.
  func checkListening(_ frontend: Frontend, _ others: [Frontend], at value: NativeValue) {
    let interface = frontend.binds.first?.interface
    var own: [SocketAddress] = []
    for place in reader.elements(value["listen"], acceptsOne: true) {
      guard let address = NativeAddress.listening(place.text ?? "") else { continue }
      let other = others.first { other in
        other.binds.contains { $0.interface == interface && $0.addresses.contains(address) }
      }
      if let other {
        reader.report(at: place, "frontend '\(other.name)' listens on \(address) already")
        return
      }
      if own.contains(address) {
        reader.report(at: place, "\(address) is already there")
        return
      }
      own.append(address)
    }
    if others.contains(where: { $0.name == frontend.name }) {
      let hint = value.child("name") == nil ? "; give a 'name'" : ""
      reader.report(
        at: value["name"], "a frontend '\(frontend.name)' is already there" + hint)
    }
  }

  func checkDashboard(_ document: NativeDocument, at value: NativeValue) {
    guard case .settings(let settings) = document.http, let address = settings.address,
      let other = document.proxy?.frontends.first(where: { frontend in
        frontend.binds.contains { $0.addresses.contains(address) }
      })
    else { return }
    reader.report(
      at: value["listen"], "frontend '\(other.name)' listens on \(address) already")
  }

  /// The same server twice gets two shares, which nobody means; it works, so it is a warning.
  /// `addresses` holds the names of the servers that have them.
  func checkServer(
    _ server: Server, _ names: inout Set<String>, _ addresses: inout [String: String],
    at value: NativeValue
  ) {
    let address = NativeAddress.print(server.address)
    guard !server.name.isEmpty else { return }
    if !names.insert(server.name).inserted {
      reader.report(at: value["name"], "a server '\(server.name)' is already there")
    } else if let other = addresses[address] {
      reader.report(
        .warning, at: value["address"],
        "\(address) is server '\(other)' as well: it gets two shares")
    } else if !address.isEmpty {
      addresses[address] = server.name
    }
  }
}
