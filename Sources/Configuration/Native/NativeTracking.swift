// What routers watch: references to it, and scripts, files and processes by their names.

extension NativeReader {
  /// Words of a command as a list, one word, or a mapping that also says whom it runs as.
  func command(_ value: NativeValue) -> ScriptCommand? {
    guard value.node.mapping != nil else {
      return words(value).map { ScriptCommand(words: $0, origin: origin(value)) }
    }
    var draft = NativeCommand()
    read(value, into: &draft, with: NativeCommand.keys)
    guard !draft.words.isEmpty else {
      if !hasErrors { report(at: value, "'command' is missing") }
      return nil
    }
    return ScriptCommand(words: draft.words, user: user(draft, at: value), origin: origin(value))
  }

  func words(_ value: NativeValue) -> [String]? {
    let words = elements(value, acceptsOne: true).compactMap { string($0) }
    guard let first = words.first, words.count <= 64 else {
      report(at: value, "expected a command and its words, 64 at most")
      return nil
    }
    guard value.text == nil || !first.utf8.contains(32) else {
      report(at: value, "the words of a command are a list: [/bin/echo, a]")
      return nil
    }
    return words
  }

  func user(_ draft: NativeCommand, at value: NativeValue) -> ScriptUser? {
    if draft.user == nil, draft.group != nil { report(at: value, "'group' needs 'user'") }
    return draft.user.map { ScriptUser($0, group: draft.group) }
  }

  /// Entries by their names, each read with a table; `make` gives an empty one.
  func named<Target>(
    _ value: NativeValue, _ keys: [NativeKey<Target>], _ make: (String) -> Target
  ) -> [(name: String, place: NativeValue, target: Target)] {
    entries(value).compactMap { key, place, value in
      guard name(NativeValue(node: place.node, path: place.path)) != nil else { return nil }
      var target = make(key)
      read(value, into: &target, with: keys)
      return (key, value, target)
    }
  }
}

/// A command and whom it runs as, while it is read.
struct NativeCommand {
  var words: [String] = []
  var user: String?
  var group: String?

  static var keys: [NativeKey<NativeCommand>] {
    [
      NativeKey(
        "command", \.words, read: { $0.words($1) },
        print: { .list($0.map { .scalar($0) }) }),
      .word("user", \.user), .word("group", \.group),
    ]
  }

  init() {}
  init(_ command: ScriptCommand) {
    (words, user, group) = (command.words, command.user?.user, command.user?.group)
  }

  static func print(_ command: ScriptCommand?) -> NativeOutput? {
    guard let command else { return nil }
    if command.user == nil { return .list(command.words.map { .scalar($0) }) }
    return .map(NativePrinter.pairs(NativeCommand(command), NativeCommand(), keys))
  }
}

/// How references are written: names, whose failure is a fault or counts as the thing itself says,
/// or a mapping of names to weights. `{weight: N, reverse: true}` counts the other way round.
struct NativeReferences {
  /// The largest weight: 253, of files and processes 254.
  let most: Int
  let isInterface: Bool

  static let interfaces = NativeReferences(most: 253, isInterface: true)
  static let scripts = NativeReferences(most: 253, isInterface: false)
  static let others = NativeReferences(most: 254, isInterface: false)

  func key<Target>(
    _ name: String, _ path: WritableKeyPath<Target, [TrackReference]>
  ) -> NativeKey<Target> {
    NativeKey(name, path, read: read, print: NativeReferences.print)
  }

