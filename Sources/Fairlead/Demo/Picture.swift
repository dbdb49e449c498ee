// The live screen: clients, balancer and servers as a picture, counts, and the last events.

import Health

/// Everything a frame shows.
struct Scene: Sendable {
  var now: Duration
  /// Seconds; nil = until Ctrl-C.
  var length: Int?
  var port: UInt16
  var dashboard: UInt16
  var servers: [DemoServer]
  var status: DaemonStatus
  var record: Record
  /// Answers per second, lately.
  var rate: Int
  var timing: DemoTiming
}

struct Picture {
  let scene: Scene
  let unicode: Bool

  /// From this width on clients, balancer and servers stand side by side.
  private static let wideColumns = 96
  private static let eventsShown = 8
  /// With fewer rows than this servers get two lines each, to leave room for events.
  private static let fullRows = 30

  func rows(columns: Int, rows limit: Int) -> [Row] {
    var rows = [title(columns), Row()]
    rows += columns >= Self.wideColumns ? wide() : narrow(isShort: limit < Self.fullRows)
    rows.append(Row())
    rows += counts()
    rows.append(Row())
    let footer = [Row(), tryIt(), lookAtIt()]
    let room = limit - rows.count - footer.count - 1
    if room > 0 {
      rows.append([Span(" Events", .bold)])
      rows += events(min(Self.eventsShown, room))
    }
    return rows + footer
  }

  private func title(_ columns: Int) -> Row {
    let left: Row = [
      Span(" fairlead demo", .name),
      Span("   one address, three Kubernetes API servers", .dim),
    ]
    let clock = scene.now.stamp.split(separator: ".")[0]
    let end = scene.length.map { " of \(Duration.seconds($0).stamp.split(separator: ".")[0])" }
    let right = "\(clock)\(end ?? "")"
    return left.fitted(max(0, columns - right.count - 1)) + [Span(right, .bold)]
  }

  // MARK: The picture

  private var address: String { "127.0.0.1:\(scene.port)" }

  private var clientLines: [Row] {
    [
      [Span("clients", .bold)],
      [Span("\(scene.rate) answers/s")],
      [Span("\(DemoClients.kept) kept connections", .dim)],
      [Span("\(DemoClients.count - DemoClients.kept) new each time", .dim)],
      [Span("1 watch", .dim)],
    ]
  }

  private var balancerLines: [Row] {
    [
      [Span("fairlead", .name)],
      [Span(address)],
      [Span("\(scene.status.sessions) sessions")],
      [Span("\(scene.status.accepted) in all", .dim)],
      [Span("\(scene.status.redispatches) redispatched", .dim)],
    ]
  }

  /// Three lines (two when short) for each server, with the tree that leads to them.
  private func branches(isShort: Bool = false) -> [Row] {
    let bar = unicode ? "│" : "|"
    var rows: [Row] = []
    for (index, server) in scene.servers.enumerated() {
      let isFirst = index == 0
      let isLast = index == scene.servers.count - 1
      let fork =
        unicode ? (isFirst ? "┌─▶ " : isLast ? "└─▶ " : "├─▶ ") : isFirst ? ".-> " : "+-> "
      let lines = serverLines(server).prefix(isShort ? 2 : 3)
      rows.append([Span(fork, .dim)] + lines[0])
      for line in lines.dropFirst() {
        rows.append([Span(isLast ? "    " : bar + "   ", .dim)] + line)
      }
    }
    return rows
  }

  private func serverLines(_ server: DemoServer) -> [Row] {
    guard let status = scene.status.servers.first(where: { $0.reference.server == server.name })
    else { return [[Span(server.name, .bold)], Row(), Row()] }
    var first: Row = [
      Span(server.name, .bold), Span("  127.0.0.1:\(server.port)  "), state(of: status),
    ]
    if let truth = truth(of: server.name) { first = first + [Span("  \(truth)", .bad)] }
    let answers = scene.record.answers[server.name] ?? 0
    return [
      first,
      [Span(Self.words(status), .dim)],
      [
        Span("\(status.sessions) sessions", status.sessions > 0 ? .plain : .dim),
        Span(", \(status.total) in all, \(answers) answers", .dim),
      ],
    ]
  }

  private func state(of server: ServerStatus) -> Span {
    switch server.state {
    case .up:
      guard let progress = server.progress, progress.health < progress.rise + progress.fall - 1,
        server.lastReport?.status.result == .failed
      else { return Span("UP", .good) }
      return Span("UP, in doubt", .busy)
    case .down:
      return (server.progress?.health ?? 0) > 0
        ? Span("DOWN, recovering", .busy) : Span("DOWN", .bad)
    case .stopping: return Span("STOPPING", .busy)
    case .draining: return Span("DRAINING", .busy)
    case .maintenance: return Span("MAINTENANCE", .busy)
    }
  }

  /// What is really the matter with a server, which the balancer has to find out.
  private func truth(of server: String) -> String? {
    guard let last = scene.record.disturbances.last(where: { $0.server == server }),
      last.revived == nil
    else { return nil }
    return "(\(last.word) \((scene.now - last.began).tenths) ago)"
  }

  static func words(_ server: ServerStatus) -> String {
    guard let report = server.lastReport else { return "not checked yet" }
    return words(report)
  }

