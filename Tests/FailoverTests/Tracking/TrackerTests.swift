// Real scripts, files and processes, watched by a real tracker.

import Configuration
import Failover
import Foundation
import Testing

private struct Watched {
  let scratch = Scratch()
  let reports = Recorder<TrackingReport>()
  let lines = Recorder<String>()
  let tracker: Tracker

  init() {
    let (reports, lines) = (reports, lines)
    tracker = Tracker(report: { reports.add($0) }, log: { lines.add($0) })
  }

  func reported(_ subject: TrackedSubject, _ results: [TrackResult]) async -> Bool {
    await reports.wait { reports in
      reports.filter { $0.subject == subject }.map(\.result).starts(with: results)
    }
  }
}

/// Signals 32 and 33 are glibc's own; nobody can change what happens to them.
private func ignoresNothing(_ status: String) -> Bool {
  let line = status.split(separator: "\n").first { $0.hasPrefix("SigIgn:\t") }
  guard let bits = line.flatMap({ UInt64($0.dropFirst(8), radix: 16) }) else { return false }
  return bits & ~0x1_8000_0000 == 0
}

/// Whether a process of the group lives; zombies do not.
private func isGroupAlive(_ group: Int32) -> Bool {
  let pids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
  for pid in pids where Int32(pid) != nil {
    let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
    guard let end = text.lastIndex(of: ")") else { continue }
    let fields = text[text.index(after: end)...].split(separator: " ")
    if fields.count > 2, fields[0] != "Z", Int32(fields[2]) == group { return true }
  }
  return false
}

@Test func scriptsAreGoodAndBad() async {
  let watched = Watched()
  let flag = watched.scratch.path + "/flag"
  await watched.tracker.update(
    watching(scripts: [
      trackedScript("ok", "/bin/true"),
      trackedScript("three", "/bin/sh", "-c", "exit 3"),
      trackedScript("signal", "/bin/sh", "-c", "kill -ABRT $$"),
      trackedScript("gone", "/nonexistent/script"),
      trackedScript("text", watched.scratch.write("text", "exit 4\n", mode: 0o755)),
      trackedScript("flag", "/usr/bin/test", "-f", flag) { $0.rise = 2 },
    ]))
  #expect(await watched.reported(.script("ok"), [.good]))
  #expect(await watched.reported(.script("three"), [.bad]))
  #expect(await watched.reported(.script("signal"), [.bad]))
  #expect(await watched.reported(.script("gone"), [.disabled]))
  #expect(await watched.reported(.script("text"), [.bad]))
  #expect(await watched.reported(.script("flag"), [.bad]))
  watched.scratch.write("flag", "")
  #expect(await watched.reported(.script("flag"), [.bad, .good]))
  #expect(await watched.lines.contains("Script `flag` now returning 0"))
  await watched.tracker.stop()
  let texts = watched.reports.values.compactMap(\.text)
  for text in [
    "VRRP_Script(ok) succeeded", "VRRP_Script(three) failed (exited with status 3)",
    "VRRP_Script(signal) failed (due to signal 6)",
    "VRRP_Script(text) failed (exited with status 4)",
    "Disabling track script gone: script /nonexistent/script cannot be accessed"
      + " - No such file or directory",
  ] {
    #expect(texts.contains(text))
  }
}

@Test func aLateScriptAndItsChildrenAreKilled() async {
  let watched = Watched()
  // The shell and its child ignore SIGTERM, so both have to be killed.
  let script = watched.scratch.script(
    "late.sh", "trap '' TERM\necho $$ >> \(watched.scratch.path)/pids\nsleep 1000\nsleep 1000")
  await watched.tracker.update(
    watching(scripts: [
      trackedScript("late", script) { $0.timeout = .milliseconds(300) }
    ]))
  #expect(await watched.reported(.script("late"), [.bad]))
  #expect(watched.reports.values.first?.text == "VRRP_Script(late) timed_out")
  #expect(await watched.lines.contains("Track script late is already running"))
  await watched.tracker.stop()
  let pids = watched.scratch.read("pids").split(separator: "\n").compactMap { Int32($0) }
  #expect(!pids.isEmpty)
  for pid in pids {
    // The killed child is somebody else's to reap, so it may be seen for a moment.
    let end = ContinuousClock.now + .seconds(20)
    while isGroupAlive(pid), ContinuousClock.now < end {
      try? await Task.sleep(for: .milliseconds(20))
    }
    #expect(!isGroupAlive(pid))
  }
}

@Test func stopKillsWhatRunsAndReportsNothingMore() async {
  let watched = Watched()
  let script = watched.scratch.script(
    "slow.sh", "echo $$ > \(watched.scratch.path)/pid\nexec sleep 1000")
  await watched.tracker.update(
    watching(scripts: [trackedScript("slow", script) { $0.timeout = .seconds(500) }]))
  #expect(await watched.scratch.wait(for: "pid") { $0.hasSuffix("\n") })
  let pid = Int32(watched.scratch.read("pid").dropLast()) ?? 0
  await watched.tracker.stop()
  #expect(pid > 0 && kill(pid, 0) != 0)
  #expect(watched.reports.values.isEmpty)
}

