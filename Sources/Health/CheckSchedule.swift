// When checks run and when they give up: start spreading, `spread-checks` and deadlines.
// Pure functions; randomness is passed in.

import Configuration

enum CheckSchedule {
  /// Intervals below this do not take part in choosing how far first checks are spread.
  static let spreadThreshold = Duration.seconds(1)

  /// Delays of the first checks, in order of the servers: `base * position / count`, where base
  /// is the shortest interval of at least one second, or the server's own if that is longer.
  static func startDelays(firstIntervals: [Duration]) -> [Duration] {
    let shortest = firstIntervals.filter { $0 >= spreadThreshold }.min() ?? .zero
    let count = Int64(firstIntervals.count)
    return firstIntervals.enumerated().map { position, own in
      let base = min(max(shortest, own), Limits.longestTimer).milliseconds
      return .milliseconds(base * Int64(position) / count)
    }
  }

  /// `spread-checks`: the interval plus or minus up to `percent` of it.
  /// - Parameters:
  ///   - percent: 0...50, clamped.
  ///   - random: 0...1, clamped; 0.5 changes nothing.
  static func spread(_ interval: Duration, percent: Int, random: Double) -> Duration {
    let milliseconds = min(interval, Limits.longestTimer).milliseconds
    let range = milliseconds * Int64(max(0, min(percent, 50))) / 100
    let fraction = random.isFinite ? max(0, min(random, 1)) : 0.5
    let change = range - Int64((2 * Double(range) * fraction).rounded())
    return max(Limits.shortestInterval, .milliseconds(milliseconds + change))
  }

  /// Time allowed from the start of a connection until it (and its TLS handshake) stands.
  /// Without `timeout check` the whole check has `interval`, and this is it.
  static func connectTimeout(
    interval: Duration, timeoutCheck: Duration?, timeoutConnect: Duration?
  ) -> Duration {
    guard timeoutCheck != nil, let timeoutConnect else { return interval }
    return min(timeoutConnect, interval)
  }

  /// Time allowed for the rest once connected; nil = the connect timeout goes on running.
  static func readTimeout(timeoutCheck: Duration?) -> Duration? { timeoutCheck }
}
