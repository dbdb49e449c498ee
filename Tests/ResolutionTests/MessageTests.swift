// DNS messages as bytes.

import Configuration
import Testing

@testable import Resolution

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

let nameTest: [UInt8] = [4] + Array("name".utf8) + [4] + Array("test".utf8) + [0]

/// A response to `name.test`, with raw records.
func response(
  id: UInt16 = 0x1234, flags: UInt16 = 0x8180, type: UInt8 = 1, _ records: [[UInt8]],
  count: Int? = nil
) -> [UInt8] {
  [UInt8(id >> 8), UInt8(id & 255), UInt8(flags >> 8), UInt8(flags & 255)]
    + [0, 1, 0, UInt8(count ?? records.count), 0, 0, 0, 0]
    + nameTest + [0, type, 0, 1] + records.flatMap { $0 }
}

func record(_ name: [UInt8] = [0xc0, 12], type: UInt8, _ data: [UInt8]) -> [UInt8] {
  name + [0, type, 0, 1, 0, 0, 0, 60, 0, UInt8(data.count)] + data
}

let a1 = record(type: 1, [10, 0, 0, 1])
let a2 = record(type: 1, [10, 0, 0, 2])
let v6 = record(type: 28, [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [7])

@Suite struct MessageTests {
  @Test func names() throws {
    #expect(try #require(DomainName("Name.TEST.")).wire == nameTest)
    #expect(DomainName("name.test")?.description == "name.test")
    for bad in ["", ".", "a..b", ".a", String(repeating: "a", count: 64)] {
      #expect(DomainName(bad) == nil)
    }
    let longest = Array(repeating: String(repeating: "a", count: 63), count: 3) + ["aaaaaaaaaa"]
    #expect(DomainName(longest.joined(separator: ".")) != nil)
    #expect(DomainName(Array(repeating: "abcdefg", count: 40).joined(separator: ".")) == nil)
  }

  @Test func queries() throws {
    let name = try #require(DomainName("name.test"))
    #expect(
      Query(id: 0xb254, name: name, type: .aaaa).bytes
        == [0xb2, 0x54, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + nameTest + [0, 28, 0, 1])
  }

  @Test func addresses() throws {
    let answer = try Answer(decoding: response([a1, a2]))
    #expect(answer.id == 0x1234)
    #expect(answer.code == .noError)
    #expect(!answer.isTruncated)
    #expect(answer.question?.type == .a)
    #expect(answer.question?.name == DomainName("name.test"))
    #expect(answer.addresses == [.v4(0x0a00_0001), .v4(0x0a00_0002)])
    let six = try Answer(decoding: response(type: 28, [v6]))
    #expect(six.addresses == [.v6(high: 0x2001_0db8_0000_0000, low: 7)])
  }

  @Test func aliasesAreFollowedInAnyOrder() throws {
    let one: [UInt8] = [3] + Array("one".utf8) + [0xc0, 17]  // one.test
    let two: [UInt8] = [3] + Array("TWO".utf8) + [0xc0, 17]
    let answer = try Answer(
      decoding: response([
        record(two, type: 1, [10, 0, 0, 9]), record(type: 5, one), record(one, type: 5, two), a1,
      ]))
    // The name itself has an address as well, which comes first.
    #expect(answer.addresses == [.v4(0x0a00_0001)])
    let chain = try Answer(
      decoding: response([
        record(two, type: 1, [10, 0, 0, 9]), record(type: 5, one), record(one, type: 5, two),
      ]))
    #expect(chain.addresses == [.v4(0x0a00_0009)])
    let loop = try Answer(
      decoding: response([record(type: 5, one), record(one, type: 5, [0xc0, 12])]))
    #expect(loop.addresses.isEmpty)
    let stranger = try Answer(decoding: response([record(one, type: 1, [6, 6, 6, 6])]))
    #expect(stranger.addresses.isEmpty)
  }

  @Test func codesAndTruncation() throws {
    #expect(try Answer(decoding: response(flags: 0x8183, [])).code == .nameError)
    #expect(try Answer(decoding: response(flags: 0x8182, [])).code == .serverFailure)
    #expect(try Answer(decoding: response(flags: 0x8185, [])).code == .refused)
    #expect(try Answer(decoding: response(flags: 0x818f, [])).code == .other(15))
    let cut = try Answer(decoding: response(flags: 0x8380, [a1], count: 5))
    #expect(cut.isTruncated)
  }

  @Test func otherRecordsAreSkipped() throws {
    let text = record(type: 16, [3, 1, 2, 3])
    var chaos = record(type: 1, [1, 1, 1, 1])
    chaos[5] = 3
    let answer = try Answer(decoding: response([text, chaos, a1]))
    #expect(answer.addresses == [.v4(0x0a00_0001)])
  }

  static let malformed: [([UInt8], DecodeError)] = [
    ([], .truncated),
    (Array(response([]).prefix(11)), .truncated),
    (Array(response([a1]).dropLast()), .truncated),
    (response([a1], count: 2), .truncated),
    (response(flags: 0x0180, []), .badRecord),  // a query
    (response(flags: 0x8980, []), .badRecord),  // another opcode
    (response([record(type: 1, [1, 2, 3])]), .badRecord),
    (response([record(type: 28, [1, 2, 3])]), .badRecord),
    (response([record(type: 5, nameTest + [0])]), .badRecord),
    (response([record([0xc0, 27], type: 1, [1, 2, 3, 4])]), .badPointer),  // to itself
    (response([record([0xc0, 200], type: 1, [1, 2, 3, 4])]), .badPointer),  // forwards
    (response([record([0x80, 1], type: 1, [1, 2, 3, 4])]), .badName),
    (response([record([0x41, 1], type: 1, [1, 2, 3, 4])]), .badName),
    ([UInt8](repeating: 0, count: 5_000), .badRecord),
  ]

  @Test(arguments: malformed.indices)
  func malformedMessages(_ index: Int) {
    let (bytes, error) = Self.malformed[index]
    #expect(throws: error) { try Answer(decoding: bytes) }
  }

  @Test func pointerChainsEnd() {
    // Each pointer leads to the one before it, which is allowed, until a bound is met.
    var bytes = response([])
    bytes[5] = 0  // no question
    var chain = Array(bytes.prefix(12))
    chain[7] = 1
    var target = 0
    for _ in 0..<400 {
      chain += [0xc0 | UInt8(target >> 8), UInt8(target & 255)]
      target = chain.count - 2
    }
    #expect((try? Answer(decoding: chain))?.addresses.isEmpty ?? true)
  }

  @Test func randomAndMutatedMessagesNeverTrap() {
    var random = SplitMix(seed: 0x0646_e73)
    let one: [UInt8] = [3] + Array("one".utf8) + [0xc0, 17]
    let seeds = [
      response([a1, a2]), response(type: 28, [v6]),
      response([record(type: 5, one), record(one, type: 1, [1, 2, 3, 4])]),
    ]
    var decoded = 0
    for round in 0..<120_000 {
      var bytes: [UInt8]
      if round % 4 == 0 {
        bytes = (0..<Int(random.next() % 96)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        if bytes.count > 3 { bytes[2] = 0x80 }
      } else {
        bytes = seeds[Int(random.next() % 3)]
        for _ in 0..<(1 + random.next() % 5) {
          let at = Int(random.next() % UInt64(bytes.count))
          bytes[at] = UInt8(truncatingIfNeeded: random.next())
        }
        if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
      }
      if let answer = try? Answer(decoding: bytes) {
        decoded += 1
        _ = answer.question?.name.description
      }
    }
    #expect(decoded > 1_000)
  }
}
