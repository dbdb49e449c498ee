// Settles what whole blocks mean once all of the text has been read: groups and their members,
// references, then each router (KeepalivedAssembly+Router.swift).

extension KeepalivedParser {
  func assemble() {
    assembleFIFOs()
    for index in model.staticAddresses.indices where model.staticAddresses[index].interface == nil {
      model.staticAddresses[index].interface = globals.defaultInterface ?? "eth0"
    }
    joinGroups()
    for index in groups.indices { settleReferences(ofGroup: index) }
    for index in routers.indices { settleReferences(ofRouter: index) }
    takeTracked()
    for index in routers.indices {
      if let router = assemble(routers[index]) { model.routers.append(router) }
    }
    reportConflicts()
    model.groups = groups.map { draft in
      var group = SyncGroup(name: draft.name, origin: origin(draft.place))
      group.members = draft.members.map(\.name)
      group.trackedInterfaces = draft.tracks.interfaces.map(\.reference)
      group.trackedScripts = draft.tracks.scripts.map(\.reference)
      group.trackedFiles = draft.tracks.files.map(\.reference)
      group.trackedProcesses = draft.tracks.processes.map(\.reference)
      group.notify = draft.notify
      group.allowsWeights = draft.allowsWeights
      return group
    }
  }

  func origin(_ place: Place) -> Origin { Origin("\(place.source.file):\(place.source.number)") }

  private func tracked(_ draft: ScriptDraft) -> TrackedScript {
    var command = draft.command ?? ScriptCommand(words: [""], origin: origin(draft.place))
    command.user = draft.user
    var result = TrackedScript(name: draft.name, command: command)
    result.interval = draft.interval
    result.timeout = draft.timeout
    result.weight = draft.weight
    result.isReversed = draft.isReversed
    result.rise = draft.rise
    result.fall = draft.fall
    result.startsFailed = draft.startsFailed
    return result
  }

  private func assembleFIFOs() {
    if let script = globals.allFIFOScript {
      if globals.allFIFO == nil {
        report(.warning, at: script.place, "there is no 'notify_fifo' for it; it is not run")
      }
      globals.allFIFO?.script = script.command
    }
    if let script = globals.routersFIFOScript {
      if globals.routersFIFO == nil {
        report(.warning, at: script.place, "there is no 'vrrp_notify_fifo' for it; it is not run")
      }
      globals.routersFIFO?.script = script.command
    }
    model.global.fifos = [globals.allFIFO, globals.routersFIFO].compactMap { $0 }
    if model.global.fifos.count == 2, globals.allFIFO?.path == globals.routersFIFO?.path {
      model.global.fifos.removeLast()
    }
  }

  // MARK: Groups

  private func joinGroups() {
    for index in groups.indices {
      let members = groups[index].members
      groups[index].members = members.filter { member in
        guard let router = routerIndices[member.name] else {
          let near =
            diagnostics.count < 100
            ? Spelling.nearest(to: member.name, among: routers.prefix(256).map(\.name)) : nil
          report(
            .warning, at: member.place,
            "there is no vrrp_instance '\(member.name)'; the group goes without it"
              + HAProxyParser.hint(near))
          return false
        }
        if let other = routers[router].group {
          report(
            .warning, at: member.place,
            "'\(member.name)' is in the group '\(groups[other].name)' already; a router is in one "
              + "group only, and stays in that")
          return false
        }
        routers[router].group = index
        if let value = groups[index].notifiesPriorityChanges {
          routers[router].notifiesPriorityChanges = routers[router].notifiesPriorityChanges ?? value
        }
        return true
      }
      if groups[index].members.isEmpty {
        report(
          .warning, at: groups[index].place,
          "the group '\(groups[index].name)' has no member; it is not used")
      }
    }
    removeEmptyGroups()
  }

  private func removeEmptyGroups() {
    var kept: [GroupDraft] = []
    for group in groups where !group.members.isEmpty {
      for member in group.members {
        if let router = routerIndices[member.name] { routers[router].group = kept.count }
      }
      kept.append(group)
    }
    groups = kept
  }

  // MARK: References

  private func exists(
    _ kind: String, _ indices: [String: Int], _ track: TrackDraft
  ) -> Bool {
    if indices[track.reference.name] != nil { return true }
    let near =
      diagnostics.count < 100
      ? Spelling.nearest(to: track.reference.name, among: Array(indices.keys)) : nil
    report(
      .warning, at: track.place,
      "there is no \(kind) '\(track.reference.name)'; nothing is tracked by this line"
        + HAProxyParser.hint(near))
    return false
  }

  private func existing(_ tracks: TracksDraft) -> TracksDraft {
    var result = tracks
    result.scripts.removeAll { !exists("vrrp_script", scriptIndices, $0) }
    result.files.removeAll { !exists("track_file", fileIndices, $0) }
    result.processes.removeAll { !exists("vrrp_track_process", processIndices, $0) }
    return result
  }

