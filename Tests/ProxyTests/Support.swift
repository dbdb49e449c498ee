// What the proxy's tests share: seeded random numbers, and servers without a network.

import Configuration
import Kernel
import Synchronization
import Testing

@testable import Proxy

/// Seeded random numbers, the same on every machine.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

func client(_ address: UInt32, port: UInt16 = 40_000) -> NetworkEndpoint {
  NetworkEndpoint(.v4(address), port: port)
}

/// A backend with servers named A, B, C … of the given weights.
struct Farm {
  let backend: BackendSettings
  let targets: [ServerTarget]
  private let balance: Balance

  init(_ weights: [Int], _ balance: Balance = .roundRobin, maxconn: Int = 0) {
    self.balance = balance
    let runtime = BackendRuntime(name: "farm", slot: 0)
    var model = Backend(name: "farm")
    model.balance = balance
    backend = BackendSettings(model, runtime: runtime, name: NameID(raw: 0))
    targets = weights.enumerated().map { index, weight in
      let name = String(UnicodeScalar(UInt8(65 + index % 26)))
      var server = Server(name: name, host: .ip(.v4(0x7f00_0001)), port: .fixed(1))
      server.weight = weight
      server.maxconn = maxconn
      return ServerTarget(
        server, runtime: ServerRuntime(name: name), name: NameID(raw: UInt32(index)),
        address: nil, endpoint: client(0x7f00_0001, port: 1), source: nil, sourceInterface: nil,
        backend: runtime, fullconn: 1, keepsOrder: balance == .leastConnections)
    }
  }

  func table(without gone: Int? = nil, hashType: HashType = HashType()) -> BalancingTable {
    let usable = targets.indices.filter { $0 != gone }
    return BalancingTable(
      backend: backend, algorithm: balance, hashType: hashType,
      servers: usable.map {
        WeightedServer(target: targets[$0], weight: targets[$0].weight)
      })
  }
}

extension BalancingTable {
  /// The name of the chosen server, or what else choosing came to.
  func pick(_ from: NetworkEndpoint = client(1), avoiding: ServerRuntime? = nil) -> String {
    var random = FastRandom(seed: 1)
    return pick(from, avoiding: avoiding, random: &random)
  }

  func pick(
    _ from: NetworkEndpoint, avoiding: ServerRuntime? = nil, random: inout FastRandom
  ) -> String {
    switch choose(for: from, avoiding: avoiding, random: &random) {
    case .server(let target): target.settings.name
    case .allFull: "full"
    case .serverFull(let target): "full:\(target.settings.name)"
    case .none: "none"
    }
  }

  func picks(_ count: Int) -> String { (0..<count).map { _ in pick() }.joined() }
}

func names(_ sequence: [UInt32]) -> String {
  sequence.map { String(UnicodeScalar(UInt8(65 + $0))) }.joined()
}
