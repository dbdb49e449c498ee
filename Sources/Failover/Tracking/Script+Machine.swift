// Decides when a script that is run again and again counts as good or bad. Pure.

/// How one run of a script ended.
enum ScriptEnding: Equatable, Sendable {
  case exited(Int32)
  case signaled(Int32)
  case timedOut
  /// It could not be started; the reason in the system's words.
  case notStarted(String)

  var isSuccess: Bool { self == .exited(0) }

  /// keepalived's words, after `VRRP_Script(name) `.
  var failureWords: String {
    switch self {
    case .exited(let code): "failed (exited with status \(code))"
    case .signaled(let number): "failed (due to signal \(number))"
    case .timedOut: "timed_out"
    case .notStarted(let reason): "failed (\(reason))"
    }
  }
}

struct ScriptMachine: Equatable, Sendable {
  enum State: Equatable, Sendable {
    /// Has not ended yet.
    case unknown
    /// Has not ended yet, and is bad until then.
    case assumedBad
    /// `failures` in a row so far, less than `fall`.
    case good(failures: Int)
    /// `successes` in a row so far, less than `rise`.
    case bad(successes: Int)
  }

  private(set) var state: State
  /// At least 1 each.
  var rise: Int
  var fall: Int

  /// `init_fail` makes it bad until its first end. That first result acts at once, whatever
  /// `rise` and `fall` are, with `init_fail` too (measured with keepalived 2.2.7).
  init(rise: Int, fall: Int, startsFailed: Bool) {
    self.rise = max(rise, 1)
    self.fall = max(fall, 1)
    state = startsFailed ? .assumedBad : .unknown
  }

  /// nil while unknown.
  var isGood: Bool? {
    switch state {
    case .unknown: nil
    case .good: true
    case .bad, .assumedBad: false
    }
  }

  /// True when good became bad, bad good, or the first of them became known.
  mutating func handle(_ ending: ScriptEnding) -> Bool {
    let before = isGood
    switch (state, ending.isSuccess) {
    case (.unknown, true), (.assumedBad, true), (.good, true):
      state = .good(failures: 0)
    case (.unknown, false), (.assumedBad, false), (.bad, false):
      state = .bad(successes: 0)
    case (.good(let failures), false):
      state = failures &+ 1 >= fall ? .bad(successes: 0) : .good(failures: failures &+ 1)
    case (.bad(let successes), true):
      state = successes &+ 1 >= rise ? .good(failures: 0) : .bad(successes: successes &+ 1)
    }
    return isGood != before
  }

  /// Takes over what an earlier configuration of the same script found out (reload).
  mutating func inherit(from earlier: ScriptMachine) {
    switch earlier.state {
    case .unknown, .assumedBad: break
    case .good: state = .good(failures: 0)
    case .bad: state = .bad(successes: 0)
    }
  }
}
