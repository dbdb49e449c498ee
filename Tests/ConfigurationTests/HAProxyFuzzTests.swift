// Mutated files: whatever comes in, the parser returns, "nil means an error" holds, and what
// it accepts prints to text that parses back to the same model.

import Foundation
import Testing

@testable import Configuration

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

struct Mutator {
  var random: SplitMix
  let corpus: [[UInt8]]
  static let words: [String] =
    Array(HAProxyKeywords.table.keys).sorted() + HAProxyOptions.table.keys.sorted()
    + HAProxyParser.serverNames.sorted() + HAProxyParser.bindNames.sorted()
    + HAProxyParser.sectionNames.sorted()
    + [
      "0", "-1", "65536", "99999999999999999999999", "2147483648", "9223372036854775807", "1-65535",
      "*:1-65535", "[::1]:80", "::", "${HOST}:${PORT}", "\"$HOME\"", "\"\"", "\"${X-d}\"", "'",
      "\"",
      "\\", "\\x0", "%[src]", "%{+Q}o", "%tsc", "%", "!", "if", "unless", "no", "default", "from",
      "unix@/a", "abns@", "fd@9", "ipv6@x", "/", "@", "$", "#", "25d", "1us", "\u{1F600}", ".if",
      ".endif", ".else", "1", "defined(HOME)", "(((((((((", "a{1,9}{1,9}{1,9}", "track", "b/a",
    ]

  mutating func pick<C: Collection>(_ collection: C) -> C.Element? {
    collection.randomElement(using: &random)
  }
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &random) }

  mutating func input() -> [UInt8] {
    var bytes = pick(corpus) ?? []
    for _ in 0...below(5) { mutate(&bytes) }
    return bytes
  }

  private mutating func mutate(_ bytes: inout [UInt8]) {
    if below(4) == 0 {
      for _ in 0...below(3) where !bytes.isEmpty {
        bytes[below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
      }
      return
    }
    var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
    let at = below(lines.count)
    switch below(7) {
    case 0: lines.remove(at: at)
    case 1: lines.insert(lines[at], at: below(lines.count))
    case 2:
      let other = (pick(corpus) ?? []).split(separator: 10).map(Array.init)
      lines.insert(contentsOf: other.dropFirst(below(other.count)).prefix(below(12)), at: at)
    case 3: lines.swapAt(at, below(lines.count))
    case 4:
      let words = (0...below(4)).map { _ in pick(Mutator.words) ?? "" }
      lines.insert(Array("  ".utf8) + Array(words.joined(separator: " ").utf8), at: at)
    case 5:
      let words = (0...below(2)).map { _ in pick(Mutator.words) ?? "" }
      lines[at] += Array((" " + words.joined(separator: " ")).utf8)
    default:
      var words = lines[at].split(separator: 32).map(Array.init)
      guard !words.isEmpty else { return }
      words[below(words.count)] = Array((pick(Mutator.words) ?? "").utf8)
      lines[at] = Array(words.joined(separator: [32]))
    }
    bytes = Array(lines.joined(separator: [10]))
  }
}

@Suite struct HAProxyFuzzTests {
  @Test func mutatedFilesNeverTrap() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed = environment["FUZZ_SEED"].flatMap(UInt64.init) ?? 20_261_121
    let count = environment["FUZZ_COUNT"].flatMap(Int.init) ?? 3_500
    // Files that parse are four times as likely: mutants of broken ones mostly stay broken.
    let files = try Fixtures.files.map { try Fixtures.bytes($0) }
    let valid = files.filter {
      HAProxyDialect.parse(files: [("f", $0)], environment: Fixtures.environment).configuration
        != nil
    }
    var accepted = 0
    for number in 0..<count {
      var mutator = Mutator(
        random: SplitMix(state: seed &+ UInt64(number)), corpus: files + valid + valid + valid)
      let bytes = mutator.input()
      let result = HAProxyDialect.parse(
        files: [("f.cfg", bytes)], environment: Fixtures.environment)
      let label = Comment(rawValue: "FUZZ_SEED=\(seed &+ UInt64(number)) FUZZ_COUNT=1")
      #expect((result.configuration == nil) == !result.errors.isEmpty, label)
      for diagnostic in result.diagnostics.prefix(20) { _ = diagnostic.rendered(color: true) }
      guard let configuration = result.configuration else { continue }
      accepted += 1
      let text = HAProxyDialect.print(configuration)
      let again = HAProxyDialect.parse(files: [("g.cfg", Array(text.utf8))], environment: [:])
      let why = again.errors.joined(separator: "; ")
      #expect(again.configuration == configuration, "\(label) \(why)\n\(text)")
    }
    // The generator is no use if it only makes refused files.
    #expect(count < 1000 || accepted > count / 20)
  }

  /// Reading takes time in proportion to size: 3,000 of a thing must not take its square.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      " server s# 10.0.0.1:80 check\n", "backend b#\n", " server s# 10.0.0.1:80 track s0\n",
      " nonsense#\n", "listen l#\n bind :1\n", "resolvers r#\n", " acl a# src 1.2.3.4\n",
    ]) func largeFilesEnd(_ line: String)
  {
    let lines = (0..<3_000).map { number in
      line.split(separator: "#", omittingEmptySubsequences: false).joined(separator: "\(number)")
    }
    let result = parse("listen x\n bind :1\n" + lines.joined())
    #expect((result.configuration == nil) == !result.errors.isEmpty)
  }
}
