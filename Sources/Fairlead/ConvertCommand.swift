// `fairlead convert` and `fairlead init`: native files made from other files, or from words.

import ArgumentParser
import Configuration

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Writes a fairlead.yaml from a haproxy.cfg and the nodes' keepalived.conf files.",
    discussion: """
      The result goes to standard output; what it could not carry, one line each, to standard \
      error. Give the keepalived.conf of every node, so that it knows them all.
      """)

  @Argument(help: "haproxy.cfg and keepalived.conf files.", completion: .file())
  var files: [String]

  func run() throws {
    var proxyFiles: [(path: String, bytes: [UInt8])] = []
    var nodes: [(file: String, configuration: FailoverConfiguration)] = []
    var hasFailed = false
    do {
      for file in try ConfigurationFiles.load(paths: files) {
        if HAProxyDialect.recognises(file.bytes) {
          proxyFiles.append(file)
        } else if KeepalivedDialect.recognises(file.bytes) {
          let result = KeepalivedDialect.parse(files: [file])
          Console.show(result.diagnostics)
          if let found = result.configuration { nodes.append((file.path, found)) }
          hasFailed = hasFailed || result.configuration == nil
        } else {
          Console.say("\(file.path): this is neither a haproxy.cfg nor a keepalived.conf")
          hasFailed = true
        }
      }
    } catch {
      Console.say("\(error)")
      throw ExitCode(1)
    }
    var proxy: ProxyConfiguration?
    if !proxyFiles.isEmpty {
      let result = HAProxyDialect.parse(files: proxyFiles)
      Console.show(result.diagnostics)
      proxy = result.configuration
      hasFailed = hasFailed || proxy == nil
    }
    if hasFailed { throw ExitCode(1) }
    let conversion = NativeConversion(proxy: proxy, nodes: nodes)
    Console.write(NativeDialect.print(conversion.document), to: 1)
    conversion.notes.forEach(Console.say)
  }
}

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Writes a new fairlead.yaml to standard output.")

  @Option(help: "Virtual address with its prefix length, such as 10.0.0.179/26.")
  var vip: [String] = []

  @Option(help: "NAME=ADDRESS of a node; the first one is preferred.")
  var node: [String] = []

  @Option(help: "NAME=ADDRESS:PORT of a server.")
  var server: [String]

  @Option(help: "Where to listen.")
  var listen = "0.0.0.0:6443"

  func run() throws {
    let made = NativeDialect.starter(
      virtualAddresses: vip, nodes: try node.map { try InitCommand.pair($0, "--node") },
      servers: try server.map { try InitCommand.pair($0, "--server") }, listen: listen)
    Console.show(made.diagnostics)
    if made.diagnostics.contains(where: { $0.severity == .error }) { throw ExitCode(1) }
    Console.write(made.text, to: 1)
  }

  private static func pair(_ text: String, _ option: String) throws -> (String, String) {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { throw ValidationError("\(option) \(text): write NAME=ADDRESS") }
    return (parts[0], parts[1])
  }
}
