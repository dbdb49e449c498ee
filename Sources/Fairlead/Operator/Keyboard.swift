// Single keys from the terminal, without echo, and giving the terminal back whatever ends us.

import Glibc
import Synchronization

/// A signal wants the program to end.
private let isEnding = Atomic<Bool>(false)

/// While it is in use, keys arrive at once and are not shown.
struct Keyboard {
  private var before = termios()
  private let isTerminal: Bool

  init() {
    isTerminal = tcgetattr(0, &before) == 0
    isEnding.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number) { _ in isEnding.store(true, ordering: .relaxed) }
    }
    guard isTerminal else { return }
    var raw = before
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
    tcsetattr(0, TCSANOW, &raw)
  }

  func restore() {
    guard isTerminal else { return }
    var before = before
    tcsetattr(0, TCSANOW, &before)
  }

  /// Waits for a key or a signal that ends the program; false when the time is over. Other keys
  /// are ignored.
  func waitsForEnd(milliseconds: Int32) -> Bool {
    let end = ContinuousClock.now + .milliseconds(milliseconds)
    while !isEnding.load(ordering: .relaxed) {
      let left = ContinuousClock.now.duration(to: end).components
      let left_ms = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
      guard left_ms > 0 else { return false }
      var input = pollfd(fd: isTerminal ? 0 : -1, events: Int16(POLLIN), revents: 0)
      guard poll(&input, 1, Int32(clamping: left_ms)) == 1 else { continue }
      var key: UInt8 = 0
      guard read(0, &key, 1) == 1 else { return true }
      if key == UInt8(ascii: "q") || key == UInt8(ascii: "Q") || key == 3 { return true }
    }
    return true
  }
}
