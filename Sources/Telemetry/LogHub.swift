// The log thread: takes session records and messages, words them, and hands them to the sinks.
// Nothing that serves a client ever waits for it.

import Configuration
import Glibc
import Kernel
import Proxy
import Synchronization

public final class LogHub: Sendable {
  /// Everything that shapes a frontend's lines.
  struct Profile: Equatable, Sendable {
    var settings: AccessLogSettings
    var tag: String
    var hostName: String?
  }

  struct Message: Sendable {
    let level: LogLevel
    let text: String
    let targets: [LogTarget]
    let tag: String
    let hostName: String?
    let time_us: Int64
  }

  /// Messages that may wait; more are dropped and counted, as records are.
  private static let messageLimit = 16_384

  private struct Inbox {
    var profiles: [Profile] = []
    var messages: [Message] = []
    var droppedMessages = 0
    var isStopping = false
  }

  private let inbox = Mutex(Inbox())
  private let names: NameTable
  private let signal: RecordSignal
  private let rings: [RecordRing]
  private let isJSON: Bool
  private let thread = Mutex<ThreadHandle?>(nil)

  /// With `isJSON`, targets that are for sessions only get an object a line.
  public init(
    names: NameTable, signal: RecordSignal, rings: [RecordRing], isJSON: Bool = false
  ) {
    self.isJSON = isJSON
    self.names = names
    self.signal = signal
    self.rings = rings
  }

  /// Starts the log thread.
  public func start() throws(KernelError) {
    let handle = try System.startThread(named: "log") { [self] in
      var writer = LogWriter(hub: self)
      writer.run()
    }
    thread.withLock { $0 = handle }
  }

  /// Writes what is there, for at most a second, and ends the thread.
  public func stop() {
    inbox.withLock { $0.isStopping = true }
    EventDescriptor.signal(signal.descriptor)
    thread.withLock { handle in
      handle?.join()
      handle = nil
    }
  }

  /// The number and needs of a frontend's access log.
  public func binding(
    for frontend: Frontend, global: GlobalSettings
  ) -> AccessLogBinding {
    let settings = frontend.log
    guard !settings.targets.isEmpty else { return AccessLogBinding(profile: nil) }
    let profile = Profile(
      settings: settings, tag: settings.tag ?? global.logTag, hostName: global.logHostname)
    let number = inbox.withLock { inbox -> UInt32 in
      if let known = inbox.profiles.firstIndex(of: profile) { return UInt32(known) }
      inbox.profiles.append(profile)
      return UInt32(inbox.profiles.count - 1)
    }
    var binding = AccessLogBinding(profile: number)
    binding.dontLogNull = settings.dontLogNull
    binding.dontLogNormal = settings.dontLogNormal
    binding.isEarly = settings.logASAP
    switch settings.format {
    case .basic:
      binding.isAtAccept = true
      binding.needsLocalEndpoint = true
    case .tcplog: break
    case .custom(let items):
      for case .field(let field, _) in items {
        switch field {
        case .frontendIP, .frontendPort: binding.needsLocalEndpoint = true
        case .backendSourceIP, .backendSourcePort: binding.needsSourceEndpoint = true
        default: break
        }
      }
    }
    return binding
  }

  /// Sends a message (a server's change of state, say) to the targets that are for more than
  /// sessions.
  public func log(
    _ level: LogLevel, _ text: String, to targets: [LogTarget], tag: String,
    hostName: String? = nil
  ) {
    let targets = targets.filter { $0.contents == .everything }
    guard !targets.isEmpty else { return }
    let message = Message(
      level: level, text: text, targets: targets, tag: tag, hostName: hostName,
      time_us: Clock.realtime_us())
    inbox.withLock { inbox in
      if inbox.messages.count < LogHub.messageLimit {
        inbox.messages.append(message)
      } else {
        inbox.droppedMessages += 1
      }
    }
    signal.notify()
  }

  fileprivate func takeMessages() -> (messages: [Message], dropped: Int, isStopping: Bool) {
    inbox.withLock { inbox in
      defer {
        inbox.messages = []
        inbox.droppedMessages = 0
      }
      return (inbox.messages, inbox.droppedMessages, inbox.isStopping)
    }
  }

  fileprivate func profiles() -> [Profile] { inbox.withLock { $0.profiles } }

  fileprivate var parts: (NameTable, RecordSignal, [RecordRing], Bool) {
    (names, signal, rings, isJSON)
  }
}

/// The log thread's own state.
private struct LogWriter {
  private static let batch_ms: Int32 = 5
  private static let slowSink_ms: Int32 = 20
  private static let recordsPerTurn = 4096

  private struct Reporter {
    let target: LogTarget
    let tag: String
    let hostName: String?
  }

  private let hub: LogHub
  private let signal: RecordSignal
  private let rings: [RecordRing]
  private let access: AccessLine
  private let isJSON: Bool
  private let context: SyslogContext
  private var sinks: [LogTarget.Destination: LogSink] = [:]
  /// How each sink is told what it missed: as its first line was worded.
  private var reporters: [LogTarget.Destination: Reporter] = [:]
  private var samples: [LogTarget: Int] = [:]
  private var profiles: [LogHub.Profile] = []
  private var text = LineBuffer()
  private var line = LineBuffer()
  private var object = LineBuffer()

  init(hub: LogHub) {
    self.hub = hub
    let (names, signal, rings, isJSON) = hub.parts
    self.isJSON = isJSON
    self.signal = signal
    self.rings = rings
    context = SyslogContext(hostName: System.hostName, processID: getpid())
    access = AccessLine(names: names, context: context)
  }

