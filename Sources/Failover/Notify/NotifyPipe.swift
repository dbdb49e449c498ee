// One FIFO: made if it is not there, never waited for, and read by a script that is kept running.

import Configuration
import Glibc
import Kernel
import Synchronization

/// Used by one task at a time.
struct NotifyPipe {
  let settings: NotifyFIFO
  private let descriptor: Int32
  private let isOurs: Bool
  private var dropped = 0
  private var reader: PipeReader?

  /// Makes and opens the FIFO. nil when that is impossible; the reason has been logged.
  init?(_ settings: NotifyFIFO, globals: FailoverGlobals, log: @Sendable (String) -> Void) {
    self.settings = settings
    let path = settings.path
    isOurs = mkfifo(path, 0o600) == 0
    if !isOurs, errno != EEXIST {
      log("FIFO \(path) cannot be made - \(KernelError.text(of: errno))")
      return nil
    }
    // Read and write: so there is always a reader, and a write never raises SIGPIPE.
    descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
    if descriptor < 0 {
      log("FIFO \(path) cannot be opened - \(KernelError.text(of: errno))")
      if isOurs { unlink(path) }
      return nil
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
      log("\(path) is not a FIFO")
      Glibc.close(descriptor)
      return nil
    }
    let owner = settings.owner ?? settings.script?.user
    if isOurs, case .success(let identity) = ScriptIdentity.resolve(owner, globals: globals),
      identity.user != geteuid() || identity.group != getegid(),
      fchown(descriptor, identity.user, identity.group) != 0
    {
      log("FIFO \(path) cannot be given to its user - \(KernelError.text(of: errno))")
    }
  }

  /// Starts the script that reads.
  mutating func startReader(
    globals: FailoverGlobals, log: @escaping @Sendable (String) -> Void
  ) {
    guard var command = settings.script else { return }
    command.words.append(settings.path)
    switch RunnableScript.resolve(command, globals: globals) {
    case .failure(let problem): log("script of FIFO \(settings.path) is not run: \(problem)")
    case .success(let (script, _)): reader = PipeReader(script, log: log)
    }
  }

  /// Writes a line whole or not at all: it is shorter than PIPE_BUF. A FIFO that is full drops it.
  mutating func write(_ line: String, log: @Sendable (String) -> Void) {
    var line = line
    let result = line.withUTF8 { System.write(descriptor, UnsafeRawBufferPointer($0)) }
    if result.raw == line.utf8.count {
      if dropped > 0 { log("FIFO \(settings.path) takes lines again; \(dropped) were dropped") }
      dropped = 0
    } else {
      if dropped == 0 { log("FIFO \(settings.path) is full, lines are dropped") }
      dropped += 1
    }
  }

  /// Ends the script and removes the FIFO if it was made here.
  func close() async {
    reader?.closing()
    Glibc.close(descriptor)
    await reader?.stop()
    if isOurs { unlink(settings.path) }
  }
}

/// The script that reads a FIFO; started again when it ends.
final class PipeReader: Sendable {
  private let isClosing = Mutex(false)
  private let task = Mutex<Task<Void, Never>?>(nil)

  init(_ script: RunnableScript, log: @escaping @Sendable (String) -> Void) {
    task.withLock {
      $0 = Task { [self] in
        while !Task.isCancelled, !isClosing.withLock({ $0 }) {
          let ending = await ScriptRunner.run(script, timeout: nil)
          if Task.isCancelled || isClosing.withLock({ $0 }) { return }
          let words = ending.isSuccess ? "ended" : ending.failureWords
          log("script of FIFO \(script.words.last ?? "") \(words); it is started again")
          try? await Task.sleep(for: TrackingLimits.fifoScriptPause)
        }
      }
    }
  }

  /// The FIFO is about to be closed, so the script may end by itself.
  func closing() { isClosing.withLock { $0 = true } }

  func stop() async {
    guard let task = task.withLock({ $0 }) else { return }
    if await task.ends(within: TrackingLimits.fifoScriptGrace) { return }
    task.cancel()
    await task.value
  }
}

extension Task where Success == Void, Failure == Never {
  /// Whether it ended in time. It is left running when not.
  func ends(within limit: Duration) async -> Bool {
    let (stream, continuation) = AsyncStream.makeStream(of: Bool.self)
    let waiter = Task<Void, Never> {
      await value
      continuation.yield(true)
    }
    let timer = Task<Void, Never> {
      try? await Task<Never, Never>.sleep(for: limit)
      continuation.yield(false)
    }
    var results = stream.makeAsyncIterator()
    let hasEnded = await results.next() ?? true
    timer.cancel()
    _ = waiter
    return hasEnded
  }
}
