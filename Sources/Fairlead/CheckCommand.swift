// `fairlead check`: what `run` would say of these files, without running them.

import ArgumentParser
import Configuration

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks configuration files.",
    discussion: """
      Exit status 0: they can run. 1: they cannot. 2: they can, but a keepalived.conf says \
      something that is not done as it is written, as the warnings tell; keepalived runs on as \
      well.
      """)

  @Flag(help: "Also tell what is accepted without having an effect here.")
  var verbose = false

  @Flag(name: .customLong("print"), help: "Print the configuration as it was understood.")
  var printsResult = false

  @Option(
    help: ArgumentHelp(
      "Which node of a fairlead.yaml to look at.",
      discussion: "Otherwise this machine finds itself; one that is none of them looks at all."),
    completion: Completion.nodesOfFile)
  var node: String?

  @Argument(
    help: "A fairlead.yaml, or haproxy.cfg and keepalived.conf files or directories.",
    completion: .file())
  var files: [String]

  func run() throws {
    let loaded = ConfigurationLoader.load(files, node: node, isOnlyChecked: true)
    Console.show(loaded.diagnostics, notes: verbose)
    loaded.problems.forEach(Console.say)
    guard let halves = loaded.halves else {
      let errors = loaded.diagnostics.count { $0.severity == .error } + loaded.problems.count
      Console.say(errors == 1 ? "1 error found" : "\(errors) errors found")
      throw ExitCode(1)
    }
    if printsResult {
      if let proxy = halves.proxy { Console.write(HAProxyDialect.print(proxy), to: 1) }
      if let failover = halves.failover { Console.write(KeepalivedDialect.print(failover), to: 1) }
      for each in loaded.everyNode {
        Console.write("# node \(each.node)\n" + KeepalivedDialect.print(each.failover), to: 1)
      }
      if loaded.document != nil { Console.print(CheckCommand.words(halves.http)) }
    } else {
      let warnings = loaded.diagnostics.contains { $0.severity == .warning }
      Console.print("Configuration file is valid" + (warnings ? " (with warnings)" : ""))
    }
    if loaded.hasFailoverWarnings { throw ExitCode(2) }
  }

  /// A comment: neither haproxy.cfg nor keepalived.conf has words for it.
  private static func words(_ http: HTTPSettings?) -> String {
    guard let http else { return "# fairlead.yaml: no dashboard (http: none)" }
    var words = "# fairlead.yaml: dashboard at \(http.effectiveAddress)"
    words += http.address == nil ? ", if it is free" : ""
    words += http.certificate == nil ? "" : ", with TLS"
    words += http.readsNeedToken ? "; nothing without the token" : "; reading needs no token"
    return words + (http.token == nil ? ", nothing can be changed (http)" : " (http)")
  }
}
