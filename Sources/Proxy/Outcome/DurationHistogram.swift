// How long something took, counted in fixed ranges: written by workers without locks, read by
// anyone.

import Synchronization

/// Counts of durations by range, and their sum.
public final class DurationHistogram: @unchecked Sendable {
  /// Upper ends of the ranges, inclusive, in microseconds: a server in the same rack answers in
  /// a tenth of a millisecond, a lost SYN costs one second, a second one three.
  public static let bounds_us: [Int] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000,
  ]

  private let counters: UnsafeMutablePointer<Atomic<Int>>
  private let sum = Atomic<Int>(0)

  init() {
    counters = .allocate(capacity: Self.bounds_us.count + 1)
    for index in 0...Self.bounds_us.count { (counters + index).initialize(to: Atomic(0)) }
  }

  deinit {
    counters.deinitialize(count: Self.bounds_us.count + 1)
    counters.deallocate()
  }

  /// Negative durations count as none.
  func add(_ duration_us: Int64) {
    let duration = Int(max(0, duration_us))
    let index = Self.bounds_us.withUnsafeBufferPointer { bounds in
      var index = 0
      while index < bounds.count, duration > bounds[index] { index += 1 }
      return index
    }
    counters[index].add(1, ordering: .relaxed)
    sum.wrappingAdd(duration, ordering: .relaxed)
  }

  /// One count for each range of `bounds_us`, and one for what took longer.
  public var counts: [Int] {
    (0...Self.bounds_us.count).map { counters[$0].load(ordering: .relaxed) }
  }

  public var sum_us: Int { sum.load(ordering: .relaxed) }
}
