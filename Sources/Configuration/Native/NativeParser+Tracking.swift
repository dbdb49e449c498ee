// Scripts, files, processes and groups: who refers to whom.

extension NativeParser {
  func readTracking(_ values: [String: NativeValue], _ document: inout NativeDocument) {
    if let value = values["scripts"] { document.scripts = NativeScript.read(reader, value) }
    if let value = values["files"] { document.files = TrackedFile.read(reader, value) }
    if let value = values["processes"] {
      document.processes = TrackedProcess.read(reader, value)
    }
    if let value = values["vrrp"] {
      reader.read(value, into: &document.vrrp, with: FailoverGlobals.keys)
    }
  }

  func checkTracks(
    _ address: NativeVirtualAddress, _ document: NativeDocument, at value: NativeValue
  ) {
    let settings = address.settings
    checkTracks(
      settings.trackedScripts, settings.trackedFiles, settings.trackedProcesses, document, value)
  }

  private func checkTracks(
    _ scripts: [TrackReference], _ files: [TrackReference], _ processes: [TrackReference],
    _ document: NativeDocument, _ value: NativeValue
  ) {
    check(scripts, document.scripts.map(\.name), "scripts", at: value["trackedScripts"])
    check(files, document.files.map(\.name), "files", at: value["trackedFiles"])
    check(processes, document.processes.map(\.name), "processes", at: value["trackedProcesses"])
  }

  private func check(
    _ references: [TrackReference], _ known: [String], _ section: String, at value: NativeValue
  ) {
    for reference in references where !known.contains(reference.name) {
      let hint = Spelling.nearest(to: reference.name, among: known)
      reader.report(
        at: value,
        "'\(reference.name)' is not in '\(section)'"
          + (hint.map { "; did you mean '\($0)'?" } ?? ""))
    }
  }

  func checkGroups(_ document: NativeDocument, hasProxy: Bool, at value: NativeValue) {
    var groupOf: [String: String] = [:]
    for group in document.groups {
      let place = value[group.name]
      checkTracks(
        group.trackedScripts, group.trackedFiles, group.trackedProcesses, document, place)
      for member in group.members {
        let addresses = document.virtualAddresses
        guard let address = addresses.first(where: { $0.effectiveName == member }) else {
          let hint = Spelling.nearest(to: member, among: addresses.map(\.effectiveName))
          reader.report(
            at: place["members"],
            "there is no virtual address '\(member)'"
              + (hint.map { "; did you mean '\($0)'?" } ?? ""))
          continue
        }
        if let other = groupOf.updateValue(group.name, forKey: member) {
          reader.report(at: place["members"], "'\(member)' is in group '\(other)' already")
        }
        if address.follows(hasProxy: hasProxy) {
          reader.report(
            at: place["members"],
            "'\(member)' follows the proxy, and its group would hold it back: addresses of one "
              + "entry move together without a group; or say 'followsProxy: false'")
        }
      }
    }
  }
}
