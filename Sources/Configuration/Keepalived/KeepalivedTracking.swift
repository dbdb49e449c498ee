// What is watched: vrrp_script, track_file, vrrp_track_process, and the track_* lists of
// instances and groups.

extension KeepalivedKeywords {
  static let tracking: [KeepalivedKeyword] = [
    .block("track_interface", .instance, .group) { parser, opening in
      parser.eachValue(in: opening) { line in
        guard line.text(0).map({ $0.utf8.count <= 15 }) == true else {
          return parser.warning(line, 0, "interface names have 15 bytes at most; it is not used")
        }
        if let track = parser.track(line, most: 253) {
          parser.changeTracks { parser.add(track, to: &$0.interfaces, line) }
        }
      }
    },
    .block("track_script", .instance, .group) { parser, opening in
      parser.eachValue(in: opening) { line in
        if let track = parser.track(line, most: 253) {
          parser.changeTracks { parser.add(track, to: &$0.scripts, line) }
        }
      }
    },
    .block("track_file", .instance, .group) { parser, opening in
      parser.eachValue(in: opening) { line in
        if let track = parser.track(line, most: 254) {
          parser.changeTracks { parser.add(track, to: &$0.files, line) }
        }
      }
    },
    .block("track_process", .instance, .group) { parser, opening in
      parser.eachValue(in: opening) { line in
        if let track = parser.track(line, most: 254) {
          parser.changeTracks { parser.add(track, to: &$0.processes, line) }
        }
      }
    },
    .unsupported(
      "track_bfd", .block, "the router does not react to BFD sessions", .instance, .group),
  ]

  static let script: [KeepalivedKeyword] = [
    .line("script", .script) { parser, line in
      if let command = parser.command(line, takesUser: false) { parser.script?.command = command }
    },
    .line("interval", .script) { parser, line in
      if let value = parser.seconds(line, 1, 0.001...1_000_000) { parser.script?.interval = value }
    },
    .line("timeout", .script) { parser, line in
      if let value = parser.seconds(line, 1, 0.001...1_000_000) { parser.script?.timeout = value }
    },
    .line("weight", .script) { parser, line in
      guard let (weight, isReversed) = parser.weight(line, 1, most: 253) else { return }
      parser.script?.weight = weight
      parser.script?.isReversed = isReversed
    },
    .line("rise", .script) { parser, line in
      if let value = parser.number(line, 1, 1...Int(Int32.max)) { parser.script?.rise = value }
    },
    .line("fall", .script) { parser, line in
      if let value = parser.number(line, 1, 1...Int(Int32.max)) { parser.script?.fall = value }
    },
    .line("user", .script) { parser, line in
      guard let user = parser.user(line, from: 1) else {
        return parser.warning(line, 1, "'user' expects a name; the line is not used")
      }
      parser.script?.user = user
    },
    .line("init_fail", .script) { parser, _ in parser.script?.startsFailed = true },
  ]

  static let trackFile: [KeepalivedKeyword] = [
    .line("file", .trackFile) { parser, line in
      let words = line.escapedWords
      guard words.count > 1, !words[1].isEmpty, !words[1].utf8.contains(0) else {
        return parser.warning(line, 1, "'file' expects a path; the line is not used")
      }
      parser.file?.file.path = words[1]
      parser.rejectExtra(line, after: 1)
    },
    .line("weight", .trackFile) { parser, line in
      guard let (weight, isReversed) = parser.weight(line, 1, most: 254) else { return }
      parser.file?.file.weight = weight
      parser.file?.file.isReversed = isReversed
    },
    .line("init_file", .trackFile) { parser, line in
      var value = 0
      var overwrites = false
      for index in line.words.indices.dropFirst() {
        let word = line.words[index].text
        if word == "overwrite" {
          overwrites = true
        } else if let number = KeepalivedUnits.integer(word), Int32(exactly: number) != nil {
          value = number
        } else {
          parser.warning(line, index, "'\(word)' is neither a number nor 'overwrite'")
        }
      }
      parser.file?.file.initial = .create(value: value, overwrites: overwrites)
    },
  ]

  static let trackProcess: [KeepalivedKeyword] = [
    .line("process", .trackProcess) { parser, line in
      let words = Array(line.escapedWords.dropFirst())
      guard let name = words.first, !name.isEmpty, !words.contains(where: { $0.utf8.contains(0) })
      else {
        return parser.warning(line, 1, "'process' expects a name; the line is not used")
      }
      parser.process?.words = words
    },
    .line("param_match", .trackProcess) { parser, line in
      switch line.text(1) {
      case "initial": parser.process?.matching = .initial
      case "partial": parser.process?.matching = .partial
      default: parser.warning(line, 1, "'param_match' takes 'initial' or 'partial'")
      }
    },
    .line("weight", .trackProcess) { parser, line in
      guard let (weight, isReversed) = parser.weight(line, 1, most: 254) else { return }
      parser.process?.process.weight = weight
      parser.process?.process.isReversed = isReversed
    },
    .line("quorum", .trackProcess) { parser, line in
      guard let value = parser.number(line, 1, 1...65_535) else { return }
      if let most = parser.process?.process.maximum, value > most {
        return parser.warning(line, 1, "more than 'quorum_max' (\(most)); the line is not used")
      }
      parser.process?.process.quorum = value
    },
    .line("quorum_max", .trackProcess) { parser, line in
      guard let value = parser.number(line, 1, 0...65_535) else { return }
      let quorum = parser.process?.process.quorum ?? 1
      if value < quorum, value > 0 || quorum > 1 {
        return parser.warning(line, 1, "less than 'quorum' (\(quorum)); the line is not used")
      }
      parser.process?.process.maximum = value
    },
    .line("fork_delay", .trackProcess) { parser, line in
      if let value = parser.seconds(line, 1, 0.000001...3600) {
        parser.process?.process.forkDelay = value
      }
    },
    .line("terminate_delay", .trackProcess) { parser, line in
      if let value = parser.seconds(line, 1, 0.000001...3600) {
        parser.process?.process.terminateDelay = value
      }
    },
    .line("delay", .trackProcess) { parser, line in
      if let value = parser.seconds(line, 1, 0.000001...3600) {
        parser.process?.process.forkDelay = value
        parser.process?.process.terminateDelay = value
      }
    },
    .line("full_command", .trackProcess) { parser, _ in
      parser.process?.process.matchesFullCommand = true
    },
  ]
}

