// Decides when the sessions of a draining server are closed: one after the other, evenly over a
// given time. A pure value: times are parameters, and it closes nothing itself.

/// The pace at which a draining server's sessions are closed.
///
/// With n sessions and a time T left, the next one is closed after T / n. The count is told at
/// every step, so sessions that end by themselves make the rest slower, never faster; the last
/// one is closed at the end of the time.
public struct DrainMachine: Equatable, Sendable {
  /// Sessions there were at the start.
  public let began: Int
  /// Sessions closed by now.
  public private(set) var closed = 0

  /// When the last session was, or should have been, closed.
  private var last: Duration
  private let end: Duration

  /// What to do now.
  public struct Step: Equatable, Sendable {
    /// Sessions to close.
    public var close: Int
    /// When to come back, from now on; at least `Limits.shortestDrainStep`.
    public var next: Duration
  }

  /// - Parameters:
  ///   - over: the time in which all sessions are closed; not negative.
  ///   - now: any clock that only goes forward, here and in `step`.
  public init(sessions: Int, over: Duration, at now: Duration) {
    began = max(0, sessions)
    last = now
    end = now + min(max(.zero, over), Limits.longestTimer)
  }

  /// - Parameter sessions: those that the server has now.
  public mutating func step(sessions: Int, at now: Duration) -> Step {
    var left = max(0, sessions)
    guard now < end else {
      closed += left
      last = end
      // Who was on the way while the server left the table may still come.
      return Step(close: left, next: Limits.drainLookAgain)
    }
    var close = 0
    while left > 0 {
      let due = last + (end - last) / left
      guard due <= now else { break }
      last = due
      left -= 1
      close += 1
    }
    closed += close
    guard left > 0 else {
      // Nothing to wait for: whoever comes late starts from here.
      last = now
      return Step(close: close, next: min(Limits.drainLookAgain, end - now))
    }
    let wait = last + (end - last) / left - now
    return Step(close: close, next: max(Limits.shortestDrainStep, wait))
  }
}
