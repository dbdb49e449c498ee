// Counts that a status carries beside states and rates: durations by range, and state changes by
// cause.

/// Durations, counted by range.
public struct HistogramReport: Codable, Equatable, Sendable {
  /// Upper ends of the ranges, inclusive, in seconds; rising.
  public var bounds: [Double]
  /// One for each bound, and one for what took longer.
  public var counts: [Int]
  /// Of all durations, in seconds.
  public var sum: Double

  public init(bounds: [Double], counts: [Int], sum: Double) {
    self.bounds = bounds
    self.counts = counts
    self.sum = sum
  }
}

/// How often a virtual router came into a state for one cause.
public struct TransitionReport: Codable, Equatable, Sendable {
  public var state: String
  /// For example `master_down`.
  public var cause: String
  public var count: Int

  public init(state: String, cause: String, count: Int) {
    self.state = state
    self.cause = cause
    self.count = count
  }
}