/// Our own process ignores SIGPIPE and holds descriptors; a script must see neither.
@Test func scriptsInheritNothingOfOurs() async {
  let watched = Watched()
  let before = signal(SIGPIPE, SIG_IGN)
  defer { signal(SIGPIPE, before) }
  let leak = open("/dev/null", O_RDONLY)
  defer { close(leak) }
  let out = watched.scratch.path
  let script = watched.scratch.script(
    "look.sh",
    """
    cat /proc/self/status > \(out)/status
    for n in /proc/$$/fd/*; do echo "${n##*/} $(readlink $n)"; done > \(out)/fds
    ps -o pid=,pgid=,cls= -p $$ > \(out)/group; pwd > \(out)/cwd
    echo "$0 $# $1|$2" > \(out)/words
    """)
  await watched.tracker.update(
    watching(scripts: [trackedScript("look", script, "a b", "$HOME") { $0.interval = .seconds(60) }]
    )
  )
  #expect(await watched.reported(.script("look"), [.good]))
  await watched.tracker.stop()
  let status = watched.scratch.read("status")
  #expect(ignoresNothing(status))
  #expect(status.contains("SigBlk:\t0000000000000000"))
  #expect(status.contains("VmLck:\t       0 kB"))
  let descriptors = watched.scratch.read("fds").split(separator: "\n")
  // Beside 0...2 a shell has the script itself open.
  let foreign = descriptors.filter { !$0.contains("/dev/null") && !$0.contains("look.sh") }
  #expect(foreign.allSatisfy { $0.contains("/fds") || $0.contains("pipe:") })
  #expect(!descriptors.contains { $0.hasPrefix("\(leak) /dev/null") && leak > 2 })
  let group = watched.scratch.read("group").split(whereSeparator: \.isWhitespace)
  #expect(group.count == 3 && group[0] == group[1] && group[2] == "TS")
  #expect(watched.scratch.read("cwd") == "/\n")
  #expect(watched.scratch.read("words") == "\(script) 2 a b|$HOME\n")
}

@Test(.enabled(if: geteuid() == 0, "needs root"))
func scriptsRunAsTheirUser() async {
  let watched = Watched()
  chmod(watched.scratch.path, 0o777)
  let script = watched.scratch.script(
    "who.sh", "grep -E '^(Uid|Gid|Groups|SigIgn)' /proc/self/status > \(watched.scratch.path)/who")
  await watched.tracker.update(
    watching(scripts: [
      trackedScript("who", script) {
        $0.command.user = ScriptUser("65534", group: "65534")
        $0.interval = .seconds(60)
      }
    ]))
  #expect(await watched.reported(.script("who"), [.good]))
  await watched.tracker.stop()
  let who = watched.scratch.read("who")
  #expect(who.contains("Uid:\t65534\t65534\t65534\t65534"))
  #expect(who.contains("Gid:\t65534\t65534\t65534\t65534"))
  #expect(who.contains("Groups:\t65534 \n"))
  #expect(ignoresNothing(who))
}

@Test func aReloadLeavesAloneWhatDidNotChange() async {
  let watched = Watched()
  let count = watched.scratch.path + "/count"
  let same = trackedScript("same", "/bin/sh", "-c", "echo run >> \(count); exec sleep 1000") {
    $0.timeout = .seconds(500)
  }
  let bad = trackedScript("bad", "/bin/false") { $0.interval = .seconds(600) }
  await watched.tracker.update(watching(scripts: [same, bad, trackedScript("gone", "/bin/true")]))
  #expect(await watched.reported(.script("bad"), [.bad]))
  #expect(await watched.reported(.script("gone"), [.good]))
  #expect(await watched.scratch.wait(for: "count") { !$0.isEmpty })
  var changed = bad
  changed.command.words = ["/bin/sh", "-c", "sleep 1000"]
  let before = watched.reports.values.count
  await watched.tracker.update(watching(scripts: [same, changed]))
  // The changed one is known to be bad at once, though its new command has not ended.
  #expect(await watched.reported(.script("bad"), [.bad, .bad]))
  #expect(watched.reports.values.count == before + 1)
  #expect(watched.scratch.read("count") == "run\n")
  await watched.tracker.stop()
}

@Test func initFailIsBadBeforeTheFirstRunEnds() async {
  let watched = Watched()
  await watched.tracker.update(
    watching(scripts: [
      trackedScript("late", "/bin/sleep", "1000") {
        $0.startsFailed = true
        $0.timeout = .seconds(500)
      }
    ]))
  #expect(await watched.reported(.script("late"), [.bad]))
  await watched.tracker.stop()
}

