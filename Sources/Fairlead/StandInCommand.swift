// `fairlead stand-in`: one API server to try things out with, where there is no Kubernetes yet.

import ArgumentParser
import Glibc
import NIOCore
import NIOPosix
import StandIn
import UnixSignals

struct StandInCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stand-in",
    abstract: "Serves what a Kubernetes API server answers first, to try a deployment out.",
    discussion: """
      TLS with a certificate made at the start; /readyz, /livez, /healthz, /version and \
      namespaces, also as a watch, enough for `kubectl version`, `kubectl get ns` and its \
      `--watch`. Anybody may ask and nothing can be changed.

      SIGTERM and SIGINT stop it as they stop a real one: /readyz turns red at once, everything \
      is served on for --shutdown-delay, then the port closes, watches end and it exits; a second \
      one ends it on the spot. SIGUSR1 makes it hang (port open, no answer) and run again, \
      SIGUSR2 turns /readyz red and green.
      """)

  @Option(help: ArgumentHelp("Where to listen.", valueName: "address:port"))
  var listen = ListenAddress.usual

  @Option(help: "Its name: in the certificate, in answers and in what it prints.")
  var name = "stand-in"

  @Option(
    help: ArgumentHelp(
      "A name or address the certificate is good for besides those of --name and --listen:"
        + " the virtual address. May be repeated.", valueName: "name"))
  var san: [SubjectName] = []

  @Option(
    help: ArgumentHelp(
      "A folder with ca.crt and ca.key to sign the certificate with, made when it is empty."
        + " Without it the authority is forgotten at the end.", valueName: "folder"))
  var authority: String?

  @Option(
    help: ArgumentHelp(
      "How long to serve after SIGTERM, 0s to 1h, as kube-apiserver's --shutdown-delay-duration.",
      valueName: "time"))
  var shutdownDelay = ShutdownDelay(seconds: 0)

  /// For connections that do not end by themselves when the port has closed.
  private static let lastWords = Duration.seconds(2)

  func validate() throws {
    guard case .dns? = SubjectName(name) else {
      throw ValidationError("--name is a DNS name, not '\(name)'")
    }
  }

  func run() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      try await serve(on: group)
    } catch let code as ExitCode {
      throw code
    } catch {
      Console.say("error: \(error)")
      throw ExitCode(1)
    }
    try? await group.shutdownGracefully()
  }

  private func serve(on group: MultiThreadedEventLoopGroup) async throws {
    signal(SIGPIPE, SIG_IGN)
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1, .sigusr2)
    let signer = try authority.map { try Authority(folder: $0) } ?? Authority()
    let server: StandInServer
    do {
      server = try await StandInServer(
        name: name, address: listen.address, names: san, authority: signer, group: group)
    } catch {
      Console.say("error: cannot listen on \(listen): \(error)")
      throw ExitCode(1)
    }
    say("serves https://\(listen)")
    var isReady = true
    var ending: Task<Void, Never>?
    for await signal in signals {
      switch signal {
      case .sigusr1:
        if await server.state == .hung {
          try await server.revive()
          say("runs again")
        } else {
          await server.hang()
          say("hangs: its port is open and nothing is answered")
        }
      case .sigusr2:
        isReady.toggle()
        await server.setReady(isReady)
        say("/readyz is \(isReady ? "green" : "red")")
      default:
        if ending != nil { throw ExitCode(1) }
        await server.setReady(false)
        say("/readyz is red; the port closes in \(shutdownDelay)")
        ending = Task {
          try? await Task.sleep(for: shutdownDelay.duration)
          await server.finish(within: Self.lastWords)
          say("has stopped")
          Glibc.exit(0)
        }
      }
    }
  }

  private func say(_ text: String) { Console.print("\(name) \(text)") }
}

/// An address to listen on: `10.0.0.11:6443`, `[fd00::11]:6443`.
struct ListenAddress: ExpressibleByArgument, CustomStringConvertible {
  let description: String
  let address: SocketAddress

  static let usual = ListenAddress(argument: "127.0.0.1:6443")!

  init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":"),
      let port = UInt16(argument[argument.index(after: colon)...]), port > 0
    else { return nil }
    var host = argument[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard let address = try? SocketAddress(ipAddress: String(host), port: Int(port)) else {
      return nil
    }
    description = argument
    self.address = address
  }

  var defaultValueDescription: String { description }
}

/// A time with its unit: `500ms`, `10s`, `1m`; an hour at most.
struct ShutdownDelay: ExpressibleByArgument, CustomStringConvertible {
  let description: String
  let duration: Duration

  init(seconds: Int64) {
    description = "\(seconds)s"
    duration = .seconds(seconds)
  }

  init?(argument: String) {
    let units: [(suffix: String, milliseconds: Int64)] = [
      ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]
    guard let unit = units.first(where: { argument.hasSuffix($0.suffix) }),
      let count = Int64(argument.dropLast(unit.suffix.count)), (0...3_600_000).contains(count),
      count * unit.milliseconds <= 3_600_000
    else { return nil }
    description = argument
    duration = .milliseconds(count * unit.milliseconds)
  }

  var defaultValueDescription: String { description }
}

extension SubjectName: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
