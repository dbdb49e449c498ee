// Lines of virtual_routes and static_routes, in ip-route(8)'s words.

extension KeepalivedParser {
  /// Attributes of ip-route(8) that the model has no place for; each takes one value.
  static let foreignRouteWords: Set<String> = [
    "tos", "dsfield", "realms", "hoplimit", "rtt", "rttvar", "reordering", "window", "cwnd",
    "ssthresh", "rto_min", "initcwnd", "initrwnd", "features", "quickack", "congctl", "pref",
    "expires", "vrf", "encap", "fastopen_no_cookie", "ttl-propagate", "as", "from", "append",
    "prepend", "nhid", "ttl_propagate",
  ]
  static let routeWords = [
    "via", "gw", "dev", "or", "src", "to", "table", "metric", "priority", "preference", "scope",
    "proto", "protocol", "mtu", "advmss", "onlink", "weight", "nexthop", "no_track", "inet",
    "inet6", "track_group",
  ]

  /// nil when the line cannot be used; what is wrong has then been reported.
  func route(_ line: KeepalivedStatement) -> VirtualRoute? {
    var reader = RouteReader(parser: self, line: line)
    return reader.read()
  }
}

/// Reads one route. Anything wrong drops the whole route: half a route may lead elsewhere.
struct RouteReader: KeepalivedPathReader {
  static let subject = "route"
  let parser: KeepalivedParser
  let line: KeepalivedStatement
  var index = 0
  var isBroken = false
  var family: AddressFamily?
  var kind: VirtualRoute.Kind = .unicast
  var destination: IPPrefix?
  var isDefault = false
  var first = VirtualRoute.Hop()
  var others: [VirtualRoute.Hop] = []
  var inNextHops = false
  var route = VirtualRoute(IPPrefix(.v4(0), length: 0))

