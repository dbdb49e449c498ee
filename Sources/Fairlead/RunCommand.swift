// `fairlead run`: serves until a signal ends it.

import ArgumentParser
import Configuration
import Control
import Failover
import Glibc

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs a fairlead.yaml, or a haproxy.cfg, a keepalived.conf, or both.",
    discussion: """
      SIGTERM and SIGINT stop at once: masters resign and give their addresses up first. SIGUSR1 \
      gives addresses up, stops accepting and ends when the last session ends, or after \
      `hard-stop-after`; without a haproxy.cfg it prints the state of the virtual routers. SIGHUP \
      and SIGUSR2 read the files again and change what changed, without touching sessions or \
      virtual routers that stay the same; files with errors change nothing.
      """)

  @Option(
    help: ArgumentHelp(
      "SCHED_RR priority of the thread that runs virtual routers, 1 to 99; 0: none.",
      discussion: "'vrrp_rt_priority' of a keepalived.conf goes before it."))
  var realtimePriority = 1

  @Flag(
    inversion: .prefixedNo,
    help: "Keep memory from being swapped out while virtual routers run.")
  var lockMemory = true

  @Option(
    help: "Which node of a fairlead.yaml this machine is; it finds itself otherwise.",
    completion: Completion.nodesOfFile)
  var node: String?

  @Option(
    help: ArgumentHelp(
      "The socket for operator commands; 'none': no socket.",
      discussion: "Without it, \(ControlClient.defaultPath) if that can be used.",
      valueName: "path"))
  var control: String?

  @Option(
    help: ArgumentHelp(
      "Where the dashboard and the metrics are, ADDRESS:PORT; 'none': nowhere.",
      discussion: "Without it as a fairlead.yaml says, 127.0.0.1:9600 if it says nothing; nowhere"
        + " for other files.",
      valueName: "address:port"))
  var http: String?

  @Option(
    help: ArgumentHelp(
      "A file whose first line clients must send as 'Authorization: Bearer'.", valueName: "path"))
  var httpTokenFile: String?

  @Option(
    help: ArgumentHelp(
      "How log lines are written: text, or json (an object a line).",
      discussion: "On standard error, each with its event's name (Documentation/events.md), and"
        + " for a fairlead.yaml the sessions on standard output.",
      valueName: "format"))
  var logFormat = LogFormat.text

  @Argument(
    help: "A fairlead.yaml, or haproxy.cfg and keepalived.conf files or directories.",
    completion: .file())
  var files: [String]

  func validate() throws {
    guard (0...99).contains(realtimePriority) else {
      throw ValidationError("--realtime-priority is 0 to 99, not \(realtimePriority)")
    }
    _ = try httpPlace()
  }

  func run() async throws {
    var options = FailoverOptions()
    options.realtimePriority = realtimePriority
    options.locksMemory = lockMemory
    let place: ControlPlace =
      switch control {
      case nil: .usual
      case "none": .none
      case let path?: .path(path)
      }
    let http = HTTPOptions(place: try httpPlace(), tokenFile: httpTokenFile)
    let printer = try ConsolePrinter(logFormat)
    let daemon = Daemon(
      .files(files, node: node), failoverOptions: options, control: place, http: http,
      logFormat: logFormat, logReader: .standardError, say: printer.say)
    let status = await daemon.run()
    printer.finish()
    if status != 0 { throw ExitCode(status) }
  }

  private func httpPlace() throws -> HTTPOptions.Place {
    guard let http else { return .asConfigured }
    if http == "none" { return .none }
    guard let address = NativeDialect.listeningAddress(http) else {
      throw ValidationError("--http is ADDRESS:PORT, such as 127.0.0.1:9600, or none")
    }
    return .address(address)
  }
}
