// Routes of a master: RTM_NEWROUTE and RTM_DELROUTE (rtnetlink(7), ip-route(8)).

import Configuration
import Kernel

extension AddressKeeper {
  /// Adds a route; names of interfaces are looked up now. The same route of ours is replaced;
  /// another program's route to that destination with that metric is left alone, and EEXIST
  /// thrown. Throws ENODEV for an interface that is not there, ENETUNREACH for a gateway that
  /// cannot be reached directly.
  public func add(_ route: VirtualRoute) throws(NetlinkError) -> AddOutcome {
    let what = "add \(AddressKeeper.text(route))"
    let hops = try AddressKeeper.resolve(route.hops, what)
    let exclusive = AddressKeeper.message(
      adding: route, hops: hops, flags: RequestFlag.create | RequestFlag.exclusive)
    do throws(NetlinkError) {
      try requests.request(exclusive, what)
      return .added
    } catch {
      guard error.code == Errno.exists, try isOurs(route) else { throw error }
    }
    try requests.request(
      AddressKeeper.message(
        adding: route, hops: hops, flags: RequestFlag.create | RequestFlag.replace), what)
    return .alreadyThere
  }

  /// Removes it. A route whose interface is gone went with it.
  public func remove(_ route: VirtualRoute) throws(NetlinkError) -> RemoveOutcome {
    try removing {
      () throws(NetlinkError) in
      let what = "remove \(AddressKeeper.text(route))"
      let hops = try AddressKeeper.resolve(route.hops, what)
      try requests.request(AddressKeeper.message(removing: route, hops: hops), what)
    }
  }

  /// A hop with the number of its interface.
  struct ResolvedHop {
    var hop: VirtualRoute.Hop
    var interface: UInt32?
  }

  private static func resolve(
    _ hops: [VirtualRoute.Hop], _ what: String
  ) throws(NetlinkError) -> [ResolvedHop] {
    var resolved: [ResolvedHop] = []
    for hop in hops {
      var index: UInt32?
      if let name = hop.interface {
        index = NetworkInterface.index(named: name)
        if index == nil {
          throw NetlinkError(
            what: what, code: Errno.noDevice, explanation: "there is no interface \(name)")
        }
      }
      resolved.append(ResolvedHop(hop: hop, interface: index))
    }
    return resolved
  }

  /// Whether the kernel has a route of ours where this one would go.
  private func isOurs(_ route: VirtualRoute) throws(NetlinkError) -> Bool {
    let family = route.destination.address.family
    let number = route.protocolNumber ?? AddressKeeper.protocolNumber
    var message = NetlinkMessage(
      type: RouteMessage.getRoute, flags: RequestFlag.request | RequestFlag.dump)
    message.append(bytes: [RouteFamily.number(family)] + [UInt8](repeating: 0, count: 11))
    for found in try requests.dump(message, "list routes") {
      guard let key = RouteKey(found), key.protocolNumber == number else { continue }
      if key.matches(route) { return true }
    }
    return false
  }

  static func text(_ route: VirtualRoute) -> String {
    let destination = "\(route.destination.address)/\(route.destination.length)"
    return route.kind == .unicast
      ? "route \(destination)" : "\(route.kind.rawValue) route \(destination)"
  }

  // MARK: Messages

  static func message(
    adding route: VirtualRoute, hops: [ResolvedHop], flags: UInt16
  ) -> NetlinkMessage {
    var message = NetlinkMessage(
      type: RouteMessage.newRoute, flags: RequestFlag.request | RequestFlag.acknowledge | flags)
    appendHeader(
      of: route, scope: scope(of: route),
      flags: hops.count == 1 && hops[0].hop.isOnLink
        ? RouteAttribute.onLink : 0, to: &message)
    appendIdentity(of: route, to: &message)
    if let source = route.source {
      message.attribute(RouteAttribute.preferredSource, source.networkBytes)
    }
    if route.mtu != nil || route.advertisedMSS != nil {
      message.nested(RouteAttribute.metrics) { metrics in
        if let mtu = route.mtu { metrics.attribute(RouteAttribute.metricMTU, mtu) }
        if let mss = route.advertisedMSS {
          metrics.attribute(RouteAttribute.metricAdvertisedMSS, mss)
        }
      }
    }
    appendHops(hops, family: route.destination.address.family, to: &message)
    return message
  }

  static func message(removing route: VirtualRoute, hops: [ResolvedHop]) -> NetlinkMessage {
    var message = NetlinkMessage(
      type: RouteMessage.deleteRoute, flags: RequestFlag.request | RequestFlag.acknowledge)
    // Any scope: the kernel's word for it is "nowhere".
    appendHeader(of: route, scope: route.scope ?? .nowhere, flags: 0, to: &message)
    appendIdentity(of: route, to: &message)
    appendHops(hops, family: route.destination.address.family, to: &message)
    return message
  }

  ///     | family u8 | dst bits u8 | src bits u8 | tos u8 | table u8 | protocol u8 | scope u8 |
  ///     | type u8 | flags u32 |
  private static func appendHeader(
    of route: VirtualRoute, scope: AddressScope, flags: UInt32, to message: inout NetlinkMessage
  ) {
    let table = route.table ?? RouteAttribute.mainTable
    message.append(bytes: [
      RouteFamily.number(route.destination.address.family), route.destination.length, 0, 0,
      UInt8(exactly: table) ?? 0, route.protocolNumber ?? protocolNumber, scope.number,
      type(of: route.kind),
    ])
    message.append(flags)
  }