  private func read(_ reader: NativeReader, _ value: NativeValue) -> [TrackReference]? {
    guard value.node.mapping != nil else {
      var found: [TrackReference] = []
      for element in reader.elements(value, acceptsOne: true) {
        guard let name = name(reader, element) else { continue }
        if found.contains(where: { $0.name == name }) {
          reader.report(at: element, "'\(name)' is already there")
        } else {
          found.append(TrackReference(name))
        }
      }
      return found
    }
    return reader.entries(value).compactMap { _, place, value in
      guard let name = name(reader, place) else { return nil }
      var reference = TrackReference(name)
      if value.node.mapping != nil {
        reader.read(value, into: &reference, with: keys)
        if reference.weight == nil, reference.isReversed, !reader.hasErrors {
          reader.report(at: value, "'reverse' needs 'weight'")
        }
      } else {
        guard let weight = reader.integer(value, in: -most...most) else { return nil }
        reference.weight = weight
      }
      return reference
    }
  }

  private var keys: [NativeKey<TrackReference>] {
    [.number("weight", \.weight, -most...most), .flag("reverse", \.isReversed)]
  }

  private func name(_ reader: NativeReader, _ value: NativeValue) -> String? {
    isInterface
      ? reader.interfaceName(value)
      : reader.name(NativeValue(node: value.node, path: value.path))
  }

  private static func print(_ references: [TrackReference]) -> NativeOutput? {
    if references.allSatisfy({ $0.weight == nil && !$0.isReversed }) {
      return .list(references.map { .scalar($0.name) })
    }
    return .map(
      references.map { reference in
        guard let weight = reference.weight else { return (reference.name, .map([])) }
        let text = NativeOutput.scalar(String(weight))
        guard reference.isReversed else { return (reference.name, text) }
        return (reference.name, .map([("weight", text), ("reverse", .scalar("true"))]))
      })
  }
}

extension NativeReader {
  func interfaceName(_ value: NativeValue) -> String? {
    guard let name = string(value) else { return nil }
    if name.utf8.count <= 15, !name.utf8.contains(where: { $0 <= 32 || $0 == 47 }) { return name }
    report(at: value, "an interface name has at most 15 bytes, no blanks and no '/'")
    return nil
  }
}

// MARK: what is watched

/// One entry of `scripts`, while it is read.
struct NativeScript {
  var model: TrackedScript
  var command = NativeCommand()

  init(_ name: String) {
    model = TrackedScript(name: name, command: ScriptCommand(words: [], origin: Origin()))
  }
  init(_ script: TrackedScript) {
    model = script
    command = NativeCommand(script.command)
  }

  static var keys: [NativeKey<NativeScript>] {
    [
      NativeKey(
        "command", \.command.words, read: { $0.words($1) },
        print: { .list($0.map { .scalar($0) }) }),
      .word("user", \.command.user), .word("group", \.command.group),
      .time("interval", \.model.interval), .optionalTime("timeout", \.model.timeout),
      .number("weight", \.model.weight, -253...253), .flag("reverse", \.model.isReversed),
      .number("rise", \.model.rise, 1...Int(Int32.max)),
      .number("fall", \.model.fall, 1...Int(Int32.max)),
      .flag("startsFailed", \.model.startsFailed),
    ]
  }

  static func read(_ reader: NativeReader, _ value: NativeValue) -> [TrackedScript] {
    reader.named(value, keys, NativeScript.init).map { _, place, draft in
      if draft.command.words.isEmpty, !reader.hasErrors {
        reader.report(at: place, "'command' is missing")
      }
      var script = draft.model
      script.command = ScriptCommand(
        words: draft.command.words, user: reader.user(draft.command, at: place),
        origin: reader.origin(place))
      return script
    }
  }
}

extension TrackedFile {
  static var keys: [NativeKey<TrackedFile>] {
    [
      NativeKey("path", \.path, read: { $0.string($1) }, print: { .scalar($0) }),
      .number("weight", \.weight, -254...254), .flag("reverse", \.isReversed),
      NativeKey("create", \.initial, read: readInitial, print: printInitial),
    ]
  }

  static func read(_ reader: NativeReader, _ value: NativeValue) -> [TrackedFile] {
    reader.named(value, keys) { TrackedFile(name: $0, path: "") }.map { _, place, file in
      if file.path.isEmpty, !reader.hasErrors { reader.report(at: place, "'path' is missing") }
      return file
    }
  }

