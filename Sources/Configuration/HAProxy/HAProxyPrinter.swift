// The model as canonical text of the HAProxy dialect: every value explicit, no `defaults`.

struct HAProxyPrinter {
  var text = ""
  private var hasSection = false
  private var globalLogs: [LogTarget] = []

  mutating func section(_ words: String...) {
    if hasSection { text += "\n" }
    hasSection = true
    text += words.joined(separator: " ") + "\n"
  }

  /// One indented line. Words that are not plain are quoted.
  mutating func line(_ words: [String]) {
    text += "  " + words.map { HAProxyPrinter.quoted(Array($0.utf8)) }.joined(separator: " ") + "\n"
  }
  mutating func line(_ words: String...) { line(words) }

  /// What only fairlead.yaml can say; HAProxy has no words for it.
  mutating func comment(_ text: String) {
    let plain = text.unicodeScalars.map { $0.value < 32 ? " " : String($0) }.joined()
    self.text += "  # fairlead.yaml: \(plain)\n"
  }

  mutating func line(_ name: String, time: Duration?) {
    guard let time else { return }
    let words = name.split(separator: " ").map(String.init)
    line(words + [HAProxyUnits.print(time)])
  }
  mutating func line(_ name: String, number: Int?) {
    if let number { line(name, String(number)) }
  }
  mutating func line(_ name: String, string: String?) {
    if let string { line(name, string) }
  }
  mutating func option(_ name: String, _ isOn: Bool) {
    if isOn { line("option", name) }
  }

