// Decides when a tracked process counts as running: how many there are, and for how long. Pure.

import Configuration

struct ProcessMachine: Equatable, Sendable {
  /// What was last reported; nil = nothing yet.
  private(set) var isGood: Bool?
  /// Since when the processes have said the opposite, ms.
  private(set) var pendingSince_ms: Int64?

  enum Outcome: Equatable {
    case same
    case changed(isGood: Bool)
    /// Look again at this time, ms.
    case wait(until_ms: Int64)
  }

  /// `count` processes match now. The first look acts at once, whatever the delays are.
  mutating func handle(count: Int, of process: TrackedProcess, at now_ms: Int64) -> Outcome {
    // `quorum_max 0` means that none may run, though the quorum is 1 when nothing is said.
    let quorum = min(process.quorum, process.maximum ?? process.quorum)
    let isUp = count >= quorum && count <= process.maximum ?? Int.max
    if isUp == isGood {
      pendingSince_ms = nil
      return .same
    }
    if isGood != nil {
      let delay_ms = (isUp ? process.forkDelay : process.terminateDelay).milliseconds
      let since_ms = pendingSince_ms ?? now_ms
      pendingSince_ms = since_ms
      if now_ms &- since_ms < delay_ms { return .wait(until_ms: since_ms &+ delay_ms) }
    }
    isGood = isUp
    pendingSince_ms = nil
    return .changed(isGood: isUp)
  }
}

extension Duration {
  /// Rounded up to whole milliseconds, at most some days.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    let limit: Int64 = 1_000_000
    let fraction = (attoseconds &+ 999_999_999_999_999) / 1_000_000_000_000_000
    return min(max(seconds, -limit), limit) &* 1000 &+ fraction
  }
}

/// One process as /proc shows it.
struct ProcessImage: Equatable, Sendable {
  /// /proc/PID/comm: at most 15 bytes.
  var name: [UInt8]
  /// /proc/PID/cmdline, split at its zero bytes.
  var arguments: [[UInt8]] = []
}

extension TrackedProcess {
  /// The command line must be read to tell.
  var needsArguments: Bool {
    matchesFullCommand || arguments != .any || process.contains("/")
  }

  /// keepalived.conf(5), "VRRP track processes": the name of the process is compared, or, with
  /// parameters or `full_command`, the command line as it was started.
  func matches(_ image: ProcessImage) -> Bool {
    guard needsArguments else {
      // The kernel keeps 15 bytes of a name.
      return image.name.elementsEqual(process.utf8.prefix(15))
    }
    guard let command = image.arguments.first else { return false }
    let isNamed =
      command.elementsEqual(process.utf8)
      || (!process.contains("/")
        && command.split(separator: UInt8(ascii: "/")).last?.elementsEqual(process.utf8) == true)
    guard isNamed else { return false }
    let given = Array(image.arguments.dropFirst())
    switch arguments {
    case .any: return true
    case .exact(let wanted): return given == wanted.map { Array($0.utf8) }
    case .initial(let wanted): return given.starts(with: wanted.map { Array($0.utf8) })
    case .prefix(let wanted):
      let bytes = wanted.map { Array($0.utf8) }
      guard let last = bytes.last else { return given.isEmpty }
      return given.starts(with: bytes.dropLast()) && given.count >= bytes.count
        && given[bytes.count - 1].starts(with: last)
    }
  }
}
