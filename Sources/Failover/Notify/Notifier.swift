// Tells others of changes: commands are run, FIFOs written. Whoever posts an event never waits.

import Configuration
import Synchronization

public final class Notifier: Sendable {
  private enum Item: Sendable {
    case event(NotifyEvent)
    case configuration(FailoverConfiguration)
  }

  private struct Queue {
    var items: [Item] = []
    var events = 0
    var dropped = 0
    var isClosed = false
  }

  private let queue = Mutex(Queue())
  private let wake: AsyncStream<Void>.Continuation
  private let log: @Sendable (String) -> Void
  private let worker: Mutex<Task<Void, Never>?> = Mutex(nil)

  /// `log` gets a line for everything that does not go well.
  public init(log: @escaping @Sendable (String) -> Void) {
    self.log = log
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    wake = continuation
    let dispatcher = NotifyDispatcher(log: log)
    worker.withLock {
      $0 = Task { [weak self] in
        for await _ in stream {
          while let items = self?.take() {
            for item in items {
              switch item {
              case .event(let event): await dispatcher.tell(event)
              case .configuration(let configuration): await dispatcher.apply(configuration)
              }
            }
          }
        }
        await dispatcher.finish()
      }
    }
  }

  deinit { wake.finish() }

  /// The commands and FIFOs of events posted from now on. Post `deleted` for what a reload removes
  /// before this. FIFOs that stay keep their scripts running.
  public func update(_ configuration: FailoverConfiguration) {
    queue.withLock { if !$0.isClosed { $0.items.append(.configuration(configuration)) } }
    wake.yield()
  }

  /// Takes an event, from any thread, without waiting for anything. When
  /// `TrackingLimits.notifyEvents` are waiting it is dropped, and that is logged.
  public func post(_ event: NotifyEvent) {
    queue.withLock { queue in
      if queue.isClosed { return }
      if queue.events >= TrackingLimits.notifyEvents {
        queue.dropped += 1
        return
      }
      queue.events += 1
      queue.items.append(.event(event))
    }
    wake.yield()
  }

  /// Works off what was posted, waits some seconds for the commands, kills those that still run,
  /// and removes the FIFOs made here. Events that follow are ignored.
  public func stop() async {
    queue.withLock { $0.isClosed = true }
    wake.yield()
    wake.finish()
    await worker.withLock { $0 }?.value
  }

  private func take() -> [Item]? {
    let (items, dropped) = queue.withLock { queue in
      defer {
        queue.items = []
        (queue.events, queue.dropped) = (0, 0)
      }
      return (queue.items, queue.dropped)
    }
    if dropped > 0 { log("\(dropped) notify events were dropped") }
    return items.isEmpty ? nil : items
  }
}

/// Knows the commands and owns the FIFOs; works off one event after the other.
actor NotifyDispatcher {
  private let log: @Sendable (String) -> Void
  private var commands: [NotifySubject: NotifyCommands] = [:]
  private var wantsPriority: Set<String> = []
  private var globals = FailoverGlobals()
  private var pipes: [NotifyPipe] = []
  private var lanes: [NotifySubject: NotifyLane] = [:]

  init(log: @escaping @Sendable (String) -> Void) { self.log = log }

  func apply(_ configuration: FailoverConfiguration) async {
    let isSameUser = globals.scriptUser == configuration.global.scriptUser
    globals = configuration.global
    commands = [:]
    for router in configuration.routers { commands[.router(router.name)] = router.notify }
    for group in configuration.groups { commands[.group(group.name)] = group.notify }
    wantsPriority = Set(
      configuration.routers.filter(\.notifiesPriorityChanges).map(\.name))
    var old = pipes
    pipes = []
    var new: [NotifyFIFO] = []
    for settings in configuration.global.fifos {
      if isSameUser, let index = old.firstIndex(where: { $0.settings == settings }) {
        pipes.append(old.remove(at: index))
      } else {
        new.append(settings)
      }
    }
    // Closed first: a FIFO whose script changed is made anew under the same path.
    for pipe in old { await pipe.close() }
    for settings in new {
      guard var pipe = NotifyPipe(settings, globals: globals, log: log) else { continue }
      pipe.startReader(globals: globals, log: log)
      pipes.append(pipe)
    }
    warn()
  }

  /// Says once per load what will not run.
  private func warn() {
    for (subject, commands) in commands.sorted(by: { $0.key.name < $1.key.name }) {
      for command in commands.all {
        switch RunnableScript.resolve(command, globals: globals) {
        case .failure(let problem): log("(\(subject.name)) notify script: \(problem)")
        case .success(let (_, warnings)):
          for warning in warnings { log("WARNING - (\(subject.name)) notify script: \(warning)") }
        }
      }
    }
  }

  func tell(_ event: NotifyEvent) async {
    if case .priority(let name, _, _) = event, !wantsPriority.contains(name) { return }
    let known = commands[event.subject] ?? NotifyCommands()
    let line = event.line(known)
    for index in pipes.indices { pipes[index].write(line, log: log) }
    let wanted = event.commands(known)
    if wanted.isEmpty { return }
    let lane = lanes[event.subject] ?? NotifyLane(event.subject, log: log)
    lanes[event.subject] = lane
    await lane.add(wanted, globals)
  }

  func finish() async {
    await withTaskGroup(of: Void.self) { group in
      for (subject, lane) in lanes {
        let log = log
        group.addTask {
          if await !lane.finish(within: TrackingLimits.notifyStop) {
            log("(\(subject.name)) notify scripts did not end in time and were killed")
          }
        }
      }
    }
    let leaving = pipes
    pipes = []
    await withTaskGroup(of: Void.self) { group in
      for pipe in leaving { group.addTask { await pipe.close() } }
    }
  }
}

extension NotifyCommands {
  var all: [ScriptCommand] {
    [master, backup, fault, stop, deleted, lowerPriorityHeard, any].compactMap { $0 }
  }
}
