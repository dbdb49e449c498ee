// Tracked processes: /proc is read every second, and the end of a process that counts is heard of
// at once through its pidfd. Unlike the kernel's process connector this works in containers and
// network namespaces. Lives on the watch thread.

import Configuration
import Glibc
import Kernel

struct ProcessWatch {
  private struct Entry {
    var process: TrackedProcess
    var machine = ProcessMachine()
    /// pidfds by process, watched for the end.
    var descriptors: [Int32: Int32] = [:]
  }

  private var entries: [Entry] = []
  private let report: @Sendable (TrackingReport) -> Void

  var isEmpty: Bool { entries.isEmpty }

  init(report: @escaping @Sendable (TrackingReport) -> Void) { self.report = report }

  /// Processes that were there before with the same settings keep their state.
  mutating func update(_ processes: [TrackedProcess], _ poller: borrowing Epoll) {
    var before = Dictionary(entries.map { ($0.process.name, $0) }) { first, _ in first }
    entries = processes.map { process in
      guard let old = before[process.name], old.process == process else {
        return Entry(process: process)
      }
      before[process.name] = nil
      return old
    }
    for old in before.values { for raw in old.descriptors.values { release(raw, poller) } }
  }

  /// Counts, reports what changed, and says when to look again, in ms.
  mutating func scan(at now_ms: Int64, _ poller: borrowing Epoll, cookie: UInt64) -> Int64 {
    var next_ms = now_ms &+ TrackingLimits.scan_ms
    if entries.isEmpty { return next_ms }
    var found = [Set<Int32>](repeating: [], count: entries.count)
    let needsArguments = entries.contains { $0.process.needsArguments }
    Processes.forEach { pid in
      guard var image = Processes.image(of: pid) else { return }
      if needsArguments { image.arguments = Processes.arguments(of: pid) }
      for index in entries.indices where entries[index].process.matches(image) {
        found[index].insert(pid)
      }
    }
    for index in entries.indices {
      follow(found[index], index, poller, cookie)
      let process = entries[index].process
      let outcome = entries[index].machine.handle(
        count: found[index].count, of: process, at: now_ms)
      switch outcome {
      case .same: break
      case .wait(let until_ms): next_ms = min(next_ms, until_ms)
      case .changed(let isGood):
        let word = isGood ? "gained" : "lost"
        report(
          TrackingReport(
            .process(process.name), isGood ? .good : .bad,
            text: "Quorum \(word) for tracked process \(process.name)"))
      }
    }
    return next_ms
  }

  mutating func close(_ poller: borrowing Epoll) { update([], poller) }

  /// Watches the processes that count, and no others.
  private mutating func follow(
    _ pids: Set<Int32>, _ index: Int, _ poller: borrowing Epoll, _ cookie: UInt64
  ) {
    for (pid, raw) in entries[index].descriptors where !pids.contains(pid) {
      release(raw, poller)
      entries[index].descriptors[pid] = nil
    }
    for pid in pids where entries[index].descriptors[pid] == nil {
      if entries[index].descriptors.count >= TrackingLimits.processDescriptors { return }
      guard let descriptor = System.openProcess(pid) else { continue }
      let raw = descriptor.release()
      // Edge: a zombie stays readable, but it is news only once.
      if poller.add(raw, Epoll.Interest.readable | Epoll.Interest.edge, cookie: cookie) == 0 {
        entries[index].descriptors[pid] = raw
      } else {
        Socket.close(raw)
      }
    }
  }

  private func release(_ raw: Int32, _ poller: borrowing Epoll) {
    _ = poller.remove(raw)
    Socket.close(raw)
  }
}

/// /proc as far as it concerns us.
package enum Processes {
  /// The id of every process that this one can see.
  package static func forEach(_ body: (Int32) -> Void) {
    guard let directory = opendir("/proc") else { return }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let pid = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { Int32(String(cString: $0)) }
      }
      if let pid { body(pid) }
    }
  }

  /// nil when it has ended, zombies included.
  static func image(of pid: Int32) -> ProcessImage? {
    // `PID (NAME) STATE …`; the name may hold parentheses and blanks.
    let text = read("/proc/\(pid)/stat", limit: 512)
    guard let start = text.firstIndex(of: UInt8(ascii: "(")),
      let end = text.lastIndex(of: UInt8(ascii: ")")), start < end, end + 2 < text.count
    else { return nil }
    let state = text[end + 2]
    if state == UInt8(ascii: "Z") || state | 0x20 == UInt8(ascii: "x") { return nil }
    return ProcessImage(name: Array(text[(start + 1)..<end]))
  }

  /// Its command line; empty when it has ended.
  package static func arguments(of pid: Int32) -> [[UInt8]] {
    var text = read("/proc/\(pid)/cmdline", limit: TrackingLimits.commandLineBytes)
    if text.last == 0 { text.removeLast() }
    if text.isEmpty { return [] }
    return text.split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
  }

  /// At most `limit` bytes of a file below /proc; none when it cannot be read.
  package static func read(_ path: String, limit: Int) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { Glibc.close(descriptor) }
    return [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      while count < limit {
        let got = Glibc.read(descriptor, buffer.baseAddress! + count, limit - count)
        if got <= 0 { break }
        count += got
      }
    }
  }
}
