// `listen`: an address, or a mapping for what one listener has and the others of its frontend
// have not.

enum NativeListen {
  static var keys: [NativeKey<Bind>] {
    [
      NativeKey("address", \.addresses, read: readAddresses, print: printAddresses),
      .word("name", \.name),
      .wordOrFalse("interface", \.interface),
      .flag("acceptProxy", \.acceptProxy),
      NativeKey(
        "family", \.familyMode, read: { $0.choice($1, families) },
        print: { value in families.first { $0.1 == value }.map { .scalar($0.0) } }),
      .number("maxConnections", \.maxconn, 1...10_000_000),
      .number("backlog", \.backlog, 1...10_000_000),
      .flag("transparent", \.transparent),
      .flag("deferAccept", \.deferAccept),
      .flag("fastOpen", \.tcpFastOpen),
      NativeKey(
        "maxSegmentSize", \.maxSegmentSize,
        read: { reader, value in
          if value.text != "0" { return reader.integer(value, in: -65_535...65_535) }
          reader.report(at: value, "expected a size from 1 to 65535, or below zero")
          return nil
        }, print: { $0.map { .scalar(String($0)) } }),
      .optionalTime("tcpUserTimeout", \.tcpUserTimeout),
      NativeKey("mode", \.mode, read: readMode, print: { $0.map { .scalar(octal($0)) } }),
      .word("owner", \.owner),
      .word("group", \.group),
    ]
  }

  private static let families: [(String, Bind.FamilyMode)] = [
    ("system", .systemDefault), ("v4v6", .v4v6), ("v6only", .v6only),
  ]

  /// One bind for each element; `shared` is what the frontend says of all of them.
  static func read(_ reader: NativeReader, _ value: NativeValue, over shared: Bind) -> [Bind] {
    guard value.node.mapping == nil else { return [one(reader, value, over: shared)] }
    return reader.elements(value, acceptsOne: true).map { one(reader, $0, over: shared) }
  }

  private static func one(
    _ reader: NativeReader, _ value: NativeValue, over shared: Bind
  ) -> Bind {
    var bind = shared
    bind.origin = reader.origin(value).description
    if value.node.mapping == nil {
      bind.addresses = addresses(reader, value) ?? []
    } else {
      reader.read(value, into: &bind, with: keys)
      if bind.addresses.isEmpty, !reader.hasErrors {
        reader.report(at: value, "'address' is missing")
      }
    }
    return bind
  }

  static func output(_ binds: [Bind], over shared: Bind) -> NativeOutput {
    let items = binds.map { bind -> NativeOutput in
      let pairs = NativePrinter.pairs(bind, shared, keys)
      if pairs.count == 1, bind.addresses.count == 1 { return pairs[0].1 }
      return .map(pairs)
    }
    if items.count == 1, case .scalar = items[0] { return items[0] }
    return .list(items)
  }

  /// What all binds of a frontend share.
  static func shared(_ binds: [Bind]) -> Bind {
    var shared = Bind(addresses: [])
    guard let first = binds.first else { return shared }
    if binds.allSatisfy({ $0.interface == first.interface }) { shared.interface = first.interface }
    shared.acceptProxy = binds.allSatisfy(\.acceptProxy)
    return shared
  }

  // MARK: values

  private static func readAddresses(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [SocketAddress]? {
    reader.elements(value, acceptsOne: true).flatMap { addresses(reader, $0) ?? [] }
  }

  /// As other addresses, or a path, an abstract name, a descriptor or a range of ports.
  private static func addresses(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [SocketAddress]? {
    let text = value.text ?? ""
    if NativeAddress.listening(text) == nil,
      text.contains("-") || text.contains("@")
        || text.hasPrefix("/")
    {
      switch AddressText.read(text) {
      case .value(let parts):
        switch parts.listeners(text) {
        case .value(let list), .doubtful(let list, _): return list
        case .wrong(let message): reader.report(at: value, message)
        }
      case .doubtful(_, let message), .wrong(let message): reader.report(at: value, message)
      }
      return nil
    }
    return NativeAddress.listening(reader, value).map { [$0] }
  }

  private static func printAddresses(_ list: [SocketAddress]) -> NativeOutput? {
    if list.isEmpty { return nil }
    let items = HAProxyPrinter.addresses(list).map { NativeOutput.scalar($0) }
    return items.count == 1 ? items[0] : .list(items)
  }

  private static func readMode(_ reader: NativeReader, _ value: NativeValue) -> UInt16?? {
    let text = value.text ?? ""
    if text.utf8.count <= 5, let mode = UInt16(text, radix: 8), mode <= 0o7777 {
      return .some(mode)
    }
    reader.report(at: value, "expected permissions in octal digits, such as 660")
    return nil
  }

  private static func octal(_ mode: UInt16) -> String { String(mode, radix: 8) }
}
