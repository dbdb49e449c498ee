// `global_defs`: defaults for the instances, and what concerns the daemon as a whole.

extension KeepalivedKeywords {
  static let globalAnnouncements: [KeepalivedKeyword] = [
    .line("vrrp_garp_master_delay", .global) { parser, line in
      parser.set(line, seconds: 0...86_400) { $0.globals.announcement.delay = $1 }
    },
    .line("vrrp_garp_master_repeat", .global) { parser, line in
      parser.setCount(line, minimum: 1) { $0.globals.announcement.count = $1 }
    },
    .line("vrrp_garp_master_refresh", .global) { parser, line in
      parser.set(line, seconds: 0...86_400) { $0.globals.announcement.refresh = $1 }
    },
    .line("vrrp_garp_master_refresh_repeat", .global) { parser, line in
      parser.setCount(line, minimum: 1) { $0.globals.announcement.refreshCount = $1 }
    },
    .line("vrrp_garp_lower_prio_delay", .global) { parser, line in
      parser.set(line, seconds: 0...86_400) { $0.globals.announcement.lowerPriorityDelay = $1 }
    },
    .line("vrrp_garp_lower_prio_repeat", .global) { parser, line in
      parser.setCount(line, minimum: 0) { $0.globals.announcement.lowerPriorityCount = $1 }
    },
    .line("vrrp_garp_interval", .global) { parser, line in
      parser.setPause(line) { $0.globals.arpInterval = $1 }
    },
    .line("vrrp_gna_interval", .global) { parser, line in
      parser.setPause(line) { $0.globals.neighbourInterval = $1 }
    },
    .line("vrrp_min_garp", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.usesMinimumAnnouncement = value }
    },
    .unsupported(
      "vrrp_garp_extra_if", .line,
      "addresses on interfaces other than the router's are announced with the others only",
      .global),
    .unsupported(
      "vrrp_vmac_garp_intvl", .line,
      "addresses on interfaces other than the router's are announced with the others only",
      .global),
  ]

  static let globalRouters: [KeepalivedKeyword] = [
    .line("vrrp_version", .global) { parser, line in
      if let value = parser.number(line, 1, 2...3) {
        parser.globals.version = VRRPVersion(rawValue: value)
      }
    },
    .line("vrrp_strict", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.isStrict = value }
    },
    .line("vrrp_mcast_group4", .global) { parser, line in
      parser.globals.group4 = parser.multicast(line, .v4)
    },
    .line("vrrp_mcast_group6", .global) { parser, line in
      parser.globals.group6 = parser.multicast(line, .v6)
    },
    .line("default_interface", .global) { parser, line in
      if let name = parser.interface(line, 1) { parser.globals.defaultInterface = name }
    },
    .line("vrrp_skip_check_adv_addr", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.skipsRepeatedAddressCheck = value }
    },
    .line("vrrp_check_unicast_src", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.checksUnicastSource = value }
    },
    .line("vrrp_lower_prio_no_advert", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.sendsNoAdvertOnLowerPriority = value }
    },
    .line("vrrp_higher_prio_send_advert", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.sendsAdvertOnHigherPriority = value }
    },
    .line("vrrp_owner_ignore_adverts", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.ownerIgnoresAdverts = value }
    },
    .line("vrrp_down_timer_adverts", .global) { parser, line in
      if let value = parser.number(line, 1, 1...100) { parser.globals.downTimerAdverts = value }
    },
    .line("vrrp_notify_priority_changes", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.notifiesPriorityChanges = value }
    },
    .line("v3_checksum_as_v2", .global) { parser, line in
      if let value = parser.flag(line) { parser.globals.checksumWithoutPseudoHeader = value }
    },
    .line("log_unknown_vrids", .global) { parser, line in
      if let value = parser.flag(line) { parser.model.global.logsUnknownRouters = value }
    },
    .line("dynamic_interfaces", .global) { parser, line in
      parser.model.global.allowsAbsentInterfaces = true
      if let text = line.text(1), text != "allow_if_changes" {
        parser.warning(line, 1, "unknown option '\(text)'; it is not used")
      }
    },
    .line("vrrp_startup_delay", .global) { parser, line in
      if let value = parser.seconds(line, 1, 0...3600) { parser.model.global.startupDelay = value }
    },
    .unsupported(
      "vrrp_delay_after_boot", .line,
      "the routers start at once; 'vrrp_startup_delay' delays every start", .global),
  ]

  static let globalProcess: [KeepalivedKeyword] = [
    .line("router_id", .global) { parser, line in
      if let name = line.text(1), !name.isEmpty {
        parser.model.global.routerID = name
        parser.rejectExtra(line, after: 1)
      } else {
        parser.warning(line, 1, "'router_id' expects a name; the host name is used")
      }
    },
    .line("script_user", .global) { parser, line in
      guard let user = parser.user(line, from: 1) else {
        return parser.warning(line, 1, "'script_user' expects a user; the line is not used")
      }
      parser.model.global.scriptUser = user
    },
    .line("enable_script_security", .global) { parser, _ in
      parser.model.global.enforcesScriptSecurity = true
    },
    .line("vrrp_rt_priority", .global) { parser, line in
      guard let text = line.text(1), let value = KeepalivedUnits.integer(text), value >= 1 else {
        return parser.warning(line, 1, "'vrrp_rt_priority' expects a number in 1…99")
      }
      if value > 99 { parser.warning(line, 1, "the highest real-time priority is 99; it is taken") }
      parser.model.global.realtimePriority = min(value, 99)
    },
    .line("vrrp_no_swap", .global) { parser, _ in parser.model.global.locksMemory = true },
    .line("notify_fifo", .global) { parser, line in
      if let fifo = parser.fifo(line) { parser.globals.allFIFO = fifo }
    },
    .line("vrrp_notify_fifo", .global) { parser, line in
      if let fifo = parser.fifo(line) { parser.globals.routersFIFO = fifo }
    },
    .line("notify_fifo_script", .global) { parser, line in
      if let command = parser.command(line, takesUser: true) {
        parser.globals.allFIFOScript = (command, line.place())
      }
    },
    .line("vrrp_notify_fifo_script", .global) { parser, line in
      if let command = parser.command(line, takesUser: true) {
        parser.globals.routersFIFOScript = (command, line.place())
      }
    },
    .line("fifo_write_vrrp_states_on_reload", .global) { parser, line in
      if let value = parser.flag(line) { parser.model.global.writesStatesOnReload = value }
    },
    .line("startup_script", .global) { parser, line in
      parser.model.global.startupScript = parser.command(line, takesUser: true)
    },
    .line("shutdown_script", .global) { parser, line in
      parser.model.global.shutdownScript = parser.command(line, takesUser: true)
    },
    .line("startup_script_timeout", .global) { parser, line in
      if let value = parser.number(line, 1, 1...1000) {
        parser.model.global.startupScriptTimeout = .seconds(value)
      }
    },
    .line("shutdown_script_timeout", .global) { parser, line in
      if let value = parser.number(line, 1, 1...1000) {
        parser.model.global.shutdownScriptTimeout = .seconds(value)
      }
    },
  ]

  static let globalLeftovers: [KeepalivedKeyword] =
    [
      .mail("notification_email", .block, .global),
      .mail("notification_email_from", .line, .global), .mail("smtp_server", .line, .global),
      .mail("smtp_connect_timeout", .line, .global), .mail("smtp_helo_name", .line, .global),
      .mail("smtp_alert", .line, .global, .instance, .group),
      .mail("smtp_alert_vrrp", .line, .global), .mail("smtp_alert_checker", .line, .global),
      .mail("no_email_faults", .line, .global), .mail("no_checker_emails", .line, .global),
      .unsupported(
        "reload_time_file", .line, "a reload happens when it is asked for, at no set time",
        .global),
      .unsupported(
        "linkbeat_use_polling", .line, "link state comes from the kernel's messages only", .top,
        .global, .instance),
    ]
    + KeepalivedKeyword.idle(
      [.global], "there is no IPVS half", "lvs_sync_daemon", "lvs_timeouts", "lvs_flush",
      "lvs_flush_on_stop", "lvs_flush_onstop", "lvs_notify_fifo", "lvs_notify_fifo_script",
      "lvs_netlink_cmd_rcv_bufs", "lvs_netlink_cmd_rcv_bufs_force",
      "lvs_netlink_monitor_rcv_bufs", "lvs_netlink_monitor_rcv_bufs_force",
      "checker_log_all_failures", "checker_priority", "checker_no_swap", "checker_cpu_affinity",
      "checker_rt_priority", "checker_rlimit_rttime", "checker_rlimit_rtime",
      "checker_process_name", "rs_init_notifies", "nftables_ipvs", "nftables_ipvs_priority",
      "nftables_ipvs_start_fwmark")
    + KeepalivedKeyword.idle(
      [.global], "it concerns keepalived's own processes", "max_auto_priority",
      "max_auto_priority_delay", "min_auto_priority_delay", "vrrp_priority", "vrrp_cpu_affinity",
      "vrrp_rlimit_rttime", "vrrp_rlimit_rtime", "bfd_priority", "bfd_no_swap",
      "bfd_cpu_affinity", "bfd_rt_priority", "bfd_rlimit_rttime", "bfd_rlimit_rtime",
      "bfd_process_name", "process_names", "process_name", "vrrp_process_name", "umask",
      "reload_check_config", "reload_repeat", "reload_file", "random_seed", "include_check",
      "process_monitor_rcv_bufs", "process_monitor_rcv_bufs_force", "vrrp_netlink_cmd_rcv_bufs",
      "vrrp_netlink_cmd_rcv_bufs_force", "vrrp_netlink_monitor_rcv_bufs",
      "vrrp_netlink_monitor_rcv_bufs_force", "vrrp_rx_bufs_policy", "vrrp_rx_bufs_multiplier",
      "iproute_etc_dir", "iproute_usr_dir", "disable_local_igmp", "vmac_prefix",
      "vmac_addr_prefix")
    + KeepalivedKeyword.idle(
      [.global], "no firewall program is called", "vrrp_iptables", "vrrp_ipsets", "nftables",
      "nftables_priority", "nftables_counters", "nftables_ifindex")
    + KeepalivedKeyword.idle(
      [.global], "ask for the state with 'fairlead status --json' or at /metrics", "snmp_socket",
      "enable_snmp_vrrp", "enable_snmp_checker", "enable_snmp_rfc", "enable_snmp_rfcv2",
      "enable_snmp_rfcv3", "enable_snmp_keepalived", "enable_traps", "enable_dbus",
      "dbus_service_name", "dbus_no_interface_name", "json_version", "state_dump_file",
      "stats_dump_file", "json_dump_file", "data_use_instance")
}

