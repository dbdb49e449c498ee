// What is said of sessions: `logging` for all of them, `log` of a frontend for its own.

/// What `logging` and the `log` of a frontend share.
struct NativeAccessLog: Equatable {
  enum Sessions: String, CaseIterable { case all, failed, none }
  var targets: [LogTarget] = [NativeLogging.standardOutput]
  /// nil: the daemon's.
  var tag: String?
  var sessions = Sessions.all
  var format = AccessLogFormat.tcplog
  /// Whether sessions without a byte are told.
  var tellsEmpty = false
  /// Whether those that failed are told as errors.
  var raisesFailed = false
  /// Whether the line is written as soon as the server is connected.
  var isEarly = false

  init() {}

  /// Where nothing is logged, `usual` says how.
  init(_ log: AccessLogSettings, _ usual: NativeAccessLog) {
    self = usual
    guard !log.targets.isEmpty else {
      sessions = .none
      return
    }
    targets = log.targets
    tag = log.tag
    sessions = log.dontLogNormal ? .failed : .all
    format = log.format
    tellsEmpty = !log.dontLogNull
    raisesFailed = log.separateErrors
    isEarly = log.logASAP
  }

  var settings: AccessLogSettings {
    var log = AccessLogSettings()
    log.targets = sessions == .none ? [] : targets
    log.tag = tag
    log.format = format
    log.dontLogNull = !tellsEmpty
    log.dontLogNormal = sessions == .failed
    log.separateErrors = raisesFailed
    log.logASAP = isEarly
    return log
  }

  /// Keys of `logging` and of `log`.
  static var sharedKeys: [NativeKey<NativeAccessLog>] {
    [
      NativeKey(
        "targets", \.targets, read: NativeLogging.readTargets,
        print: { .list($0.map(NativeLogging.printTarget)) }),
      NativeKey(
        "sessions", \.sessions,
        read: { $0.choice($1, Sessions.allCases.map { ($0.rawValue, $0) }) },
        print: { .scalar($0.rawValue) }),
      NativeKey("format", \.format, read: readFormat, print: printFormat),
      .flag("emptySessions", \.tellsEmpty),
      .flag("failedAsErrors", \.raisesFailed),
      .flag("early", \.isEarly),
    ]
  }

  static var keys: [NativeKey<NativeAccessLog>] { sharedKeys + [.word("tag", \.tag)] }

  /// `log` of a frontend, over what `logging` says.
  static var key: NativeKey<NativeFrontend> {
    var key = NativeKey<NativeFrontend>(
      "log", \.log, read: { _, _ in nil }, print: { _ in nil })
    key.read = { reader, value, draft in
      if value.text == "false" {
        draft.log.sessions = .none
      } else {
        reader.read(value, into: &draft.log, with: keys)
      }
    }
    key.print = { draft in
      let pairs = NativePrinter.pairs(draft.log, draft.usualLog, keys)
      return pairs.isEmpty ? nil : .map(pairs)
    }
    return key
  }

  // MARK: format

  private static func readFormat(
    _ reader: NativeReader, _ value: NativeValue
  ) -> AccessLogFormat? {
    guard let text = reader.string(value) else { return nil }
    if text == "tcplog" { return .tcplog }
    if text == "basic" { return .basic }
    guard text.contains("%") else {
      reader.report(at: value, "expected tcplog, basic or a log format such as '%ci:%cp %b/%s'")
      return nil
    }
    let (items, problems) = HAProxyLogFormat.compile(text)
    for problem in problems {
      reader.report(problem.isError ? .error : .warning, at: value, problem.message)
    }
    return problems.contains(where: \.isError) ? nil : .custom(items)
  }

  private static func printFormat(_ format: AccessLogFormat) -> NativeOutput? {
    switch format {
    case .tcplog: return .scalar("tcplog")
    case .basic: return .scalar("basic")
    case .custom(let items):
      let text = HAProxyLogFormat.print(items)
      // What needs no field needs one that is empty, to be known as a format.
      return .scalar(text.contains("%") ? text : text + "%o")
    }
  }
}

/// `log` of a backend: where changes of its servers' states go.
struct NativeBackendLog: Equatable {
  /// nil: as `logging` says.
  var targets: [LogTarget]?
  var tag: String?

  static var keys: [NativeKey<NativeBackendLog>] {
    [
      NativeKey(
        "targets", \.targets,
        read: { NativeLogging.readTargets($0, $1).map { .some($0) } },
        print: { $0.map { .list($0.map(NativeLogging.printTarget)) } }),
      .word("tag", \.tag),
    ]
  }

  static var key: NativeKey<NativeBackend> {
    NativeKey(
      "log", \.log,
      read: { reader, value in
        var log = NativeBackendLog()
        if value.text == "false" {
          log.targets = []
        } else {
          reader.read(value, into: &log, with: keys)
        }
        return log
      },
      print: { log in
        let pairs = NativePrinter.pairs(log, NativeBackendLog(), keys)
        return pairs.isEmpty ? nil : .map(pairs)
      })
  }
}
