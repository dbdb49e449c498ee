// Sinks that read, that do not read and that are not there; and which lines go to which.

import Configuration
import Glibc
import Kernel
import Proxy
import Testing

@testable import Telemetry

/// A datagram socket that plays the syslog daemon.
private final class Daemon {
  let fd: Int32
  let destination: LogTarget.Destination
  private let path: String?

  init(unix: Bool, name: String = "a") throws {
    signal(SIGPIPE, SIG_IGN)
    if unix {
      let path = "/tmp/fairlead-log-\(getpid())-\(name)"
      unlink(path)
      self.path = path
      destination = .unixDatagram(path: path)
      fd = Socket.openDatagram(family: Socket.familyUnix)
      var address = try KernelAddress(unixPath: path)
      try #require(Socket.bind(fd, &address.raw) == 0)
    } else {
      path = nil
      fd = Socket.openDatagram(family: Socket.familyIPv4)
      var address = try KernelAddress(NetworkEndpoint(.v4(0x7f00_0001), port: 0))
      try #require(Socket.bind(fd, &address.raw) == 0)
      destination = .udp(.ip(.v4(0x7f00_0001), port: Socket.localEndpoint(fd).port))
    }
  }

  /// The next datagram, or nil when none comes in time.
  func next(timeout_ms: Int32 = 5000) -> String? {
    guard System.waitReadable(fd, timeout_ms: timeout_ms) else { return nil }
    var buffer = [UInt8](repeating: 0, count: 2048)
    let count = Socket.receive(fd, &buffer, 2048).raw
    return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
  }

  deinit {
    Socket.close(fd)
    if let path { unlink(path) }
  }
}

@Suite struct LogSinkTests {
  @Test(arguments: [true, false]) func datagrams(unix: Bool) throws {
    let daemon = try Daemon(unix: unix, name: "d\(unix)")
    let sink = LogSink(daemon.destination)
    sink.send(Array("one".utf8))
    sink.send(Array("two".utf8))
    #expect(daemon.next() == "one" && daemon.next() == "two")
    #expect(sink.dropped == 0 && !sink.hasPending)
  }

  /// Nobody there: lines are counted, and the daemon that comes up gets the next ones.
  @Test func aDaemonThatRestarts() throws {
    var daemon: Daemon? = try Daemon(unix: true, name: "restart")
    let sink = LogSink(daemon!.destination)
    sink.send(Array("one".utf8))
    #expect(daemon!.next() == "one")
    daemon = nil
    sink.send(Array("lost".utf8))
    #expect(sink.dropped >= 1)
    daemon = try Daemon(unix: true, name: "restart")
    var found: String?
    for _ in 0..<40 where found == nil {
      sink.send(Array("again".utf8))
      found = daemon!.next(timeout_ms: 50)
    }
    #expect(found == "again")
    #expect(sink.takeDropped() >= 1 && sink.dropped == 0)
  }

  @Test func aFullDatagramSocketDropsAndNeverBlocks() throws {
    let daemon = try Daemon(unix: true, name: "full")
    let sink = LogSink(daemon.destination)
    let line = [UInt8](repeating: 65, count: 500)
    let time = ContinuousClock().measure { for _ in 0..<20_000 { sink.send(line) } }
    #expect(sink.dropped > 0 && time < .seconds(5))
    var received = 0
    while daemon.next(timeout_ms: 0) != nil { received += 1 }
    #expect(received + sink.dropped == 20_000)
  }

  @Test func aPipeThatIsNotRead() throws {
    let pipe = try #require(KernelPipe.open(capacity: 65_536))
    defer { [pipe.read, pipe.write].forEach(Socket.close) }
    // Blocking, as a terminal's or a container's standard output is.
    _ = fcntl(pipe.write, F_SETFL, fcntl(pipe.write, F_GETFL) & ~O_NONBLOCK)
    let sink = LogSink(.descriptor(pipe.write))
    for number in 0..<10_000 {
      sink.send(Array("line \(number) \(String(repeating: "x", count: 90))\n".utf8))
      if number % 16 == 0 { sink.flush() }
    }
    sink.flush()
    #expect(sink.hasPending && sink.dropped > 0)
    let dropped = sink.takeDropped()
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    repeat {
      sink.flush()
      let count = read(pipe.read, &buffer, buffer.count)
      if count > 0 { all += buffer[..<count] }
    } while sink.hasPending || System.waitReadable(pipe.read, timeout_ms: 0)
    let lines = all.split(separator: 10)
    #expect(lines.count + dropped == 10_000, "what is not counted arrives")
    #expect(lines.allSatisfy { $0.starts(with: "line ".utf8) && $0.last == 120 })
  }