  private struct Creation {
    var value = 0
    var overwrites = false
    static var keys: [NativeKey<Creation>] {
      [
        .number("value", \.value, Int(Int32.min)...Int(Int32.max)),
        .flag("overwrite", \.overwrites),
      ]
    }
  }

  private static func readInitial(_ reader: NativeReader, _ value: NativeValue) -> Initial? {
    var creation = Creation()
    if value.node.mapping != nil {
      reader.read(value, into: &creation, with: Creation.keys)
    } else {
      Creation.keys[0].read(reader, value, &creation)
    }
    return .create(value: creation.value, overwrites: creation.overwrites)
  }

  private static func printInitial(_ initial: Initial) -> NativeOutput? {
    guard case .create(let value, let overwrites) = initial else { return nil }
    let text = NativeOutput.scalar(String(value))
    return overwrites ? .map([("value", text), ("overwrite", .scalar("true"))]) : text
  }
}

extension TrackedProcess {
  static var keys: [NativeKey<TrackedProcess>] {
    [
      NativeKey("process", \.process, read: { $0.string($1) }, print: { .scalar($0) }),
      NativeKey("arguments", \.arguments, read: readArguments, print: printArguments),
      .flag("fullCommand", \.matchesFullCommand),
      .number("weight", \.weight, -254...254), .flag("reverse", \.isReversed),
      .number("quorum", \.quorum, 1...65_535), .number("maximum", \.maximum, 0...65_535),
      .time("forkDelay", \.forkDelay, delays), .time("terminateDelay", \.terminateDelay, delays),
    ]
  }
  private static let delays: ClosedRange<Duration> = .zero ... .seconds(3600)

  static func read(_ reader: NativeReader, _ value: NativeValue) -> [TrackedProcess] {
    reader.named(value, keys) { TrackedProcess(name: $0, process: "") }.map { _, place, process in
      if process.process.isEmpty, !reader.hasErrors {
        reader.report(at: place, "'process' is missing")
      }
      if let most = process.maximum, most < process.quorum, most > 0 || process.quorum > 1 {
        reader.report(at: place, "'maximum' \(most) is less than 'quorum' \(process.quorum)")
      }
      return process
    }
  }

  /// A list is all of them; `{first: […]}` and `{beginning: […]}` let more follow.
  private struct Match {
    var first: [String]?
    var beginning: [String]?
    static var keys: [NativeKey<Match>] {
      [
        NativeKey("first", \.first, read: { words($0, $1) }, print: { list($0) }),
        NativeKey("beginning", \.beginning, read: { words($0, $1) }, print: { list($0) }),
      ]
    }
  }

  private static func words(_ reader: NativeReader, _ value: NativeValue) -> [String]?? {
    .some(reader.elements(value).compactMap { reader.string($0) })
  }

  private static func list(_ words: [String]?) -> NativeOutput? {
    words.map { .list($0.map { .scalar($0) }) }
  }

  private static func readArguments(_ reader: NativeReader, _ value: NativeValue) -> Arguments? {
    guard value.node.mapping != nil else {
      return words(reader, value).flatMap { $0 }.map { .exact($0) }
    }
    var match = Match()
    reader.read(value, into: &match, with: Match.keys)
    switch (match.first, match.beginning) {
    case (let words?, nil): return .initial(words)
    case (nil, let words?): return .prefix(words)
    default:
      if !reader.hasErrors { reader.report(at: value, "expected 'first' or 'beginning'") }
      return nil
    }
  }

  private static func printArguments(_ arguments: Arguments) -> NativeOutput? {
    switch arguments {
    case .any: nil
    case .exact(let words): list(words)
    case .initial(let words): list(words).map { .map([("first", $0)]) }
    case .prefix(let words): list(words).map { .map([("beginning", $0)]) }
    }
  }
}
