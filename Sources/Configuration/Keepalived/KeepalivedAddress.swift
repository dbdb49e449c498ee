// A line of virtual_ipaddress, virtual_ipaddress_excluded or static_ipaddress, in ip-address(8)'s
// words (keepalived.conf(5), "static_ipaddress" and "virtual_ipaddress").

extension KeepalivedParser {
  static let addressWords = [
    "brd", "broadcast", "dev", "scope", "label", "peer", "home", "-nodad", "mngtmpaddr",
    "noprefixroute", "autojoin", "no_track", "preferred_lft", "use_vmac", "track_group",
  ]

  func virtualAddress(_ line: KeepalivedStatement) {
    guard let address = address(line), matchesFamily(address.address, line, 0) else { return }
    guard router?.addressSet.insert(address.address).inserted == true else {
      return warning(line, 0, "this address is listed twice; the second line is not used")
    }
    router?.addresses.append((address, line.place()))
  }

  func excludedAddress(_ line: KeepalivedStatement) {
    guard let address = address(line) else { return }
    router?.excluded.append((address, line.place()))
  }

  func staticAddress(_ line: KeepalivedStatement) {
    guard let address = address(line) else { return }
    model.staticAddresses.append(address)
  }

  /// The network part of a word: an address and a prefix length, by default that of a host.
  func prefix(_ text: String) -> (address: IPAddress, length: UInt8?, isTooLong: Bool)? {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(String(parts[0])) else { return nil }
    guard parts.count == 2 else { return (address, nil, false) }
    let most: UInt8 = address.family == .v4 ? 32 : 128
    guard let length = KeepalivedUnits.integer(String(parts[1])), length >= 0 else { return nil }
    return length > most ? (address, most, true) : (address, UInt8(length), false)
  }

  /// nil when the line cannot be used; what is wrong has then been reported.
  private func address(_ line: KeepalivedStatement) -> VirtualAddress? {
    guard let text = line.text(0), let parsed = prefix(text) else {
      warning(line, 0, "'\(line.text(0) ?? "")' is not an IP address; the line is not used")
      return nil
    }
    guard !parsed.address.isUnspecified, !parsed.address.isMulticast else {
      warning(line, 0, "'\(text)' cannot be an interface's address; the line is not used")
      return nil
    }
    let most: UInt8 = parsed.address.family == .v4 ? 32 : 128
    if parsed.isTooLong {
      warning(line, 0, "the longest prefix is /\(most), which is taken")
    }
    var result = VirtualAddress(parsed.address, prefixLength: parsed.length ?? most)
    var index = 1
    while index < line.words.count {
      let word = line.words[index].text
      switch word {
      case "home": result.isHome = true
      case "-nodad": result.detectsDuplicates = true
      case "mngtmpaddr": result.managesTemporary = true
      case "noprefixroute": result.noPrefixRoute = true
      case "autojoin": result.autojoins = true
      case "no_track": result.isUntracked = true
      case "use_vmac": result.usesVirtualMAC = true
      case "brd", "broadcast", "dev", "scope", "label", "peer", "preferred_lft", "track_group":
        guard let value = line.text(index + 1), !value.isEmpty else {
          warning(line, index, "'\(word)' expects a value; the address is not used")
          return nil
        }
        guard option(word, value, line, index + 1, &result) else { return nil }
        index += 1
      default: unknownWord(word, line, index)
      }
      index += 1
    }
    return result
  }

  private func unknownWord(_ word: String, _ line: KeepalivedStatement, _ index: Int) {
    if prefix(word) != nil {
      return warning(
        line, index, "one address a line: put '\(word)' on a line of its own; it is not used")
    }
    let near = Spelling.nearest(to: word, among: KeepalivedParser.addressWords)
    warning(line, index, "unknown word '\(word)' of an address\(HAProxyParser.hint(near))")
  }

  /// False when the whole address is to be dropped.
  private func option(
    _ word: String, _ value: String, _ line: KeepalivedStatement, _ index: Int,
    _ result: inout VirtualAddress
  ) -> Bool {
    switch word {
    case "brd", "broadcast":
      guard result.address.family == .v4 else {
        warning(line, index, "IPv6 has no broadcast address; '\(word)' is not used")
        return true
      }
      switch value {
      case "+": result.broadcast = .ones
      case "-": result.broadcast = .zeros
      default:
        guard let address = IPAddress(value), address.family == .v4 else {
          warning(line, index, "'\(value)' is not a broadcast address; the address is not used")
          return false
        }
        result.broadcast = .address(address)
      }
    case "dev":
      guard result.interface == nil else {
        warning(line, index, "'dev' is given twice; the address is not used")
        return false
      }
      guard let name = interface(line, index) else { return false }
      result.interface = name
    case "scope":
      guard let scope = KeepalivedScopes.scope(value) else {
        warning(line, index, "unknown scope '\(value)'; global is taken")
        return true
      }
      result.scope = scope
    case "label":
      guard value.utf8.count <= 15 else {
        warning(line, index, "a label has 15 bytes at most; the address is not used")
        return false
      }
      result.label = value
    case "peer":
      guard let parsed = prefix(value), parsed.address.family == result.address.family else {
        warning(line, index, "'\(value)' cannot be this address's peer; the address is not used")
        return false
      }
      result.peer = parsed.address
      // As in ip-address(8), a prefix length behind the peer is the peer's network.
      if let length = parsed.length { result.prefixLength = length }
    case "preferred_lft":
      if value == "forever" {
        result.preferredLifetime = .forever
      } else if let seconds = KeepalivedUnits.integer(value), seconds >= 0,
        seconds <= Int(UInt32.max)
      {
        result.preferredLifetime = seconds == Int(UInt32.max) ? .forever : .seconds(UInt32(seconds))
      } else {
        warning(line, index, "'\(value)' is neither seconds nor 'forever'; it is not used")
      }
    default:
      warning(line, index - 1, "'track_group' is not supported: nothing follows this address")
    }
    return true
  }
}

/// rt_scope names (ip-address(8)) and numbers.
enum KeepalivedScopes {
  static let names: [(name: String, scope: AddressScope)] = [
    ("global", .global), ("site", .site), ("link", .link), ("host", .host), ("nowhere", .nowhere),
  ]
  static func scope(_ text: String) -> AddressScope? {
    if let known = names.first(where: { $0.name == text }) { return known.scope }
    return KeepalivedUnits.integer(text).flatMap { UInt8(exactly: $0) }.map(AddressScope.init)
  }
  static func print(_ scope: AddressScope) -> String {
    names.first { $0.scope == scope }?.name ?? String(scope.number)
  }
}
