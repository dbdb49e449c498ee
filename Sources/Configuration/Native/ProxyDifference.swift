// Whether the proxy halves of several nodes are one, and where they are not.

extension ProxyConfiguration {
  /// One line for each difference from `other`, with the places of both. Empty: both run the same.
  public func differences(
    from other: ProxyConfiguration, file: String, otherFile: String
  ) -> [String] {
    var result: [String] = []
    func compare<Value>(
      _ what: String, _ a: Value, _ aPlace: String, _ b: Value, _ bPlace: String,
      without ignored: Set<String> = []
    ) {
      let found = NativeConversion.differing(a, b, but: ignored.union(["origin"]))
      for (label, x, y) in found {
        let (here, there) = (NativeConversion.plain(x), NativeConversion.plain(y))
        result.append(
          "\(aPlace): \(what): \(label) differs from \(bPlace)"
            + NativeConversion.shown(here, there, " (\(here), there \(there))"))
      }
    }
    func pair<Thing>(
      _ kind: String, _ here: [Thing], _ there: [Thing], _ name: (Thing) -> String,
      _ place: (Thing, String) -> String, _ body: (Thing, Thing) -> Void
    ) {
      for thing in here {
        if let twin = there.first(where: { name($0) == name(thing) }) {
          body(thing, twin)
        } else {
          result.append("\(place(thing, file)): \(kind) \(name(thing)) is not in \(otherFile)")
        }
      }
      for thing in there where !here.contains(where: { name($0) == name(thing) }) {
        result.append("\(place(thing, otherFile)): \(kind) \(name(thing)) is not in \(file)")
      }
      let order = here.map(name)
      let otherOrder = there.map(name)
      if order != otherOrder, order.sorted() == otherOrder.sorted() {
        result.append("\(file): \(kind)s are in another order than in \(otherFile)")
      }
    }
    func placed(_ origin: String?, _ file: String) -> String {
      origin.flatMap { $0.isEmpty ? nil : $0 } ?? file
    }
    func frontendPlace(_ frontend: Frontend, _ file: String) -> String {
      placed(frontend.binds.first?.origin, file)
    }
    func serverPlace(_ server: Server, _ file: String) -> String {
      placed(server.origin.description, file)
    }
    func backendPlace(_ backend: Backend, _ file: String) -> String {
      backend.servers.first.map { serverPlace($0, file) } ?? file
    }
    compare("global", global, file, other.global, otherFile, without: ["daemon"])
    pair("frontend", frontends, other.frontends, \.name, frontendPlace) { a, b in
      let places = (frontendPlace(a, file), frontendPlace(b, otherFile))
      compare("frontend \(a.name)", a, places.0, b, places.1, without: ["binds"])
      func plain(_ frontend: Frontend) -> String {
        NativeConversion.plain(String(describing: frontend.binds))
      }
      if plain(a) != plain(b) {
        result.append("\(places.0): frontend \(a.name): its binds differ from \(places.1)")
      }
    }
    pair("backend", backends, other.backends, \.name, backendPlace) { a, b in
      compare(
        "backend \(a.name)", a, backendPlace(a, file), b, backendPlace(b, otherFile),
        without: ["servers"])
      pair("server of \(a.name)", a.servers, b.servers, \.name, serverPlace) { x, y in
        compare(
          "server \(a.name)/\(x.name)", x, serverPlace(x, file), y, serverPlace(y, otherFile))
      }
    }
    if resolvers != other.resolvers {
      result.append("\(file): its resolvers sections differ from \(otherFile)")
    }
    return result
  }
}
