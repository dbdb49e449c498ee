// The whole machine as a table that can be read, kept in Documentation/protocol.

import Foundation
import Testing
import VRRP

@Suite struct TableTests {
  /// A state, and how it is reached.
  private static func states() -> [(String, () -> Transcript)] {
    func backup(_ change: @escaping (inout RouterSettings) -> Void = { _ in })
      -> () -> Transcript
    {
      {
        var t = Transcript(priority: 100, change)
        _ = t.start()
        return t
      }
    }
    func master(
      _ change: @escaping (inout RouterSettings) -> Void = { _ in },
      then event: RouterEvent? = nil
    ) -> () -> Transcript {
      {
        var t = Transcript(priority: 100, change)
        t.becomeMaster()
        if let event { _ = t.feed(event) }
        return t
      }
    }
    return [
      ("initialize", { Transcript() }),
      ("initialize, owner", { Transcript(priority: 255) }),
      ("initialize, owner, grouped", { Transcript(priority: 255) { $0.isGrouped = true } }),
      (
        "initialize, owner that listens first",
        { Transcript(priority: 255) { $0.ownerListensFirst = true } }
      ),
      ("backup", backup()),
      ("backup, nopreempt", backup { $0.preempt = .never }),
      ("backup, preempt_delay 2", backup { $0.preempt = .delayed(2_000_000) }),
      ("backup, grouped", backup { $0.isGrouped = true }),
      ("backup, version 3", backup { $0.version = .v3 }),
      ("master", master()),
      ("master, silent to lower", master { $0.isSilentToLowerPriority = true }),
      ("master, answers higher", master { $0.answersHigherPriority = true }),
      ("master, listening", master(then: .resumed)),
      ("master, grouped", master { $0.isGrouped = true }),
      ("fault", master(then: .fault)),
      (
        "fault, not started",
        {
          var t = Transcript()
          _ = t.feed(.fault)
          return t
        }
      ),
    ]
  }

  private static func events() -> [(String, (inout Transcript) -> String)] {
    var events: [(String, (inout Transcript) -> String)] = [
      ("start", { $0.start() }),
      ("hears 0", { $0.hear(0, interval_us: 500_000) }),
      ("hears 50", { $0.hear(50, interval_us: 500_000) }),
      ("hears 100, lower address", { $0.hear(100, host: 4, interval_us: 500_000) }),
      ("hears 100, own address", { $0.hear(100, host: 5, interval_us: 500_000) }),
      ("hears 100, higher address", { $0.hear(100, host: 6, interval_us: 500_000) }),
      ("hears 150", { $0.hear(150, interval_us: 500_000) }),
    ]
    for timer in RouterTimer.allCases {
      events.append(("timer \(timer.rawValue)", { $0.feed(.timer(timer)) }))
    }
    events += [
      ("fault", { $0.feed(.fault) }), ("recovered", { $0.feed(.recovered) }),
      ("priority 228", { $0.feed(.priority(228)) }),
      (
        "priority 90, as master 128",
        { $0.feed(.priority(RouterPriority(backup: 90, master: 128, turn: 90))) }
      ),
      ("groupMaster", { $0.feed(.groupMaster) }), ("groupBackup", { $0.feed(.groupBackup) }),
      ("resumed", { $0.feed(.resumed) }),
      (
        "reconfigured, priority 228",
        { t in
          var settings = t.router.settings
          settings.priority = 228
          return t.feed(.reconfigured(settings))
        }
      ),
      ("moved", { $0.feed(.moved(.v4(0x0a09_0009))) }),
      ("resign", { $0.feed(.resign) }), ("stop", { $0.feed(.stop) }),
    ]
    return events
  }

  private func table() -> String {
    var text = """
      The machine of a virtual router: every state, every event, and what is to be done then.
      Written by Tests/VRRPTests/TableTests.swift (UPDATE_GOLDEN=1 rewrites it).

      The router has priority 100, an interval of 1 s and the address 10.9.0.5. What it hears
      carries an interval of 0.5 s, which shows where version 3 takes it over (packets of version
      2 with another interval are refused before they come here).

      send N       advertisement with priority N     acquire, release  the addresses come, go
      timer=S      set to S seconds                  -timer            cancelled
      →STATE WHY   the new state and its cause       (remark)          a line for the log
      .            nothing, the state stays


      """
    for (name, make) in Self.states() {
      text += "\(name)\n"
      for (event, feed) in Self.events() {
        var transcript = make()
        let done = feed(&transcript)
        let padding = String(repeating: " ", count: 28 - event.count)
        text += "  \(event)\(padding)\(done.isEmpty ? "." : done)\n"
      }
      text += "\n"
    }
    return text
  }

  @Test func tableIsUpToDate() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Documentation/protocol/vrrp-table.txt").standardizedFileURL
    let text = table()
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    let kept = try String(contentsOf: file, encoding: .utf8)
    let (new, old) = (text.split(separator: "\n"), kept.split(separator: "\n"))
    for (line, before) in zip(new, old) where line != before {
      Issue.record("now: \(line)\nkept: \(before)")
    }
    #expect(new.count == old.count)
  }
}
