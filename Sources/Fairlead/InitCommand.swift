// `fairlead init`: a native file made from words.

import ArgumentParser
import Configuration
import Glibc

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Writes a new fairlead.yaml; an existing file is never overwritten.",
    discussion: """
      Its owner can read it, and the group 'fairlead' where there is one: the service runs as that.
      """)

  /// Who runs the service, as Packaging/fairlead.sysusers.conf makes it.
  private static let group = "fairlead"

  @Argument(help: "The file to make; - for standard output.")
  var file = "fairlead.yaml"

  @Option(help: "Virtual address with its prefix length, such as 10.0.0.179/26.")
  var vip: [String] = []

  @Option(help: "NAME=ADDRESS of a node; the first one is preferred.")
  var node: [String] = []

  @Option(help: "ADDRESS:PORT of a server, or NAME=ADDRESS:PORT.")
  var server: [String] = []

  @Option(help: "Where to listen.")
  var listen = "0.0.0.0:6443"

  func validate() throws {
    var missing: [String] = []
    if !vip.isEmpty, node.isEmpty {
      missing.append(
        "--node NAME=ADDRESS is missing: which machines hold \(vip.joined(separator: ", "))? Once"
          + " for each, the preferred one first")
    }
    if server.isEmpty {
      missing.append(
        "--server NAME=ADDRESS:PORT is missing: where do connections go? Once for each server")
    }
    if !missing.isEmpty { throw ValidationError(missing.joined(separator: "\n")) }
    for pair in node where !pair.contains("=") {
      throw ValidationError("--node \(pair): write NAME=ADDRESS")
    }
  }

  func run() throws {
    let made = NativeDialect.starter(
      virtualAddresses: vip, nodes: node.map(Self.pair).map { ($0.name ?? "", $0.address) },
      servers: server.map(Self.pair), listen: listen, schema: InstalledSchema.path())
    Console.show(made.diagnostics)
    if made.diagnostics.contains(where: { $0.severity == .error }) { throw ExitCode(1) }
    if file == "-" {
      Console.write(made.text, to: 1)
      return
    }
    let isShared = try write(made.text)
    var steps = ["fairlead check \(file)", "fairlead run \(file)"]
    if !node.isEmpty {
      steps = ["copy it to every node, unchanged"] + steps.map { "on each of them: " + $0 }
    }
    let readers = isShared ? ", readable for group \(Self.group)" : ""
    Console.print("\(file) is written\(readers). Next:")
    for (number, step) in steps.enumerated() { Console.print("  \(number + 1). \(step)") }
    if !node.isEmpty {
      Console.print(
        "A node finds itself by its host name or address; --node NAME says it otherwise.")
    }
  }

  /// Whether the service's group may read it.
  private func write(_ text: String) throws -> Bool {
    // Passwords may be added later: nobody else reads it.
    let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      Console.say(
        errno == EEXIST
          ? "\(file) is already there and stays as it is; name another file, or - to see the text"
          : "\(file): \(String(cString: strerror(errno)))")
      throw ExitCode(1)
    }
    defer { close(descriptor) }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        Console.say("\(file): \(String(cString: strerror(errno)))")
        throw ExitCode(1)
      }
      bytes = bytes.dropFirst(count)
    }
    guard let group = getgrnam(Self.group) else { return false }
    return fchown(descriptor, uid_t.max, group.pointee.gr_gid) == 0
      && fchmod(descriptor, 0o640) == 0
  }

  /// Name and address; without `=` the address alone.
  private static func pair(_ text: String) -> (name: String?, address: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    return parts.count == 2 ? (String(parts[0]), String(parts[1])) : (nil, text)
  }
}