  mutating func run() {
    while true {
      let (busy, isStopping) = turn()
      if isStopping {
        finish()
        return
      }
      if busy {
        // More is likely to follow: collect it for a moment instead of waking per record.
        _ = System.waitReadable(-1, timeout_ms: LogWriter.batch_ms)
        continue
      }
      signal.prepareToSleep()
      let (late, stopping) = turn()
      if stopping {
        finish()
        return
      }
      if !late {
        let waits = sinks.values.contains { $0.hasPending }
        System.waitReadable(
          signal.descriptor, timeout_ms: waits ? LogWriter.slowSink_ms : -1)
      }
      signal.woke()
    }
  }

  /// Takes everything there is. True when there was something.
  private mutating func turn() -> (busy: Bool, isStopping: Bool) {
    var count = 0
    var lost = 0
    for ring in rings {
      for _ in 0..<LogWriter.recordsPerTurn {
        guard let record = ring.pop() else { break }
        write(record)
        count += 1
      }
      lost += ring.takeDropped()
    }
    let (messages, droppedMessages, isStopping) = hub.takeMessages()
    for message in messages {
      text.clear()
      text.append(message.text)
      for target in message.targets {
        deliver(
          to: target, level: message.level, tag: message.tag, hostName: message.hostName,
          now_us: message.time_us)
      }
    }
    lost += droppedMessages
    if lost > 0 { reportLoss(lost) }
    for sink in sinks.values { sink.flush() }
    reportSinkLosses()
    return (count > 0 || !messages.isEmpty, isStopping)
  }

  private mutating func write(_ record: SessionRecord) {
    if Int(record.profile) >= profiles.count { profiles = hub.profiles() }
    guard Int(record.profile) < profiles.count else { return }
    let profile = profiles[Int(record.profile)]
    text.clear()
    access.append(record, format: profile.settings.format, to: &text)
    let level: LogLevel =
      profile.settings.separateErrors && (record.end.isError || record.retries > 0)
      ? .err : .info
    object.clear()
    for target in profile.settings.targets {
      if target.contents == .sessions, isJSON, object.bytes.isEmpty {
        access.append(record, saying: text, level, toObject: &object)
      }
      deliver(
        to: target, level: level, tag: profile.tag, hostName: profile.hostName,
        now_us: record.ended_us, as: .sessionEnd)
    }
    object.clear()
  }

  /// Frames `text` for one target and hands it over. Targets for sessions only get its name as
  /// well, or `object`.
  private mutating func deliver(
    to target: LogTarget, level: LogLevel, tag: String, hostName: String?, now_us: Int64,
    as event: EventName = .logUnavailable
  ) {
    guard level <= target.maximumLevel else { return }
    if let sample = target.sample, !isSampled(target, sample) { return }
    var shown = level
    if let minimum = target.minimumLevel, level < minimum { shown = minimum }
    line.clear()
    if target.contents == .sessions, isJSON {
      if object.bytes.isEmpty {
        AccessLine.append(text, as: event, level, at_us: now_us, toObject: &line)
      } else {
        line.append(contentsOf: object)
      }
      line.append(byte: UInt8(ascii: "\n"))
      sink(for: target, tag, hostName).send(line.bytes)
      return
    }
    SyslogHeader.append(
      to: &line, format: target.format, facility: target.facility, level: shown, tag: tag,
      sendsHostName: hostName, now_us: now_us, context: context)
    line.append(contentsOf: text)
    if target.contents == .sessions {
      line.append(" event=")
      line.append(event.rawValue)
    }
    line.truncate(to: target.maximumLength - 1)
    line.append(byte: UInt8(ascii: "\n"))
    sink(for: target, tag, hostName).send(line.bytes)
  }

  private mutating func isSampled(_ target: LogTarget, _ sample: LogSample) -> Bool {
    let position = samples[target, default: 0] % max(1, sample.size) + 1
    samples[target] = position
    return sample.ranges.contains { $0.contains(position) }
  }

  private mutating func sink(
    for target: LogTarget, _ tag: String, _ hostName: String?
  ) -> LogSink {
    if let known = sinks[target.destination] { return known }
    let made = LogSink(target.destination)
    sinks[target.destination] = made
    reporters[target.destination] = Reporter(target: target, tag: tag, hostName: hostName)
    return made
  }

  /// Records that found no room between a worker and this thread.
  private mutating func reportLoss(_ count: Int) {
    text.clear()
    text.append("fairlead dropped \(count) log records: they came faster than they are written.")
    profiles = hub.profiles()
    var told: Set<LogTarget.Destination> = []
    for profile in profiles {
      for target in profile.settings.targets where told.insert(target.destination).inserted {
        deliver(
          to: target, level: .warning, tag: profile.tag, hostName: profile.hostName,
          now_us: Clock.realtime_us())
      }
    }
  }

  /// A sink that takes lines again is told how many it missed. A datagram sink is only known to
  /// work again when it takes a line, so the report itself is the test: once a second.
  private mutating func reportSinkLosses() {
    for (destination, sink) in sinks where sink.dropped > 0 && !sink.hasPending {
      guard let reporter = reporters[destination], !sink.isDatagram || sink.mayProbe() else {
        continue
      }
      let count = sink.takeDropped()
      text.clear()
      text.append("fairlead dropped \(count) log records: this log was too slow or not there.")
      var target = reporter.target
      target.sample = nil
      deliver(
        to: target, level: .warning, tag: reporter.tag, hostName: reporter.hostName,
        now_us: Clock.realtime_us())
      if sink.dropped > 0 { sink.restoreDropped(count) }
    }
  }

  private mutating func finish() {
    let end = Clock.monotonic_us() + 1_000_000
    while Clock.monotonic_us() < end {
      let (busy, _) = turn()
      if !busy, !sinks.values.contains(where: { $0.hasPending }) { return }
      _ = System.waitReadable(-1, timeout_ms: 5)
    }
  }
}
