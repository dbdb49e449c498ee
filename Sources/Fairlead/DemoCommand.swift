// `fairlead demo`: three stand-in Kubernetes API servers, the balancer in front of them, clients
// that keep asking, and failures on purpose.

import ArgumentParser

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Shows the balancer at work on this machine; needs no root and no configuration.",
    discussion: """
      Starts three stand-in Kubernetes API servers on loopback, the balancer in front of them and \
      clients that keep asking. A server is killed and comes back, another hangs and comes back. \
      With --seconds it ends by itself: the exit status is 0 when requests failed only while a \
      failure could not be noticed yet, and no more of them than that allows. Ctrl-C ends it \
      at any time.
      """)

  @Option(help: "End after this many seconds (1...86400); from 30 on the whole story fits.")
  var seconds: Int?

  @Flag(help: "Print lines instead of drawing on the terminal.")
  var plain = false

  func validate() throws {
    if let seconds, !(1...86_400).contains(seconds) {
      throw ValidationError("--seconds takes 1 to 86400")
    }
  }

  func run() async throws {
    let demo = Demo(length: seconds, terminal: plain ? nil : Terminal.onStandardOutput())
    let status: Int32
    do {
      status = try await demo.run()
    } catch {
      Console.say("error: \(error)")
      status = 1
    }
    if status != 0 { throw ExitCode(status) }
  }
}
