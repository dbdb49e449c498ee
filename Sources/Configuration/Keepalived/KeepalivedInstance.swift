// `vrrp_instance`: who takes part, with what priority, and how adverts travel.

extension KeepalivedParser {
  func readInstance(_ opening: KeepalivedStatement) {
    guard let name = opening.text(1), !name.isEmpty else {
      error(opening, 1, "'vrrp_instance' expects a name")
      return skipBlock(opening)
    }
    rejectExtra(opening, after: 1)
    guard routerIndices[name] == nil else {
      warning(opening, 1, "there is a vrrp_instance '\(name)' already; this one is not used")
      return skipBlock(opening)
    }
    router = RouterDraft(name: name, place: opening.place(1))
    readBlock(opening, as: .instance)
    guard let draft = router else { return }
    router = nil
    routerIndices[name] = routers.count
    routers.append(draft)
  }

  /// An address that must be of the router's family; the first one settles which that is.
  func familyAddress(_ line: KeepalivedStatement, _ index: Int) -> IPAddress? {
    guard let text = line.text(index), let address = IPAddress(text) else {
      warning(line, index, "'\(line.text(index) ?? "")' is not an IP address; it is not used")
      return nil
    }
    return matchesFamily(address, line, index) ? address : nil
  }

  func matchesFamily(_ address: IPAddress, _ line: KeepalivedStatement, _ index: Int) -> Bool {
    guard let family = router?.family else {
      router?.family = address.family
      return true
    }
    guard family == address.family else {
      warning(
        line, index,
        "'\(router?.name ?? "")' is an IPv\(family == .v4 ? "4" : "6") router already; this "
          + "address is not used. Put the other family into an instance of its own, or into "
          + "'virtual_ipaddress_excluded'")
      return false
    }
    return true
  }

  /// Remembers the first keyword that asks for unicast.
  func sawUnicast(_ line: KeepalivedStatement) {
    if router?.unicastPlace == nil { router?.unicastPlace = line.place() }
  }

  func peer(_ line: KeepalivedStatement) {
    guard let address = familyAddress(line, 0) else { return }
    var peer = UnicastPeer(address)
    var index = 1
    while let word = line.text(index) {
      switch word {
      case "min_ttl", "max_ttl":
        guard let value = number(line, index + 1, 0...255) else { break }
        if word == "min_ttl" {
          peer.minimumTTL = UInt8(value)
        } else {
          peer.maximumTTL = UInt8(value)
        }
        router?.checksUnicastSource = true
      default: warning(line, index, "unknown option '\(word)' of a unicast peer; it is not used")
      }
      index += 2
    }
    if let low = peer.minimumTTL, let high = peer.maximumTTL, low > high {
      error(
        line, 0,
        "no packet has a TTL of at least \(low) and at most \(high), so this peer would never be "
          + "heard")
    }
    guard router?.peers.contains(where: { $0.address == address }) == false else {
      return warning(line, 0, "this peer is listed twice; the second line is not used")
    }
    guard (router?.peers.count ?? 0) < 4096 else {
      return warning(line, 0, "more than 4096 peers; this one is not used")
    }
    router?.peers.append(peer)
  }
}