extension KeepalivedParser {
  func set(
    _ line: KeepalivedStatement, seconds range: ClosedRange<Double>,
    _ change: (KeepalivedParser, Duration) -> Void
  ) {
    if let value = seconds(line, 1, range) { change(self, value) }
  }

  /// A pause between messages. keepalived calls 0 invalid and goes on without a pause; many
  /// files have it.
  func setPause(_ line: KeepalivedStatement, _ change: (KeepalivedParser, Duration) -> Void) {
    if line.text(1).flatMap(KeepalivedUnits.microseconds) == 0 {
      note(line, 1, "no pause is the default; the line may go")
    } else if let value = seconds(line, 1, 0.000001...4294.967295) {
      change(self, value)
    }
  }

  /// A number of messages. Below the minimum keepalived takes the minimum.
  func setCount(
    _ line: KeepalivedStatement, minimum: Int, _ change: (KeepalivedParser, Int) -> Void
  ) {
    guard let value = number(line, 1, 0...1000) else { return }
    if value < minimum { warning(line, 1, "it must be at least \(minimum), which is taken") }
    change(self, max(value, minimum))
  }

  func multicast(_ line: KeepalivedStatement, _ family: AddressFamily) -> IPAddress? {
    guard let text = line.text(1), let address = IPAddress(text), address.family == family,
      address.isMulticast
    else {
      warning(
        line, 1,
        "'\(line.text(1) ?? "")' is not an IPv\(family == .v4 ? "4" : "6") multicast address; "
          + "the usual group is kept")
      return nil
    }
    return address
  }

  func fifo(_ line: KeepalivedStatement) -> NotifyFIFO? {
    let words = line.escapedWords
    guard words.count > 1, !words[1].isEmpty, !words[1].utf8.contains(0) else {
      warning(line, 1, "'\(line.keyword)' expects a path; the line is not used")
      return nil
    }
    var fifo = NotifyFIFO(path: words[1])
    if words.count > 2 {
      fifo.owner = ScriptUser(words[2], group: words.count > 3 ? words[3] : nil)
    }
    return fifo
  }
}

extension IPAddress {
  /// 224.0.0.0/4 or ff00::/8.
  var isMulticast: Bool {
    switch self {
    case .v4(let value): value >> 28 == 0xe
    case .v6(let high, _): high >> 56 == 0xff
    }
  }
}
