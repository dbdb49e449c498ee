// Virtual addresses that change state together, and what holds for all of a node's routers.

extension SyncGroup {
  static var keys: [NativeKey<SyncGroup>] {
    [
      NativeKey(
        "members", \.members,
        read: { reader, value in reader.elements(value).compactMap { reader.name($0) } },
        print: { .list($0.map { .scalar($0) }) }),
      NativeReferences.interfaces.key("trackedInterfaces", \.trackedInterfaces),
      NativeReferences.scripts.key("trackedScripts", \.trackedScripts),
      NativeReferences.others.key("trackedFiles", \.trackedFiles),
      NativeReferences.others.key("trackedProcesses", \.trackedProcesses),
      .flag("ownPriorities", \.allowsWeights),
      NativeKey(
        "notify", \.notify, read: NotifyCommands.read, print: { $0.output }),
    ]
  }

  static func read(_ reader: NativeReader, _ value: NativeValue) -> [SyncGroup] {
    reader.named(value, keys) { SyncGroup(name: $0, origin: Origin()) }.map { _, place, group in
      var group = group
      group.origin = reader.origin(place)
      if group.members.isEmpty, !reader.hasErrors {
        reader.report(at: place, "'members' is missing: the names of virtual addresses")
      }
      return group
    }
  }
}

extension NotifyCommands {
  static var keys: [NativeKey<NotifyCommands>] {
    func command(
      _ name: String, _ path: WritableKeyPath<NotifyCommands, ScriptCommand?>
    ) -> NativeKey<NotifyCommands> {
      NativeKey(name, path, read: { .some($0.command($1)) }, print: NativeCommand.print)
    }
    return [
      command("master", \.master),
      command("backup", \.backup),
      command("fault", \.fault),
      command("stop", \.stop),
      NativeKey(
        "deleted", \.deletion,
        read: { reader, value in
          if let isReported = value.text.flatMap(Bool.init) {
            return Deletion(isReported: isReported, command: nil)
          }
          return reader.command(value).map { Deletion(isReported: true, command: $0) }
        },
        print: { NativeCommand.print($0.command) ?? .scalar($0.isReported ? "true" : "false") }),
      command("lowerPriorityHeard", \.lowerPriorityHeard),
      command("any", \.any),
    ]
  }

  private struct Deletion {
    var isReported: Bool
    var command: ScriptCommand?
  }

  private var deletion: Deletion {
    get { Deletion(isReported: reportsDeletion, command: deleted) }
    set { (reportsDeletion, deleted) = (newValue.isReported, newValue.command) }
  }

  static func read(_ reader: NativeReader, _ value: NativeValue) -> NotifyCommands? {
    var result = NotifyCommands()
    reader.read(value, into: &result, with: keys)
    return result
  }

  var output: NativeOutput {
    .map(NativePrinter.pairs(self, NotifyCommands(), NotifyCommands.keys))
  }
}

extension FailoverGlobals {
  /// The `vrrp` mapping. The node's name is its router id.
  static var keys: [NativeKey<FailoverGlobals>] {
    func command(
      _ name: String, _ path: WritableKeyPath<FailoverGlobals, ScriptCommand?>
    ) -> NativeKey<FailoverGlobals> {
      NativeKey(name, path, read: { .some($0.command($1)) }, print: NativeCommand.print)
    }
    return [
      NativeKey("scriptUser", \.scriptUser, read: readUser, print: printUser),
      .flag("scriptSecurity", \.enforcesScriptSecurity),
      .time("startupDelay", \.startupDelay, .zero ... .seconds(1_000_000)),
      .flag("absentInterfaces", \.allowsAbsentInterfaces),
      NativeKey("fifos", \.fifos, read: readFIFOs, print: printFIFOs),
      .flag("fifoStatesOnReload", \.writesStatesOnReload),
      .number("realtimePriority", \.realtimePriority, 1...99),
      NativeKey(
        "lockMemory", \.locksMemory, read: { .some($0.bool($1)) },
        print: { $0.map { .scalar($0 ? "true" : "false") } }),
      .flag("logUnknownRouters", \.logsUnknownRouters),
      command("startupScript", \.startupScript),
      .optionalTime("startupScriptTimeout", \.startupScriptTimeout),
      command("shutdownScript", \.shutdownScript),
      .optionalTime("shutdownScriptTimeout", \.shutdownScriptTimeout),
    ]
  }

  private static func readUser(_ reader: NativeReader, _ value: NativeValue) -> ScriptUser?? {
    guard value.node.mapping != nil else {
      return reader.string(value).map { .some(ScriptUser($0)) }
    }
    var draft = NativeCommand()
    reader.read(value, into: &draft, with: NativeCommand.keys.filter { $0.name != "command" })
    guard let user = reader.user(draft, at: value) else {
      if !reader.hasErrors { reader.report(at: value, "'user' is missing") }
      return nil
    }
    return .some(user)
  }

  private static func printUser(_ user: ScriptUser?) -> NativeOutput? {
    guard let user else { return nil }
    guard let group = user.group else { return .scalar(user.user) }
    return .map([("user", .scalar(user.user)), ("group", .scalar(group))])
  }

  static var fifoKeys: [NativeKey<NotifyFIFO>] {
    [
      NativeKey("path", \.path, read: { $0.string($1) }, print: { .scalar($0) }),
      NativeKey("owner", \.owner, read: readUser, print: printUser),
      NativeKey(
        "script", \.script, read: { .some($0.command($1)) }, print: NativeCommand.print),
    ]
  }

  /// keepalived knows two: the first is told everything, the second what routers do.
  private static func readFIFOs(_ reader: NativeReader, _ value: NativeValue) -> [NotifyFIFO]? {
    let fifos = reader.elements(value, acceptsOne: true).map { element in
      var fifo = NotifyFIFO(path: "")
      if element.node.mapping != nil {
        reader.read(element, into: &fifo, with: fifoKeys)
      } else {
        fifoKeys[0].read(reader, element, &fifo)
      }
      if fifo.path.isEmpty, !reader.hasErrors { reader.report(at: element, "'path' is missing") }
      return fifo
    }
    guard fifos.count <= 2 else {
      reader.report(at: value, "two FIFOs at most")
      return nil
    }
    return fifos
  }

  private static func printFIFOs(_ fifos: [NotifyFIFO]) -> NativeOutput? {
    .list(
      fifos.map { fifo in
        guard fifo.owner != nil || fifo.script != nil else { return .scalar(fifo.path) }
        return .map(NativePrinter.pairs(fifo, NotifyFIFO(path: ""), fifoKeys))
      })
  }
}