  private static func appendIdentity(of route: VirtualRoute, to message: inout NetlinkMessage) {
    if route.destination.length > 0 {
      message.attribute(RouteAttribute.destination, masked(route.destination).networkBytes)
    }
    message.attribute(RouteAttribute.table, route.table ?? RouteAttribute.mainTable)
    if let metric = route.metric { message.attribute(RouteAttribute.metric, metric) }
  }

  private static func appendHops(
    _ hops: [ResolvedHop], family: AddressFamily, to message: inout NetlinkMessage
  ) {
    if hops.count == 1 {
      appendGateway(of: hops[0].hop, family: family, to: &message)
      if let index = hops[0].interface {
        message.attribute(RouteAttribute.outputInterface, index)
      }
    } else if hops.count > 1 {
      message.nested(RouteAttribute.multipath) { list in
        for hop in hops { appendNextHop(hop, family: family, to: &list) }
      }
    }
  }

  ///     | length u16 | flags u8 | weight - 1 u8 | index i32 | attributes … |
  private static func appendNextHop(
    _ hop: ResolvedHop, family: AddressFamily, to message: inout NetlinkMessage
  ) {
    let start = message.bytes.count
    message.append(UInt16(0))
    message.append(UInt8(hop.hop.isOnLink ? UInt8(RouteAttribute.onLink) : 0))
    message.append(UInt8(clamping: hop.hop.weight &- 1))
    message.append(hop.interface ?? 0)
    appendGateway(of: hop.hop, family: family, to: &message)
    message.patch(UInt16(truncatingIfNeeded: message.bytes.count &- start), at: start)
  }

  /// A gateway of the other family (RFC 5549) has an attribute of its own, family first.
  private static func appendGateway(
    of hop: VirtualRoute.Hop, family: AddressFamily, to message: inout NetlinkMessage
  ) {
    guard let gateway = hop.gateway else { return }
    if gateway.family == family {
      message.attribute(RouteAttribute.gateway, gateway.networkBytes)
    } else {
      let number = UInt16(RouteFamily.number(gateway.family))
      let prefix = withUnsafeBytes(of: number) { Array($0) }
      message.attribute(RouteAttribute.via, prefix + gateway.networkBytes)
    }
  }

  /// As ip-route(8) chooses: what has no gateway is on the link.
  static func scope(of route: VirtualRoute) -> AddressScope {
    if let scope = route.scope { return scope }
    guard route.destination.address.family == .v4 else { return .global }
    switch route.kind {
    case .local: return .host
    case .unicast: return route.hops.allSatisfy { $0.gateway == nil } ? .link : .global
    case .blackhole, .unreachable, .prohibit, .throwing: return .global
    }
  }

  /// RTN_*.
  static func type(of kind: VirtualRoute.Kind) -> UInt8 {
    switch kind {
    case .unicast: 1
    case .local: 2
    case .blackhole: 6
    case .unreachable: 7
    case .prohibit: 8
    case .throwing: 9
    }
  }

  /// The network of a prefix: the kernel refuses IPv4 routes with host bits set.
  static func masked(_ prefix: IPPrefix) -> IPAddress {
    switch prefix.address {
    case .v4(let value):
      let length = UInt32(min(prefix.length, 32))
      return .v4(length == 0 ? 0 : value & (UInt32.max << (32 - length)))
    case .v6(let high, let low):
      let length = UInt64(min(prefix.length, 128))
      let highMask = length == 0 ? 0 : UInt64.max << (64 - min(length, 64))
      let lowMask = length <= 64 ? 0 : UInt64.max << (128 - length)
      return .v6(high: high & highMask, low: low & lowMask)
    }
  }
}

/// What tells one route of a table from another.
struct RouteKey: Equatable {
  var destination: IPPrefix
  var table: UInt32
  var metric: UInt32
  var protocolNumber: UInt8
  /// RTM_F_CLONED: an entry of the IPv6 cache, no route of anybody's.
  var isCached: Bool

  /// RTM_NEWROUTE.
  init?(_ message: NetlinkReceived) {
    let body = message.payload
    guard body.count >= 12, let family = body.number(UInt8.self, at: 0),
      let length = body.number(UInt8.self, at: 1), let table = body.number(UInt8.self, at: 4),
      let number = body.number(UInt8.self, at: 5), let flags = body.number(UInt32.self, at: 8)
    else { return nil }
    let attributes = message.attributes(behind: 12)
    let zero: IPAddress
    switch family {
    case 2: zero = .v4(0)
    case 10: zero = .v6(high: 0, low: 0)
    default: return nil
    }
    let given = attributes[RouteAttribute.destination].flatMap { IPAddress(networkBytes: $0) }
    destination = IPPrefix(given ?? zero, length: length)
    self.table = attributes.word(RouteAttribute.table) ?? UInt32(table)
    metric = attributes.word(RouteAttribute.metric) ?? 0
    protocolNumber = number
    isCached = flags & 0x200 != 0
  }

  /// IPv6 routes without a metric get 1024 (IP6_RT_PRIO_USER).
  func matches(_ route: VirtualRoute) -> Bool {
    let isIPv6 = route.destination.address.family == .v6
    let wanted = route.metric.flatMap { isIPv6 && $0 == 0 ? nil : $0 } ?? (isIPv6 ? 1024 : 0)
    return destination.length == route.destination.length
      && destination.address == AddressKeeper.masked(route.destination)
      && table == route.table ?? RouteAttribute.mainTable && metric == wanted
  }
}
