// Shows the demo while it runs: frames on a terminal, lines elsewhere.

import Glibc

/// Draws or prints until cancelled. Owned by one task.
struct Display {
  private static let frameTime = Duration.milliseconds(250)
  private static let framesPerStatus = 20

  let terminal: Terminal?
  let daemon: Daemon
  let journal: Journal
  let length: Int?
  let port: UInt16
  let dashboard: UInt16
  let servers: [DemoServer]
  let timing: DemoTiming
  /// Called when nobody reads standard output any more.
  let outputClosed: @Sendable () -> Void

  private var printed = 0
  private var frames = 0
  /// Answers counted at the last frames, for the rate.
  private var counts: [(time: Duration, answered: Int)] = []

  init(
    terminal: Terminal?, daemon: Daemon, journal: Journal, length: Int?, port: UInt16,
    dashboard: UInt16, servers: [DemoServer], timing: DemoTiming,
    outputClosed: @escaping @Sendable () -> Void
  ) {
    self.terminal = terminal
    self.daemon = daemon
    self.journal = journal
    self.length = length
    self.port = port
    self.dashboard = dashboard
    self.servers = servers
    self.timing = timing
    self.outputClosed = outputClosed
  }

  /// Shows until cancelled, then the last state once more, to stay.
  mutating func run() async {
    terminal?.open()
    var last: [Row] = []
    while !Task.isCancelled {
      if Self.isOutputClosed { outputClosed() }
      let due = ContinuousClock.now + Self.frameTime
      // A stopping balancer is no sight: the frame before stays.
      if !journal.isFrozen { last = await show(last) }
      try? await ContinuousClock().sleep(until: due)
      if !Task.isCancelled { journal.stalled(ContinuousClock.now - due) }
    }
    if let terminal {
      terminal.close()
      Console.print(last.map { $0.rendered(color: terminal.color) }.joined(separator: "\n") + "\n")
    } else {
      printEvents(journal.snapshot())
    }
  }

  /// The pipe's reader or the terminal is gone.
  private static var isOutputClosed: Bool {
    var output = pollfd(fd: 1, events: 0, revents: 0)
    return poll(&output, 1, 0) == 1 && Int32(output.revents) & (POLLERR | POLLHUP) != 0
  }

  /// The new frame; the last one when the balancer was stopped meanwhile.
  private mutating func show(_ last: [Row]) async -> [Row] {
    let scene = Scene(
      now: journal.elapsed, length: length, port: port, dashboard: dashboard,
      servers: servers,
      status: await daemon.status(), record: journal.snapshot(), rate: rate(), timing: timing)
    if journal.isFrozen { return last }
    frames += 1
    if let terminal {
      let size = terminal.size
      let rows = Picture(scene: scene, unicode: terminal.unicode)
        .rows(columns: size.columns, rows: size.rows)
      terminal.draw(rows)
      return rows.map { $0.cut(size.columns) }
    }
    printEvents(scene.record)
    if frames % Self.framesPerStatus == 0 { printStatus(scene) }
    return []
  }

  /// Answers per second over the last two seconds.
  private mutating func rate() -> Int {
    let now = journal.elapsed
    let answered = journal.snapshot().answered
    counts.append((now, answered))
    if counts.count > 9 { counts.removeFirst() }
    guard let first = counts.first, now > first.time else { return 0 }
    let milliseconds = max(1, (now - first.time).milliseconds)
    return Int((Int64(answered - first.answered) * 1000 + milliseconds / 2) / milliseconds)
  }

  private mutating func printEvents(_ record: Record) {
    let fresh = record.events.dropFirst(max(0, printed - record.droppedEvents))
    printed = record.droppedEvents + record.events.count
    for event in fresh { Console.print("\(event.time.stamp)  \(event.text)") }
  }

  private func printStatus(_ scene: Scene) {
    let states = scene.status.servers.map { server in
      "\(server.reference.server) \(server.state == .up ? "UP" : "DOWN")"
        + " \(server.sessions)/\(server.total)"
    }
    let verdict = Verdict(
      scene.record, timing: timing, servers: [], length: scene.now, isComplete: false)
    Console.print(
      "\(scene.now.stamp)  -- \(states.joined(separator: ", ")) (sessions now/ever);"
        + " \(scene.rate)/s, \(scene.record.answered) answered, \(verdict.failuresInside) failed"
        + " in windows, \(verdict.failuresOutside.count) outside")
  }
}
