// The only source of chance: a seed gives the same schedule on every machine, for ever.

/// SplitMix64 (Steele, Lea and Flood, 2014): 64 bits of state, no weak seeds.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// 0..<bound; the bias of the remainder is below 2^-32 for the bounds used here.
  public mutating func below(_ bound: Int) -> Int {
    Int(truncatingIfNeeded: next() >> 1) % max(bound, 1)
  }

  public mutating func within(_ range: ClosedRange<Int64>) -> Int64 {
    range.lowerBound + Int64(below(Int(range.upperBound - range.lowerBound) + 1))
  }

  /// True in `chance` of 1000 draws.
  public mutating func permille(_ chance: Int) -> Bool { below(1000) < chance }

  public mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
}
