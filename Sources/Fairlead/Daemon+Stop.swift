// How a daemon says that it ends, and why, while there is still somebody to hear it.

import Configuration
import Control
import UnixSignals

/// Why a daemon that ran ends.
enum StopCause: Equatable {
  case signal(UnixSignal)
  /// It drained, and the last session has ended.
  case drained
  /// It drained, and `hard-stop-after` is over.
  case hardStop
}

extension Daemon {
  private var openSessions: Int { engine?.process.sessions.load(ordering: .relaxed) ?? 0 }

  func tellDraining() {
    let text = "draining: no new sessions; ends with the last one of \(openSessions)"
    tell(.processDraining, .notice, text, fields: ["sessions": "\(openSessions)"])
    record(.processDraining, .stop, to: "draining", text)
  }

  /// Into the log, and to everybody who follows, before their connections are closed.
  func tellStopping(_ cause: StopCause) {
    let left = openSessions
    let ending = "\(left) \(left == 1 ? "session ends" : "sessions end") now"
    var fields = ["sessions": "\(left)"]
    let text: String
    switch cause {
    case .signal(let signal):
      fields["signal"] = signal.word
      text = "stopping on \(signal.word): \(ending)"
    case .drained: text = "stopping: the last session has ended"
    case .hardStop: text = "stopping, as hard-stop-after is over: \(ending)"
    }
    tell(.processStopping, cause == .hardStop ? .warning : .notice, text, fields: fields)
    record(.processStopping, .stop, text)
  }
}

extension UnixSignal {
  /// As in kill(1) and signal(7).
  fileprivate var word: String {
    switch self {
    case .sigterm: "SIGTERM"
    case .sigint: "SIGINT"
    case .sighup: "SIGHUP"
    case .sigusr1: "SIGUSR1"
    case .sigusr2: "SIGUSR2"
    default: "\(self)"
    }
  }
}
