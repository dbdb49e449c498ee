// The rule applied to whole sets of nodes: who has the address in the end. The table of two and
// three nodes stands in Documentation/decisions, written from here.

import Foundation
import Testing
import VRRP

/// A node of the table.
private enum Kind: String, CaseIterable {
  case settled, recovering, unhealthy, drained

  func priority(_ preference: UInt8) -> RouterPriority {
    var situation = HolderSituation(preference: preference, follows: true)
    switch self {
    case .settled: situation.standing = .settled
    case .recovering: situation.standing = .recovering
    case .unhealthy: situation.standing = .unhealthy
    case .drained:
      situation.standing = .settled
      situation.isDrained = true
    }
    return situation.priority
  }

  var canServe: Bool { self == .settled || self == .recovering }
}

/// VRRP without time: the backup whose turn comes first takes over from a lower holder, and an
/// address that nobody has goes to the one whose turn comes first.
private func moves(_ kinds: [Kind], from holder: Int?) -> [Int] {
  let priorities = kinds.indices.map { kinds[$0].priority(UInt8(200 - 10 * $0)) }
  func first(_ nodes: [Int]) -> Int? {
    nodes.max { priorities[$0].turn < priorities[$1].turn }
  }
  var path = holder.map { [$0] } ?? first(Array(kinds.indices)).map { [$0] } ?? []
  while let now = path.last, path.count <= 10 {
    let better = kinds.indices.filter {
      $0 != now && priorities[$0].backup > priorities[now].master
    }
    guard let next = first(better) else { break }
    path.append(next)
  }
  return path
}

private func combinations(_ count: Int) -> [[Kind]] {
  count == 0
    ? [[]] : combinations(count - 1).flatMap { rest in Kind.allCases.map { rest + [$0] } }
}

@Suite struct HolderRuleTests {
  @Test(arguments: [1, 2, 3, 4]) func everyCombination(_ count: Int) throws {
    for kinds in combinations(count) {
      for holder in [nil] + kinds.indices.map({ $0 }) {
        let path = moves(kinds, from: holder)
        let last = try #require(path.last)
        let about = "\(kinds.map(\.rawValue)), from \(holder.map(String.init) ?? "nobody")"
        #expect(path.count <= 3, "it comes to rest: \(about)")
        // Whoever can serve has it, if there is one.
        if kinds.contains(where: \.canServe) {
          #expect(kinds[last].canServe, "\(about)")
        }
        guard let holder else { continue }
        // Nobody can serve: it stays, unless the holder is drained and another is not.
        if !kinds.contains(where: \.canServe), kinds[holder] == .unhealthy {
          #expect(path == [holder], "\(about)")
        }
        // From a node that can serve it goes to settled ones only, which are preferred.
        if kinds[holder].canServe {
          #expect(last <= holder && (last == holder || kinds[last] == .settled), "\(about)")
        }
      }
    }
  }

  @Test func bandsDoNotTouch() {
    for preference in HolderBand.preferences {
      var situation = HolderSituation(preference: preference, follows: true)
      let low = situation.priority
      #expect(low.backup == preference - 128 && low.backup < HolderBand.unhealthyHolder)
      #expect(low.backup > HolderBand.drained && low.master == HolderBand.unhealthyHolder)
      situation.standing = .recovering
      #expect(situation.priority.backup == HolderBand.modest)
      situation.standing = .settled
      #expect(situation.priority == RouterPriority(preference))
      #expect(preference > HolderBand.modest && preference < HolderBand.claimed)
    }
    #expect(HolderBand.modest > HolderBand.unhealthyHolder)
    #expect(HolderBand.claiming > HolderBand.claimed)
  }

  private func table(_ count: Int) -> String {
    func name(_ node: Int) -> String { ["a", "b", "c"][node] }
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    func line(_ cells: [String], _ ends: [String]) -> String {
      let text = cells.map { padded($0, 12) }.joined() + ends.map { padded($0, 8) }.joined()
      return String(text.reversed().drop { $0 == " " }.reversed()) + "\n"
    }
    let nodes = Array(0..<count)
    var text = line(nodes.map(name), ["nobody"] + nodes.map(name))
    for kinds in combinations(count) {
      let ends = ([nil] + nodes.map { $0 }).map { holder -> String in
        let path = moves(kinds, from: holder)
        return path.last == holder ? "." : path.last.map(name) ?? "-"
      }
      text += line(kinds.map(\.rawValue), ends)
    }
    return text
  }

  @Test func tableInTheDecisionIsUpToDate() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(
        path: "../../Documentation/decisions/0011-the-address-follows-the-proxy.md"
      ).standardizedFileURL
    let kept = try String(contentsOf: file, encoding: .utf8)
    let start = try #require(kept.range(of: "```table\n"))
    let end = try #require(kept.range(of: "```\n", range: start.upperBound..<kept.endIndex))
    let text = table(2) + "\n" + table(3)
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
      let new = kept.replacingCharacters(in: start.upperBound..<end.lowerBound, with: text)
      try Data(new.utf8).write(to: file)
    } else {
      #expect(kept[start.upperBound..<end.lowerBound] == text)
    }
  }
}
