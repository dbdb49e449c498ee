// `vrrp_instance`: what the master owns and announces, and what is left to say.

extension KeepalivedKeywords {
  static let instanceOwnership: [KeepalivedKeyword] = [
    .block("virtual_ipaddress", .instance) { parser, opening in
      parser.eachValue(in: opening) { parser.virtualAddress($0) }
    },
    .block("virtual_ipaddress_excluded", .instance) { parser, opening in
      parser.eachValue(in: opening) { parser.excludedAddress($0) }
    },
    .line("no_virtual_ipaddress", .instance) { parser, _ in
      parser.router?.allowsNoAddress = true
    },
    .block("virtual_routes", .instance) { parser, opening in
      parser.eachValue(in: opening) { line in
        if let route = parser.route(line) { parser.router?.routes.append(route) }
      }
    },
    .block("virtual_rules", .instance) { parser, opening in
      parser.eachValue(in: opening) { line in
        if let rule = parser.rule(line) { parser.router?.rules.append(rule) }
      }
    },
    .line("promote_secondaries", .instance) { $0.router?.promotesSecondaries = $1.place() },
    .line("dont_track_primary", .instance) { parser, _ in
      parser.router?.tracksOwnInterface = false
    },
  ]

  static let instanceAnnouncement: [KeepalivedKeyword] = [
    .line("garp_master_delay", .instance) { parser, line in
      parser.set(line, seconds: 0...86_400) { $0.router?.announcement.delay = $1 }
    },
    .line("garp_master_repeat", .instance) { parser, line in
      parser.setCount(line, minimum: 1) { $0.router?.announcement.count = $1 }
    },
    .line("garp_master_refresh", .instance) { parser, line in
      parser.set(line, seconds: 0...86_400) { $0.router?.announcement.refresh = $1 }
    },
    .line("garp_master_refresh_repeat", .instance) { parser, line in
      parser.setCount(line, minimum: 1) { $0.router?.announcement.refreshCount = $1 }
    },
    .line("garp_lower_prio_delay", .instance) { parser, line in
      parser.set(line, seconds: 0...86_400) { $0.router?.announcement.lowerPriorityDelay = $1 }
    },
    .line("garp_lower_prio_repeat", .instance) { parser, line in
      parser.setCount(line, minimum: 0) { $0.router?.announcement.lowerPriorityCount = $1 }
    },
    .unsupported(
      "garp_extra_if", .line,
      "addresses on interfaces other than the router's are announced with the others only",
      .instance),
    .unsupported(
      "vmac_garp_intvl", .line,
      "addresses on interfaces other than the router's are announced with the others only",
      .instance),
  ]

  static let instanceLeftovers: [KeepalivedKeyword] =
    [
      .unsupported(
        "use_ipvlan", .line, "the addresses go on the interface itself, with its own MAC address",
        .instance),
      .unsupported(
        "vrf", .line, "adverts use the routing of the interface that is named", .instance),
      .unsupported(
        "old_unicast_checksum", .line,
        "a peer older than keepalived 1.3.7 with unicast and version 3 is not understood", .instance
      ),
      .unsupported(
        "timer_expired_backup", .line, "a backup whose timer has expired becomes master",
        .instance),
      .refused(
        "auth_hmac", .block,
        "a peer that asks for it would drop our adverts, and two nodes would hold the addresses; "
          + "remove it on every node", .instance, .authentication),
      .line("lvs_sync_daemon_interface", .instance) { parser, line in
        parser.noteLVS("lvs_sync_daemon_interface", line)
      },
    ]
    + KeepalivedKeyword.idle(
      [.instance], "it concerns keepalived's own process", "debug", "kernel_rx_buf_size")
}
