// The status as lines for people: states in colour, and in a narrow terminal the columns that
// matter.

import Control

struct StatusTable {
  /// Columns of a line that are left to the last cell, where words stand, before others go.
  private static let wordsWidth = 44

  let report: StatusReport
  /// Of the terminal; nil when lines may have any length.
  var columns: Int?

  func rows(moves: Int = 5) -> [Row] {
    var rows: [Row] = [
      [
        Span("fairlead \(report.program)", .name),
        Span("  pid \(report.pid), up \(Self.span(report.now - report.started))"),
      ]
    ]
    if report.workers > 0 {
      rows.append([
        Span("\(report.sessions) of \(report.sessionLimit) sessions"),
        Span(", \(report.accepted) since the start, \(Self.rate(report.rate))/s"),
      ])
    }
    if !report.routers.isEmpty { rows += [Row()] + routers() }
    if !report.frontends.isEmpty { rows += [Row()] + frontends() }
    if !report.backends.isEmpty { rows += [Row()] + backends() }
    if !report.moves.isEmpty, moves > 0 { rows += [Row()] + lastMoves(moves) }
    return rows
  }

  /// Where a line is too narrow for the cause, that is in a line of its own.
  private func routers() -> [Row] {
    var table: [[Span]] = [
      Self.heads(
        "VIRTUAL ROUTER", "ID, ON", "STATE", "FOR", "PRIORITY", "HEALTH", "MASTER", "ADDRESSES",
        "WHY")
    ]
    for router in report.routers {
      let addresses = router.addresses.prefix(2).joined(separator: " ")
      table.append([
        Span(router.name, .bold), Span("\(router.id), \(router.interface)"),
        Self.state(ofRouter: router.state), Span(Self.span(report.now - router.since)),
        Span("\(router.priority)"), Self.health(router), Span(router.master ?? "not known"),
        Span(addresses + (router.addresses.count > 2 ? " …" : "")), Span(Self.cause(router), .dim),
      ])
    }
    if report.routers.allSatisfy({ $0.health == nil }) {
      table = table.map { Array($0[..<5] + $0[6...]) }
    }
    let whole = Self.aligned(table)
    guard let columns, whole.contains(where: { $0.width > columns }) else { return whole }
    let hasHealth = table[0].count == 9
    let facts = Self.aligned(
      table.map { Array($0.dropLast()) }, columns: columns, spare: [1, hasHealth ? 6 : 5, 3])
    var rows: [Row] = []
    for (index, row) in facts.enumerated() {
      rows.append(row)
      guard index > 0, let words = table[index].last else { continue }
      rows.append(Row([Span("  "), words]).shortened(to: columns))
    }
    return rows
  }

  private static func health(_ router: RouterReport) -> Span {
    switch router.health {
    case "healthy"?: Span("healthy", .good)
    case "unhealthy"?: Span("unhealthy", .bad)
    case let other?: Span(other, .busy)
    case nil: Span("")
    }
  }

  /// What is wrong with the node's way comes before what the routers last did.
  private static func cause(_ router: RouterReport) -> String {
    var words = router.standing
    // The column before says that.
    for said in ["unhealthy: ", "healthy, ", "drained: ", "healthy; ", "healthy"] {
      guard router.health != nil, words.hasPrefix(said) else { continue }
      words = String(words.dropFirst(said.count))
      break
    }
    return words.isEmpty
      ? router.reason : router.reason.isEmpty ? words : "\(words); \(router.reason)"
  }

  /// The latest first.
  private func lastMoves(_ count: Int) -> [Row] {
    var table: [[Span]] = [Self.heads("LAST MOVES", "ROUTER", "FROM", "TO", "WHY")]
    for move in report.moves.suffix(count).reversed() {
      var words = move.reason
      if let silence = move.silence { words += ", silent for \(Self.moment(silence))" }
      table.append([
        Span("\(Self.span(report.now - move.time)) ago"), Span(move.router, .bold),
        Span("\(move.from.uppercased()) for \(Self.span(move.lasted))", .dim),
        Self.state(ofRouter: move.to), Span(words, .dim),
      ])
    }
    return Self.aligned(table, columns: columns, spare: [2])
  }

  private static func state(ofRouter state: String) -> Span {
    switch state {
    case "master": Span("MASTER", .good)
    case "fault": Span("FAULT", .bad)
    case "backup": Span("BACKUP")
    default: Span(state.uppercased(), .busy)
    }
  }

  private func frontends() -> [Row] {
    var table: [[Span]] = [
      Self.heads("FRONTEND", "LISTENS ON", "SESSIONS", "TOTAL", "RATE", "IN", "OUT", "TO")
    ]
    for frontend in report.frontends {
      let addresses = frontend.addresses.prefix(2).joined(separator: " ")
      table.append(
        [
          Span(frontend.name, .bold),
          frontend.isDisabled
            ? Span("disabled", .busy)
            : Span(addresses + (frontend.addresses.count > 2 ? " …" : "")),
        ] + Self.traffic(frontend.traffic) + [Span(frontend.backend ?? "")])
    }
    return Self.aligned(table, right: 2..<7, columns: columns, spare: [6, 5, 3])
  }

