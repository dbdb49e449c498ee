// `fairlead convert`: a native file made from other files.

import ArgumentParser
import Configuration

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
    let schema = NativeDialect.schemaLine(InstalledSchema.path())
    Console.write(schema + NativeDialect.print(conversion.document), to: 1)
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
