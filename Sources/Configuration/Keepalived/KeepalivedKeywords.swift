// The keyword tables: for each kind of block, its keywords and one small function for each.

enum KeepalivedBlock: Int, CaseIterable {
  case top, global, instance, group, script, trackFile, trackProcess, authentication, arpGroup

  /// As messages name it.
  var title: String {
    switch self {
    case .top: "the top level"
    case .global: "'global_defs'"
    case .instance: "'vrrp_instance'"
    case .group: "'vrrp_sync_group'"
    case .script: "'vrrp_script'"
    case .trackFile: "'track_file'"
    case .trackProcess: "'vrrp_track_process'"
    case .authentication: "'authentication'"
    case .arpGroup: "'garp_group'"
    }
  }
}

struct KeepalivedKeyword: Sendable {
  typealias Function = @Sendable (KeepalivedParser, KeepalivedStatement) -> Void
  enum Shape { case line, block }
  var name: String
  var blocks: [KeepalivedBlock]
  var shape: Shape
  var run: Function

  /// A keyword with values on its line.
  static func line(
    _ name: String, _ blocks: KeepalivedBlock..., run: @escaping Function
  ) -> KeepalivedKeyword {
    KeepalivedKeyword(name: name, blocks: blocks, shape: .line, run: run)
  }
  /// A keyword that opens a block; its function reads to the block's end.
  static func block(
    _ name: String, _ blocks: KeepalivedBlock..., run: @escaping Function
  ) -> KeepalivedKeyword {
    KeepalivedKeyword(name: name, blocks: blocks, shape: .block, run: run)
  }
  /// Keywords that mean nothing here.
  static func idle(
    _ blocks: [KeepalivedBlock], _ reason: String, _ names: String...
  ) -> [KeepalivedKeyword] {
    names.map { name in
      KeepalivedKeyword(name: name, blocks: blocks, shape: .line) { parser, statement in
        parser.note(statement, 0, "'\(name)' is accepted; it has no effect here: \(reason)")
      }
    }
  }
  /// Keywords that mean something which is not done here.
  static func unsupported(
    _ name: String, _ shape: Shape, _ consequence: String, _ blocks: KeepalivedBlock...
  ) -> KeepalivedKeyword {
    KeepalivedKeyword(name: name, blocks: blocks, shape: shape) { parser, statement in
      parser.warning(statement, 0, "'\(name)' is not supported: \(consequence)")
      if shape == .block { parser.skipBlock(statement) }
    }
  }
  /// Keywords without which running would do harm.
  static func refused(
    _ name: String, _ shape: Shape, _ reason: String, _ blocks: KeepalivedBlock...
  ) -> KeepalivedKeyword {
    KeepalivedKeyword(name: name, blocks: blocks, shape: shape) { parser, statement in
      parser.error(statement, 0, "'\(name)' is not supported: \(reason)")
      if shape == .block { parser.skipBlock(statement) }
    }
  }
  /// Mail settings: one diagnostic for all of them.
  static func mail(
    _ name: String, _ shape: Shape, _ blocks: KeepalivedBlock...
  ) -> KeepalivedKeyword {
    KeepalivedKeyword(name: name, blocks: blocks, shape: shape) { parser, statement in
      if shape == .block { parser.skipBlock(statement) }
      let isWanted = name.hasPrefix("smtp_alert") && parser.flag(statement) == true
      if parser.mail == nil || (isWanted && parser.mail?.isWanted == false) {
        parser.mail = (isWanted, statement.place())
      }
    }
  }
}

enum KeepalivedKeywords {
  private static let tables: [[String: KeepalivedKeyword]] = {
    let all =
      top + topLeftovers + globalAnnouncements + globalRouters + globalProcess + globalLeftovers
      + instanceBasics + instanceExchange + instanceOwnership + instanceAnnouncement
      + instanceLeftovers + tracking + notifications + group + script + trackFile + trackProcess
      + authentication + arpGroup
    var tables = [[String: KeepalivedKeyword]](
      repeating: [:], count: KeepalivedBlock.allCases.count)
    for keyword in all {
      for block in keyword.blocks { tables[block.rawValue][keyword.name] = keyword }
    }
    return tables
  }()

  static func table(of block: KeepalivedBlock) -> [String: KeepalivedKeyword] {
    tables[block.rawValue]
  }

  private static let names: [[String]] = KeepalivedBlock.allCases.map { block in
    let names = Array(tables[block.rawValue].keys)
    return block == .top ? names + KeepalivedReader.includeWords : names
  }

  static func names(of block: KeepalivedBlock) -> [String] { names[block.rawValue] }