  @Test func aReaderThatIsGone() throws {
    signal(SIGPIPE, SIG_IGN)
    let pipe = try #require(KernelPipe.open(capacity: 65_536))
    defer { Socket.close(pipe.write) }
    let sink = LogSink(.descriptor(pipe.write))
    Socket.close(pipe.read)
    for _ in 0..<3 { sink.send(Array("x\n".utf8)) }
    sink.flush()
    #expect(sink.dropped == 3 && !sink.hasPending)
  }
}

@Suite struct LogHubTests {
  /// A hub whose thread runs while `body` does.
  private func withHub(_ body: (LogHub) throws -> Void) throws {
    _ = fixedZone
    let hub = LogHub(names: NameTable(), signal: try RecordSignal(), rings: [])
    try hub.start()
    defer { hub.stop() }
    try body(hub)
  }

  private func target(
    _ daemon: Daemon, _ change: (inout LogTarget) -> Void = { _ in }
  ) -> LogTarget {
    var target = LogTarget(daemon.destination, facility: .local0)
    target.format = .short
    change(&target)
    return target
  }

  @Test func levels() throws {
    let daemon = try Daemon(unix: true, name: "levels")
    try withHub { hub in
      let limited = target(daemon) {
        $0.maximumLevel = .notice; $0.minimumLevel = .err
      }
      for (level, text) in [(LogLevel.alert, "a"), (.info, "b"), (.notice, "c"), (.err, "d")] {
        hub.log(level, text, to: [limited], tag: "t")
      }
      #expect((0..<3).map { _ in daemon.next() } == ["<3>a\n", "<5>c\n", "<3>d\n"])
    }
    #expect(daemon.next(timeout_ms: 0) == nil)
  }

  @Test func samplesAndLengths() throws {
    let daemon = try Daemon(unix: true, name: "samples")
    try withHub { hub in
      let sampled = target(daemon) {
        $0.sample = LogSample(ranges: [1...1, 3...3], size: 4)
        $0.maximumLength = 80
      }
      for number in 1...8 {
        hub.log(.info, "\(number)" + String(repeating: "x", count: 200), to: [sampled], tag: "t")
      }
      let lines = (0..<4).compactMap { _ in daemon.next() }
      #expect(lines.map { $0.dropFirst(3).first } == ["1", "3", "5", "7"])
      #expect(lines.allSatisfy { $0.utf8.count == 80 })
    }
    #expect(daemon.next(timeout_ms: 0) == nil)
  }

  @Test func messagesBeforeTheStopAreWritten() throws {
    let daemon = try Daemon(unix: false)
    try withHub { hub in
      for number in 0..<50 { hub.log(.info, "\(number)", to: [target(daemon)], tag: "t") }
    }
    #expect((0..<50).map { _ in daemon.next() } == (0..<50).map { "<6>\($0)\n" })
  }

  /// While nobody listens every line is counted, and the daemon that comes up is told how many.
  @Test func theLossIsToldInFull() throws {
    let name = "loss"
    let destination = try Daemon(unix: true, name: name).destination
    let signal = try RecordSignal()
    let hub = LogHub(names: NameTable(), signal: signal, rings: [])
    try hub.start()
    defer { hub.stop() }
    var frontend = Frontend(name: "f")
    var target = LogTarget(destination, facility: .local0)
    target.format = .raw
    frontend.log.targets = [target]
    _ = hub.binding(for: frontend, global: GlobalSettings())
    for _ in 0..<25 {
      hub.log(.info, "lost", to: [target], tag: "t")
      usleep(100_000)
    }
    let daemon = try Daemon(unix: true, name: name)
    var told: Int?
    for _ in 0..<30 where told == nil {
      hub.log(.info, "again", to: [target], tag: "t")
      while let line = daemon.next(timeout_ms: 100) {
        let words = line.split(separator: " ")
        if words.count > 3, words[0] == "fairlead" { told = Int(words[2]) }
      }
    }
    #expect((told ?? 0) >= 25, "told: \(told ?? -1)")
  }
}
