// Puts the demo together: stand-in servers, a daemon like any other, clients, story and display.

import Configuration
import Glibc
import Health
import NIOPosix
import NIOSSL
import StandIn

struct Demo: Sendable {
  /// Seconds; nil = until a signal.
  let length: Int?
  /// nil = plain lines.
  let terminal: Terminal?

  private static let firstBalancerPort: UInt16 = 16443
  private static let firstServerPort: UInt16 = 17001
  private static let firstDashboardPort: UInt16 = 9600
  private static let serverNames = ["standin-1", "standin-2", "standin-3"]

  private enum Turn: Sendable {
    case ready
    case storyOver
    case outputClosed
    case daemonEnded(Int32)
  }

  /// The result is the process's exit status.
  func run() async throws -> Int32 {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    do {
      let status = try await run(on: group)
      try? await group.shutdownGracefully()
      return status
    } catch {
      try? await group.shutdownGracefully()
      throw error
    }
  }

  private func run(on group: MultiThreadedEventLoopGroup) async throws -> Int32 {
    let authority = try Authority()
    var standIns: [StandInServer] = []
    let port = try PortReservation.take(from: Self.firstBalancerPort)
    let dashboard = try PortReservation.take(from: Self.firstDashboardPort)
    for name in Self.serverNames {
      let reservation = try PortReservation.take(from: Self.firstServerPort)
      standIns.append(
        try await StandInServer(name: name, port: reservation, authority: authority, group: group))
    }
    let servers = standIns.map { DemoServer(name: $0.name, port: $0.port) }
    let timing = DemoTiming()
    let journal = Journal()
    let (turns, post) = AsyncStream<Turn>.makeStream()
    let daemon = Daemon(
      .ready(DemoConfiguration.make(port: port.port, servers: servers, timing: timing)),
      http: HTTPOptions(place: .address(.ip(.v4(0x7f00_0001), port: dashboard.port))),
      say: { journal.note($0, .log) },
      notify: { notice in
        switch notice {
        case .ready: post.yield(.ready)
        case .stopping: journal.freeze()
        case .health(let event): Self.note(event, journal)
        }
      })
    let running = Task {
      let status = await daemon.run()
      post.yield(.daemonEnded(status))
    }
    defer { running.cancel() }
    var iterator = turns.makeAsyncIterator()
    guard case .ready = await iterator.next() else {
      for event in journal.snapshot().events { Console.say(event.text) }
      return 1
    }
    let clients = DemoClients(
      target: ClientTarget(
        port: port.port, tls: try NIOSSLContext(configuration: authority.clientConfiguration()),
        group: group),
      timing: timing, journal: journal)
    introduce(port: port.port, dashboard: dashboard.port, servers)

    let asking = Task { await clients.run() }
    let story = Story(length: length)
    let playing = Task { [standIns] in
      await story.play(standIns, journal)
      post.yield(.storyOver)
    }
    let showing = Task {
      var display = Display(
        terminal: terminal, daemon: daemon, journal: journal, length: length, port: port.port,
        dashboard: dashboard.port, servers: servers, timing: timing,
        outputClosed: { post.yield(.outputClosed) })
      await display.run()
    }
    let ending = await iterator.next()
    let end = journal.elapsed
    playing.cancel()
    let isComplete: Bool
    if case .storyOver = ending {
      isComplete = true
      // Requests under way still count; only then the balancer goes.
      asking.cancel()
      await asking.value
      journal.freeze()
    } else {
      isComplete = false
      asking.cancel()
      await asking.value
    }
    showing.cancel()
    await showing.value
    daemon.requestStop()
    await running.value
    await playing.value
    let verdict = Verdict(
      journal.snapshot(), timing: timing, servers: Self.serverNames, length: end,
      isComplete: isComplete)
    verdict.lines(wasInterrupted: !isComplete && length != nil).forEach(Console.print)
    return verdict.isGood ? 0 : 1
  }

  private func introduce(port: UInt16, dashboard: UInt16, _ servers: [DemoServer]) {
    guard terminal == nil else { return }
    let shown = servers.map { "\($0.name) 127.0.0.1:\($0.port)" }.joined(separator: ", ")
    Console.print("clients -> fairlead 127.0.0.1:\(port) -> \(shown)")
    Console.print("try it: curl -k https://127.0.0.1:\(port)/version")
    Console.print("dashboard: http://127.0.0.1:\(dashboard)/")
    if let length, length < Story.killSeconds {
      Console.print("nothing is broken in less than \(Story.killSeconds) seconds")
    } else if let length, length < Story.fullSeconds {
      Console.print("a server is killed; \(Story.fullSeconds) seconds also make one hang")
    }
  }

  private static func note(_ event: HealthEvent, _ journal: Journal) {
    guard case .transition(let server, from: _, let to, let cause) = event else { return }
    var reason = "\(cause)"
    if case .check(let report) = cause { reason = Picture.words(report) }
    journal.transition(server.server, to: to, reason: reason)
  }
}