@Test func filesAreReadWhenTheyChange() async {
  let watched = Watched()
  var kept = TrackedFile(name: "kept", path: watched.scratch.path + "/kept")
  watched.scratch.write("kept", "9")
  kept.initial = .create(value: 3, overwrites: false)
  var made = TrackedFile(name: "made", path: watched.scratch.path + "/made")
  made.initial = .create(value: -4, overwrites: true)
  let later = TrackedFile(name: "later", path: watched.scratch.path + "/sub/later")
  await watched.tracker.update(watching(files: [kept, made, later]))
  #expect(await watched.reported(.file("kept"), [.value(9)]))
  #expect(await watched.reported(.file("made"), [.value(-4)]))
  #expect(await watched.reported(.file("later"), [.value(0)]))
  #expect(watched.scratch.read("made") == "-4\n")
  watched.scratch.write("made", "12 and more")
  #expect(await watched.reported(.file("made"), [.value(-4), .value(12)]))
  watched.scratch.write("made", "99999999999")
  #expect(await watched.lines.contains("Invalid number read from"))
  rename(watched.scratch.write("other", "7"), kept.path)
  #expect(await watched.reported(.file("kept"), [.value(9), .value(7)]))
  unlink(kept.path)
  #expect(await watched.reported(.file("kept"), [.value(9), .value(7), .value(0)]))
  mkdir(watched.scratch.path + "/sub", 0o755)
  watched.scratch.write("sub/later", "5")
  #expect(await watched.reported(.file("later"), [.value(0), .value(5)]))
  rename(watched.scratch.path + "/sub", watched.scratch.path + "/away")
  #expect(await watched.reported(.file("later"), [.value(0), .value(5), .value(0)]))
  // A reload neither writes nor reports again.
  let before = watched.reports.values.count
  watched.scratch.write("made", "1")
  #expect(
    await watched.reported(.file("made"), [.value(-4), .value(12), .value(1)]))
  await watched.tracker.update(watching(files: [kept, made]))
  await watched.tracker.stop()
  #expect(watched.scratch.read("made") == "1")
  #expect(watched.reports.values.count == before + 1)
}

@Test func processesComeAndGo() async throws {
  let watched = Watched()
  let path = watched.scratch.path + "/trk\(getpid())"
  try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: path)
  var byName = TrackedProcess(name: "name", process: "trk\(getpid())")
  byName.quorum = 2
  var byCommand = TrackedProcess(name: "command", process: path)
  byCommand.arguments = .exact(["1001"])
  await watched.tracker.update(watching(processes: [byName, byCommand]))
  #expect(await watched.reported(.process("name"), [.bad]))
  #expect(await watched.reported(.process("command"), [.bad]))
  let first = try Process.run(URL(fileURLWithPath: path), arguments: ["1000"])
  let second = try Process.run(URL(fileURLWithPath: path), arguments: ["1001"])
  #expect(await watched.reported(.process("name"), [.bad, .good]))
  #expect(await watched.reported(.process("command"), [.bad, .good]))
  // Not SIGTERM: whoever runs the tests may have it ignored, and children inherit that.
  kill(first.processIdentifier, SIGKILL)
  #expect(await watched.reported(.process("name"), [.bad, .good, .bad]))
  kill(second.processIdentifier, SIGKILL)
  #expect(await watched.reported(.process("command"), [.bad, .good, .bad]))
  await watched.tracker.stop()
}

@Test func onlyWhatIsReferredToIsWatched() async {
  let watched = Watched()
  var unused = watching(scripts: [trackedScript("unused", "/bin/true")])
  unused.routers[0].trackedScripts = []
  await watched.tracker.update(unused)
  var used = unused
  var group = SyncGroup(name: "G", origin: Origin("test"))
  group.trackedScripts = [TrackReference("unused")]
  used.groups = [group]
  #expect(watched.reports.values.isEmpty)
  await watched.tracker.update(used)
  #expect(await watched.reported(.script("unused"), [.good]))
  await watched.tracker.stop()
}

@Test func lifecycleScriptsAreWaitedFor() async {
  let scratch = Scratch()
  let globals = watching().global
  let done = scriptCommand(scratch.script("done.sh", "echo x > \(scratch.path)/out"))
  #expect(await LifecycleScript.run(done, timeout: nil, globals: globals) == nil)
  #expect(scratch.read("out") == "x\n")
  let late = await LifecycleScript.run(
    scriptCommand("/bin/sleep", "1000"), timeout: .milliseconds(100), globals: globals)
  #expect(late == "/bin/sleep timed_out")
  let failed = await LifecycleScript.run(
    scriptCommand("/bin/false"), timeout: nil, globals: globals)
  #expect(failed == "/bin/false failed (exited with status 1)")
  let absent = await LifecycleScript.run(scriptCommand("/none"), timeout: nil, globals: globals)
  #expect(absent?.hasPrefix("/none is not run: ") == true)
}
