// Watches the scripts, files and processes that routers refer to, and reports what changed.

import Configuration
import Kernel

/// All that is watched, apart from interfaces. It starts with the first `update`.
public actor Tracker {
  private let report: @Sendable (TrackingReport) -> Void
  private let log: @Sendable (String) -> Void
  private var scripts: [String: ScriptWatch] = [:]
  private var thread: WatchThread?
  private var hasStopped = false
  /// Updates happen one after the other, though each of them has to wait.
  private var last: Task<Void, Never>?

  /// `report` is called from several threads, for one subject from one at a time; it must not
  /// block. `log` gets lines that change nothing.
  public init(
    report: @escaping @Sendable (TrackingReport) -> Void,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.report = report
    self.log = log
  }

  /// Starts what is new, stops what is gone, and leaves alone what has not changed. A script
  /// whose settings changed starts anew with the result it had. When this returns nothing more is
  /// reported about what is gone.
  public func update(_ configuration: FailoverConfiguration) async {
    await inOrder { await $0.apply(configuration) }
  }

  /// Ends everything and waits for that: a script that is running gets SIGTERM, and SIGKILL two
  /// seconds later. Updates that follow do nothing.
  public func stop() async {
    await inOrder { await $0.end() }
  }

  private func inOrder(_ body: @escaping @Sendable (Tracker) async -> Void) async {
    let before = last
    let task = Task {
      await before?.value
      await body(self)
    }
    last = task
    await task.value
  }

  private func apply(_ configuration: FailoverConfiguration) async {
    if hasStopped { return }
    let wanted = Self.referred(configuration)
    await applyScripts(configuration, wanted)
    let files = configuration.files.filter { wanted.contains(.file($0.name)) }
    let processes = configuration.processes.filter { wanted.contains(.process($0.name)) }
    if thread == nil, !files.isEmpty || !processes.isEmpty {
      do throws(KernelError) {
        thread = try WatchThread(report: report, log: log)
      } catch {
        log("files and processes are not watched: \(error)")
      }
    }
    thread?.update(files: files, processes: processes)
  }

  private func applyScripts(
    _ configuration: FailoverConfiguration, _ wanted: Set<TrackedSubject>
  ) async {
    var next: [String: ScriptWatch] = [:]
    var starting: [ScriptWatch] = []
    for settings in configuration.scripts where wanted.contains(.script(settings.name)) {
      switch RunnableScript.resolve(settings.command, globals: configuration.global) {
      case .failure(let problem):
        report(
          TrackingReport(
            .script(settings.name), .disabled,
            text: "Disabling track script \(settings.name): \(problem)"))
      case .success(let (script, warnings)):
        let old = scripts[settings.name]
        if let old, old.settings == settings, old.script == script {
          next[settings.name] = old
          continue
        }
        for warning in warnings { log("WARNING - track script \(settings.name): \(warning)") }
        let watch = ScriptWatch(settings, script, earlier: old, report: report, log: log)
        next[settings.name] = watch
        starting.append(watch)
      }
    }
    let leaving = scripts.values.filter { next[$0.settings.name] !== $0 }
    await Self.stop(leaving)
    scripts = next
    for watch in starting { watch.start() }
  }

  private func end() async {
    hasStopped = true
    await Self.stop(Array(scripts.values))
    scripts = [:]
    await thread?.stop()
    thread = nil
  }

  /// All at once: each may take as long as its script takes to die.
  private static func stop(_ watches: [ScriptWatch]) async {
    await withTaskGroup(of: Void.self) { group in
      for watch in watches { group.addTask { await watch.stop() } }
    }
  }

  /// What some router or sync group refers to; nothing else needs to be watched.
  static func referred(_ configuration: FailoverConfiguration) -> Set<TrackedSubject> {
    var result: Set<TrackedSubject> = []
    for router in configuration.routers {
      result.formUnion(router.trackedScripts.map { .script($0.name) })
      result.formUnion(router.trackedFiles.map { .file($0.name) })
      result.formUnion(router.trackedProcesses.map { .process($0.name) })
    }
    for group in configuration.groups {
      result.formUnion(group.trackedScripts.map { .script($0.name) })
      result.formUnion(group.trackedFiles.map { .file($0.name) })
      result.formUnion(group.trackedProcesses.map { .process($0.name) })
    }
    return result
  }
}
