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
/// of weight w comes back every total/w positions; first the heaviest get their first turn.
/// Weights 3, 2, 1 give A B A C A B, as HAProxy's.
func smoothSequence(_ weights: [Int]) -> [UInt16] {
  let total = weights.reduce(0, +)
  // Position of the next turn, as a fraction with the weight as denominator; nil = not started.
  var next: [Int?] = weights.map { _ in nil }
  var left = weights
  var result: [UInt16] = []
  result.reserveCapacity(total)
  for position in 0..<total {
    var best: Int?
    for (index, due) in next.enumerated() where left[index] > 0 {
      guard let due, due <= position * weights[index] else { continue }
      guard let current = best, let currentDue = next[current] else {
        best = index
        continue
      }
      let a = due * weights[current]
      let b = currentDue * weights[index]
      if a < b || (a == b && weights[index] > weights[current]) { best = index }
    }
    if best == nil {
      for index in weights.indices where next[index] == nil && left[index] > 0 {
        if best.map({ weights[index] > weights[$0] }) ?? true { best = index }
      }
      if let best { next[best] = position * weights[best] }
    }
    if best == nil {
      for (index, due) in next.enumerated() where left[index] > 0 {
        guard let due else { continue }
        guard let current = best, let currentDue = next[current] else {
          best = index
          continue
        }
        if due * weights[current] < currentDue * weights[index] { best = index }
      }
    }
    guard let chosen = best, let due = next[chosen] else { break }
    result.append(UInt16(chosen))
    left[chosen] -= 1
    next[chosen] = due + total
  }
  return result
}

/// The order of HAProxy's server map, used by `static-rr` and by map-based hashing: every
/// server's score grows by its weight, the one that is ahead gets the slot. Weights 3, 2, 1 give
/// A A B A B C.
func mapSequence(_ weights: [Int]) -> [UInt16] {
  let total = weights.reduce(0, +)
  var scores = weights.map { _ in 0 }
  var result: [UInt16] = []
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
    result.append(UInt16(best))
  }
  return result
}