  private func backends() -> [Row] {
    var table: [[Span]] = [
      Self.heads(
        "BACKEND / SERVER", "ADDRESS", "STATE", "SESSIONS", "TOTAL", "RATE", "IN", "OUT", "FOR",
        "LAST CHECK")
    ]
    for backend in report.backends {
      let count = backend.servers.count
      let isBad = count > 0 && (backend.usableServers == 0 || backend.isFailedOpen)
      let state =
        backend.isDisabled
        ? Span("disabled", .busy) : Span(backend.usableWords, isBad ? .bad : .plain)
      var notes: [String] = []
      if backend.isFailedOpen {
        notes.append("fails open: \(backend.usableServers) not ready take sessions")
      }
      if backend.queued > 0 { notes.append("\(backend.queued) wait") }
      if backend.retries > 0 { notes.append("\(backend.retries) retries") }
      if backend.redispatches > 0 { notes.append("\(backend.redispatches) redispatched") }
      table.append(
        [Span(backend.name, .bold), Span(""), state] + Self.traffic(backend.traffic)
          + [Span(""), Span(notes.joined(separator: ", "))])
      table += backend.servers.map(server)
    }
    return Self.aligned(table, right: 3..<8, columns: columns, spare: [7, 6, 4, 1, 5])
  }

  private func server(_ server: ServerReport) -> [Span] {
    var check = "no checks"
    if let last = server.check {
      check = "\(last.words), \(last.duration_ms) ms"
      let full = last.rise + last.fall - 1
      if last.health > 0, last.health < full, server.state != .maintenance {
        check +=
          last.health >= last.rise
          ? " (\(full - last.health) of \(last.fall) failures)"
          : " (\(last.health) of \(last.rise) successes)"
      }
    } else if server.isChecked {
      check = "not checked yet"
    }
    if server.connectFailures > 0 { check += ", \(server.connectFailures) connects failed" }
    return
      [
        Span("  \(server.name)"), Span(server.address ?? "none"),
        Self.state(server),
      ] + Self.traffic(server.traffic) + [
        Span(Self.span(report.now - (server.since ?? report.started))),
        Span(check, server.check.map { $0.health < $0.rise } == true ? .bad : .dim),
      ]
  }

  private static func state(_ server: ServerReport) -> Span {
    let isBackup = server.isBackup ? " backup" : ""
    switch server.state {
    case .up: return Span("UP" + isBackup, .good)
    case .down where server.isFailedOpen: return Span("OPEN" + isBackup, .bad)
    case .down: return Span("DOWN" + (server.isDrained ? ", drained" : isBackup), .bad)
    case .draining: return Span((server.isFailedOpen ? "OPEN" : "DRAINING") + isBackup, .busy)
    case .stopping: return Span("STOPPING" + isBackup, .busy)
    case .maintenance: return Span("MAINTENANCE" + isBackup, .busy)
    case .drained: return Span("DRAINED" + isBackup, .busy)
    }
  }

  // MARK: Cells

  static func heads(_ words: String...) -> [Span] { words.map { Span($0, .dim) } }

  private static func traffic(_ traffic: TrafficReport) -> [Span] {
    [
      Span("\(traffic.sessions)"), Span("\(traffic.total)"), Span(rate(traffic.rate) + "/s"),
      Span(bytes(traffic.bytesIn)), Span(bytes(traffic.bytesOut)),
    ]
  }

  /// Where a line is too long, columns go in the order of `spare`; what is too long then ends
  /// with a mark.
  static func aligned(
    _ table: [[Span]], right: Range<Int> = 0..<0, columns: Int? = nil, spare: [Int] = []
  ) -> [Row] {
    let last = (table.map(\.count).max() ?? 1) - 1
    let widths = (0...last).map { column in
      table.map { column < $0.count ? $0[column].text.count : 0 }.max() ?? 0
    }
    var shown = Array(0...last)
    if let columns {
      for column in spare {
        let needed = shown.dropLast().reduce(0) { $0 + widths[$1] + 2 }
        if needed + min(widths[last], wordsWidth) <= columns { break }
        shown.removeAll { $0 == column }
      }
    }
    return table.map { cells in
      var spans: [Span] = []
      let end = cells.lastIndex { !$0.text.isEmpty } ?? 0
      for column in shown where column <= end {
        let blanks = String(repeating: " ", count: widths[column] - cells[column].text.count)
        if right.contains(column) { spans.append(Span(blanks)) }
        spans.append(cells[column])
        if column < end { spans.append(Span(right.contains(column) ? "  " : blanks + "  ")) }
      }
      return Row(spans).shortened(to: columns)
    }
  }

  static func rate(_ value: Double) -> String {
    let tenths = Int(max(0, min(value, 1e12)) * 10)
    return tenths >= 100 || tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }

  static func bytes(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["B", "KiB", "MiB", "GiB"] {
      if value < 1024 { return unit == "B" ? "\(count) B" : "\(rate(value)) \(unit)" }
      value /= 1024
    }
    return "\(rate(value)) TiB"
  }

  /// `0.35 s` below ten seconds, otherwise as `span`.
  static func moment(_ seconds: Double) -> String {
    let hundredths = Int(max(0, min(seconds, 1e12)) * 100)
    guard hundredths < 1000 else { return span(seconds) }
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) s"
  }

  /// `4s`, `3m12s`, `2h05m`, `7d03h`.
  static func span(_ seconds: Double) -> String {
    let all = Int(max(0, min(seconds, 1e12)))
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    switch all {
    case ..<60: return "\(all)s"
    case ..<3600: return "\(all / 60)m\(two(all % 60))s"
    case ..<86_400: return "\(all / 3600)h\(two(all % 3600 / 60))m"
    default: return "\(all / 86_400)d\(two(all % 86_400 / 3600))h"
    }
  }
}
