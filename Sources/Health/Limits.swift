// Every bound of this module, with where its number comes from.

enum Limits {
  /// Bytes of a reply that a check looks at: HAProxy's tune.bufsize.
  static let reply = 16_384
  /// Characters of a check's info text: HAProxy keeps 100 in statistics, logs more; a line's worth.
  static let info = 512
  /// Bytes of a regular expression. Longer ones only occur as attacks on regcomp's recursion.
  static let pattern = 1_024
  /// Product of all `{n,m}` bounds in one expression; glibc expands them, so memory follows it.
  static let repetitions = 1_000
  /// Servers that `track` may chain before the chain counts as a loop.
  static let trackDepth = 64
  /// Shortest time between two checks of a server, whatever the configuration says.
  static let shortestInterval = Duration.milliseconds(1)
  /// Sessions due within this are closed together: a timer per session would be many.
  static let shortestDrainStep = Duration.milliseconds(20)
  /// How soon a draining server is looked at again for sessions that came late.
  static let drainLookAgain = Duration.milliseconds(200)
  /// Timers are clamped here: 2^31 ms, the longest time HAProxy's configuration can express.
  static let longestTimer = Duration.milliseconds(2_147_483_647)
}
