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

  /// Waits for a key that means something, or a signal that ends the program; nil when the time
  /// is over. Other keys are ignored.
  func next(until end: ContinuousClock.Instant) -> Key? {
    while !isEnding.load(ordering: .relaxed) {
      let left = ContinuousClock.now.duration(to: end).components
      let left_ms = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
      guard left_ms > 0 else { return nil }
      var input = pollfd(fd: isTerminal ? 0 : -1, events: Int16(POLLIN), revents: 0)
      guard poll(&input, 1, Int32(clamping: left_ms)) == 1 else { continue }
      // A key that is more than a byte comes in one piece.
      var bytes = [UInt8](repeating: 0, count: 16)
      let count = read(0, &bytes, bytes.count)
      guard count > 0 else { return .end }
      if let key = Key(bytes[..<count]) { return key }
    }
    return .end
  }
}

/// What a key means.
enum Key: Equatable {
  case end
  /// Lines down; negative: up.
  case lines(Int)
  /// Pages down; negative: up.
  case pages(Int)
  case top, bottom

  /// What a terminal sends: characters, and the sequences of xterm and of the Linux console.
  init?(_ bytes: some Collection<UInt8>) {
    switch String(decoding: bytes, as: UTF8.self) {
    case "q", "Q", "\u{3}": self = .end
    case "j", "\n", "\r", "\u{1b}[B", "\u{1b}OB": self = .lines(1)
    case "k", "\u{1b}[A", "\u{1b}OA": self = .lines(-1)
    case " ", "\u{6}", "\u{1b}[6~": self = .pages(1)
    case "b", "\u{2}", "\u{1b}[5~": self = .pages(-1)
    case "g", "\u{1b}[H", "\u{1b}OH", "\u{1b}[1~": self = .top
    case "G", "\u{1b}[F", "\u{1b}OF", "\u{1b}[4~": self = .bottom
    default:
      // A key that is held down comes several times at once.
      let first = bytes.prefix(bytes.first == 0x1b ? 3 : 1)
      guard first.count < bytes.count, let key = Key(first) else { return nil }
      self = key
    }
  }
}
