// `fairlead events`: what changed, and with --follow what changes, one line each.

import ArgumentParser
import Configuration
import Control
import Glibc

struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "Prints state changes of virtual routers and servers, and reloads.",
    discussion: """
      The last \(ControlLimits.history), oldest first; with --follow also those that come, until \
      Ctrl-C or the end of the daemon, with status 0 if it tells its end (process.stopping). \
      \(OperatorOptions.exitCodes)
      """)
  @OptionGroup var options: OperatorOptions

  @Flag(name: .shortAndLong, help: "Go on with events as they happen.")
  var follow = false

  @Flag(help: "One JSON object a line.")
  var json = false

  func run() throws {
    let client = try options.connect()
    // Following waits as long as it takes.
    let request = ControlRequest(.events, follow: follow)
    var answer = try options.ask(client, request, timeout_s: follow ? 0 : 10)
    var isEndTold = false
    while true {
      guard answer.ok else {
        answer.messages.forEach(Console.say)
        throw ExitCode(1)
      }
      for event in answer.events ?? [] {
        Console.print(try line(event))
        if event.event == EventName.processStopping.rawValue { isEndTold = true }
      }
      guard follow else { return }
      do throws(ControlError) {
        answer = try client.answer()
      } catch {
        if isEndTold { return }
        Console.say("error: \(error)")
        throw ExitCode(1)
      }
    }
  }

  private func line(_ event: ControlEvent) throws -> String {
    if json { return try MessageText.write(event) }
    return "\(Self.stamp(event.time)) \(event.event) \(event.text)"
  }

  /// Local time with milliseconds: `2026-11-21 04:23:00.534`.
  private static func stamp(_ time: Double) -> String {
    var seconds = time_t(max(0, min(time, 1e11)))
    var parts = tm()
    guard localtime_r(&seconds, &parts) != nil else { return "?" }
    func padded(_ value: Int, _ width: Int = 2) -> String {
      let text = "\(value)"
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    let milliseconds = Int((time - Double(seconds)) * 1000)
    return "\(Int(parts.tm_year) + 1900)-\(padded(Int(parts.tm_mon) + 1))"
      + "-\(padded(Int(parts.tm_mday))) \(padded(Int(parts.tm_hour)))"
      + ":\(padded(Int(parts.tm_min))):\(padded(Int(parts.tm_sec)))"
      + ".\(padded(max(0, min(999, milliseconds)), 3))"
  }
}
