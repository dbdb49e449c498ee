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
      more than two nodes only the wanted one can ask for them. Who gave an address up leaves it \
      to healthy nodes, and who took one keeps it, until another failover, --withdraw there, or a \
      new start. \(OperatorOptions.exitCodes) 3: nobody took over in time; the addresses stay \
      where they are. 4: this node is the only one in the files; with --dry-run also when no \
      other was ever heard.
      """)
  @OptionGroup var options: OperatorOptions

  @Option(
    help: "The node that is to have them, by name or address.", completion: Completion.nodes)
  var to: String?

  @Option(
    help: "Only this virtual router, by name or address; those of its group go along.",
    completion: Completion.routers)
  var vip: String?

  @Flag(help: "Only tell what would be done, what it costs, and what is in the way.")
  var dryRun = false

  @Flag(help: "Take back what earlier failovers ordered on this node: preferences count again.")
  var withdraw = false

  func validate() throws {
    if withdraw, to != nil { throw ValidationError("--withdraw and --to do not go together") }
  }

  func run() throws {
    var request = ControlRequest(.failover)
    request.to = to
    request.vip = vip
    request.dryRun = dryRun
    if withdraw { request.withdraw = true }
    try options.carryOut(request, timeout_s: ControlLimits.moveTimeout_s)
  }
}
