// Which server is chosen, algorithm by algorithm.

import Configuration
import Kernel
import Synchronization
import Testing

@testable import Proxy

@Suite struct SequenceTests {
  @Test func smoothSequencesAsHAProxyGivesThem() {
    #expect(names(smoothSequence([3, 2, 1])) == "ABACAB")
    #expect(names(smoothSequence([5, 1, 1])) == "AAABAAC")
    #expect(names(smoothSequence([1, 1, 1])) == "ABC")
    #expect(names(smoothSequence([7])) == "AAAAAAA")
    #expect(smoothSequence([]).isEmpty)
  }

  @Test func mapSequencesAsHAProxyGivesThem() {
    #expect(names(mapSequence([3, 2, 1])) == "AABABC")
    #expect(names(mapSequence([1, 1, 1])) == "ABC")
    #expect(mapSequence([]).isEmpty)
  }

  @Test(arguments: UInt64(1)...40) func everyServerStandsAsOftenAsItsWeight(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let weights = (0..<Int.random(in: 1...12, using: &random)).map { _ in
      Int.random(in: 1...32, using: &random)
    }
    for sequence in [smoothSequence(weights), mapSequence(weights)] {
      for (index, weight) in weights.enumerated() {
        #expect(sequence.count { $0 == index } == weight, "weights \(weights)")
      }
    }
    // Smooth: nobody waits for much longer than its share of the period.
    let smooth = smoothSequence(weights)
    for (index, weight) in weights.enumerated() {
      let positions = smooth.indices.filter { smooth[$0] == index }
      let gaps = zip(positions.dropFirst(), positions).map { $0 - $1 }
      let share = (smooth.count + weight - 1) / weight
      #expect(gaps.allSatisfy { $0 <= 2 * share + weights.count }, "weights \(weights)")
    }
  }

  @Test func weightsAreReducedToAPeriodOfBoundedLength() {
    let same = Farm([256, 128, 64]).table()
    #expect(same.totalWeight == 7 && same.sequence.count == 7)
    var random = SplitMix(seed: 9)
    let weights = (0..<300).map { _ in Int.random(in: 1...256, using: &random) }
    let table = Farm(weights, .staticRoundRobin).table()
    #expect(table.sequence.count <= Limits.sequenceLength)
    #expect(Set(table.sequence).count == 300, "every server keeps a turn")
  }

  @Test func thousandServersOfAnyWeight() {
    var random = SplitMix(seed: 10)
    let weights = (0..<1000).map { _ in Int.random(in: 1...256, using: &random) }
    for balance in [Balance.leastConnections, .first, .random(draws: 2)] {
      #expect(Farm(weights, balance).table().pick() != "none")
    }
    let heavy = Farm([Int](repeating: 256, count: 1000)).table()
    #expect(heavy.sequence.count == 1000)
    let uneven = Farm([255] + [Int](repeating: 256, count: 999), .staticRoundRobin).table()
    #expect(uneven.sequence.count <= Limits.sequenceLength)
  }
}

@Suite struct ChoiceTests {
  @Test func roundRobinIsExactAcrossThreads() throws {
    let table = Farm([3, 2, 1]).table()
    #expect(table.picks(12) == "ABACABABACAB")
    let threads = try (0..<4).map { number in
      try System.startThread(named: "choose") {
        var random = FastRandom(seed: UInt64(number))
        for _ in 0..<600 { _ = table.pick(client(1), random: &random) }
      }
    }
    threads.forEach { $0.join() }
    let counts = table.servers.map { $0.target.runtime.sessions.load(ordering: .relaxed) }
    #expect(counts == [1206, 804, 402])
  }

  @Test func fullServersAreSkippedAndAFailedOneAvoided() {
    let farm = Farm([1, 1, 1], maxconn: 2)
    let table = farm.table()
    #expect(table.pick(avoiding: farm.targets[0].runtime) == "B")
    #expect(table.picks(5).sorted() == ["A", "A", "B", "C", "C"])
    #expect(table.pick() == "full")
    #expect(table.reserveAny() == nil)
    farm.targets[1].freePlace()
    #expect(table.pick(avoiding: farm.targets[1].runtime) == "B", "better than none")
    #expect(farm.targets.allSatisfy { $0.runtime.sessions.load(ordering: .relaxed) == 2 })
  }

