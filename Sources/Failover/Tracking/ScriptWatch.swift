// Runs one tracked script every interval and says when it became good or bad.

import Configuration
import Synchronization

final class ScriptWatch: Sendable {
  let settings: TrackedScript
  let script: RunnableScript
  private let machine: Mutex<ScriptMachine>
  private let task: Mutex<Task<Void, Never>?> = Mutex(nil)
  private let report: @Sendable (TrackingReport) -> Void
  private let log: @Sendable (String) -> Void

  /// `earlier` is what ran under this name before a reload: what it found out still holds.
  init(
    _ settings: TrackedScript, _ script: RunnableScript, earlier: ScriptWatch?,
    report: @escaping @Sendable (TrackingReport) -> Void, log: @escaping @Sendable (String) -> Void
  ) {
    self.settings = settings
    self.script = script
    self.report = report
    self.log = log
    var machine = ScriptMachine(
      rise: settings.rise, fall: settings.fall, startsFailed: settings.startsFailed)
    if let earlier { machine.inherit(from: earlier.machine.withLock { $0 }) }
    self.machine = Mutex(machine)
  }

  func start() {
    let (isGood, name) = (machine.withLock { $0.isGood }, settings.name)
    if let isGood { report(TrackingReport(.script(name), isGood ? .good : .bad)) }
    task.withLock { $0 = Task { [self] in await loop() } }
  }

  /// Kills the script when it is running; nothing is reported after this.
  func stop() async {
    let task = task.withLock { $0 }
    task?.cancel()
    await task?.value
  }

  private func loop() async {
    let clock = ContinuousClock()
    // Below a millisecond a script would do nothing but start.
    let interval = max(settings.interval, .milliseconds(1))
    var next = clock.now
    var lastEnding: ScriptEnding?
    var wasLate = false
    while !Task.isCancelled {
      let ending = await ScriptRunner.run(script, timeout: settings.timeout ?? interval)
      if Task.isCancelled { return }
      take(ending, after: lastEnding)
      lastEnding = ending
      next += interval
      let late = clock.now - next
      if late > .zero {
        // It was still running at a tick or more: those runs are skipped.
        let missed = Int64(clamping: Int64(late / interval)) &+ 1
        next += interval * missed
        if !wasLate {
          log("Track script \(settings.name) is already running, expect idle - skipping run")
        }
      }
      wasLate = late > .zero
      try? await clock.sleep(until: next)
    }
  }

  private func take(_ ending: ScriptEnding, after last: ScriptEnding?) {
    let (hasChanged, isGood) = machine.withLock { ($0.handle(ending), $0.isGood) }
    if case .exited(let code) = ending, let last, last != ending {
      log("Script `\(settings.name)` now returning \(code)")
    }
    guard hasChanged else { return }
    let words = isGood == true ? "succeeded" : ending.failureWords
    report(
      TrackingReport(
        .script(settings.name), isGood == true ? .good : .bad,
        text: "VRRP_Script(\(settings.name)) \(words)"))
  }
}
