// Addresses, routes and rules in iproute2's words: `10.0.0.179/26 dev eth0 label eth0:1`. They are
// read by the dialect that has them as lines.

enum NativeLines {
  static func address(_ reader: NativeReader, _ value: NativeValue) -> VirtualAddress? {
    // As an address of a router, which leaves the interface open.
    read(reader, value, in: "virtual_ipaddress_excluded", ofRouter: true)?.routers.first?
      .excludedAddresses.first
  }

  static func routes<Target>(
    _ name: String, _ path: WritableKeyPath<Target, [VirtualRoute]>
  ) -> NativeKey<Target> {
    lines(name, path, in: "static_routes", \.staticRoutes, KeepalivedPrinter.route)
  }

  static func rules<Target>(
    _ name: String, _ path: WritableKeyPath<Target, [VirtualRule]>
  ) -> NativeKey<Target> {
    lines(name, path, in: "static_rules", \.staticRules, KeepalivedPrinter.rule)
  }

  /// `made`: what the dialect makes of a line of `block`.
  private static func lines<Target, Line>(
    _ name: String, _ path: WritableKeyPath<Target, [Line]>, in block: String,
    _ made: KeyPath<FailoverConfiguration, [Line]>, _ text: @escaping (Line) -> String
  ) -> NativeKey<Target> {
    NativeKey(
      name, path,
      read: { reader, value in
        reader.elements(value, acceptsOne: true).compactMap {
          read(reader, $0, in: block)?[keyPath: made].first
        }
      }, print: { .list($0.map { .scalar(text($0)) }) })
  }

  static func print(_ addresses: [VirtualAddress]) -> NativeOutput? {
    let items = addresses.map { NativeOutput.scalar(KeepalivedPrinter.address($0)) }
    return items.count == 1 ? items[0] : .list(items)
  }

  /// nil when the line cannot be used as it stands: what the dialect would run on over is an
  /// error here.
  private static func read(
    _ reader: NativeReader, _ value: NativeValue, in block: String, ofRouter: Bool = false
  ) -> FailoverConfiguration? {
    guard let text = reader.string(value) else { return nil }
    // Nothing that means more than a word: no comments, definitions, blocks and includes.
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case 48...57, 65...90, 97...122: true
      default: Array(" ./:_-+,=%\"".utf8).contains(byte)
      }
    }
    let first = text.prefix { $0 != " " }
    guard isPlain, !KeepalivedReader.includeWords.contains(String(first)), first != "" else {
      reader.report(at: value, "expected the words of 'ip address', 'ip route' or 'ip rule'")
      return nil
    }
    let lines = "\(block) {\n\(text)\n}\n"
    var options = KeepalivedOptions(configurationID: "", environment: [:])
    options.expand = { _ in [] }
    let result = KeepalivedDialect.parse(
      files: [("", Array((ofRouter ? router(lines) : lines).utf8))], options: options)
    guard let problem = result.diagnostics.first else { return result.configuration }
    reader.report(at: value, problem.message)
    return nil
  }

  private static func router(_ lines: String) -> String {
    """
    vrrp_instance a {
    interface a
    virtual_router_id 1
    virtual_ipaddress {
    192.0.2.1
    }
    \(lines)
    }
    """
  }
}
