// A new native file from the words of a command line.

extension NativeDialect {
  /// The text, and what is wrong with it. Nodes are names and addresses; a server's name may be
  /// left out. With `schema`, a path or URL, a first line tells editors where the schema is.
  public static func starter(
    virtualAddresses: [String], nodes: [(name: String, address: String)],
    servers: [(name: String?, address: String)], listen: String, schema: String? = nil
  ) -> (text: String, diagnostics: [Diagnostic]) {
    var top: [(String, NativeOutput)] = []
    if !nodes.isEmpty { top.append(("nodes", .map(nodes.map { ($0.name, .scalar($0.address)) }))) }
    if !virtualAddresses.isEmpty {
      top.append(("virtualAddresses", .list(virtualAddresses.map { .scalar($0) })))
    }
    top.append(("frontends", .list([.map([("listen", .scalar(listen))])])))
    let items = servers.map { server -> NativeOutput in
      guard let name = server.name else { return .scalar(server.address) }
      return .map([("name", .scalar(name)), ("address", .scalar(server.address))])
    }
    top.append(("servers", .list(items)))
    let text = schemaLine(schema) + NativeOutput.map(top).block()
    let options = NativeOptions(hostName: "", isOnlyChecked: true)
    let result = parse(files: [("the new file", Array(text.utf8))], options: options)
    return (text, result.diagnostics)
  }

  /// The line by which editors with a YAML language server find the schema; empty without one.
  public static func schemaLine(_ schema: String?) -> String {
    guard let schema, schema.utf8.allSatisfy({ (33...126).contains($0) }) else { return "" }
    return "# yaml-language-server: $schema=\(schema)\n"
  }
}
