// Tracked files: their directories are watched, because editors and `mv` replace files. Lives on
// the watch thread.

import Configuration
import Kernel

struct FileWatch: ~Copyable {
  private struct Entry {
    var file: TrackedFile
    var directory: String
    /// nil = never read.
    var value: Int?
  }

  private let inotify: Inotify
  private var entries: [Entry] = []
  /// Watch numbers by directory; a directory that is not there has none.
  private var watches: [String: Int32] = [:]
  private let report: @Sendable (TrackingReport) -> Void
  private let log: @Sendable (String) -> Void

  /// Readable when something happened.
  var descriptor: Int32 { inotify.raw }
  /// True = `look` must be called now and then.
  var needsLook: Bool { !entries.isEmpty }

  init(
    report: @escaping @Sendable (TrackingReport) -> Void, log: @escaping @Sendable (String) -> Void
  ) throws(KernelError) {
    inotify = try Inotify()
    self.report = report
    self.log = log
  }

  /// Files that were there before with the same settings keep their state.
  mutating func update(_ files: [TrackedFile]) {
    let before = Dictionary(entries.map { ($0.file.name, $0) }) { first, _ in first }
    entries = files.map { file in
      let slash = file.path.lastIndex(of: "/")
      let parent = slash.map { String(file.path[..<$0]) }
      let directory = parent.map { $0.isEmpty ? "/" : $0 } ?? "."
      let old = before[file.name].flatMap { $0.file.path == file.path ? $0 : nil }
      if old == nil, let problem = FileNumber.create(file) { log(problem) }
      return Entry(file: file, directory: directory, value: old?.value)
    }
    let wanted = Set(entries.map(\.directory))
    for (directory, watch) in watches where !wanted.contains(directory) {
      inotify.remove(watch)
      watches[directory] = nil
    }
    look()
  }

  /// Watches what is not watched yet and reads its files: a directory that was missing may have
  /// come.
  mutating func look() {
    for directory in Set(entries.map(\.directory)) where watches[directory] == nil {
      typealias Mask = Inotify.Mask
      // Not IN_MODIFY: a file is empty for a moment while it is being written anew.
      let mask =
        Mask.closedAfterWrite | Mask.movedFrom | Mask.movedTo | Mask.created | Mask.deleted
        | Mask.selfDeleted | Mask.selfMoved | Mask.onlyDirectory
      watches[directory] = try? inotify.add(directory, mask)
      read { $0 == directory }
    }
  }

  /// Takes the events and reads the files they are about.
  mutating func handleEvents() {
    var changed: Set<Int32> = []
    var gone: Set<Int32> = []
    var lost = false
    inotify.drain { watch, mask in
      if mask & Inotify.Mask.overflow != 0 { lost = true }
      changed.insert(watch)
      let away = Inotify.Mask.selfDeleted | Inotify.Mask.selfMoved | Inotify.Mask.ignored
      if mask & away != 0 { gone.insert(watch) }
    }
    var directories: Set<String> = []
    for (directory, watch) in watches {
      if lost || changed.contains(watch) { directories.insert(directory) }
      if gone.contains(watch) {
        // A directory that was moved is still watched under its new name.
        inotify.remove(watch)
        watches[directory] = nil
      }
    }
    // The event's file name is not looked at: the file may be a link to one with another name, as
    // in mounted Kubernetes ConfigMaps.
    read { directories.contains($0) }
  }

  private mutating func read(where isWanted: (String) -> Bool) {
    for index in entries.indices where isWanted(entries[index].directory) {
      let file = entries[index].file
      guard let value = FileNumber.read(file.path) else {
        log("Invalid number read from \(file.path) - ignoring")
        if entries[index].value == nil { set(index, 0) }
        continue
      }
      if entries[index].value != value { set(index, value) }
    }
  }

  private mutating func set(_ index: Int, _ value: Int) {
    entries[index].value = value
    report(TrackingReport(.file(entries[index].file.name), .value(value)))
  }
}
