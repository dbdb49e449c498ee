// Real notify commands and FIFOs.

import Configuration
import Foundation
import Testing

@testable import Failover

private let router = NotifySubject.router("V")

@Test func linesAndArgumentsAreKeepalivedS() {
  var commands = NotifyCommands()
  commands.any = scriptCommand("/n", "extra")
  commands.master = scriptCommand("/m")
  commands.fault = scriptCommand("/f")
  commands.lowerPriorityHeard = scriptCommand("/l")
  let master = NotifyEvent.state(router, .master, priority: 110)
  #expect(master.line(commands) == "INSTANCE \"V\" MASTER 110\n")
  #expect(
    master.commands(commands).map(\.words) == [
      ["/m"], ["/n", "extra", "INSTANCE", "V", "MASTER", "110"],
    ])
  let group = NotifyEvent.state(.group("G"), .backup, priority: 0)
  #expect(group.line(commands) == "GROUP \"G\" BACKUP 0\n")
  #expect(group.commands(commands).map(\.words) == [["/n", "extra", "GROUP", "G", "BACKUP", "0"]])
  let changed = NotifyEvent.priority("V", .backup, 80)
  #expect(changed.line(commands) == "INSTANCE \"V\" BACKUP_PRIORITY 80\n")
  #expect(changed.commands(commands).isEmpty)
  let heard = NotifyEvent.lowerPriorityHeard("V", priority: 100)
  #expect(heard.line(commands) == "INSTANCE \"V\" MASTER_RX_LOWER_PRI 100\n")
  #expect(heard.commands(commands).map(\.words) == [["/l"]])
  let deleted = NotifyEvent.state(router, .deleted, priority: 100)
  #expect(deleted.line(commands) == "INSTANCE \"V\" FAULT 100\n")
  #expect(deleted.commands(commands).first?.words == ["/f"])
  commands.reportsDeletion = true
  #expect(deleted.line(commands) == "INSTANCE \"V\" DELETED 100\n")
  #expect(deleted.commands(commands).map(\.words.last) == ["100"])
}

private struct Told {
  let scratch = Scratch()
  let lines = Recorder<String>()
  let notifier: Notifier
  var configuration = watching()

  init() {
    let lines = lines
    notifier = Notifier(log: { lines.add($0) })
    configuration.routers[0].name = "V"
    configuration.routers[0].notifiesPriorityChanges = true
  }

  var out: String { scratch.path + "/out" }
}

@Test func commandsRunInOrderAndStopIsAwaited() async {
  var told = Told()
  let script = told.scratch.script("n.sh", "echo \"$*\" >> \(told.out)")
  let slow = told.scratch.script("slow.sh", "sleep 0.2; echo \"$*\" >> \(told.out)")
  told.configuration.routers[0].notify.any = scriptCommand(script, "any")
  told.configuration.routers[0].notify.master = scriptCommand(slow, "master")
  told.configuration.routers[0].notify.stop = scriptCommand(slow, "stop")
  told.notifier.update(told.configuration)
  told.notifier.post(.state(router, .backup, priority: 100))
  told.notifier.post(.state(router, .master, priority: 110))
  told.notifier.post(.state(.router("unknown"), .master, priority: 1))
  // A stop cuts the patience with what runs before it, which a busy machine may need.
  #expect(await told.scratch.wait(for: "out") { $0.contains("MASTER 110") })
  told.notifier.post(.state(router, .stop, priority: 110))
  await told.notifier.stop()
  told.notifier.post(.state(router, .master, priority: 1))
  #expect(
    told.scratch.read("out") == """
      any INSTANCE V BACKUP 100
      master
      any INSTANCE V MASTER 110
      stop
      any INSTANCE V STOP 110

      """)
  #expect(told.lines.values.isEmpty)
}

@Test func aScriptThatHangsHoldsBackNeitherOthersNorTheEnd() async {
  var told = Told()
  let script = told.scratch.script("n.sh", "echo $3 >> \(told.out)")
  let hang = told.scratch.script("hang.sh", "echo $$ > \(told.scratch.path)/pid; exec sleep 1000")
  told.configuration.routers[0].notify.master = scriptCommand(hang)
  told.configuration.routers[0].notify.any = scriptCommand(script)
  told.configuration.routers[0].notify.backup = scriptCommand("/nonexistent")
  var other = told.configuration.routers[0]
  (other.name, other.id) = ("W", 2)
  other.notify.master = nil
  told.configuration.routers.append(other)
  told.notifier.update(told.configuration)
  told.notifier.post(.state(router, .master, priority: 100))
  told.notifier.post(.state(.router("W"), .master, priority: 100))
  #expect(await told.scratch.wait(for: "out") { $0 == "MASTER\n" })
  #expect(await told.scratch.wait(for: "pid") { $0.hasSuffix("\n") })
  told.notifier.post(.state(router, .stop, priority: 100))
  let start = ContinuousClock.now
  await told.notifier.stop()
  #expect(ContinuousClock.now - start < .seconds(20))
  // The hanging one was passed by, what came after it was run, and it was killed.
  #expect(told.scratch.read("out") == "MASTER\nMASTER\nSTOP\n")
  let pid = Int32(told.scratch.read("pid").dropLast()) ?? 0
  #expect(pid > 0 && kill(pid, 0) != 0)
  #expect(await told.lines.contains("hang.sh still runs"))
  #expect(await told.lines.contains("were killed"))
  #expect(await told.lines.contains("script /nonexistent cannot be accessed"))
}

