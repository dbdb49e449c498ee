// `balance roundrobin` and `static-rr`: a precomputed period of the weighted sequence and one
// cursor for all workers, so the order is exact whichever thread accepts.

import Synchronization

extension BalancingTable {
  func chooseNextInSequence(avoiding: ServerRuntime?) -> Choice {
    let period = sequence.count
    var avoided: ServerTarget?
    // Twice the period, so that a cursor other workers move meanwhile cannot hide a server.
    for _ in 0..<(2 * period) {
      let at = backend.runtime.cursor.add(1, ordering: .relaxed).oldValue
      let target = servers[Int(sequence[Int(UInt(bitPattern: at) % UInt(period))])].target
      if let avoiding, target.runtime === avoiding, servers.count > 1 {
        avoided = target
        continue
      }
      if target.takePlace() { return .server(target) }
    }
    if let avoided, avoided.takePlace() { return .server(avoided) }
    return .allFull
  }
}

/// One period in which every server stands as often as its weight says, spread evenly. A server
/// of weight w comes back total/w positions later, remainders carried along; positions that
/// nobody claims go to the heaviest server that has not had a turn. Weights 3, 2, 1 give
/// A B A C A B and 5, 1, 1 give A A A B A A C, as HAProxy's do.
func smoothSequence(_ weights: [Int]) -> [UInt32] {
  struct Turn {
    var index: Int
    var weight: Int
    /// Position of the next turn; nil before the first.
    var due: Int?
    var remainder = 0
    var left: Int
  }
  let total = weights.reduce(0, +)
  var turns = weights.enumerated().map { Turn(index: $0, weight: $1, left: $1) }
  var result: [UInt32] = []
  result.reserveCapacity(total)
  for position in 0..<total {
    /// Among claims, the earliest; then the heavier; then file order.
    func precedes(_ a: Turn, _ b: Turn) -> Bool {
      let (first, second) = (a.due ?? position, b.due ?? position)
      return first != second ? first < second : a.weight > b.weight
    }
    let open = turns.indices.filter { turns[$0].left > 0 }
    let claims = open.filter { (turns[$0].due ?? .max) <= position }
    let fresh = open.filter { turns[$0].due == nil }
    let candidates = !claims.isEmpty ? claims : !fresh.isEmpty ? fresh : open
    guard var chosen = candidates.first else { break }
    for other in candidates.dropFirst() where precedes(turns[other], turns[chosen]) {
      chosen = other
    }
    result.append(UInt32(turns[chosen].index))
    let weight = turns[chosen].weight
    let remainder = turns[chosen].remainder + total % weight
    turns[chosen].due = (turns[chosen].due ?? position) + total / weight + remainder / weight
    turns[chosen].remainder = remainder % weight
    turns[chosen].left -= 1
  }
  return result
}

/// The order of HAProxy's server map, used by `static-rr` and by map-based hashing: every
/// server's score grows by its weight, the one that is ahead gets the slot. Weights 3, 2, 1 give
/// A A B A B C.
func mapSequence(_ weights: [Int]) -> [UInt32] {
  let total = weights.reduce(0, +)
  var scores = weights.map { _ in 0 }
  var result: [UInt32] = []
  result.reserveCapacity(total)
  for _ in 0..<total {
    var best = 0
    var bestLead = Int.min
    for index in weights.indices {
      scores[index] += weights[index]
      let lead = (scores[index] + total) / total
      if lead > bestLead {
        bestLead = lead
        best = index
      }
    }
    scores[best] -= total
    result.append(UInt32(best))
  }
  return result
}