extension KeepalivedKeywords {
  static let instanceBasics: [KeepalivedKeyword] = [
    .line("state", .instance) { parser, line in
      guard let text = parser.required(line, "MASTER or BACKUP") else { return }
      switch text {
      case "MASTER": parser.router?.state = (true, line.place(1))
      case "BACKUP":
        if parser.router?.state?.isMaster == true {
          return parser.warning(line, 1, "the state is MASTER already; this line is not used")
        }
        parser.router?.state = (false, line.place(1))
      default:
        parser.warning(line, 1, "the state is MASTER or BACKUP; BACKUP is taken")
        if parser.router?.state == nil { parser.router?.state = (false, line.place(1)) }
      }
      parser.rejectExtra(line, after: 1)
    },
    .line("interface", .instance) { parser, line in
      guard let name = parser.required(line, "an interface") else { return }
      guard name.utf8.count <= 15, !name.utf8.contains(UInt8(ascii: "/")) else {
        parser.brokenRouters.insert(parser.router?.name ?? "")
        return parser.error(
          line, 1, "'\(name)' cannot be an interface: names have 15 bytes at most")
      }
      parser.router?.interface = name
      parser.rejectExtra(line, after: 1)
    },
    .line("virtual_router_id", .instance) { parser, line in
      guard let text = parser.required(line, "a number in 1…255") else { return }
      guard let value = KeepalivedUnits.integer(text), let id = UInt8(exactly: value), id > 0
      else {
        parser.brokenRouters.insert(parser.router?.name ?? "")
        return parser.error(line, 1, "'\(text)' is not a virtual router id: 1…255")
      }
      parser.router?.id = id
      parser.rejectExtra(line, after: 1)
    },
    .line("priority", .instance) { parser, line in
      guard parser.required(line, "a number in 1…255") != nil else { return }
      parser.router?.priority = parser.number(line, 1, 1...255).map { UInt8($0) } ?? 100
      parser.rejectExtra(line, after: 1)
    },
    .line("advert_int", .instance) { parser, line in
      guard let text = parser.required(line, "seconds") else { return }
      parser.rejectExtra(line, after: 1)
      guard let value = KeepalivedUnits.microseconds(text),
        (10_000...255_000_000).contains(value)
      else {
        return parser.warning(
          line, 1, "'\(text)' is not an interval in seconds in 0.01…255; 1 second is taken")
      }
      parser.router?.interval = (value, text, line.place(1))
    },
    .line("version", .instance) { parser, line in
      if let value = parser.number(line, 1, 2...3).flatMap(VRRPVersion.init(rawValue:)) {
        parser.router?.version = (value, line.place(1))
      }
    },
    .line("native_ipv6", .instance) { parser, line in
      if parser.router?.family == .v4 {
        return parser.warning(line, 0, "the addresses above are IPv4; the line is not used")
      }
      parser.router?.family = .v6
    },
    .line("strict_mode", .instance) { parser, line in
      if let value = parser.flag(line) { parser.router?.isStrict = value }
    },
    .line("nopreempt", .instance) { $0.router?.neverPreempts = $1.place() },
    .line("preempt", .instance) { parser, _ in parser.router?.neverPreempts = nil },
    .line("preempt_delay", .instance) { parser, line in
      if let value = parser.seconds(line, 1, 0...1000) {
        parser.router?.preemptDelay = (value, line.place())
      }
    },
    .block("authentication", .instance) { $0.readBlock($1, as: .authentication) },
    .line("accept", .instance) { $0.router?.accepts = (true, $1.place()) },
    .line("no_accept", .instance) { $0.router?.accepts = (false, $1.place()) },
    .line("skip_check_adv_addr", .instance) { parser, line in
      if let value = parser.flag(line) { parser.router?.skipsRepeatedAddressCheck = value }
    },
    .line("lower_prio_no_advert", .instance) { parser, line in
      if let value = parser.flag(line) {
        parser.router?.sendsNoAdvertOnLowerPriority = (value, line.place())
      }
    },
    .line("higher_prio_send_advert", .instance) { parser, line in
      if let value = parser.flag(line) {
        parser.router?.sendsAdvertOnHigherPriority = (value, line.place())
      }
    },
    .line("owner_ignore_adverts", .instance) { parser, line in
      if let value = parser.flag(line) { parser.router?.ownerIgnoresAdverts = value }
    },
    .line("down_timer_adverts", .instance) { parser, line in
      if let value = parser.number(line, 1, 1...100) {
        parser.router?.downTimerAdverts = (value, line.place())
      }
    },
    .line("v3_checksum_as_v2", .instance) { parser, line in
      if let value = parser.flag(line) { parser.router?.checksumWithoutPseudoHeader = value }
    },
  ]

  static let instanceExchange: [KeepalivedKeyword] = [
    .line("unicast_src_ip", .instance) { parser, line in
      if let address = parser.familyAddress(line, 1) {
        parser.router?.unicastSource = address
        parser.sawUnicast(line)
      }
    },
    .line("mcast_src_ip", .instance) { parser, line in
      if let address = parser.familyAddress(line, 1) { parser.router?.multicastSource = address }
    },
    .line("mcast_dst_ip", .instance) { parser, line in
      guard let address = parser.familyAddress(line, 1) else { return }
      guard address.isMulticast else {
        return parser.warning(line, 1, "this is not a multicast address; it is not used")
      }
      parser.router?.multicastGroup = (address, line.place())
    },
    .line("track_src_ip", .instance) { $0.router?.tracksSource = $1.place() },
    .block("unicast_peer", .instance) { parser, opening in
      parser.sawUnicast(opening)
      parser.eachValue(in: opening) { parser.peer($0) }
    },
    .line("unicast_ttl", .instance) { parser, line in
      if let value = parser.number(line, 1, 1...255) {
        parser.router?.unicastTTL = (UInt8(value), line.place())
      }
    },
    .line("check_unicast_src", .instance) { parser, line in
      if let value = parser.flag(line) { parser.router?.checksUnicastSource = value }
    },
    .line("unicast_fault_no_peer", .instance) { $0.router?.faultsWithoutPeer = $1.place() },
    .line("use_vmac", .instance) { parser, line in
      var setting = VirtualMAC()
      for index in line.words.indices.dropFirst() {
        guard let word = line.text(index) else { continue }
        if word.contains(":") {
          parser.warning(
            line, index,
            "a MAC address of one's own is not supported; the virtual router's standard one is "
              + "used (00:00:5e:00:01:VRID, IPv6 00:00:5e:00:02:VRID)")
        } else if setting.name == nil {
          setting.name = parser.interface(line, index)
        } else {
          parser.warning(line, index, "'\(word)' is not used")
        }
      }
      parser.router?.virtualMAC = setting
      parser.router?.virtualMACPlace = line.place()
    },
    .line("vmac_xmit_base", .instance) { $0.router?.sendsFromBase = $1.place() },
    .line("use_vmac_addr", .instance) { $0.router?.usesVirtualMACForAddresses = $1.place() },
  ]
}
