// Routers and what they own as canonical text.

extension KeepalivedPrinter {
  mutating func print(_ router: VirtualRouter) {
    open("vrrp_instance", router.name)
    line("state " + (router.prefersMaster ? "MASTER" : "BACKUP"))
    word("interface", router.interface)
    number("virtual_router_id", Int(router.id))
    number("priority", Int(router.priority))
    number("version", router.version.rawValue)
    flag("strict_mode", router.isStrict)
    if router.family == .v6 { line("native_ipv6") }
    time("advert_int", router.advertisementInterval)
    switch router.preemption {
    case .immediate: break
    case .never: line("nopreempt")
    case .delayed(let delay): time("preempt_delay", delay)
    }
    if let following = router.following {
      // keepalived has no words for it.
      let wait = HAProxyUnits.print(following.preemptDelay)
      line(
        "# fairlead.yaml: gives way while only another node's proxy reaches servers (followsProxy)"
          + (router.preemption == .never
            ? "" : "; takes the address from a healthy node after \(wait) (preemptDelay)"))
    }
    if let password = router.password {
      open("authentication")
      line("auth_type PASS")
      line("auth_pass " + KeepalivedPrinter.password(password))
      close()
    }
    printExchange(router)
    printFlags(router)
    print(router.announcement)
    block("virtual_ipaddress", router.addresses.map(KeepalivedPrinter.address))
    flag("no_virtual_ipaddress", router.addresses.isEmpty)
    block("virtual_ipaddress_excluded", router.excludedAddresses.map(KeepalivedPrinter.address))
    block("virtual_routes", router.routes.map(KeepalivedPrinter.route))
    block("virtual_rules", router.rules.map(KeepalivedPrinter.rule))
    block("track_interface", router.trackedInterfaces.map(KeepalivedPrinter.track))
    block("track_script", router.trackedScripts.map(KeepalivedPrinter.track))
    block("track_file", router.trackedFiles.map(KeepalivedPrinter.track))
    block("track_process", router.trackedProcesses.map(KeepalivedPrinter.track))
    notify(router.notify)
    flag("notify_priority_changes", router.notifiesPriorityChanges)
    close()
  }

  /// Without the zeros it is padded with. A character that the eighth byte cuts in two is made
  /// whole again: it is cut once more when it is read.
  static func password(_ bytes: [UInt8]) -> String {
    var bytes = bytes
    while bytes.last == 0 { bytes.removeLast() }
    let endings: [[UInt8]] = [
      [], [0x80], [0xa0], [0x80, 0x80], [0xa0, 0x80], [0x90, 0x80], [0x80, 0x80, 0x80],
      [0x90, 0x80, 0x80],
    ]
    let whole = endings.first { String(validating: bytes + $0, as: UTF8.self) != nil } ?? []
    return plain(bytes + whole)
  }

  private mutating func printExchange(_ router: VirtualRouter) {
    if router.peers.isEmpty {
      word("mcast_src_ip", router.source?.description)
      word("mcast_dst_ip", router.multicastGroup?.description)
    } else {
      word("unicast_src_ip", router.source?.description)
      block(
        "unicast_peer",
        router.peers.map { peer in
          "\(peer.address)" + (peer.minimumTTL.map { " min_ttl \($0)" } ?? "")
            + (peer.maximumTTL.map { " max_ttl \($0)" } ?? "")
        })
      number("unicast_ttl", Int(router.unicastTTL))
      flag("check_unicast_src", router.checksUnicastSource)
    }
    flag("track_src_ip", router.tracksSource)
    if let setting = router.virtualMAC {
      line("use_vmac" + (setting.name.map { " " + KeepalivedPrinter.plain($0) } ?? ""))
      flag("vmac_xmit_base", setting.sendsFromBase)
    }
  }

  private mutating func printFlags(_ router: VirtualRouter) {
    if !router.accepts {
      line("no_accept")
    } else if router.isStrict, router.priority != 255 {
      line("accept")
    }
    flag("skip_check_adv_addr", router.skipsRepeatedAddressCheck)
    // In strict mode both follow from it.
    flag("lower_prio_no_advert", router.sendsNoAdvertOnLowerPriority && !router.isStrict)
    flag("higher_prio_send_advert", router.sendsAdvertOnHigherPriority)
    flag("owner_ignore_adverts", router.ownerIgnoresAdverts)
    number("down_timer_adverts", router.downTimerAdverts)
    flag("v3_checksum_as_v2", router.checksumWithoutPseudoHeader)
    flag("promote_secondaries", router.promotesSecondaries)
    flag("dont_track_primary", !router.tracksOwnInterface)
  }

