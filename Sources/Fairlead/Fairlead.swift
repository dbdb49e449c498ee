// The command line: `fairlead SUBCOMMAND …`. One file per subcommand.

import ArgumentParser

@main
struct Fairlead: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fairlead",
    abstract: "Keeps a Kubernetes API endpoint alive: a TCP load balancer and a virtual IP.",
    discussion: """
      Begin with `fairlead init`, which writes a fairlead.yaml, one file for all nodes; then \
      `fairlead check`, `fairlead run` and `fairlead status`. Existing haproxy.cfg and \
      keepalived.conf files run as they are: `fairlead run haproxy.cfg keepalived.conf`; \
      `fairlead convert` makes a fairlead.yaml of them.
      """,
    version: Version.text,
    subcommands: [
      RunCommand.self, CheckCommand.self, VerifyCommand.self, ConvertCommand.self, InitCommand.self,
      StatusCommand.self, SessionsCommand.self, EventsCommand.self, ReloadCommand.self,
      DrainCommand.self, UndrainCommand.self, FailoverCommand.self, CleanupCommand.self,
      DemoCommand.self, StandInCommand.self,
    ])
}

enum Version {
  static let text = "0.1.0"
}
