// `fairlead verify`: looks at this node and its surroundings and says what to mend.

import ArgumentParser
import Configuration
import Doctor

struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Examines this node, its servers and its network, and says what to mend.",
    discussion: """
      Reads the files that are named, or those of the daemon that runs here. It needs no daemon; \
      beside a running one it looks at that one's privileges and limits. Nothing is changed. \
      Hearing adverts and asking for addresses needs root. Every finding is explained in \
      Documentation/verify.md. Exit status 0: nothing to mend. 1: warnings. 2: problems. 3: the \
      files cannot be used.
      """)

  @Option(
    help: "Which node of a fairlead.yaml this machine is; it finds itself otherwise.",
    completion: Completion.nodesOfFile)
  var node: String?

  @Flag(help: "Print the findings as JSON.")
  var json = false

  @Option(
    name: .customLong("name"),
    help: ArgumentHelp(
      "A name by which clients reach the API; the certificates must be for it. May be repeated.",
      valueName: "host"))
  var names: [String] = []

  @Option(
    help: ArgumentHelp(
      "How long to listen for adverts, in seconds; by default what the intervals ask for, 1 to 10.",
      valueName: "seconds"))
  var listen: Double?

  @Option(
    help: ArgumentHelp(
      "The control socket of the daemon whose files are examined; by default the usual one, if a"
        + " daemon answers there.", valueName: "path"), completion: .file())
  var control: String?

  @Argument(
    help: ArgumentHelp(
      "A fairlead.yaml, or haproxy.cfg and keepalived.conf files or directories.",
      discussion:
        """
        Without any: those of the daemon that runs here; without one \
        \(VerifiedFiles.usual.native), or \(VerifiedFiles.usual.others.joined(separator: " ")).
        """))
  var files: [String] = []

  func validate() throws {
    if let listen, !Limits.askedListening_s.contains(listen) {
      let range = Limits.askedListening_s
      throw ValidationError("--listen is \(range.lowerBound) to \(Int(range.upperBound)) seconds")
    }
    if control != nil, !files.isEmpty {
      throw ValidationError("name files, or with --control the daemon that has them")
    }
  }

  func run() async throws {
    let chosen =
      files.isEmpty
      ? try VerifiedFiles.ofThisMachine(control: control, node: node)
      : VerifiedFiles(files: files, node: node)
    if chosen.files.isEmpty {
      Console.say("error: no files: name those that `fairlead run` gets")
      throw ExitCode(3)
    }
    let loaded = ConfigurationLoader.load(chosen.files, node: chosen.node)
    Console.show(loaded.diagnostics)
    loaded.problems.forEach(Console.say)
    guard let halves = loaded.halves else {
      Console.say("error: the files cannot be used, so there is nothing to examine")
      throw ExitCode(3)
    }
    let subject = Subject(
      proxy: halves.proxy, failover: halves.failover, names: names,
      node: loaded.node ?? ThisMachine.options(node: nil).hostName, document: loaded.document)
    let report = await Examination.carryOut(subject, listening_s: listen)
    if json {
      Console.print(VerifyJSON(report, subject).text())
    } else {
      let terminal = Terminal.onStandardOutput()
      VerifyPage(report, node: subject.node, columns: terminal?.size.columns).rows().forEach {
        Console.print($0.rendered(color: terminal?.color ?? false))
      }
    }
    switch report.findings.worst {
    case .ok, .note: break
    case .warning: throw ExitCode(1)
    case .problem: throw ExitCode(2)
    }
  }
}
