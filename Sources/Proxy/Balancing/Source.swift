// `balance source`: the client's address decides, so a client keeps its server while the set of
// servers stays the same. Map-based (the default) or consistent (`hash-type consistent`).

import Configuration
import Kernel

extension BalancingTable {
  func chooseBySource(_ client: NetworkEndpoint) -> Choice {
    var hash = sourceHash(client)
    if hashType.avalanche { hash = avalanche(hash) }
    let target: ServerTarget
    if let ring {
      target = servers[ring.owner(of: hash)].target
    } else {
      target = servers[Int(sequence[Int(hash % UInt32(sequence.count))])].target
    }
    return target.takePlace()
      ? .server(target) : .serverFull(target)
  }
}

/// The address's 32-bit words combined by exclusive or. `hash-type`'s function does not apply to
/// addresses, in HAProxy neither.
func sourceHash(_ client: NetworkEndpoint) -> UInt32 {
  client.family == 4
    ? UInt32(truncatingIfNeeded: client.low)
    : UInt32(truncatingIfNeeded: client.high >> 32) ^ UInt32(truncatingIfNeeded: client.high)
      ^ UInt32(truncatingIfNeeded: client.low >> 32) ^ UInt32(truncatingIfNeeded: client.low)
}

/// A bit mixer (Bob Jenkins' full avalanche) for `hash-type … avalanche`.
func avalanche(_ value: UInt32) -> UInt32 {
  var a = value
  a = (a &+ 0x7ed5_5d16) &+ (a << 12)
  a = (a ^ 0xc761_c23c) ^ (a >> 19)
  a = (a &+ 0x1656_67b1) &+ (a << 5)
  a = (a &+ 0xd3a2_646c) ^ (a << 9)
  a = (a &+ 0xfd70_46c5) &+ (a << 3)
  a = (a ^ 0xb55a_4f09) ^ (a >> 16)
  return a
}

/// Servers at many points of a circle: a server that goes takes only its own clients along.
struct ConsistentRing: Sendable {
  private static let pointsPerWeight = 16
  private let points: [(hash: UInt32, server: Int)]

  init(_ servers: [WeightedServer]) {
    var points: [(hash: UInt32, server: Int)] = []
    for (index, server) in servers.enumerated() {
      let seed = server.target.settings.name.utf8.reduce(UInt32(2_166_136_261)) {
        ($0 ^ UInt32($1)) &* 16_777_619
      }
      let count = min(server.weight, 256) * ConsistentRing.pointsPerWeight
      for point in 0..<count {
        points.append((avalanche(seed &+ UInt32(point) &* 2_654_435_761), index))
      }
    }
    self.points = points.sorted { $0.hash < $1.hash }
  }

  /// Index of the server whose point follows the hash.
  func owner(of hash: UInt32) -> Int {
    let mixed = avalanche(hash)
    var low = 0
    var high = points.count
    while low < high {
      let middle = (low + high) / 2
      if points[middle].hash < mixed { low = middle + 1 } else { high = middle }
    }
    return points[low == points.count ? 0 : low].server
  }
}
