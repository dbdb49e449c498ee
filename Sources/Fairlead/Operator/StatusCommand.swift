// `fairlead status`: one look at a running daemon, or a screen that stays up to date.

import ArgumentParser
import Control
import Glibc

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows virtual routers, frontends, backends and servers of a running fairlead.",
    discussion: """
      With --watch it fills the screen and is drawn again every second. What does not fit is \
      reached with the arrow keys, j and k, Page Up and Page Down (or b and Space), Home and End \
      (or g and G); q or Ctrl-C ends it. \
      --json prints the same as a JSON object with "version": 1. \(OperatorOptions.exitCodes)
      """)
  @OptionGroup var options: OperatorOptions

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Draw it every second until q or Ctrl-C.")
  var watch = false

  func validate() throws {
    if json, watch { throw ValidationError("--json and --watch do not go together") }
  }

  func run() throws {
    let client = try options.connect()
    let first = try status(client)
    if watch {
      guard let terminal = Terminal.onStandardOutput() else {
        Console.say("error: --watch needs a terminal")
        throw ExitCode(1)
      }
      try watch(client, terminal, first)
      return
    }
    if json {
      Console.print(try MessageText.write(first, indented: true))
      return
    }
    let terminal = Terminal.onStandardOutput()
    let table = StatusTable(report: first, columns: terminal?.size.columns)
    for row in table.rows() { Console.print(row.rendered(color: terminal?.color ?? false)) }
  }

  private func status(_ client: ControlClient) throws -> StatusReport {
    let answer = try options.ask(client, ControlRequest(.status))
    guard answer.ok, let status = answer.status else {
      answer.messages.forEach(Console.say)
      throw ExitCode(1)
    }
    return status
  }

  // MARK: The screen

  private func watch(
    _ client: ControlClient, _ terminal: Terminal, _ first: StatusReport
  ) throws {
    let keys = Keyboard()
    terminal.open()
    defer {
      terminal.close()
      keys.restore()
    }
    var report = first
    var client = client
    var problem: String?
    var screen = Scroll()
    while true {
      let due = ContinuousClock.now + .seconds(1)
      repeat {
        terminal.draw(frame(report, problem, terminal, &screen))
        guard let key = keys.next(until: due) else { break }
        if key == .end { return }
        screen.move(key)
      } while true
      do throws(ControlError) {
        if problem != nil { client = try ControlClient(path: options.control) }
        let answer = try client.ask(ControlRequest(.status), timeout_s: 2)
        report = answer.status ?? report
        problem = nil
      } catch {
        problem = OperatorOptions.explain(error)
      }
    }
  }

  private func frame(
    _ report: StatusReport, _ problem: String?, _ terminal: Terminal, _ screen: inout Scroll
  ) -> [Row] {
    let size = terminal.size
    let rows = StatusTable(report: report, columns: size.columns).rows(moves: 10)
    let shown = screen.show(rows.count, room: max(1, size.rows - 2))
    var foot: Row = problem.map { [Span($0, .bad)] } ?? [Span("q ends", .dim)]
    if shown.count < rows.count {
      let words = "lines \(shown.lowerBound + 1) to \(shown.upperBound) of \(rows.count)"
      foot = [Span("\(words) (arrows, j, k, Page Up/Down)", .bold), Span("  ")] + foot
    }
    return Array(rows[shown]) + [Row(), foot]
  }
}

/// Which part of the lines is on the screen.
struct Scroll {
  private var top = 0
  private var count = 0
  private var room = 1

  /// The lines to show now that there are so many, and room for so many.
  mutating func show(_ count: Int, room: Int) -> Range<Int> {
    self.count = count
    self.room = room
    top = min(max(0, top), max(0, count - room))
    return top..<min(count, top + room)
  }

  mutating func move(_ key: Key) {
    switch key {
    case .end: break
    case .lines(let lines): top += lines
    case .pages(let pages): top += pages * max(1, room - 1)
    case .top: top = 0
    case .bottom: top = count
    }
    top = min(max(0, top), max(0, count - room))
  }
}
