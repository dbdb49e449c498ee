// `resolvers`: which name servers are asked for servers' names, how often, and for how long an
// answer holds.

enum NativeResolvers {
  private static let longTimes = Duration.zero...NativeLimits.times.upperBound

  static var keys: [NativeKey<Resolvers>] {
    [
      NativeKey(
        "nameservers", \.nameservers, read: readNameservers,
        print: { .list($0.map { .scalar($0.description) }) }),
      .flag("resolvConf", \.parseResolvConf),
      .number("retries", \.resolveRetries, 1...1000),
      .time("retryTimeout", \.timeoutRetry),
      .time("resolveInterval", \.timeoutResolve),
      .time("holdValid", \.holdValid, longTimes),
      .time("holdOther", \.holdOther, longTimes),
      .time("holdObsolete", \.holdObsolete, longTimes),
    ]
  }

  /// Sections by name, in file order.
  static func read(_ reader: NativeReader, _ value: NativeValue) -> [Resolvers] {
    reader.entries(value).map { name, place, value in
      _ = reader.name(place)
      var resolvers = Resolvers(name: name)
      reader.read(value, into: &resolvers, with: keys)
      if resolvers.nameservers.isEmpty, !resolvers.parseResolvConf, !reader.hasErrors {
        reader.report(at: place, "whom to ask? 'nameservers' or 'resolvConf: true' is missing")
      }
      return resolvers
    }
  }

  static func output(_ sections: [Resolvers]) -> NativeOutput {
    .map(
      sections.map {
        ($0.name, .map(NativePrinter.pairs($0, Resolvers(name: ""), keys)))
      })
  }

  private static func readNameservers(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [SocketAddress]? {
    reader.elements(value, acceptsOne: true).compactMap { element in
      let text = element.text ?? ""
      if let address = IPAddress(text) { return .ip(address, port: 53) }
      if case .value(let parts) = AddressText.read(text), case .ip = parts.host,
        case .value(let address) = parts.numeric(text, defaultPort: 53)
      {
        return address
      }
      reader.report(
        at: element,
        "expected the numeric address of a name server, such as 10.0.0.53 or "
          + "10.0.0.53:5353")
      return nil
    }
  }

  // MARK: servers

  /// How a server gets its first address: `last`, `libc`, `none` or an address, in order.
  static var initAddress: NativeKey<NativeServer> {
    NativeKey(
      "initAddress", \.model.initAddress, read: readInitAddress,
      print: { .list($0.map { .scalar(word($0)) }) })
  }

  private static func readInitAddress(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [InitAddress]? {
    let methods: [InitAddress] = reader.elements(value, acceptsOne: true).compactMap { element in
      switch element.text {
      case "last": return .last
      case "libc": return .libc
      case "none": return InitAddress.none
      default: break
      }
      if let address = IPAddress(element.text ?? "") { return .ip(address) }
      reader.report(at: element, "expected last, libc, none or a numeric address")
      return nil
    }
    return methods.isEmpty ? nil : methods
  }

  private static func word(_ method: InitAddress) -> String {
    switch method {
    case .last: "last"
    case .libc: "libc"
    case .none: "none"
    case .ip(let address): address.description
    }
  }
}

extension NativeParser {
  /// Servers name sections that are there.
  func checkResolvers(_ proxy: ProxyConfiguration, at value: NativeValue) {
    let known = proxy.resolvers.map(\.name)
    for backend in proxy.backends {
      for server in backend.servers {
        guard let name = server.resolvers, !known.contains(name) else { continue }
        let hint = Spelling.nearest(to: name, among: known).map { "; did you mean '\($0)'?" }
        reader.report(
          at: value,
          "server \(backend.name)/\(server.name) asks resolvers '\(name)', which are not in "
            + "'resolvers'" + (hint ?? ""))
      }
    }
  }
}