  private func settleReferences(ofGroup index: Int) {
    groups[index].tracks = existing(groups[index].tracks)
    let owner = groups[index].members.first { member in
      routerIndices[member.name].map { basePriority(routers[$0]) == 255 } == true
    }
    guard let owner else { return }
    // The priority of an owner does not move, so nobody's in the group may.
    let reason = "the group has a member of priority 255 ('\(owner.name)')"
    groups[index].tracks = withoutWeights(groups[index].tracks, reason, drops: false)
  }

  private func settleReferences(ofRouter index: Int) {
    var tracks = existing(routers[index].tracks)
    if let group = routers[index].group {
      let shared = groups[group].tracks
      for path in [
        \TracksDraft.interfaces, \TracksDraft.scripts, \TracksDraft.files, \TracksDraft.processes,
      ] {
        let names = Set(shared[keyPath: path].map(\.reference.name))
        tracks[keyPath: path].removeAll { track in
          guard names.contains(track.reference.name) else { return false }
          report(
            .warning, at: track.place,
            "'\(track.reference.name)' is tracked by the group '\(groups[group].name)' too; "
              + "remove it here, where it is not used")
          return true
        }
      }
      if !groups[group].allowsWeights {
        tracks = withoutWeights(tracks, "the router is in a sync group", drops: true)
      }
    }
    if basePriority(routers[index]) == 255 {
      tracks = withoutWeights(tracks, "the priority is 255", drops: true)
    }
    tracks.interfaces.removeAll { track in
      guard track.reference.name == routers[index].interface,
        routers[index].tracksOwnInterface || track.reference.weight ?? 0 == 0
      else { return false }
      report(
        .warning, at: track.place,
        "the router's own interface is tracked anyway; the line is not used")
      return true
    }
    routers[index].tracks = tracks
  }

  /// keepalived drops scripts, files and processes whose weight may not count, and makes an
  /// interface's failure a fault. In a group (`drops` false) the weight becomes 0.
  private func withoutWeights(
    _ tracks: TracksDraft, _ reason: String, drops: Bool
  ) -> TracksDraft {
    var result = tracks
    result.interfaces = tracks.interfaces.map { track in
      guard let weight = track.reference.weight, weight != 0 else { return track }
      report(
        .warning, at: track.place, "the weight is not used, since \(reason): a failure is a fault")
      var track = track
      track.reference.weight = nil
      track.reference.isReversed = false
      return track
    }
    func settle(_ list: inout [TrackDraft], _ weight: (String) -> Int) {
      list = list.compactMap { track in
        guard track.reference.weight ?? weight(track.reference.name) != 0 else { return track }
        report(
          .warning, at: track.place,
          drops
            ? "not tracked, since \(reason), and there only weight 0 is possible; track it in the "
              + "group, or give it 'weight 0'"
            : "the weight is not used, since \(reason): a failure is a fault")
        guard !drops else { return nil }
        var track = track
        track.reference.weight = 0
        track.reference.isReversed = false
        return track
      }
    }
    settle(&result.scripts) { name in scriptIndices[name].map { scripts[$0].weight } ?? 0 }
    settle(&result.files) { name in fileIndices[name].map { files[$0].file.weight } ?? 0 }
    settle(&result.processes) { name in
      processIndices[name].map { processes[$0].process.weight } ?? 0
    }
    return result
  }

  /// Only what is tracked is run, as in keepalived.
  private func takeTracked() {
    var used = (scripts: Set<String>(), files: Set<String>(), processes: Set<String>())
    for tracks in routers.map(\.tracks) + groups.map(\.tracks) {
      for track in tracks.scripts { used.scripts.insert(track.reference.name) }
      for track in tracks.files { used.files.insert(track.reference.name) }
      for track in tracks.processes { used.processes.insert(track.reference.name) }
    }
    func unused(_ kind: String, _ name: String, _ place: Place) {
      report(.note, at: place, "nothing tracks the \(kind) '\(name)'; it is not run")
    }
    for script in scripts {
      if used.scripts.contains(script.name) {
        model.scripts.append(tracked(script))
      } else {
        unused("vrrp_script", script.name, script.place)
      }
    }
    for file in files {
      if used.files.contains(file.file.name) {
        model.files.append(file.file)
      } else {
        unused("track_file", file.file.name, file.place)
      }
    }
    for process in processes {
      if used.processes.contains(process.process.name) {
        model.processes.append(process.process)
      } else {
        unused("vrrp_track_process", process.process.name, process.place)
      }
    }
  }

  // MARK: Conflicts

  private struct RouterKey: Hashable {
    var interface: String
    var family: AddressFamily
    var id: UInt8
  }

  private func reportConflicts() {
    var known: [RouterKey: String] = [:]
    for router in model.routers {
      let key = RouterKey(interface: router.interface, family: router.family, id: router.id)
      guard let other = known[key] else {
        known[key] = router.name
        continue
      }
      guard let place = routerIndices[router.name].map({ routers[$0].place }) else { continue }
      report(
        .error, at: place,
        "'\(router.name)' and '\(other)' both use the virtual router id \(router.id) for "
          + "IPv\(router.family == .v4 ? "4" : "6") on '\(router.interface)'; give one of them "
          + "another")
    }
  }
}
