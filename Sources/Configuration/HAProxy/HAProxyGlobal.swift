// The `global` section (manual, section 3).

extension HAProxyKeywords {
  static let global: [Keyword] = globalSettings + globalNotes + globalUnserved + globalRefused

  private static let globalSettings: [Keyword] = [
    Keyword("maxconn", .global) { parser, line in
      guard let value = parser.only(line, "maxconn", in: 0...Int(Int32.max)) else { return }
      parser.global.maxconn = value == 0 ? nil : value
    },
    Keyword("nbthread", .global) { parser, line in
      parser.only(line, "nbthread", in: 1...64).map { parser.global.threads = $0 }
    },
    Keyword("ulimit-n", .global) { parser, line in
      parser.only(line, "ulimit-n", in: 1...Int(Int32.max))
        .map { parser.global.fileDescriptorLimit = $0 }
    },
    Keyword("maxpipes", .global) { parser, line in
      parser.only(line, "maxpipes", in: 0...Int(Int32.max)).map { parser.global.maxPipes = $0 }
    },
    Keyword("maxconnrate", .global) { $0.connectionRate($1) },
    Keyword("maxsessrate", .global) { $0.connectionRate($1) },
    Keyword("spread-checks", .global) { parser, line in
      parser.only(line, "spread-checks", in: 0...50).map { parser.global.spreadChecks = $0 }
    },
    Keyword("daemon", .global) { parser, line in
      guard parser.rejectExtra(line, after: 0) else { return }
      parser.global.daemon = true
      parser.note(line, 0, "Fairlead stays in the foreground, as service managers prefer")
    },
    Keyword("pidfile", .global) { parser, line in
      parser.only(line, "pidfile").map { parser.global.pidFile = $0 }
    },
    Keyword("user", .global) { parser, line in
      parser.only(line, "user").map { parser.global.user = $0 }
      parser.note(line, 0, keepsIdentity)
    },
    Keyword("group", .global) { parser, line in
      parser.only(line, "group").map { parser.global.group = $0 }
      parser.note(line, 0, keepsIdentity)
    },
    Keyword("uid", .global) { parser, line in
      parser.only(line, "uid", in: 0...4_294_967_294).map { parser.global.user = String($0) }
      parser.note(line, 0, keepsIdentity)
    },
    Keyword("gid", .global) { parser, line in
      parser.only(line, "gid", in: 0...4_294_967_294).map { parser.global.group = String($0) }
      parser.note(line, 0, keepsIdentity)
    },
    Keyword("chroot", .global) { parser, line in
      parser.only(line, "chroot").map { parser.global.chroot = $0 }
      parser.note(line, 0, keepsIdentity)
    },
    Keyword("hard-stop-after", .global) { parser, line in
      guard let value = parser.time(line, 1, "hard-stop-after") else { return }
      parser.rejectExtra(line, after: 1)
      parser.global.hardStopAfter = value == .zero ? nil : value
    },
    Keyword("ssl-server-verify", .global) { parser, line in
      switch parser.only(line, "ssl-server-verify") {
      case "none": parser.global.serverVerifyNone = true
      case "required": parser.global.serverVerifyNone = false
      case nil: break
      default: parser.error(line, 1, "'ssl-server-verify' expects 'none' or 'required'")
      }
    },
    Keyword("ca-base", .global) { parser, line in
      parser.only(line, "ca-base").map { parser.global.caBase = $0 }
    },
    Keyword("crt-base", .global) { parser, line in
      parser.only(line, "crt-base").map { parser.global.crtBase = $0 }
    },
    Keyword("node", .global) { parser, line in
      parser.only(line, "node").map { parser.global.node = $0 }
    },
    Keyword("description", .global) { parser, line in
      guard parser.string(line, 1, "description") != nil else { return }
      parser.global.description = line.words.dropFirst().map(\.text).joined(separator: " ")
    },
    Keyword("nosplice", .global) { parser, _ in parser.global.noSplice = true },
    Keyword("log", .global) { parser, line in
      guard let target = parser.logTarget(line) else { return }
      parser.global.logTargets.append(target)
    },
    Keyword("log-tag", .global) { parser, line in
      parser.only(line, "log-tag").map { parser.global.logTag = $0 }
    },
    Keyword("log-send-hostname", .global) { parser, line in
      parser.rejectExtra(line, after: 1)
      parser.global.logHostname = line.text(1) ?? ""
    },
    Keyword("setenv", .global) { $0.changeEnvironment($1) },
    Keyword("presetenv", .global) { $0.changeEnvironment($1) },
    Keyword("unsetenv", .global) { $0.changeEnvironment($1) },
    Keyword("resetenv", .global) { $0.changeEnvironment($1) },
    Keyword("zero-warning", .global) { parser, line in parser.zeroWarning = Place(line) },
    Keyword("default-path", .global) { parser, line in
      guard let kind = parser.string(line, 1, "default-path"), kind != "current" else { return }
      parser.error(
        line, 1, "'default-path \(kind)' is not supported: write file names as absolute paths")
    },
  ]

