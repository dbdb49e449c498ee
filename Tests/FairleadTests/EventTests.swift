// The log's lines, and the page that lists their names.

import Configuration
import Foundation
import Testing

@testable import Fairlead

@Suite struct EventTests {
  private let line = EventLine(
    .serverDown, .alert, "Server masters/a is DOWN", subject: "masters/a",
    fields: ["cause": "no \"answer\""])

  @Test func textEndsWithTheName() {
    #expect(
      line.text
        == "error: Server masters/a is DOWN event=server.down subject=masters/a"
        + #" cause="no \"answer\"""#)
    #expect(EventLine(.vipNote, .info, "one\ntwo").text == "one event=vip.note\ntwo")
    #expect(EventLine(.reloadPartial, .warning, "x").text == "warning: x event=reload.partial")
  }

  @Test func jsonIsOneObject() throws {
    let text = line.rendered(.json, to: .file, at: 5.5)
    #expect(!text.contains("\n"))
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(object["event"] as? String == "server.down" && object["level"] as? String == "alert")
    #expect(object["time"] as? Double == 5.5 && object["subject"] as? String == "masters/a")
    #expect((object["fields"] as? [String: String])?["cause"] == #"no "answer""#)
  }

  @Test func theJournalGetsPriorities() {
    let two = EventLine(.configurationProblem, .warning, "one\ntwo")
    #expect(
      two.rendered(.text, to: .journal, at: 0)
        == "<4>warning: one event=configuration.problem\n<4>two")
  }

  @Test func aFileGetsTheTime() throws {
    let one = EventLine(.vipNote, .info, "one")
    #expect(one.rendered(.text, to: .terminal, at: 5) == "one event=vip.note")
    let text = one.rendered(.text, to: .file, at: 1_795_224_966.2309)
    let form = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.230([+-]\d\d:\d\d) one event=vip.note/
    let found = try #require(text.wholeMatch(of: form))
    // The zone is the machine's; the moment is not.
    let moment = ISO8601DateFormatter().date(from: "\(found.output.1)\(found.output.2)")
    #expect(moment?.timeIntervalSince1970 == 1_795_224_966)
  }

  @Test func thePageListsEveryName() throws {
    var page = """
      # Events

      What the daemon reports has a name. On standard error a line ends with `event=NAME`, and with \
      `subject=…` when it is about one router or server; `fairlead run --log-format json` writes an \
      object a line instead (`time`, `level`, `event`, `subject`, `message`, `fields`). Under systemd \
      lines carry their priority; into a file or a pipe text lines begin with the time. `fairlead \
      events`, the dashboard and `--json` use the same names. Diagnostics of files are printed as \
      `fairlead check` prints them; as JSON they are `configuration.problem`. What goes to the `log` \
      targets of a haproxy.cfg keeps HAProxy's words.

      Sessions of a native file are on standard output: a line each in the format of HAProxy's tcplog \
      with `event=session.end` after it, or with `--log-format json` an object of the same form. Its \
      `subject` is `backend/server`, and its `fields` are `accepted` (the time), `client`, `frontend`, \
      `backend`, `server`, `end` (as in the metrics), `code` (as in the line), `queue_ms`, \
      `connect_ms`, `total_ms`, `bytesIn` from the client, `bytesOut` to it, `retries` and \
      `wasRedispatched`; what was not reached is left out.

      Names stay; texts may be worded better.

      | event | meaning |
      |---|---|

      """
    for name in EventName.allCases { page += "| `\(name.rawValue)` | \(name.meaning) |\n" }
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Documentation/events.md").standardizedFileURL
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
      try page.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: file, encoding: .utf8) == page)
  }
}
