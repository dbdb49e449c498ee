// The notify commands of one router or group: run one after the other, in the order of events.

import Configuration

actor NotifyLane {
  private let name: String
  private let log: @Sendable (String) -> Void
  private var waiting: [(command: ScriptCommand, globals: FailoverGlobals)] = []
  /// Those that run, the overdue ones included.
  private var running: [Int: Task<Void, Never>] = [:]
  private var count = 0
  private var isDraining = false
  private var isStopping = false

  init(_ subject: NotifySubject, log: @escaping @Sendable (String) -> Void) {
    name = subject.name
    self.log = log
  }

  func add(_ commands: [ScriptCommand], _ globals: FailoverGlobals) {
    for command in commands {
      if waiting.count >= TrackingLimits.notifyQueue {
        log("(\(name)) too many notify scripts wait: \(command.words.first ?? "") is not run")
        continue
      }
      waiting.append((command, globals))
    }
    if !isDraining, !waiting.isEmpty {
      isDraining = true
      Task { await drain() }
    }
  }

  /// True when nothing waits or runs any more before `limit` is over; what runs then is killed.
  func finish(within limit: Duration) async -> Bool {
    let end = ContinuousClock.now + limit
    isStopping = true
    while isDraining || !running.isEmpty, ContinuousClock.now < end {
      try? await Task.sleep(for: .milliseconds(20))
    }
    if !isDraining, running.isEmpty { return true }
    waiting = []
    for task in running.values { task.cancel() }
    for task in running.values { await task.value }
    return false
  }

  private func drain() async {
    while !waiting.isEmpty {
      let (command, globals) = waiting.removeFirst()
      await run(command, globals)
    }
    isDraining = false
  }

  private func run(_ command: ScriptCommand, _ globals: FailoverGlobals) async {
    let word = command.words.first ?? ""
    let script: RunnableScript
    switch RunnableScript.resolve(command, globals: globals) {
    case .failure(let problem):
      log("(\(name)) notify script is not run: \(problem)")
      return
    case .success(let (resolved, _)): script = resolved
    }
    if running.count >= TrackingLimits.notifyQueue {
      log("(\(name)) too many notify scripts run: \(word) is not run")
      return
    }
    count += 1
    let number = count
    let task = Task {
      let ending = await ScriptRunner.run(script, timeout: nil)
      self.ended(number, word, ending)
    }
    running[number] = task
    // In steps, because a stop shortens the patience of what already waits.
    let start = ContinuousClock.now
    while await !task.ends(within: .milliseconds(250)) {
      let patience = isStopping ? TrackingLimits.notifyStop / 5 : TrackingLimits.notifyPatience
      if ContinuousClock.now - start > patience {
        log("(\(name)) notify script \(word) still runs; the next one does not wait for it")
        return
      }
    }
  }

  private func ended(_ number: Int, _ word: String, _ ending: ScriptEnding) {
    running[number] = nil
    if !ending.isSuccess { log("(\(name)) notify script \(word) \(ending.failureWords)") }
  }
}