@Test func fifosAreWrittenInOrderAndRemoved() async {
  var told = Told()
  let fifo = told.scratch.path + "/fifo"
  var settings = NotifyFIFO(path: fifo)
  settings.script = scriptCommand(
    told.scratch.script(
      "read.sh",
      "echo \"start $*\" >> \(told.out)\nwhile read l; do echo \"$l\" >> \(told.out); "
        + "test \"$l\" = 'GROUP \"G\" FAULT 0' && exit 1; done < $2\necho end >> \(told.out)"), "a")
  told.configuration.global.fifos = [settings, NotifyFIFO(path: fifo + "2")]
  told.notifier.update(told.configuration)
  told.notifier.post(.state(router, .backup, priority: 100))
  told.notifier.post(.priority("V", .backup, 90))
  told.notifier.post(.priority("W", .backup, 90))
  told.notifier.post(.restated(router, .backup, priority: 90))
  told.notifier.post(.lowerPriorityHeard("V", priority: 90))
  told.notifier.post(.state(.group("G"), .fault, priority: 0))
  // The script ends at that line and is started again; what is written meanwhile is not lost.
  #expect(await told.lines.contains("failed (exited with status 1); it is started again"))
  told.notifier.update(told.configuration)
  told.notifier.post(.state(router, .master, priority: 90))
  let mode = (try? FileManager.default.attributesOfItem(atPath: fifo))?[.posixPermissions]
  #expect(mode as? Int == 0o600)
  #expect(await told.scratch.wait(for: "out") { $0.hasSuffix("MASTER 90\n") })
  told.notifier.post(.state(router, .stop, priority: 90))
  await told.notifier.stop()
  #expect(
    told.scratch.read("out") == """
      start a \(fifo)
      INSTANCE "V" BACKUP 100
      INSTANCE "V" BACKUP_PRIORITY 90
      INSTANCE "V" BACKUP 90
      INSTANCE "V" MASTER_RX_LOWER_PRI 90
      GROUP "G" FAULT 0
      start a \(fifo)
      INSTANCE "V" MASTER 90
      INSTANCE "V" STOP 90
      end

      """)
  #expect(!FileManager.default.fileExists(atPath: fifo))
  #expect(!FileManager.default.fileExists(atPath: fifo + "2"))
}

@Test func aFIFOThatNobodyReadsDropsLinesAndSaysSo() async {
  var told = Told()
  let fifo = told.scratch.path + "/fifo"
  mkfifo(fifo, 0o600)
  told.configuration.global.fifos = [
    NotifyFIFO(path: fifo), NotifyFIFO(path: told.scratch.write("plain", "")),
  ]
  told.notifier.update(told.configuration)
  #expect(await told.lines.contains("plain is not a FIFO"))
  // 64 KiB hold fewer lines of some 24 bytes than this.
  for _ in 0..<3500 { told.notifier.post(.state(router, .master, priority: 100)) }
  #expect(await told.lines.contains("is full, lines are dropped"))
  let reader = open(fifo, O_RDONLY | O_NONBLOCK)
  defer { close(reader) }
  var bytes = [UInt8](repeating: 0, count: 65536)
  var text: [UInt8] = []
  #expect(
    await told.lines.wait { _ in true })
  repeat {
    let count = read(reader, &bytes, bytes.count)
    if count <= 0 { break }
    text += bytes.prefix(count)
  } while true
  // Whole lines only.
  let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
  #expect(lines.count > 1000 && lines.allSatisfy { $0 == "INSTANCE \"V\" MASTER 100" })
  told.notifier.post(.state(router, .backup, priority: 100))
  #expect(await told.lines.contains("takes lines again; "))
  await told.notifier.stop()
  // It was there before, so it stays.
  #expect(FileManager.default.fileExists(atPath: fifo))
}
