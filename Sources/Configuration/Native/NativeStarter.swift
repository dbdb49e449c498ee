// A new native file from the words of a command line.

extension NativeDialect {
  /// A new file from the words of a command line, and what is wrong with them. Pairs are a name
  /// and an address.
  public static func starter(
    virtualAddresses: [String], nodes: [(String, String)], servers: [(String, String)],
    listen: String
  ) -> (text: String, diagnostics: [Diagnostic]) {
    var top: [(String, NativeOutput)] = []
    if !nodes.isEmpty { top.append(("nodes", .map(nodes.map { ($0.0, .scalar($0.1)) }))) }
    if !virtualAddresses.isEmpty {
      top.append(
        ("virtualAddresses", .list(virtualAddresses.map { .map([("address", .scalar($0))]) })))
    }
    top.append(("frontends", .list([.map([("listen", .scalar(listen))])])))
    top.append(
      (
        "servers",
        .list(servers.map { .map([("name", .scalar($0.0)), ("address", .scalar($0.1))]) })
      ))
    let text = NativeOutput.map(top).block()
    // Which node this machine is does not matter here, nor do its interfaces.
    let local = nodes.compactMap { IPAddress($0.1) }.map {
      NativeOptions.LocalAddress(interface: "any", address: $0, prefixLength: 32)
    }
    let options = NativeOptions(hostName: "", addresses: local, node: nodes.first?.0)
    let result = parse(files: [("fairlead.yaml", Array(text.utf8))], options: options)
    return (text, result.diagnostics)
  }
}
