// Nodes and virtual addresses of the native file, and the virtual router each becomes here.

/// One entry of `nodes`: the same on every node.
public struct NativeNode: Equatable, Sendable {
  public var name: String
  /// At least one, of either family; the first of a family is the one adverts come from.
  public var addresses: [IPAddress]
  /// nil = the interface that has one of the addresses.
  public var interface: String?
  /// Present on this node while the daemon runs.
  public var staticAddresses: [VirtualAddress] = []
  public var staticRoutes: [VirtualRoute] = []
  public var staticRules: [VirtualRule] = []
  public init(name: String, addresses: [IPAddress], interface: String? = nil) {
    self.name = name
    self.addresses = addresses
    self.interface = interface
  }
}

/// One entry of `virtualAddresses`: a virtual router, as all nodes together see it.
public struct NativeVirtualAddress: Equatable, Sendable {
  public struct Member: Equatable, Sendable {
    public var node: String
    /// 1...255, 130...252 if it follows the proxy; nil = by its place in the list. 255 is the owner
    /// of the address.
    public var priority: UInt8?
    public init(_ node: String, priority: UInt8? = nil) {
      self.node = node
      self.priority = priority
    }
  }
  /// In messages; nil = the first address.
  public var name: String?
  public var addresses: [VirtualAddress] = []
  /// VRID; nil = derived from the first address.
  public var routerID: UInt8?
  /// nil = the node's.
  public var interface: String?
  /// nil = all nodes, in file order. The first one is preferred.
  public var nodes: [Member]?
  /// nil = 100 ms, with a password 1 s.
  public var interval: Duration?
  /// At most eight bytes. Makes it VRRP version 2.
  public var password: String?
  /// 3, or 2 without a password for peers that know nothing else.
  public var version: VRRPVersion?
  public var preempt = true
  /// nil = if there are frontends.
  public var followsProxy: Bool?
  /// nil = 60 s if it follows the proxy, otherwise none.
  public var preemptDelay: Duration?
  /// Adverts go to the group although all addresses are known.
  public var multicast = false
  /// Unicast adverts of senders that are not listed are dropped.
  public var checkSource = true
  /// What stands for itself in the router; the rest of it comes from the other properties.
  public var settings = VirtualRouter(name: "", origin: Origin(), interface: "", id: 1)
  public var origin = Origin()
  public init() {}

  public var effectiveVersion: VRRPVersion { version ?? (password == nil ? .v3 : .v2) }

  public var effectiveInterval: Duration {
    interval ?? (effectiveVersion == .v2 ? .seconds(1) : .milliseconds(100))
  }

  /// The last byte of the first address, 255 in place of 0: two virtual addresses of one /24
  /// never share it.
  public var effectiveRouterID: UInt8 {
    if let routerID { return routerID }
    guard let first = addresses.first else { return 255 }
    let last =
      switch first.address {
      case .v4(let value): UInt8(truncatingIfNeeded: value)
      case .v6(_, let low): UInt8(truncatingIfNeeded: low)
      }
    return last == 0 ? 255 : last
  }

  public var effectiveName: String { name ?? addresses.first.map { "\($0.address)" } ?? "" }

  /// `hasProxy`: the file has frontends.
  public func follows(hasProxy: Bool) -> Bool { hasProxy && followsProxy ?? true }

  /// Long enough for the servers' checks to settle and for a rolling restart to go on; an
  /// address that goes home breaks every session once more.
  static let usualPreemptDelay = Duration.seconds(60)
  /// What may be configured when the router follows the proxy: room for the lower halves of the
  /// unhealthy and for what operators order.
  static let followingPriorities = 130...252