  private mutating func print(_ announcement: Announcement) {
    time("garp_master_delay", announcement.delay)
    number("garp_master_repeat", announcement.count)
    time("garp_master_refresh", announcement.refresh)
    number("garp_master_refresh_repeat", announcement.refreshCount)
    time("garp_lower_prio_delay", announcement.lowerPriorityDelay)
    number("garp_lower_prio_repeat", announcement.lowerPriorityCount)
  }

  static func address(_ address: VirtualAddress) -> String {
    var text = "\(address.address)/\(address.prefixLength)"
    switch address.broadcast {
    case .none: break
    case .address(let value): text += " brd \(value)"
    case .ones: text += " brd +"
    case .zeros: text += " brd -"
    }
    if let interface = address.interface { text += " dev " + plain(interface) }
    if address.usesVirtualMAC { text += " use_vmac" }
    if address.scope != .global { text += " scope " + KeepalivedScopes.print(address.scope) }
    if let label = address.label { text += " label " + plain(label) }
    if let peer = address.peer { text += " peer \(peer)" }
    if address.isHome { text += " home" }
    if address.detectsDuplicates { text += " -nodad" }
    if address.managesTemporary { text += " mngtmpaddr" }
    if address.noPrefixRoute { text += " noprefixroute" }
    if address.autojoins { text += " autojoin" }
    if address.isUntracked { text += " no_track" }
    switch address.preferredLifetime {
    case .standard: break
    case .forever: text += " preferred_lft forever"
    case .seconds(let value): text += " preferred_lft \(value)"
    }
    return text
  }

  static func route(_ route: VirtualRoute) -> String {
    var text = route.kind == .unicast ? "" : route.kind.rawValue + " "
    text += "\(route.destination.address)/\(route.destination.length)"
    if let source = route.source { text += " src \(source)" }
    if route.hops.count == 1, route.hops[0].weight == 1 { text += hop(route.hops[0]) }
    if let table = route.table { text += " table \(table)" }
    if let metric = route.metric { text += " metric \(metric)" }
    if let scope = route.scope { text += " scope " + KeepalivedScopes.print(scope) }
    if let number = route.protocolNumber { text += " proto \(number)" }
    if let mtu = route.mtu { text += " mtu \(mtu)" }
    if let size = route.advertisedMSS { text += " advmss \(size)" }
    if route.isUntracked { text += " no_track" }
    if route.hops.count > 1 || route.hops.first.map({ $0.weight != 1 }) == true {
      for one in route.hops {
        text += " nexthop" + hop(one) + (one.weight == 1 ? "" : " weight \(one.weight)")
      }
    }
    return text
  }

  private static func hop(_ hop: VirtualRoute.Hop) -> String {
    (hop.gateway.map { " via \($0)" } ?? "") + (hop.interface.map { " dev " + plain($0) } ?? "")
      + (hop.isOnLink ? " onlink" : "")
  }

  static func rule(_ rule: VirtualRule) -> String {
    // keepalived 2.2.7 stumbles over `inet6 from`, so it is only said where no address says it.
    var words: [String] = rule.isInverted ? ["not"] : []
    if rule.family == .v6, rule.source == nil, rule.destination == nil { words.append("inet6") }
    if let source = rule.source { words.append("from \(source.address)/\(source.length)") }
    if let target = rule.destination { words.append("to \(target.address)/\(target.length)") }
    if let preference = rule.preference { words.append("preference \(preference)") }
    if let mark = rule.mark {
      words.append("fwmark \(mark)" + (rule.markMask.map { "/\($0)" } ?? ""))
    }
    if let name = rule.inputInterface { words.append("iif " + plain(name)) }
    if let name = rule.outputInterface { words.append("oif " + plain(name)) }
    if let table = rule.table { words.append("table \(table)") }
    if rule.isUntracked { words.append("no_track") }
    return words.joined(separator: " ")
  }
}