  private static let keepsIdentity =
    "Fairlead keeps the user it was started as, so that a reload can bind ports below 1024;"
    + " start it as that user with CAP_NET_BIND_SERVICE instead"

  /// Accepted without effect, by reason.
  private static let globalNotes: [Keyword] = {
    let reasons: [(String, [String])] = [
      (
        "clients' and servers' TLS passes through untouched",
        [
          "ssl-default-bind-ciphers", "ssl-default-bind-ciphersuites", "ssl-default-bind-options",
          "ssl-default-bind-curves", "ssl-default-bind-sigalgs",
          "ssl-default-bind-client-sigalgs", "ssl-default-server-ciphers",
          "ssl-default-server-ciphersuites", "ssl-default-server-options",
          "ssl-default-server-curves", "ssl-default-server-sigalgs",
          "ssl-default-server-client-sigalgs", "ssl-dh-param-file", "ssl-engine",
          "ssl-load-extra-files", "ssl-load-extra-del-ext", "ssl-mode-async", "ssl-propquery",
          "ssl-provider", "ssl-provider-path", "ssl-skip-self-issued-ca", "ssl-security-level",
          "issuers-chain-path", "maxsslconn", "maxsslrate",
        ]
      ),
      (
        "threads are placed by the kernel",
        [
          "cpu-map", "cpu-policy", "cpu-set", "numa-cpu-mapping", "thread-group",
          "thread-groups", "thread-hard-limit", "busy-polling",
        ]
      ),
      (
        "there is one process, and it reloads in place",
        [
          "master-worker", "mworker-max-reloads", "grace", "close-spread-time",
          "set-dumpable", "strict-limits", "fd-hard-limit", "insecure-fork-wanted",
          "insecure-setuid-wanted", "external-check", "quiet", "debug", "localpeer",
          "no-memory-trimming", "noreuseport", "shm-stats-file", "expose-experimental-directives",
          "expose-deprecated-directives", "warn-blocked-traffic-after", "force-cfg-parser-pause",
          "max-spread-checks", "pp2-never-send-local", "stats-file", "cluster-secret",
        ]
      ),
      (
        "readiness comes from epoll",
        ["noepoll", "nopoll", "nokqueue", "noevports", "nogetaddrinfo", "noktls"]
      ),
      (
        "it concerns HTTP, compression or scripts",
        [
          "h1-accept-payload-with-any-method", "h1-case-adjust", "h1-case-adjust-file",
          "h1-do-not-close-on-insecure-transfer-encoding", "h2-workaround-bogus-websocket-clients",
          "httpclient.resolvers.id", "httpclient.resolvers.prefer", "httpclient.resolvers.disabled",
          "httpclient.ssl.ca-file", "httpclient.ssl.verify", "httpclient.retries",
          "httpclient.timeout.connect", "maxcomprate", "maxcompcpuusage", "maxzlibmem",
          "profiling.tasks", "profiling.memory", "lua-prepend-path", "limited-quic", "no-quic",
          "dns-accept-family",
        ]
      ),
    ]
    return reasons.flatMap { reason, names in
      names.map { name in
        Keyword(name, .global) { parser, line in parser.note(line, 0, reason) }
      }
    }
  }()