  static let top: [KeepalivedKeyword] = [
    .block("global_defs", .top) { $0.readBlock($1, as: .global) },
    .block("vrrp_instance", .top) { $0.readInstance($1) },
    .block("vrrp_sync_group", .top) { $0.readGroup($1) },
    .block("vrrp_script", .top) { $0.readScript($1) },
    .block("vrrp_track_file", .top) { $0.readTrackFile($1) },
    .block("track_file", .top) { $0.readTrackFile($1) },
    .block("vrrp_track_process", .top) { $0.readTrackProcess($1) },
    .block("garp_group", .top) { $0.readARPGroup($1) },
    .block("static_ipaddress", .top) { parser, opening in
      parser.eachValue(in: opening) { parser.staticAddress($0) }
    },
    .block("static_routes", .top) { parser, opening in
      parser.eachValue(in: opening) { line in
        if let route = parser.route(line) { parser.model.staticRoutes.append(route) }
      }
    },
    .block("static_rules", .top) { parser, opening in
      parser.eachValue(in: opening) { line in
        if let rule = parser.rule(line) { parser.model.staticRules.append(rule) }
      }
    },
  ]

  static let topLeftovers: [KeepalivedKeyword] =
    ["virtual_server", "virtual_server_group", "SSL"].map { name in
      .block(name, .top) { parser, opening in
        let words = opening.words.map(\.text).joined(separator: " ")
        parser.noteLVS(words, opening)
        parser.skipBlock(opening)
      }
    } + [
      .unsupported(
        "bfd_instance", .block, "no BFD session is kept, and nothing can track it", .top),
      .unsupported(
        "linkbeat_interfaces", .block, "link state comes from the kernel's messages only", .top),
      .unsupported(
        "interface_up_down_delays", .block,
        "a change of an interface's state acts at once, without delay", .top),
      .unsupported(
        "track_group", .block,
        "static addresses, routes and rules do not change a router's state", .top),
      .refused(
        "net_namespace", .line,
        "the addresses would go to the wrong place; start the daemon in the namespace instead "
          + "('ip netns exec NAME fairlead …')", .top, .global),
    ]
    + KeepalivedKeyword.idle(
      [.top, .global], "it concerns keepalived's own processes", "instance", "use_pid_dir",
      "child_wait_time", "namespace_with_ipsets", "net_namespace_ipvs", "config_save_dir",
      "tmp_config_directory")

  static let authentication: [KeepalivedKeyword] = [
    .line("auth_type", .authentication) { parser, line in
      guard let text = parser.required(line, "PASS or AH") else { return }
      switch text {
      case "PASS": parser.router?.authentication = .password
      case "AH": parser.router?.authentication = .header
      default:
        parser.warning(
          line, 1, "unknown authentication type '\(text)'; it is PASS, AH, or nothing at all")
        return
      }
      parser.router?.authenticationPlace = line.place(1)
      parser.rejectExtra(line, after: 1)
    },
    .line("auth_pass", .authentication) { parser, line in
      guard parser.required(line, "a password") != nil else { return }
      let word = line.words[1]
      guard word.exactBytes == nil, !word.lostBackslash else {
        return parser.error(
          line, 1,
          "a password must be UTF-8 text that does not end in '\\'; change it on every node")
      }
      var bytes = Array(word.text.utf8)
      if bytes.count > 8 {
        bytes = Array(bytes.prefix(8))
        parser.warning(
          line, 1,
          "auth_pass is cut to its first 8 bytes, as keepalived does on every node; write only "
            + "these, so that nobody relies on the rest")
      }
      parser.router?.password = (bytes, line.place(1))
      parser.rejectExtra(line, after: 1)
    },
  ]

  static let arpGroup: [KeepalivedKeyword] = [
    .line("garp_interval", .arpGroup) { parser, line in
      parser.arpGroup.arpInterval = parser.seconds(line, 1, 0.000001...4294.967295)
    },
    .line("arp_interval", .arpGroup) { parser, line in
      parser.arpGroup.arpInterval = parser.seconds(line, 1, 0.000001...4294.967295)
    },
    .line("gna_interval", .arpGroup) { parser, line in
      parser.arpGroup.neighbourInterval = parser.seconds(line, 1, 0.000001...4294.967295)
    },
    .line("na_interval", .arpGroup) { parser, line in
      parser.arpGroup.neighbourInterval = parser.seconds(line, 1, 0.000001...4294.967295)
    },
    .line("interface", .arpGroup) { parser, line in
      if let name = parser.interface(line, 1) { parser.arpGroup.interfaces.append(name) }
    },
    .block("interfaces", .arpGroup) { parser, opening in
      parser.note(
        opening, 0, "the intervals are kept on each interface by itself, not over all together")
      parser.eachValue(in: opening) { line in
        for index in line.words.indices {
          if let name = parser.interface(line, index) { parser.arpGroup.interfaces.append(name) }
        }
      }
    },
  ]
}

extension KeepalivedParser {
  func readARPGroup(_ opening: KeepalivedStatement) {
    arpGroup = ARPGroupDraft()
    readBlock(opening, as: .arpGroup)
    for name in arpGroup.interfaces where arpGroups[name] == nil { arpGroups[name] = arpGroup }
    if arpGroup.interfaces.isEmpty {
      warning(opening, 0, "'garp_group' names no interface; it is not used")
    }
  }
}
