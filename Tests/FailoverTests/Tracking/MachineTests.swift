// The deciding parts: rise and fall, quorum and delays, numbers in files, names of processes.

import Configuration
import Testing

@testable import Failover

/// One letter per run: `+` succeeded, `-` failed; upper case in `expected`: changed to Good, Bad.
@Test(arguments: [
  (1, 1, false, "+-+-", "GBGB"),
  (1, 1, true, "+", "G"),
  (1, 1, true, "-", "."),
  (3, 3, false, "+--+---", "G.....B"),
  (3, 3, false, "-++-+++", "B.....G"),
  (3, 1, true, "+", "G"),
  (2, 4, false, "---+", "B..."),
  (0, 0, false, "+-", "GB"),
])
func scriptsRiseAndFall(
  _ rise: Int, _ fall: Int, _ startsFailed: Bool, _ runs: String, _ expected: String
) {
  var machine = ScriptMachine(rise: rise, fall: fall, startsFailed: startsFailed)
  #expect(machine.isGood == (startsFailed ? false : nil))
  var seen = ""
  for run in runs {
    let hasChanged = machine.handle(run == "+" ? .exited(0) : .exited(1))
    seen += hasChanged ? (machine.isGood == true ? "G" : "B") : "."
  }
  #expect(seen == expected)
}

@Test(arguments: [
  ScriptEnding.exited(3), .signaled(15), .timedOut, .notStarted("No such file or directory"),
])
func everyOtherEndIsAFailure(_ ending: ScriptEnding) {
  var machine = ScriptMachine(rise: 1, fall: 1, startsFailed: false)
  let hasChanged = machine.handle(ending)
  #expect(hasChanged)
  #expect(machine.isGood == false)
}

@Test func failuresReadLikeKeepalivedS() {
  #expect(ScriptEnding.exited(3).failureWords == "failed (exited with status 3)")
  #expect(ScriptEnding.signaled(6).failureWords == "failed (due to signal 6)")
  #expect(ScriptEnding.timedOut.failureWords == "timed_out")
}

@Test func aReloadKeepsWhatAScriptFoundOut() {
  var old = ScriptMachine(rise: 1, fall: 1, startsFailed: false)
  _ = old.handle(.exited(1))
  var new = ScriptMachine(rise: 2, fall: 1, startsFailed: false)
  new.inherit(from: old)
  #expect(new.isGood == false)
  let changes = [new.handle(.exited(0)), new.handle(.exited(0))]
  #expect(changes == [false, true])
}

/// Measured with keepalived 2.2.7, but for the last two, which it takes for other numbers.
@Test(arguments: [
  ("5\n", 5), ("12abc\n", 12), ("abc\n", 0), ("  7\n", 7), ("+7\n", 7), ("0x10\n", 16),
  ("1.9\n", 1), ("", 0), ("5\n9\n", 5), ("99999999999999999999\n", nil),
  ("-99999999999999999999\n", nil), ("010\n", 8), ("\n8\n", 8), ("2147483647", 2_147_483_647),
  ("-2147483648", -2_147_483_648), ("-2147483649", nil), ("0x", 0), ("-", 0), ("08", 0),
  ("2147483648", nil),
])
func numbersInFiles(_ text: String, _ expected: Int?) {
  #expect(FileNumber.parse(text.utf8) == expected)
}

private func expect(
  _ machine: inout ProcessMachine, _ count: Int, _ process: TrackedProcess, at now_ms: Int64,
  _ expected: ProcessMachine.Outcome, location: SourceLocation = #_sourceLocation
) {
  let outcome = machine.handle(count: count, of: process, at: now_ms)
  #expect(outcome == expected, sourceLocation: location)
}

@Test func aQuorumHasToLastAsLongAsItsDelay() {
  var process = TrackedProcess(name: "p", process: "p")
  process.quorum = 2
  process.forkDelay = .milliseconds(500)
  process.terminateDelay = .milliseconds(1500)
  var machine = ProcessMachine()
  expect(&machine, 1, process, at: 0, .changed(isGood: false))
  expect(&machine, 2, process, at: 1000, .wait(until_ms: 1500))
  expect(&machine, 1, process, at: 1400, .same)
  expect(&machine, 2, process, at: 2000, .wait(until_ms: 2500))
  expect(&machine, 3, process, at: 2500, .changed(isGood: true))
  expect(&machine, 0, process, at: 3000, .wait(until_ms: 4500))
  expect(&machine, 0, process, at: 4400, .wait(until_ms: 4500))
  expect(&machine, 0, process, at: 4500, .changed(isGood: false))
}

@Test func aMaximumCountsToo() {
  var process = TrackedProcess(name: "p", process: "p")
  process.maximum = 1
  var machine = ProcessMachine()
  expect(&machine, 1, process, at: 0, .changed(isGood: true))
  expect(&machine, 2, process, at: 0, .changed(isGood: false))
  process.maximum = 0
  expect(&machine, 0, process, at: 0, .changed(isGood: true))
  expect(&machine, 1, process, at: 0, .changed(isGood: false))
}

private func image(_ name: String, _ arguments: String...) -> ProcessImage {
  ProcessImage(name: Array(name.utf8), arguments: arguments.map { Array($0.utf8) })
}

@Test func processesMatchByNameOrByCommandLine() {
  let proxy = image("haproxy", "/usr/sbin/haproxy", "-Ws", "-f", "/etc/haproxy.cfg")
  var process = TrackedProcess(name: "p", process: "haproxy")
  #expect(process.matches(proxy))
  #expect(!process.matches(image("haproxy2", "haproxy2")))
  process.matchesFullCommand = true
  #expect(process.matches(proxy))
  process.arguments = .initial(["-Ws", "-f"])
  #expect(process.matches(proxy))
  process.arguments = .exact(["-Ws", "-f"])
  #expect(!process.matches(proxy))
  process.arguments = .prefix(["-Ws", "-f", "/etc/ha"])
  #expect(process.matches(proxy))
  process.arguments = .prefix(["-Ws", "-f", "/etc/haproxy.cfg", ""])
  #expect(!process.matches(proxy))
  process.arguments = .prefix([])
  #expect(!process.matches(proxy))
  process.arguments = .any
  process.process = "/usr/sbin/haproxy"
  #expect(process.matches(proxy))
  process.process = "/usr/local/sbin/haproxy"
  #expect(!process.matches(proxy))
  let long = TrackedProcess(name: "l", process: "a-name-of-twenty-one")
  #expect(long.matches(image("a-name-of-twent")))
  #expect(!process.matches(ProcessImage(name: Array("kthreadd".utf8))))
}
