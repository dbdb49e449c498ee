// `vrrp_sync_group`, and the commands that groups and instances run.

extension KeepalivedKeywords {
  static let group: [KeepalivedKeyword] = [
    .block("group", .group) { parser, opening in
      guard parser.group?.hasMemberBlock == false else {
        parser.warning(opening, 0, "the members are listed above; this list is not used")
        return parser.skipBlock(opening)
      }
      parser.group?.hasMemberBlock = true
      parser.eachValue(in: opening) { line in
        for index in line.words.indices {
          let name = line.words[index].text
          guard parser.group?.members.contains(where: { $0.name == name }) == false else {
            parser.warning(line, index, "'\(name)' is listed twice; the second one is not used")
            continue
          }
          guard (parser.group?.members.count ?? 0) < 4096 else {
            parser.warning(line, index, "more than 4096 members; this one is not used")
            continue
          }
          parser.group?.members.append((name, line.place(index)))
        }
      }
    },
    .line("sync_group_tracking_weight", .group) { parser, _ in
      parser.group?.allowsWeights = true
    },
    .unsupported(
      "global_tracking", .line,
      "put track_interface, track_script and track_file into the group instead", .group),
    .line("notify_priority_changes", .group, .instance) { parser, line in
      guard let value = parser.flag(line) else { return }
      if parser.router != nil {
        parser.router?.notifiesPriorityChanges = value
      } else {
        parser.group?.notifiesPriorityChanges = value
      }
    },
  ]

  /// keepalived takes the first of each kind.
  static let notifications: [KeepalivedKeyword] =
    ([
      ("notify_master", \.master), ("notify_backup", \.backup), ("notify_fault", \.fault),
      ("notify_stop", \.stop), ("notify", \.any),
    ] as [(String, WritableKeyPath<NotifyCommands, ScriptCommand?> & Sendable)]).map { name, path in
      .line(name, .instance, .group) { parser, line in parser.notify(line, path) }
    } + [
      .line("notify_master_rx_lower_pri", .instance) { parser, line in
        parser.notify(line, \.lowerPriorityHeard)
      },
      .line("notify_deleted", .instance) { parser, line in
        if parser.router != nil {
          parser.router?.notify.reportsDeletion = true
        } else {
          parser.group?.notify.reportsDeletion = true
        }
        if line.words.count > 1 { parser.notify(line, \.deleted) }
      },
    ]
}

extension KeepalivedParser {
  func notify(
    _ line: KeepalivedStatement, _ path: WritableKeyPath<NotifyCommands, ScriptCommand?>
  ) {
    let known = router != nil ? router?.notify[keyPath: path] : group?.notify[keyPath: path]
    guard known == nil else {
      return warning(line, 0, "'\(line.keyword)' is given twice; the first one is used")
    }
    guard let command = command(line, takesUser: true) else { return }
    if router != nil {
      router?.notify[keyPath: path] = command
    } else {
      group?.notify[keyPath: path] = command
    }
  }

  func readGroup(_ opening: KeepalivedStatement) {
    guard let name = blockName(opening) else { return }
    guard groupIndices[name] == nil else {
      warning(opening, 1, "there is a vrrp_sync_group '\(name)' already; this one is not used")
      return skipBlock(opening)
    }
    group = GroupDraft(name: name, place: opening.place(1))
    readBlock(opening, as: .group)
    guard let draft = group else { return }
    group = nil
    groupIndices[name] = groups.count
    groups.append(draft)
  }
}
