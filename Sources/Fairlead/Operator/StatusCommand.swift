// `fairlead status`: one look at a running daemon, or a screen that stays up to date.

import ArgumentParser
import Control
import Glibc

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows virtual routers, frontends, backends and servers of a running fairlead.",
    discussion: """
      With --watch it fills the screen and is drawn again every second; q or Ctrl-C ends it. \
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
    while true {
      terminal.draw(frame(report, problem, terminal))
      if keys.waitsForEnd(milliseconds: 1000) { return }
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

  private func frame(_ report: StatusReport, _ problem: String?, _ terminal: Terminal) -> [Row] {
    let size = terminal.size
    let table = StatusTable(report: report, columns: size.columns)
    let room = max(1, size.rows - 2)
    var rows = table.rows(moves: 0)
    // A blank line and a head before them.
    rows = table.rows(moves: min(10, room - rows.count - 2))
    if rows.count > room {
      let hidden = rows.count - room + 1
      rows = rows.prefix(room - 1) + [[Span("… \(hidden) more lines: the screen ends", .dim)]]
    }
    rows.append(Row())
    if let problem {
      rows.append([Span(problem, .bad)])
    } else {
      rows.append([Span("q ends", .dim)])
    }
    return Array(rows)
  }
}
