// `fairlead cleanup`: takes away what a killed daemon left on the interfaces.

import ArgumentParser
import Failover

struct CleanupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cleanup",
    abstract: "Removes virtual addresses that a killed fairlead left behind.",
    discussion: """
      Addresses, routes, rules and interfaces that Fairlead makes carry a mark in the kernel \
      (`ip -d address` shows it as `proto`); packets to addresses with `no_accept` are dropped \
      by the nftables table `inet fairlead_accept`. The next start removes what it finds; this \
      does it without a start. Refused while a fairlead holds virtual addresses here.
      """)

  func run() throws {
    do {
      let lines = try FailoverEngine.cleanUp()
      lines.forEach(Console.print)
      if lines.isEmpty { Console.print("nothing was left behind") }
    } catch {
      Console.say("error: \(error)")
      throw ExitCode(1)
    }
  }
}