  static var keys: [NativeKey<NativeVirtualAddress>] {
    [
      NativeKey(
        "address", \.addresses, read: readAddresses, print: NativeLines.print),
      NativeKey(
        "name", \.name, read: { $0.name($1) }, print: { $0.map { .scalar($0) } }),
      NativeKey(
        "routerID", \.routerID, read: { $0.integer($1, in: 1...255).map { UInt8($0) } },
        print: { $0.map { .scalar(String($0)) } }),
      .interface("interface", \.interface),
      NativeKey("nodes", \.nodes, read: readMembers, print: printMembers),
      NativeKey(
        "interval", \.interval,
        read: { $0.duration($1, in: .milliseconds(10) ... .seconds(255)) },
        print: { $0.map { .scalar(HAProxyUnits.print($0)) } }),
      NativeKey(
        "password", \.password,
        read: { reader, value in
          guard let text = reader.string(value) else { return nil }
          if text.utf8.count <= 8 { return text }
          reader.report(
            at: value, "a VRRP password has at most 8 bytes, this one has \(text.utf8.count)")
          return nil
        }, print: { $0.map { .scalar($0) } }),
      NativeKey(
        "version", \.version, read: { $0.choice($1, [("2", .v2), ("3", .v3)]) },
        print: { $0.map { .scalar(String($0.rawValue)) } }),
      .flag("preempt", \.preempt),
      NativeKey(
        "preemptDelay", \.preemptDelay,
        read: { $0.duration($1, in: .zero ... .seconds(1000)) },
        print: { $0.map { .scalar(HAProxyUnits.print($0)) } }),
      NativeKey(
        "followsProxy", \.followsProxy, read: { $0.bool($1) },
        print: { $0.map { .scalar($0 ? "true" : "false") } }),
      .flag("multicast", \.multicast),
      .flag("checkSource", \.checkSource),
    ] + settingKeys
  }

  private static func readAddresses(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [VirtualAddress]? {
    NativeAddress.allHeld(reader, value, most: (90, "an advert holds 90 addresses at most")) {
      first, held in
      first.address.family == held.address.family
        ? nil : "one entry holds addresses of one family; make an entry of its own"
    }
  }

  private static func readMembers(_ reader: NativeReader, _ value: NativeValue) -> [Member]?? {
    var members: [Member] = []
    if value.node.mapping != nil {
      for (name, _, value) in reader.entries(value) {
        if let number = reader.integer(value, in: 1...255) {
          members.append(Member(name, priority: UInt8(number)))
        }
      }
    } else {
      for element in reader.elements(value) {
        if element.node.mapping != nil {
          reader.report(at: element, "nodes with priorities are a mapping, without '-'")
          return nil
        }
        guard let name = reader.name(element) else { continue }
        if members.contains(where: { $0.node == name }) {
          reader.report(at: element, "node '\(name)' is already there")
        } else {
          members.append(Member(name))
        }
      }
      if members.count > 16 { reader.report(at: value, "more than 16 nodes: give priorities") }
    }
    return .some(members)
  }

  private static func printMembers(_ members: [Member]?) -> NativeOutput? {
    guard let members else { return nil }
    if members.contains(where: { $0.priority != nil }) {
      return .map(members.map { ($0.node, .scalar(String($0.priority ?? 100))) })
    }
    return .list(members.map { .scalar($0.node) })
  }
}

extension NativeNode {
  static var keys: [NativeKey<NativeNode>] {
    [
      NativeKey(
        "address", \.addresses,
        read: { reader, value in
          reader.elements(value, acceptsOne: true).compactMap { element in
            if let address = IPAddress(element.text ?? ""), !address.isUnspecified {
              return address
            }
            reader.report(at: element, "expected a numeric address such as 10.0.0.11")
            return nil
          }
        },
        print: { addresses in
          let items = addresses.map { NativeOutput.scalar("\($0)") }
          return items.count == 1 ? items[0] : .list(items)
        }),
      .interface("interface", \.interface),
      NativeKey(
        "staticAddresses", \.staticAddresses, read: NativeVirtualAddress.readExtra,
        print: NativeVirtualAddress.printExtra),
      NativeLines.routes("staticRoutes", \.staticRoutes),
      NativeLines.rules("staticRules", \.staticRules),
    ]
  }
}