  /// A word as the tokenizer reads it back: plain, or in weak quotes with escapes.
  static func quoted(_ bytes: [UInt8]) -> String {
    let plain = Array("-_.:/@+,*=%()[]{}!<>|&;~^?".utf8)
    func isPlain(_ byte: UInt8) -> Bool {
      switch byte {
      case 48...57, 65...90, 97...122: true
      default: plain.contains(byte)
      }
    }
    if bytes.allSatisfy(isPlain) { return String(decoding: bytes, as: UTF8.self) }
    // Text stays text; bytes that are not UTF-8 are escaped one by one.
    let isText = Array(String(decoding: bytes, as: UTF8.self).utf8) == bytes
    var result: [UInt8] = [UInt8(ascii: "\"")]
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "$"):
        result += [UInt8(ascii: "\\"), byte]
      case 9: result += Array("\\t".utf8)
      case 10: result += Array("\\n".utf8)
      case 13: result += Array("\\r".utf8)
      case 0..<32, 127: result += escape(byte)
      case 128...255: result += isText ? [byte] : escape(byte)
      default: result.append(byte)
      }
    }
    result.append(UInt8(ascii: "\""))
    return String(decoding: result, as: UTF8.self)
  }

  private static func escape(_ byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
  }

  // MARK: sections

  mutating func print(_ configuration: ProxyConfiguration) {
    globalLogs = configuration.global.logTargets
    print(configuration.global)
    for resolvers in configuration.resolvers { print(resolvers) }
    // A listen section is in both lists; merging on those keeps both orders.
    var backends = configuration.backends[...]
    let listens = Set(configuration.frontends.filter(\.isListen).map(\.name))
    for frontend in configuration.frontends {
      guard frontend.isListen else {
        section("frontend", frontend.name)
        print(frontend)
        continue
      }
      while let backend = backends.first {
        backends = backends.dropFirst()
        if backend.isListen, backend.name == frontend.name {
          section("listen", frontend.name)
          print(frontend)
          print(backend, isSecond: true)
          break
        }
        section("backend", backend.name)
        print(backend, isSecond: false)
      }
    }
    for backend in backends where !(backend.isListen && listens.contains(backend.name)) {
      section("backend", backend.name)
      print(backend, isSecond: false)
    }
  }

  private mutating func print(_ global: GlobalSettings) {
    section("global")
    for target in global.logTargets { line(["log"] + HAProxyPrinter.words(target)) }
    if global.logTag != "haproxy" { line("log-tag", global.logTag) }
    if let name = global.logHostname {
      line(name.isEmpty ? ["log-send-hostname"] : ["log-send-hostname", name])
    }
    line("maxconn", number: global.maxconn)
    line("nbthread", number: global.threads)
    line("ulimit-n", number: global.fileDescriptorLimit)
    line("maxpipes", number: global.maxPipes)
    line("maxconnrate", number: global.maxConnectionRate)
    if global.noSplice { line("nosplice") }
    if global.spreadChecks != 0 { line("spread-checks", number: global.spreadChecks) }
    if global.serverVerifyNone { line("ssl-server-verify", "none") }
    line("ca-base", string: global.caBase)
    line("crt-base", string: global.crtBase)
    line("hard-stop-after", time: global.hardStopAfter)
    line("pidfile", string: global.pidFile)
    if global.daemon { line("daemon") }
    if let user = global.user { line(HAProxyPrinter.isNumber(user) ? "uid" : "user", user) }
    if let group = global.group { line(HAProxyPrinter.isNumber(group) ? "gid" : "group", group) }
    line("chroot", string: global.chroot)
    line("node", string: global.node)
    line("description", string: global.description)
  }

  static func isNumber(_ text: String) -> Bool {
    text.utf8.allSatisfy { (48...57).contains($0) }
      && HAProxyUnits.integer(text, in: 0...4_294_967_294).map { String($0) == text } ?? false
  }

  private mutating func print(_ resolvers: Resolvers) {
    section("resolvers", resolvers.name)
    for (index, server) in resolvers.nameservers.enumerated() {
      line("nameserver", "ns\(index + 1)", server.description)
    }
    if resolvers.parseResolvConf { line("parse-resolv-conf") }
    line("resolve_retries", number: resolvers.resolveRetries)
    line("timeout retry", time: resolvers.timeoutRetry)
    line("timeout resolve", time: resolvers.timeoutResolve)
    line("hold valid", time: resolvers.holdValid)
    line("hold other", time: resolvers.holdOther)
    line("hold obsolete", time: resolvers.holdObsolete)
  }

  private mutating func print(_ frontend: Frontend) {
    line("mode", "tcp")
    if frontend.isDisabled { line("disabled") }
    line("id", number: frontend.id)
    line("description", string: frontend.description)
    for bind in frontend.binds { line(["bind"] + HAProxyPrinter.words(bind)) }
    line("maxconn", number: frontend.maxconn)
    line("backlog", number: frontend.backlog)
    if let rate = frontend.sessionRateLimit { line("rate-limit", "sessions", String(rate)) }
    line("timeout client", time: frontend.timeoutClient)
    line("timeout client-fin", time: frontend.timeoutClientFin)
    option("clitcpka", frontend.keepalive.enabled)
    line("clitcpka-cnt", number: frontend.keepalive.count)
    line("clitcpka-idle", time: frontend.keepalive.idle)
    line("clitcpka-intvl", time: frontend.keepalive.interval)
    option("nolinger", frontend.noLinger)
    print(frontend.log.targets, tag: frontend.log.tag)
    switch frontend.log.format {
    case .basic: break
    case .tcplog: line("option", "tcplog")
    case .custom(let items): line("log-format", HAProxyLogFormat.print(items))
    }
    option("dontlognull", frontend.log.dontLogNull)
    option("dontlog-normal", frontend.log.dontLogNormal)
    option("log-separate-errors", frontend.log.separateErrors)
    option("logasap", frontend.log.logASAP)
    if let name = frontend.defaultBackend, !frontend.isListen || name != frontend.name {
      line("default_backend", name)
    }
  }

  private mutating func print(_ targets: [LogTarget], tag: String?) {
    if !targets.isEmpty, targets == globalLogs {
      line("log", "global")
    } else {
      for target in targets { line(["log"] + HAProxyPrinter.words(target)) }
    }
    line("log-tag", string: tag)
  }

  /// `isSecond`: the backend half of a `listen`, whose shared lines stand already.
  private mutating func print(_ backend: Backend, isSecond: Bool) {
    if !isSecond {
      line("mode", "tcp")
      if backend.isDisabled { line("disabled") }
      line("id", number: backend.id)
      line("description", string: backend.description)
      print(backend.logTargets, tag: backend.logTag)
      option("nolinger", backend.noLinger)
    }
    line("balance", HAProxyPrinter.word(backend.balance))
    if backend.hashType != HashType() {
      line(["hash-type"] + HAProxyPrinter.words(backend.hashType))
    }
    line("timeout connect", time: backend.timeoutConnect)
    line("timeout server", time: backend.timeoutServer)
    line("timeout server-fin", time: backend.timeoutServerFin)
    line("timeout queue", time: backend.timeoutQueue)
    line("timeout tunnel", time: backend.timeoutTunnel)
    line("timeout check", time: backend.timeoutCheck)
    line("retries", number: backend.retries)
    if let interval = backend.redispatch { line("option", "redispatch", String(interval)) }
    line("fullconn", number: backend.fullconn)
    option("abortonclose", backend.abortOnClose)
    option("allbackups", backend.allBackups)
    option("srvtcpka", backend.keepalive.enabled)
    line("srvtcpka-cnt", number: backend.keepalive.count)
    line("srvtcpka-idle", time: backend.keepalive.idle)
    line("srvtcpka-intvl", time: backend.keepalive.interval)
    option("log-health-checks", backend.logHealthChecks)
    if let source = backend.source { line(["source"] + HAProxyPrinter.words(source)) }
    print(backend.check)
    if backend.failsOpen {
      comment("without a ready server, those that accept connections take sessions (failOpen)")
    }
    for server in backend.servers {
      if server.resetsSessionsOnDown {
        comment("\(server.name): its sessions are reset when it goes down (resetWhenDown)")
      }
      if let check = server.check, let live = check.live {
        let over = check.drainOver.map { "sessions are closed over \(HAProxyUnits.print($0))" }
        comment(
          "\(server.name): red but alive at \(live) means draining; "
            + (over ?? "sessions stay") + " (live, drainOver)")
      }
      if let delay = server.check?.hedgeAfter {
        let time = HAProxyUnits.print(delay)
        comment("\(server.name): a check unanswered for \(time) is joined by the next (hedgeAfter)")
      }
      line(["server"] + HAProxyPrinter.words(server))
    }
  }
}
