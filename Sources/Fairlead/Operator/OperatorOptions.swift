// What all operator commands share: where the daemon is, and what their exit status says.

import ArgumentParser
import Control
import Glibc

struct OperatorOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The daemon's control socket.", valueName: "path"), completion: .file())
  var control = ControlClient.defaultPath

  /// For every operator command's help.
  static let exitCodes =
    "Exit status 0: done. 1: the daemon says no, or an error. 2: no daemon can be reached."

  /// A connection; otherwise says why there is none and ends with status 2.
  func connect() throws -> ControlClient {
    do throws(ControlError) {
      return try ControlClient(path: control)
    } catch {
      Console.say("error: \(Self.explain(error))")
      throw ExitCode(2)
    }
  }

  /// The answer; otherwise says what went wrong and ends with status 1.
  func ask(
    _ client: ControlClient, _ request: ControlRequest, timeout_s: Int = 10
  ) throws -> ControlAnswer {
    do throws(ControlError) {
      return try client.ask(request, timeout_s: timeout_s)
    } catch {
      Console.say("error: \(error)")
      throw ExitCode(1)
    }
  }

  /// Asks for something to be done and prints what the daemon says of it. Ends with status 1 when
  /// the daemon refuses, with 3 when nobody took virtual addresses that were to be given up, and
  /// with 4 when there may be no other node at all.
  func carryOut(_ request: ControlRequest, timeout_s: Int = 10) throws {
    let answer = try ask(try connect(), request, timeout_s: timeout_s)
    for message in answer.messages { answer.ok ? Console.print(message) : Console.say(message) }
    if answer.isUnheard == true { throw ExitCode(4) }
    if !answer.ok { throw ExitCode(answer.isUntaken == true ? 3 : 1) }
  }

  static func explain(_ error: ControlError) -> String {
    switch error {
    case .failed(let path, ENOENT), .failed(let path, ECONNREFUSED):
      "no fairlead answers at \(path): none runs, or with another '--control'"
    case .failed(let path, EACCES), .failed(let path, EPERM):
      "\(path) may not be opened: only root and who runs the daemon may (try sudo)"
    default: "\(error)"
    }
  }
}

/// `fairlead reload`
struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Makes a running fairlead read its files again, and tells how that went.",
    discussion: """
      Like SIGHUP, with an outcome: diagnostics are printed, and files with errors change \
      nothing. \(OperatorOptions.exitCodes)
      """)
  @OptionGroup var options: OperatorOptions

  /// Names may have to be resolved first.
  func run() throws { try options.carryOut(ControlRequest(.reload), timeout_s: 120) }
}

/// `fairlead drain`
struct DrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain",
    abstract: "Sends new sessions to other servers, or virtual addresses to other nodes.",
    discussion: """
      A drained server keeps the sessions it has. A drained node serves who connects to it \
      without a virtual address. Both last until `fairlead undrain` or the end of the daemon: a \
      reload keeps them, a restart does not; checks go on meanwhile. To keep a server out for \
      longer, say so in the file. \(OperatorOptions.exitCodes) 3: with --node, nobody took the \
      addresses in time; the node is drained all the same, and whoever comes later takes them.
      """)
  @OptionGroup var options: OperatorOptions
  @Argument(
    help: "BACKEND/SERVER, or SERVER if only one backend has it.",
    completion: Completion.undrainedServers)
  var server: String?

  @Flag(help: "This node: it gives its virtual addresses up and takes none.")
  var node = false

  func validate() throws {
    guard node == (server == nil) else { throw ValidationError("give a server or --node") }
  }

  func run() throws {
    var request = ControlRequest(.drain, server: server)
    if node { request.node = true }
    try options.carryOut(request, timeout_s: node ? ControlLimits.moveTimeout_s : 10)
  }
}

/// `fairlead undrain`
struct UndrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "undrain",
    abstract: "Takes a drain of a server or of this node back.",
    discussion: """
      With --node also what earlier failovers ordered here, as `fairlead failover --withdraw` \
      does. \(OperatorOptions.exitCodes)
      """)
  @OptionGroup var options: OperatorOptions
  @Argument(
    help: "BACKEND/SERVER, or SERVER if only one backend has it.",
    completion: Completion.drainedServers)
  var server: String?

  @Flag(help: "This node: it may have virtual addresses again.")
  var node = false

  func validate() throws {
    guard node == (server == nil) else { throw ValidationError("give a server or --node") }
  }

  func run() throws {
    var request = ControlRequest(.undrain, server: server)
    if node { request.node = true }
    try options.carryOut(request)
  }
}
