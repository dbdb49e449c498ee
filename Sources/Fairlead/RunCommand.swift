// `fairlead run`: serves until a signal ends it.

import ArgumentParser
import Glibc

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs configuration files.",
    discussion: """
      SIGTERM and SIGINT stop at once. SIGUSR1 stops accepting and ends when the last session \
      ends, or after `hard-stop-after`. SIGHUP and SIGUSR2 read the files again and change what \
      changed, without touching sessions; files with errors change nothing.
      """)

  @Argument(help: "haproxy.cfg files, or directories of *.cfg files.")
  var files: [String]

  func run() async throws {
    let daemon = Daemon(.files(files))
    let status = await daemon.run()
    if status != 0 { throw ExitCode(status) }
  }
}
