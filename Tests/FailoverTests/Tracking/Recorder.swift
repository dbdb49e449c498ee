// What tests share: a list of what was reported that can be awaited, a directory for scripts, and
// short ways to write configurations.

import Configuration
import Failover
import Foundation
import Synchronization

/// Collects values and lets a test wait until they satisfy it.
final class Recorder<Value: Sendable>: Sendable {
  private struct State {
    var values: [Value] = []
    var waiters: [(isMet: @Sendable ([Value]) -> Bool, resume: @Sendable () -> Void)] = []
  }
  private let state = Mutex(State())

  func add(_ value: Value) {
    let ready = state.withLock { state in
      state.values.append(value)
      let ready = state.waiters.filter { $0.isMet(state.values) }
      state.waiters.removeAll { $0.isMet(state.values) }
      return ready
    }
    for waiter in ready { waiter.resume() }
  }

  var values: [Value] { state.withLock { $0.values } }

  func wait(
    within seconds: Double = 120, until isMet: @escaping @Sendable ([Value]) -> Bool
  ) async -> Bool {
    let (stream, continuation) = AsyncStream.makeStream(of: Bool.self)
    let isMetNow = state.withLock { state in
      if isMet(state.values) { return true }
      state.waiters.append((isMet, { continuation.yield(true) }))
      return false
    }
    if isMetNow { return true }
    let timer = Task {
      try? await Task.sleep(for: .seconds(seconds))
      continuation.yield(false)
    }
    defer { timer.cancel() }
    var results = stream.makeAsyncIterator()
    return await results.next() ?? false
  }
}

extension Recorder where Value == String {
  func contains(_ part: String, within seconds: Double = 120) async -> Bool {
    await wait(within: seconds) { $0.contains { $0.contains(part) } }
  }
}

/// A directory of its own, removed at the end.
final class Scratch: Sendable {
  let path: String

  init() {
    path = NSTemporaryDirectory() + "fairlead-track-" + UUID().uuidString
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes an executable shell script and gives its path.
  func script(_ name: String, _ body: String, mode: Int = 0o755) -> String {
    write(name, "#!/bin/sh\n" + body + "\n", mode: mode)
  }

  @discardableResult
  func write(_ name: String, _ text: String, mode: Int = 0o644) -> String {
    let file = path + "/" + name
    try! text.write(toFile: file, atomically: false, encoding: .utf8)
    try! FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    return file
  }

  func read(_ name: String) -> String {
    (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)) ?? ""
  }

  /// Waits until a file of the scratch directory satisfies `isMet`.
  func wait(
    for name: String, within seconds: Double = 120, _ isMet: (String) -> Bool
  ) async -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      if isMet(read(name)) { return true }
      try? await Task.sleep(for: .milliseconds(20))
    }
    return isMet(read(name))
  }
}

func scriptCommand(_ words: String..., user: ScriptUser? = nil) -> ScriptCommand {
  ScriptCommand(words: words, user: user, origin: Origin("test"))
}

func trackedScript(
  _ name: String, _ words: String..., configure: (inout TrackedScript) -> Void = { _ in }
) -> TrackedScript {
  var script = TrackedScript(
    name: name, command: ScriptCommand(words: words, origin: Origin("test")))
  script.interval = .milliseconds(100)
  script.timeout = .seconds(20)
  configure(&script)
  return script
}

/// One router that refers to everything there is.
func watching(
  scripts: [TrackedScript] = [], files: [TrackedFile] = [], processes: [TrackedProcess] = []
) -> FailoverConfiguration {
  var result = FailoverConfiguration()
  // Whoever runs the tests: no user has to exist.
  result.global.scriptUser = ScriptUser("\(getuid())", group: "\(getgid())")
  result.scripts = scripts
  result.files = files
  result.processes = processes
  var router = VirtualRouter(name: "R", origin: Origin("test"), interface: "eth0", id: 1)
  router.trackedScripts = scripts.map { TrackReference($0.name) }
  router.trackedFiles = files.map { TrackReference($0.name) }
  router.trackedProcesses = processes.map { TrackReference($0.name) }
  result.routers = [router]
  return result
}
