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
    func missing(_ what: String) { notes.append("\(node.file): \(what): not carried") }
    for script in wanted.scripts {
      guard let made = got.scripts.first(where: { $0.name == script.name }) else {
        missing("script \(script.name)")
        continue
      }
      difference("\(name), script \(script.name)", "", script, made)
    }
    for file in wanted.files {
      guard let made = got.files.first(where: { $0.name == file.name }) else {
        missing("file \(file.name)")
        continue
      }
      difference("\(name), file \(file.name)", "", file, made)
    }
    for process in wanted.processes {
      guard let made = got.processes.first(where: { $0.name == process.name }) else {
        missing("process \(process.name)")
        continue
      }
      difference("\(name), process \(process.name)", "", process, made)
    }
    for group in wanted.groups {
      guard let made = got.groups.first(where: { $0.name == group.name }) else {
        missing("sync group \(group.name)")
        continue
      }
      var wanted = group
      wanted.members = group.members.map { groupNames[name]?[$0] ?? $0 }
      difference("\(name), sync group \(group.name)", group.origin.description, wanted, made)
    }
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
