// The servers of a backend that can take a session now, prepared for the algorithm. Made by the
// control plane whenever a state or weight changes, read by every worker.

import Configuration
import Kernel
import Synchronization

/// A usable server and its present weight.
struct WeightedServer: Sendable {
  let target: ServerTarget
  /// At least 1. In the backend's scale, which slow start makes finer.
  let weight: Int
}

final class BalancingTable: @unchecked Sendable {
  let backend: BackendSettings
  let algorithm: Balance
  let hashType: HashType
  let servers: [WeightedServer]
  /// Indices into `servers`, one period of the weighted sequence.
  let sequence: [UInt32]
  let ring: ConsistentRing?
  let totalWeight: Int

  init(
    backend: BackendSettings, algorithm: Balance, hashType: HashType, servers: [WeightedServer]
  ) {
    self.backend = backend
    self.algorithm = algorithm
    self.hashType = hashType
    self.servers = servers
    let weights = reduce(servers.map(\.weight))
    totalWeight = weights.reduce(0, +)
    var ring: ConsistentRing?
    switch algorithm {
    case .roundRobin:
      sequence = smoothSequence(weights)
    case .staticRoundRobin:
      sequence = mapSequence(weights)
    case .source:
      if hashType.method == .consistent {
        sequence = []
        ring = ConsistentRing(servers)
      } else {
        sequence = mapSequence(weights)
      }
    case .leastConnections, .first, .random:
      sequence = []
    }
    self.ring = ring
  }

  /// What choosing came to.
  enum Choice {
    /// A place on this server is taken.
    case server(ServerTarget)
    /// Every server is full; any of them would do.
    case allFull
    /// The one server that the client belongs to is full.
    case serverFull(ServerTarget)
    case none
  }

  /// Picks a server for a client and takes a place on it. `avoiding` is a server that just
  /// failed; another one is preferred.
  func choose(
    for client: NetworkEndpoint, avoiding: ServerRuntime?, random: inout FastRandom
  ) -> Choice {
    if servers.isEmpty { return .none }
    switch algorithm {
    case .roundRobin, .staticRoundRobin: return chooseNextInSequence(avoiding: avoiding)
    case .leastConnections: return chooseLeastLoaded(avoiding: avoiding)
    case .first: return chooseFirst(avoiding: avoiding)
    case .random(let draws):
      return chooseRandom(draws: draws, avoiding: avoiding, random: &random)
    case .source: return chooseBySource(client)
    }
  }

  /// Takes a place on any server that has one, for a session at the head of the queue.
  func reserveAny() -> ServerTarget? {
    let count = servers.count
    if count == 0 { return nil }
    let start = backend.runtime.cursor.load(ordering: .relaxed)
    for step in 0..<count {
      let target = servers[(start &+ step) % count].target
      if target.takePlace() { return target }
    }
    return nil
  }
}

/// Weights divided by their greatest common divisor, and made coarser if one period would be
/// longer than `Limits.sequenceLength`.
private func reduce(_ weights: [Int]) -> [Int] {
  func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }
  let divisor = max(1, weights.reduce(0, greatestCommonDivisor))
  var reduced = weights.map { max(1, $0 / divisor) }
  while reduced.reduce(0, +) > Limits.sequenceLength, reduced.contains(where: { $0 > 1 }) {
    reduced = reduced.map { max(1, $0 / 2) }
  }
  return reduced
}

/// A small, fast generator for server choice (xorshift64*); not for secrets.
struct FastRandom: BitwiseCopyable, RandomNumberGenerator, Sendable {
  private var state: UInt64
  init(seed: UInt64) { state = seed | 1 }
  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_F491_4F6C_DD1D
  }
}
