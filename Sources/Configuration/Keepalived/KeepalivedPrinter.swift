// The model as canonical text of the keepalived dialect.

struct KeepalivedPrinter {
  var text = ""
  private var depth = 0

  // MARK: Lines

  mutating func open(_ words: String...) {
    if depth == 0, !text.isEmpty { text += "\n" }
    line(words.map(KeepalivedPrinter.plain).joined(separator: " ") + " {")
    depth += 1
  }
  mutating func close() {
    depth -= 1
    line("}")
  }
  /// A line of which every word has been quoted.
  mutating func line(_ content: String) {
    for _ in 0..<depth { text += "  " }
    text += content
    text += "\n"
  }
  mutating func word(_ keyword: String, _ value: String?) {
    if let value { line(keyword + " " + KeepalivedPrinter.plain(value)) }
  }
  mutating func flag(_ keyword: String, _ isOn: Bool) {
    if isOn { line(keyword) }
  }
  mutating func time(_ keyword: String, _ value: Duration?) {
    if let value { line(keyword + " " + KeepalivedUnits.print(value)) }
  }
  mutating func number(_ keyword: String, _ value: Int?) {
    if let value { line("\(keyword) \(value)") }
  }
  mutating func command(_ keyword: String, _ value: ScriptCommand?, showsUser: Bool = true) {
    guard let value else { return }
    var content = keyword + " " + KeepalivedPrinter.command(value.words)
    if showsUser, let user = value.user {
      content += " " + KeepalivedPrinter.escaped(user.user)
      if let group = user.group { content += " " + KeepalivedPrinter.escaped(group) }
    }
    line(content)
  }

