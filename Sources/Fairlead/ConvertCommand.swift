// `fairlead convert` and `fairlead init`: native files made from other files, or from words.

import ArgumentParser
import Configuration
import Glibc

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Writes a fairlead.yaml from a haproxy.cfg and the nodes' keepalived.conf files.",
    discussion: """
      The result goes to standard output; what it could not carry, one line each, to standard \
      error. Give the keepalived.conf of every node, so that it knows them all. Several nodes' \
      haproxy.cfg files, each in a folder of its own, must mean the same.
      """)

  @Option(help: "NAME:FILE, a keepalived.conf of the node of that name; once for each node.")
  var node: [String] = []

  @Argument(help: "haproxy.cfg and keepalived.conf files.", completion: .file())
  var files: [String] = []

  func validate() throws {
    if files.isEmpty, node.isEmpty { throw ValidationError("name at least one file") }
  }

  func run() throws {
    var proxyFiles: [(path: String, bytes: [UInt8])] = []
    var nodes: [(file: String, configuration: FailoverConfiguration)] = []
    var names: [String?] = []
    var hasFailed = false
    do {
      for pair in node {
        let parts = pair.split(separator: ":", maxSplits: 1).map(String.init)
        let isPlain =
          parts.first?.utf8.allSatisfy {
            switch $0 {
            case 45, 46, 48...57, 65...90, 95, 97...122: true
            default: false
            }
          } ?? false
        guard parts.count == 2, isPlain, parts[0].utf8.count <= 128 else {
          Console.say("--node \(pair): write NAME:FILE, the name in letters, digits, '-', '_', '.'")
          throw ExitCode(1)
        }
        if names.contains(parts[0]) {
          Console.say("--node \(pair): node \(parts[0]) is already there")
          throw ExitCode(1)
        }
        let result = KeepalivedDialect.parse(
          files: try ConfigurationFiles.load(paths: [parts[1]]))
        Console.show(result.diagnostics)
        hasFailed = hasFailed || result.configuration == nil
        if let found = result.configuration {
          nodes.append((parts[1], found))
          names.append(parts[0])
        }
      }
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
    } catch let code as ExitCode {
      throw code
    } catch {
      Console.say("\(error)")
      throw ExitCode(1)
    }
    let proxy = ConvertCommand.proxy(proxyFiles, ofSeveralNodes: nodes.count > 1)
    hasFailed = hasFailed || proxy == nil && !proxyFiles.isEmpty
    if hasFailed { throw ExitCode(1) }
    let conversion = NativeConversion(proxy: proxy, nodes: nodes, names: names)
    conversion.notes.forEach(Console.say)
    if conversion.document == NativeDocument() { throw ExitCode(1) }
    Console.write(NativeDialect.print(conversion.document), to: 1)
  }

  /// Of several nodes, files in folders that have nothing to do with each other are each a node's
  /// own haproxy.cfg; otherwise all are parts of one. nil: none, or a problem that was told.
  private static func proxy(
    _ files: [(path: String, bytes: [UInt8])], ofSeveralNodes: Bool
  ) -> ProxyConfiguration? {
    func folder(_ path: String) -> String {
      path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    }
    var groups: [[(path: String, bytes: [UInt8])]] = []
    for file in files {
      let own = folder(file.path)
      let known = groups.firstIndex { group in
        let other = folder(group[0].path)
        return !ofSeveralNodes || other == own
          || !other.isEmpty && own.hasPrefix(other) || !own.isEmpty && other.hasPrefix(own)
      }
      if let known { groups[known].append(file) } else { groups.append([file]) }
    }
    var first: (file: String, configuration: ProxyConfiguration)?
    var isOne = true
    for group in groups {
      let result = HAProxyDialect.parse(files: group)
      Console.show(result.diagnostics)
      guard let found = result.configuration else {
        isOne = false
        continue
      }
      guard let known = first else {
        first = (group[0].path, found)
        continue
      }
      let differences = found.differences(
        from: known.configuration, file: group[0].path, otherFile: known.file)
      differences.forEach(Console.say)
      guard !differences.isEmpty else { continue }
      isOne = false
      Console.say(
        "\(group[0].path) and \(known.file) differ: a native file has one proxy for all nodes; "
          + "make them the same, or convert each node by itself")
    }
    return isOne ? first?.configuration : nil
  }
}

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Writes a new fairlead.yaml; an existing file is never overwritten.")

  @Argument(help: "The file to make; - for standard output.")
  var file = "fairlead.yaml"

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
    if file == "-" {
      Console.write(made.text, to: 1)
      return
    }
    try write(made.text)
    Console.print(
      """
      \(file) is written. Next:
        1. copy it to every node, unchanged
        2. on each of them: fairlead check \(file)
        3. on each of them: fairlead run \(file)
      A node finds itself by its host name or address; --node NAME says it otherwise.
      """)
  }

  private func write(_ text: String) throws {
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
  }

  private static func pair(_ text: String, _ option: String) throws -> (String, String) {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { throw ValidationError("\(option) \(text): write NAME=ADDRESS") }
    return (parts[0], parts[1])
  }
}
