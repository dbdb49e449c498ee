// `fairlead sessions`: who is connected, through which server, since when.

import ArgumentParser
import Control

struct SessionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sessions",
    abstract: "Lists open sessions of a running fairlead, the oldest first.",
    discussion: OperatorOptions.exitCodes)
  @OptionGroup var options: OperatorOptions

  @Option(
    help: "Only those of BACKEND/SERVER, or SERVER if only one backend has it.",
    completion: Completion.servers)
  var server: String?

  @Option(help: "At most so many, 0 to \(ControlLimits.sessions).")
  var limit = 100

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard (0...ControlLimits.sessions).contains(limit) else {
      throw ValidationError("--limit is 0 to \(ControlLimits.sessions)")
    }
  }

  func run() throws {
    let request = ControlRequest(.sessions, server: server, limit: limit)
    let answer = try options.ask(try options.connect(), request)
    guard answer.ok, let report = answer.sessions else {
      answer.messages.forEach(Console.say)
      throw ExitCode(1)
    }
    if json {
      Console.print(try MessageText.write(report, indented: true))
      return
    }
    let terminal = Terminal.onStandardOutput()
    for row in Self.rows(report, columns: terminal?.size.columns) {
      Console.print(row.rendered(color: terminal?.color ?? false))
    }
  }

  static func rows(_ report: SessionsReport, columns: Int?) -> [Row] {
    guard !report.sessions.isEmpty else {
      return [[Span(report.matching == 0 ? "no sessions" : "\(report.matching) sessions")]]
    }
    var table: [[Span]] = [
      StatusTable.heads(
        "CLIENT", "CONNECTED TO", "FRONTEND", "SERVER", "STATE", "FOR", "IDLE", "IN", "OUT")
    ]
    for session in report.sessions {
      let server = session.server.map { "\(session.backend ?? "")/\($0)" } ?? session.backend ?? "-"
      table.append([
        Span(session.client), Span(session.local), Span(session.frontend),
        Span(server, .bold), Span(session.state, session.state == "established" ? .plain : .busy),
        Span(StatusTable.span(session.age)), Span(StatusTable.span(session.idle)),
        Span(StatusTable.bytes(session.bytesIn)), Span(StatusTable.bytes(session.bytesOut)),
      ])
    }
    var rows = StatusTable.aligned(table, right: 5..<9, columns: columns, spare: [1, 2, 6])
    if report.matching > report.sessions.count {
      rows.append([Span("… and \(report.matching - report.sessions.count) more", .dim)])
    }
    return rows
  }
}
