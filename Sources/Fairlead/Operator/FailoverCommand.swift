// `fairlead failover`: moves virtual addresses on purpose, and waits for the outcome.

import ArgumentParser
import Control

struct FailoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "failover",
    abstract: "Moves virtual addresses to another node, or to this one, and tells how that went.",
    discussion: """
      On the node that holds them: gives them up, and waits until another node has taken them. \
      With --to and the name of the node it runs on: takes them. VRRP names no successor, so with \
      more than two nodes only the wanted one can ask for them. Exit status 0: done. 1: the \
      daemon says no, or an error. 2: no daemon can be reached. 3: nobody took over in time.
      """)
  @OptionGroup var options: OperatorOptions

  @Option(help: "The node that is to have them, by name or address.")
  var to: String?

  @Option(
    help: "Only this virtual router, by name or address; those of its group go along.",
    completion: Completion.routers)
  var vip: String?

  @Flag(help: "Only tell what would be done, what it costs, and what is in the way.")
  var dryRun = false

  func run() throws {
    var request = ControlRequest(.failover)
    request.to = to
    request.vip = vip
    request.dryRun = dryRun
    let answer = try options.ask(
      try options.connect(), request, timeout_s: ControlLimits.moveTimeout_s + 10)
    for message in answer.messages { answer.ok ? Console.print(message) : Console.say(message) }
    if !answer.ok { throw ExitCode(answer.isUntaken == true ? 3 : 1) }
  }
}