  private static let globalUnserved: [Keyword] = [
    Keyword("stats", .global) { parser, line in
      guard let what = parser.string(line, 1, "stats") else { return }
      guard
        ["socket", "timeout", "maxconn", "bind-process", "calculate-max-counters"]
          .contains(what)
      else {
        return parser.error(
          line, 1, "'stats' in 'global' supports 'socket', 'maxconn' and 'timeout', not '\(what)'")
      }
      if what == "socket" {
        parser.unserved("stats socket", line, "no runtime commands are answered")
      } else {
        parser.note(line, 1, "it belongs to 'stats socket'")
      }
    },
    Keyword("server-state-file", .global) { parser, line in
      parser.unserved("server-state-file", line, "servers start in the state the file gives them")
    },
    Keyword("server-state-base", .global) { parser, line in
      parser.note(line, 0, "it belongs to 'server-state-file'")
    },
    Keyword("set-var", .global) { parser, line in
      parser.unserved("set-var", line, "rules that use variables are not served either")
    },
    Keyword("set-var-fmt", .global) { parser, line in
      parser.unserved("set-var", line, "rules that use variables are not served either")
    },
  ]

  private static let globalRefused: [Keyword] = [
    ("nbproc", "is not supported anymore: one process serves everything, use 'nbthread'"),
    ("lua-load", "is not supported: there is no Lua here, and rules that call it would be lost"),
    ("lua-load-per-thread", "is not supported: there is no Lua here"),
    ("unix-bind", "is not supported: write mode, user and group on each 'bind' line"),
    ("user-bind", "is not supported"),
    ("module-load", "is not supported"),
    ("wurfl-data-file", "is not supported: device detection is for HTTP"),
    ("51degrees-data-file", "is not supported: device detection is for HTTP"),
    ("deviceatlas-json-file", "is not supported: device detection is for HTTP"),
  ].map { name, reason in
    Keyword(name, .global) { parser, line in parser.error(line, 0, "'\(name)' \(reason)") }
  }
}

extension HAProxyParser {
  /// The single integer of a one-argument keyword.
  func only(_ line: Line, _ name: String, in range: ClosedRange<Int>) -> Int? {
    guard let value = integer(line, 1, name, in: range) else { return nil }
    rejectExtra(line, after: 1)
    return value
  }

  /// The single text of a one-argument keyword.
  func only(_ line: Line, _ name: String) -> String? {
    guard let value = string(line, 1, name) else { return nil }
    rejectExtra(line, after: 1)
    return value
  }

  /// A TCP session is a connection here, so both limits are one: the smaller stands.
  func connectionRate(_ line: Line) {
    guard let value = only(line, line.keyword, in: 0...Int(Int32.max)), value > 0 else { return }
    global.maxConnectionRate = min(value, global.maxConnectionRate ?? value)
  }

  /// Section 3.1: changes what later lines see in "$NAME".
  func changeEnvironment(_ line: Line) {
    let names = line.words.dropFirst().map(\.text)
    switch line.keyword {
    case "unsetenv": for name in names { environment[name] = nil }
    case "resetenv": environment = environment.filter { names.contains($0.key) }
    default:
      guard let name = string(line, 1, line.keyword), let value = string(line, 2, line.keyword)
      else { return }
      rejectExtra(line, after: 2)
      environmentBytes += name.utf8.count + value.utf8.count
      guard environmentBytes <= HAProxyParser.maximumEnvironment else {
        return error(line, 0, "variables set in the file take more than 1 MiB")
      }
      if line.keyword == "setenv" || environment[name] == nil { environment[name] = value }
    }
  }
}