  @Test func nothingToChooseFrom() {
    for balance in [Balance.roundRobin, .source, .leastConnections, .first, .random(draws: 3)] {
      #expect(Farm([], balance).table().pick() == "none")
    }
  }

  @Test func leastConnections() {
    let farm = Farm([1, 1, 1], .leastConnections)
    let table = farm.table()
    #expect(table.picks(6) == "ABCABC")
    farm.targets[1].freePlace()
    #expect(table.pick() == "B")
    farm.targets[2].freePlace()
    farm.targets[0].freePlace()
    #expect(table.picks(2) == "CA", "among equals, the one that has waited longest")
    let weighted = Farm([3, 1], .leastConnections).table()
    #expect(weighted.picks(8).count { $0 == "A" } == 6)
  }

  @Test func first() {
    #expect(Farm([1, 1, 1], .first, maxconn: 2).table().picks(6) == "AABBCC")
    let farm = Farm([1, 1], .first, maxconn: 2)
    let table = farm.table()
    #expect(table.pick(avoiding: farm.targets[0].runtime) == "B")
    #expect(table.picks(4) == "AABfull")
  }

  @Test func randomDrawsPreferTheIdle() {
    let farm = Farm([2, 1, 1], .random(draws: 2))
    let table = farm.table()
    var random = FastRandom(seed: 42)
    for _ in 0..<4000 { _ = table.pick(client(1), random: &random) }
    let counts = farm.targets.map { $0.runtime.sessions.load(ordering: .relaxed) }
    #expect(abs(counts[0] - 2000) < 100 && abs(counts[1] - 1000) < 100, "\(counts)")
    let one = Farm([3, 1], .random(draws: 1))
    for _ in 0..<4000 { _ = one.table().pick(client(1), random: &random) }
    let share = one.targets[0].runtime.sessions.load(ordering: .relaxed)
    #expect(abs(share - 3000) < 150, "\(share)")
    let full = Farm([1, 1], .random(draws: 2), maxconn: 1).table()
    #expect(full.picks(2).sorted() == ["A", "B"] && full.pick() == "full")
  }

  @Test func sourceHash() {
    let farm = Farm([1, 1, 1], .source, maxconn: 0)
    let table = farm.table()
    // 127.0.0.1 modulo 3 is 2: the third server, as HAProxy chooses.
    #expect(table.pick(client(0x7f00_0001)) == "C")
    #expect(table.pick(client(0x7f00_0001, port: 9)) == "C", "the port does not count")
    #expect(
      Proxy.sourceHash(NetworkEndpoint(.v6(high: 0x1_0000_0002, low: 0x4_0000_0008), port: 1))
        == 1 ^ 2 ^ 4 ^ 8)
    let full = Farm([1, 1, 1], .source, maxconn: 1).table()
    #expect(full.pick(client(2)) == "C" && full.pick(client(2)) == "full:C")
  }

  @Test func consistentRingKeepsClientsWhenAServerGoes() {
    var hashType = HashType()
    hashType.method = .consistent
    let farm = Farm([1, 1, 1, 1, 1], .source)
    let whole = farm.table(hashType: hashType)
    let without = farm.table(without: 2, hashType: hashType)
    var moved = 0
    for address in 0..<2000 {
      let from = client(UInt32(address) &* 2_654_435_761)
      let (before, after) = (whole.pick(from), without.pick(from))
      if before == "C" { moved += 1 } else { #expect(before == after) }
    }
    #expect((100...900).contains(moved), "the server had its share: \(moved)")
    let counts = farm.targets.map { $0.runtime.sessions.load(ordering: .relaxed) }
    #expect(counts.allSatisfy { $0 > 200 }, "\(counts)")
  }

  @Test func avalancheIsDeterministicAndSpreads() {
    #expect(Set((0..<4096).map { avalanche($0) % 1024 }).count > 900)
    #expect(Set((0..<100_000).map { avalanche($0) }).count == 100_000)
  }
}