  static func words(_ report: CheckReport) -> String {
    let time = "\(report.duration.milliseconds) ms"
    switch report.status.result {
    case .passed, .conditionallyPassed:
      return "check passed: \(report.code.map { "\($0) " } ?? "")in \(time)"
    case .failed:
      let info = report.info.map { " (\($0))" } ?? ""
      return "check failed: \(report.status.description)\(info) after \(time)"
    }
  }

  private func wide() -> [Row] {
    let tree = branches()
    // Titles stand on the line of the middle server's name.
    let middle = scene.servers.count / 2 * (tree.count / max(1, scene.servers.count))
    let line = String(repeating: unicode ? "─" : "-", count: 3)
    let arrow = line + (unicode ? "▶ " : "> ")
    return tree.indices.map { index in
      let at = index - middle
      let clients = clientLines.indices.contains(at) ? clientLines[at] : Row()
      let balancer = balancerLines.indices.contains(at) ? balancerLines[at] : Row()
      let name = Row([Span("  ")]) + clients.fitted(19)
      let isMiddle = at == 0
      let joint: Span = Span(isMiddle ? arrow : "     ", .dim)
      let leg = Span(isMiddle ? line : "   ", .dim)
      return name + [joint] + balancer.fitted(18) + [leg] + joined(tree[index], isMiddle)
    }
  }

  /// Where the balancer's line meets the tree.
  private func joined(_ row: Row, _ isMiddle: Bool) -> Row {
    guard isMiddle, unicode, let first = row.spans.first, let head = first.text.first else {
      return row
    }
    let met: Character = head == "├" ? "┼" : head == "│" ? "┤" : head
    let text = String(met) + first.text.dropFirst()
    return Row([Span(text, first.style)] + row.spans.dropFirst())
  }

  private func narrow(isShort: Bool) -> [Row] {
    let arrow = unicode ? " ──▶ " : " --> "
    let top: Row = [
      Span("  clients", .bold), Span(arrow, .dim), Span("fairlead", .name),
      Span(" \(address)  \(scene.status.sessions) sessions"),
    ]
    return [top] + branches(isShort: isShort).map { [Span("          ")] + $0 }
  }

  // MARK: Counts

  private func counts() -> [Row] {
    let record = scene.record
    let verdict = Verdict(
      record, timing: scene.timing, servers: [], length: scene.now, isComplete: false)
    let outside = verdict.failuresOutside.count
    let sorted = record.latencies.sorted()
    var speed = ""
    if !sorted.isEmpty {
      speed =
        "   half within \(sorted[sorted.count / 2].tenthsOfMilliseconds),"
        + " 99 % within \(sorted[sorted.count * 99 / 100].tenthsOfMilliseconds)"
    }
    let watch =
      record.watchServer.map { "open on \($0), " } ?? "looking for a server, "
    return [
      [
        Span(" Requests  ", .bold), Span("\(record.answered) answered", .good),
        Span(speed, .dim),
      ],
      [
        Span(" Failed    ", .bold),
        Span("\(verdict.failuresInside) before it could be noticed, "),
        Span("\(outside) otherwise", outside == 0 ? .good : .bad),
      ],
      [
        Span(" Watch     ", .bold),
        Span(watch + "\(record.watchEvents) events, \(record.watchReconnects) reconnects"),
      ],
      [Span(" Now       ", .bold), present()],
    ]
  }

  /// What is going on, in one sentence.
  private func present() -> Span {
    let record = scene.record
    guard let last = record.disturbances.last, last.recovered == nil else {
      return Span("all is well", .good)
    }
    if last.revived != nil {
      return Span(
        "\(last.server) is back; that is noticed within \(scene.timing.recoveryBound.shown)", .busy)
    }
    if last.noticed != nil {
      return Span("\(last.server) is \(last.word); the others carry on without it", .busy)
    }
    return Span(
      "\(last.server) is \(last.word); that is noticed within"
        + " \(last.bound(scene.timing).shown)", .bad)
  }

  /// The last `count` lines of the history; failures in a row share one.
  private func events(_ count: Int) -> [Row] {
    var lines: [(event: DemoEvent, times: Int)] = []
    for event in scene.record.events.reversed() where event.kind != .log {
      if event.sharesLine, lines.last?.event.sharesLine == true {
        lines[lines.count - 1].times += 1
        continue
      }
      if lines.count == count { break }
      lines.append((event, 1))
    }
    return lines.reversed().map { event, times in
      let style: Style =
        switch event.kind {
        case .harm, .loss: .bad
        case .failure: .busy
        case .cure, .gain: .good
        case .note, .log: .plain
        }
      let text = times == 1 ? event.text : "\(times) requests failed, the last: \(event.detail)"
      return [Span(" \(event.time.stamp)  ", .dim), Span(text, style)]
    }
  }

  private func lookAtIt() -> Row {
    [Span(" Dashboard ", .bold), Span("http://127.0.0.1:\(scene.dashboard)/")]
  }

  private func tryIt() -> Row {
    [
      Span(" Try it    ", .bold), Span("curl -k https://\(address)/version"),
      Span("     Ctrl-C ends the demo", .dim),
    ]
  }
}

extension Duration {
  /// `1.3 s`
  var tenths: String { "\(milliseconds / 1000).\(milliseconds / 100 % 10) s" }
  /// `2.4 ms`
  var tenthsOfMilliseconds: String {
    let tenths = components.seconds * 10_000 + components.attoseconds / 100_000_000_000_000
    return "\(tenths / 10).\(tenths % 10) ms"
  }
}