  init(parser: KeepalivedParser, line: KeepalivedStatement) {
    self.parser = parser
    self.line = line
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int? {
    guard let text = value() else { return nil }
    guard let number = KeepalivedUnits.integer(text), range.contains(number) else {
      fail(index, "'\(text)' is not a number in \(range.lowerBound)…\(range.upperBound)")
      return nil
    }
    return number
  }

  mutating func address() -> IPAddress? {
    guard let text = value() else { return nil }
    guard let address = IPAddress(text) else {
      fail(index, "'\(text)' is not an IP address")
      return nil
    }
    return isOfFamily(address) ? address : nil
  }

  mutating func isOfFamily(_ address: IPAddress) -> Bool {
    if let family, family != address.family {
      fail(index, "IPv4 and IPv6 are mixed in this line")
      return false
    }
    family = address.family
    return true
  }

  mutating func read() -> VirtualRoute? {
    while index < line.words.count, !isBroken {
      step(line.words[index].text)
      index += 1
    }
    guard !isBroken else { return nil }
    return finish()
  }

  private mutating func step(_ word: String) {
    switch word {
    case "inet", "inet6":
      let wanted: AddressFamily = word == "inet" ? .v4 : .v6
      if let family, family != wanted { fail(index, "'\(word)' contradicts the addresses") }
      family = wanted
    case "src": if let value = address() { route.source = value }
    case "to":
      if let text = value() { setDestination(text) }
    case "via", "gw":
      // `via inet6 ADDRESS` as ip-route(8) has it, the family being the address's.
      if line.text(index + 1) == "inet" || line.text(index + 1) == "inet6" { index += 1 }
      if let value = address() { change { $0.gateway = value } }
    case "or":
      if let value = address() {
        var hop = VirtualRoute.Hop()
        hop.gateway = value
        if !others.isEmpty { fail(index, "a second 'or'") }
        others.append(hop)
      }
    case "dev":
      guard value() != nil else { return }
      guard let name = parser.interface(line, index) else {
        isBroken = true
        return
      }
      change { $0.interface = name }
    case "onlink": change { $0.isOnLink = true }
    case "weight":
      guard inNextHops else { return fail(index, "'weight' belongs after 'nexthop'") }
      if let value = number(1...256) { change { $0.weight = value } }
    case "nexthop":
      inNextHops = true
      others.append(VirtualRoute.Hop())
    default: attribute(word)
    }
  }

  private mutating func attribute(_ word: String) {
    let most = Int(UInt32.max)
    switch word {
    case "table":
      guard let text = value() else { return }
      guard let table = KeepalivedTables.number(text) else {
        return fail(index, "routing table '\(text)' is not known by name here: use its number")
      }
      route.table = table
    case "metric", "priority", "preference":
      route.metric = number(0...most).map { UInt32($0) } ?? route.metric
    case "scope":
      guard let text = value() else { return }
      guard let scope = KeepalivedScopes.scope(text) else {
        return fail(index, "unknown scope '\(text)'")
      }
      route.scope = scope
    case "proto", "protocol":
      guard let text = value() else { return }
      guard let number = KeepalivedProtocols.number(text) else {
        return fail(index, "routing protocol '\(text)' is not known by name here: use its number")
      }
      route.protocolNumber = number
    case "mtu":
      if line.text(index + 1) == "lock" {
        return fail(index + 1, "'mtu lock' is not supported")
      }
      route.mtu = number(0...most).map { UInt32($0) } ?? route.mtu
    case "advmss": route.advertisedMSS = number(0...most).map { UInt32($0) } ?? route.advertisedMSS
    case "no_track": route.isUntracked = true
    case "track_group":
      guard value() != nil else { return }
      parser.warning(line, index - 1, "'track_group' is not supported: nothing follows this route")
    case _ where KeepalivedParser.foreignRouteWords.contains(word):
      fail(index, "the attribute '\(word)' is not supported")
    default:
      if let known = VirtualRoute.Kind(rawValue: word), destination == nil {
        kind = known
      } else if destination == nil {
        setDestination(word)
      } else {
        let near = Spelling.nearest(to: word, among: KeepalivedParser.routeWords)
        fail(index, "unknown word '\(word)' of a route", near: near)
      }
    }
  }

  private mutating func change(_ body: (inout VirtualRoute.Hop) -> Void) {
    if inNextHops, !others.isEmpty { body(&others[others.count - 1]) } else { body(&first) }
  }

  private mutating func setDestination(_ text: String) {
    if text == "default" || text == "all" || text == "any" {
      isDefault = true
      destination = IPPrefix(.v4(0), length: 0)
      return
    }
    guard let parsed = parser.prefix(text), !parsed.isTooLong else {
      return fail(index, "'\(text)' is not a destination")
    }
    guard isOfFamily(parsed.address) else { return }
    let most: UInt8 = parsed.address.family == .v4 ? 32 : 128
    destination = IPPrefix(parsed.address, length: parsed.length ?? most)
  }

  private mutating func finish() -> VirtualRoute? {
    guard let destination else {
      fail(0, "a route needs a destination")
      return nil
    }
    route.destination = destination
    if isDefault, family == .v6 { route.destination = IPPrefix(.v6(high: 0, low: 0), length: 0) }
    route.kind = kind
    let hasFirst = first != VirtualRoute.Hop()
    switch kind {
    case .blackhole, .unreachable, .prohibit, .throwing:
      guard !hasFirst, others.isEmpty else {
        fail(0, "a \(kind.rawValue) route leads nowhere: 'via', 'dev' and 'nexthop' have no place")
        return nil
      }
    case .unicast, .local:
      if inNextHops, hasFirst {
        fail(0, "'nexthop' and a 'via' or 'dev' before it")
        return nil
      }
      // `via A or B dev X`: the interface is that of both.
      if !inNextHops, !others.isEmpty { others[0].interface = first.interface }
      route.hops = hasFirst ? [first] + others : others
      guard !route.hops.isEmpty, route.hops.allSatisfy({ $0.gateway != nil || $0.interface != nil })
      else {
        fail(0, "a route needs 'via' or 'dev'")
        return nil
      }
    }
    // keepalived cannot tell the removal of a route whose interface it was not told, or of
    // one that carries a protocol number other than its own.
    let names = route.hops.count == 1 ? route.hops[0].interface : nil
    if !route.isUntracked, names == nil || route.protocolNumber != nil {
      route.isUntracked = true
      parser.note(line, 0, "this route is not watched: that needs one 'dev' and no 'proto'")
    }
    return route
  }
}

/// rt_tables(5): the names every system has.
enum KeepalivedTables {
  static func number(_ text: String) -> UInt32? {
    switch text {
    case "main": 254
    case "default": 253
    case "local": 255
    default: KeepalivedUnits.integer(text).flatMap { UInt32(exactly: $0) }
    }
  }
}

/// /etc/iproute2/rt_protos: the names every system has.
enum KeepalivedProtocols {
  static let names: [String: UInt8] = [
    "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10,
    "zebra": 11, "bird": 12, "dnrouted": 13, "xorp": 14, "ntk": 15, "dhcp": 16, "keepalived": 18,
    "babel": 42, "bgp": 186, "isis": 187, "ospf": 188, "rip": 189, "eigrp": 192,
  ]
  static func number(_ text: String) -> UInt8? {
    names[text] ?? KeepalivedUnits.integer(text).flatMap { UInt8(exactly: $0) }
  }
}