extension KeepalivedParser {
  /// The tracks of the instance or group being read.
  func changeTracks(_ body: (inout TracksDraft) -> Void) {
    if router != nil { body(&router!.tracks) } else if group != nil { body(&group!.tracks) }
  }

  func add(_ track: TrackReference, to list: inout [TrackDraft], _ line: KeepalivedStatement) {
    guard list.count < 1024 else {
      return warning(line, 0, "more than 1024 things in one list; this one is not used")
    }
    guard !list.contains(where: { $0.reference.name == track.name }) else {
      return warning(line, 0, "'\(track.name)' is listed twice; the second line is not used")
    }
    list.append(TrackDraft(reference: track, place: line.place()))
  }

  /// `NAME [weight N [reverse|noreverse]]`
  func track(_ line: KeepalivedStatement, most: Int) -> TrackReference? {
    guard let name = line.text(0), !name.isEmpty else { return nil }
    var result = TrackReference(name)
    guard let word = line.text(1) else { return result }
    guard word == "weight" else {
      warning(line, 1, "'\(word)' is not used: only 'weight' may follow the name")
      return result
    }
    if let (weight, isReversed) = weight(line, 2, most: most) {
      result.weight = weight
      result.isReversed = isReversed
    }
    return result
  }

  /// `N [reverse|noreverse]`. One beyond the limit is the limit, as in keepalived.
  func weight(
    _ line: KeepalivedStatement, _ index: Int, most: Int
  ) -> (weight: Int, isReversed: Bool)? {
    guard let text = line.text(index) else {
      warning(line, index, "'weight' expects a number; it is not used")
      return nil
    }
    guard var value = KeepalivedUnits.integer(text), abs(value) <= 254 else {
      warning(line, index, "'\(text)' is not a weight in -\(most)…\(most); it is not used")
      return nil
    }
    if abs(value) > most {
      warning(line, index, "the largest weight is \(most), which is taken")
      value = value < 0 ? -most : most
    }
    switch line.text(index + 1) {
    case nil, "noreverse", "no_reverse": return (value, false)
    case "reverse": return (value, true)
    case .some(let word):
      warning(line, index + 1, "'\(word)' is not used: only 'reverse' may follow a weight")
      return (value, false)
    }
  }

  // MARK: Blocks

  /// The name that a block begins with; without one the block is not used.
  func blockName(_ opening: KeepalivedStatement) -> String? {
    guard let name = opening.text(1), !name.isEmpty else {
      warning(opening, 1, "'\(opening.keyword)' expects a name; it is not used")
      skipBlock(opening)
      return nil
    }
    rejectExtra(opening, after: 1)
    return name
  }

  func readScript(_ opening: KeepalivedStatement) {
    guard let name = blockName(opening) else { return }
    script = ScriptDraft(name: name, place: opening.place(1))
    readBlock(opening, as: .script)
    guard let draft = script else { return }
    script = nil
    guard draft.command != nil else {
      return warning(opening, 1, "vrrp_script '\(name)' has no 'script'; it is not used")
    }
    guard scriptIndices[name] == nil else {
      return warning(opening, 1, "there is a vrrp_script '\(name)' already; this one is not used")
    }
    scriptIndices[name] = scripts.count
    scripts.append(draft)
  }

  func readTrackFile(_ opening: KeepalivedStatement) {
    guard let name = blockName(opening) else { return }
    file = FileDraft(place: opening.place(1), file: TrackedFile(name: name, path: ""))
    readBlock(opening, as: .trackFile)
    guard let draft = file else { return }
    file = nil
    guard !draft.file.path.isEmpty else {
      return warning(opening, 1, "track_file '\(name)' has no 'file'; it is not used")
    }
    guard fileIndices[name] == nil else {
      return warning(opening, 1, "there is a track_file '\(name)' already; this one is not used")
    }
    fileIndices[name] = files.count
    files.append(draft)
  }

  func readTrackProcess(_ opening: KeepalivedStatement) {
    guard let name = blockName(opening) else { return }
    process = ProcessDraft(
      place: opening.place(1), process: TrackedProcess(name: name, process: ""))
    readBlock(opening, as: .trackProcess)
    guard var draft = process else { return }
    process = nil
    guard let program = draft.words.first else {
      return warning(opening, 1, "vrrp_track_process '\(name)' has no 'process'; it is not used")
    }
    guard processIndices[name] == nil else {
      return warning(
        opening, 1, "there is a vrrp_track_process '\(name)' already; this one is not used")
    }
    draft.process.process = program
    let arguments = Array(draft.words.dropFirst())
    switch draft.matching {
    case .initial: draft.process.arguments = .prefix(arguments)
    case .partial: draft.process.arguments = .initial(arguments)
    case nil: draft.process.arguments = arguments.isEmpty ? .any : .exact(arguments)
    }
    // Arguments can only be compared with the whole command line.
    if draft.process.arguments != .any { draft.process.matchesFullCommand = true }
    processIndices[name] = processes.count
    processes.append(draft)
  }
}
