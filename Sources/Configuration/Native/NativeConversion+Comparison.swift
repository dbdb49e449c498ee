// What came out otherwise: the printed result is parsed again and compared with the source.

extension NativeConversion {
  mutating func compare(
    _ proxy: ProxyConfiguration?, _ nodes: [(file: String, configuration: FailoverConfiguration)]
  ) {
    if document == NativeDocument() {
      notes.append(
        "nothing to convert: no frontend leads to a server, and there is no virtual address")
      return
    }
    let bytes = Array(NativeDialect.print(document).utf8)
    func parsed(_ node: String?) -> NativeParseResult {
      NativeDialect.parse(
        files: [("fairlead.yaml", bytes)],
        options: NativeOptions(hostName: "", node: node, isOnlyChecked: true))
    }
    let first = parsed(document.nodes.first?.name)
    for problem in first.diagnostics where problem.severity == .error {
      notes.append("the result needs a hand: \(problem.message)")
    }
    if let wanted = document.proxy, let got = first.proxy { compare(wanted, got.plain) }
    for (index, name) in given.enumerated() {
      let result = parsed(name)
      let got = result.failover?.routers ?? []
      var global = nodes[index].configuration.global
      // The node's name takes its place.
      global.routerID = name
      if let made = result.failover {
        difference(name, "", global, made.global)
        compareTracking(nodes[index], name, made)
      }
      for router in nodes[index].configuration.routers {
        // Told already.
        if router.addresses.isEmpty { continue }
        let called = groupNames[name]?[router.name]
        guard var made = got.first(where: { $0.name == called }) else {
          note(router.origin, "\(name), \(router.name): not carried")
          continue
        }
        var wanted = router
        // Only changes defaults, all of which are said.
        wanted.prefersMaster = made.prefersMaster
        // One advert more when it yields harms nobody.
        wanted.sendsAdvertOnHigherPriority = made.sendsAdvertOnHigherPriority
        wanted.name = made.name
        if !router.peers.isEmpty, made.peers.isEmpty, router.source == nil {
          wanted.peers = []
          note(
            router.origin,
            "\(name), \(router.name): peers are not carried, since \(name)'s own address is not "
              + "in its file: write it to nodes.\(name).address, and adverts are unicast again")
        }
        // Their order means nothing.
        wanted.peers.sort { "\($0.address)" < "\($1.address)" }
        made.peers.sort { "\($0.address)" < "\($1.address)" }
        difference("\(name), \(router.name)", router.origin.description, wanted, made)
      }
    }
  }

  /// What nodes have in common may differ from file to file, and static things are each node's own.
  private mutating func compareTracking(
    _ node: (file: String, configuration: FailoverConfiguration), _ name: String,
    _ got: FailoverConfiguration
  ) {
    let wanted = node.configuration
    func compare<Thing>(
      _ kind: String, _ wanted: [Thing], _ got: [Thing], _ called: KeyPath<Thing, String>,
      _ origin: (Thing) -> String = { _ in "" }
    ) {
      for thing in wanted {
        let what = "\(kind) \(thing[keyPath: called])"
        if let made = got.first(where: { $0[keyPath: called] == thing[keyPath: called] }) {
          difference("\(name), \(what)", origin(thing), thing, made)
        } else {
          notes.append("\(node.file): \(what): not carried")
        }
      }
    }
    compare("script", wanted.scripts, got.scripts, \.name)
    compare("file", wanted.files, got.files, \.name)
    compare("process", wanted.processes, got.processes, \.name)
    let groups = wanted.groups.map { group in
      var group = group
      group.members = group.members.map { groupNames[name]?[$0] ?? $0 }
      return group
    }
    compare("sync group", groups, got.groups, \.name) { $0.origin.description }
    var (statics, made) = (FailoverConfiguration(), FailoverConfiguration())
    (statics.staticAddresses, made.staticAddresses) = (wanted.staticAddresses, got.staticAddresses)
    (statics.staticRoutes, made.staticRoutes) = (wanted.staticRoutes, got.staticRoutes)
    (statics.staticRules, made.staticRules) = (wanted.staticRules, got.staticRules)
    difference(name, "", statics, made)
  }

  /// One note for each stored property that differs.
  mutating func difference<Value>(
    _ what: String, _ origin: String, _ wanted: Value, _ got: Value
  ) {
    for (label, was, now) in NativeConversion.differing(wanted, got, but: ["isListen", "origin"]) {
      note(
        Origin(origin),
        "\(what): \(label) is not carried as written"
          + NativeConversion.shown(was, now, " (\(was) becomes \(now))"))
    }
  }

  /// Stored properties whose texts differ, places aside.
  static func differing<Value>(
    _ a: Value, _ b: Value, but ignored: Set<String>
  ) -> [(label: String, a: String, b: String)] {
    zip(Mirror(reflecting: a).children, Mirror(reflecting: b).children).compactMap { x, y in
      guard let label = x.label, !ignored.contains(label) else { return nil }
      let texts = (String(describing: x.value), String(describing: y.value))
      return plain(texts.0) == plain(texts.1) ? nil : (label, texts.0, texts.1)
    }
  }

  /// Values are told only if both are short.
  static func shown(_ a: String, _ b: String, _ text: String) -> String {
    a.utf8.count <= 60 && b.utf8.count <= 60 ? text : ""
  }

  /// Places are no difference.
  static func plain(_ text: String) -> String {
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
}

extension Substring {
  fileprivate func firstIndexOf(_ text: String) -> Index? {
    indices.first { self[$0...].hasPrefix(text) }
  }
}