  // MARK: Quoting

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122: true
    default: [45, 46, 47, 58, 95, 43, 44, 61, 37].contains(byte)  // - . / : _ + , = %
    }
  }

  /// A word by the plain rules: bare, or between `"`, which then cannot be in it.
  static func plain(_ text: String) -> String { plain(Array(text.utf8)) }
  static func plain(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    let isBare = !bytes.isEmpty && bytes.allSatisfy(isPlain)
    return isBare && !KeepalivedReader.includeWords.contains(text) ? text : "\"" + text + "\""
  }

  /// A word by the rules of commands, as it stands in a line.
  static func escaped(_ text: String) -> String {
    let bytes = Array(text.utf8)
    if !bytes.isEmpty, bytes.allSatisfy(isPlain) { return text }
    return "\"" + escapes(text, quote: UInt8(ascii: "\"")) + "\""
  }

  /// The words of a command in one quoted word.
  static func command(_ words: [String]) -> String {
    let parts = words.map { word -> String in
      let bytes = Array(word.utf8)
      if !bytes.isEmpty, bytes.allSatisfy(isPlain) { return word }
      return "'" + escapes(word, quote: UInt8(ascii: "'")) + "'"
    }
    return escaped(parts.joined(separator: " "))
  }

  private static func escapes(_ text: String, quote: UInt8) -> String {
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case quote, UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "$") where startsPredefined(bytes[(index + 1)...]), 0..<32, 127:
        result.append(UInt8(ascii: "\\"))
        result += [byte >> 6 & 7, byte >> 3 & 7, byte & 7].map { 48 + $0 }
      default: result.append(byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Printed text defines no names, so only keepalived's own could be replaced in it.
  private static func startsPredefined(_ rest: ArraySlice<UInt8>) -> Bool {
    let name = rest.first == UInt8(ascii: "{") ? rest.dropFirst() : rest
    return name.first == UInt8(ascii: "_")
  }

  // MARK: The file

  mutating func print(_ configuration: FailoverConfiguration) {
    print(configuration.global)
    printARPGroups(configuration.routers)
    block("static_ipaddress", configuration.staticAddresses.map(KeepalivedPrinter.address))
    block("static_routes", configuration.staticRoutes.map(KeepalivedPrinter.route))
    block("static_rules", configuration.staticRules.map(KeepalivedPrinter.rule))
    for script in configuration.scripts { print(script) }
    for file in configuration.files { print(file) }
    for process in configuration.processes { print(process) }
    for router in configuration.routers { print(router) }
    for group in configuration.groups { print(group) }
  }

  mutating func block(_ name: String, _ lines: [String]) {
    guard !lines.isEmpty else { return }
    open(name)
    for content in lines { line(content) }
    close()
  }

  private mutating func print(_ global: FailoverGlobals) {
    guard global != FailoverGlobals() else { return }
    open("global_defs")
    word("router_id", global.routerID)
    if let user = global.scriptUser { line("script_user " + KeepalivedPrinter.user(user)) }
    flag("enable_script_security", global.enforcesScriptSecurity)
    if global.startupDelay > .zero { time("vrrp_startup_delay", global.startupDelay) }
    flag("dynamic_interfaces", global.allowsAbsentInterfaces)
    for (index, fifo) in global.fifos.prefix(2).enumerated() {
      let name = index == 0 ? "notify_fifo" : "vrrp_notify_fifo"
      let words = [fifo.path, fifo.owner?.user, fifo.owner?.group].compactMap { $0 }
      line(name + " " + words.map { KeepalivedPrinter.escaped($0) }.joined(separator: " "))
      command(name + "_script", fifo.script)
    }
    flag("fifo_write_vrrp_states_on_reload", global.writesStatesOnReload)
    number("vrrp_rt_priority", global.realtimePriority)
    flag("vrrp_no_swap", global.locksMemory == true)
    flag("log_unknown_vrids", global.logsUnknownRouters)
    command("startup_script", global.startupScript)
    if let timeout = global.startupScriptTimeout { time("startup_script_timeout", timeout) }
    command("shutdown_script", global.shutdownScript)
    if let timeout = global.shutdownScriptTimeout { time("shutdown_script_timeout", timeout) }
    close()
  }

  static func user(_ user: ScriptUser) -> String {
    plain(user.user) + (user.group.map { " " + plain($0) } ?? "")
  }

  /// The intervals between messages belong to an interface, so they cannot stand in instances.
  private mutating func printARPGroups(_ routers: [VirtualRouter]) {
    var seen: Set<String> = []
    for router in routers where seen.insert(router.interface).inserted {
      let setting = router.announcement
      guard setting.arpInterval > .zero || setting.neighbourInterval > .zero else { continue }
      open("garp_group")
      word("interface", router.interface)
      if setting.arpInterval > .zero { time("garp_interval", setting.arpInterval) }
      if setting.neighbourInterval > .zero { time("gna_interval", setting.neighbourInterval) }
      close()
    }
  }

  private mutating func print(_ script: TrackedScript) {
    open("vrrp_script", script.name)
    command("script", script.command, showsUser: false)
    time("interval", script.interval)
    time("timeout", script.timeout)
    weight(script.weight, script.isReversed, usual: nil)
    number("rise", script.rise)
    number("fall", script.fall)
    if let user = script.command.user { line("user " + KeepalivedPrinter.user(user)) }
    flag("init_fail", script.startsFailed)
    close()
  }

  private mutating func weight(_ weight: Int, _ isReversed: Bool, usual: Int?) {
    if weight != usual || isReversed {
      line("weight \(weight)" + (isReversed ? " reverse" : ""))
    }
  }

  private mutating func print(_ file: TrackedFile) {
    open("track_file", file.name)
    line("file " + KeepalivedPrinter.escaped(file.path))
    weight(file.weight, file.isReversed, usual: nil)
    if case .create(let value, let overwrites) = file.initial {
      line("init_file \(value)" + (overwrites ? " overwrite" : ""))
    }
    close()
  }

  private mutating func print(_ process: TrackedProcess) {
    open("vrrp_track_process", process.name)
    var words = [process.process]
    switch process.arguments {
    case .any: break
    case .exact(let list), .initial(let list), .prefix(let list): words += list
    }
    line("process " + words.map(KeepalivedPrinter.escaped).joined(separator: " "))
    switch process.arguments {
    case .any, .exact: break
    case .initial: line("param_match partial")
    case .prefix: line("param_match initial")
    }
    flag("full_command", process.matchesFullCommand)
    weight(process.weight, process.isReversed, usual: nil)
    if let most = process.maximum, most == 0 { number("quorum_max", most) }
    if process.quorum != 1 || process.maximum != 0 { number("quorum", process.quorum) }
    if let most = process.maximum, most > 0 { number("quorum_max", most) }
    if process.forkDelay > .zero { time("fork_delay", process.forkDelay) }
    if process.terminateDelay > .zero { time("terminate_delay", process.terminateDelay) }
    close()
  }

  private mutating func print(_ group: SyncGroup) {
    open("vrrp_sync_group", group.name)
    block("group", group.members.map(KeepalivedPrinter.plain))
    block("track_interface", group.trackedInterfaces.map(KeepalivedPrinter.track))
    block("track_script", group.trackedScripts.map(KeepalivedPrinter.track))
    block("track_file", group.trackedFiles.map(KeepalivedPrinter.track))
    block("track_process", group.trackedProcesses.map(KeepalivedPrinter.track))
    notify(group.notify)
    flag("sync_group_tracking_weight", group.allowsWeights)
    close()
  }

  static func track(_ reference: TrackReference) -> String {
    var content = plain(reference.name)
    if let weight = reference.weight { content += " weight \(weight)" }
    if reference.weight != nil, reference.isReversed { content += " reverse" }
    return content
  }

  mutating func notify(_ commands: NotifyCommands) {
    command("notify_master", commands.master)
    command("notify_backup", commands.backup)
    command("notify_fault", commands.fault)
    command("notify_stop", commands.stop)
    if commands.reportsDeletion, commands.deleted == nil { line("notify_deleted") }
    command("notify_deleted", commands.deleted)
    command("notify_master_rx_lower_pri", commands.lowerPriorityHeard)
    command("notify", commands.any)
  }
}
