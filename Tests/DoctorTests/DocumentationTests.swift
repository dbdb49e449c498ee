// Documentation/verify.md explains every finding, with its severity, and no other.

import Testing

@testable import Doctor

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct DocumentationTests {
  private static func table() throws -> [(kind: String, severity: String, cells: [String])] {
    let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "/\(here)/Documentation/verify.md"
    let file = try #require(fopen(path, "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    let text = String(decoding: bytes[..<count], as: UTF8.self)
    return text.split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|", omittingEmptySubsequences: false)
        .map { $0.split(separator: " ").joined(separator: " ") }
      guard cells.count == 6, cells[1].hasPrefix("`"), cells[1].hasSuffix("`") else { return nil }
      return (String(cells[1].dropFirst().dropLast()), cells[2], Array(cells[3...4]))
    }
  }

  @Test func everyFindingIsExplainedOnce() throws {
    let named = try Self.table().map(\.kind)
    #expect(named.sorted() == FindingKind.allCases.map(\.rawValue).sorted())
  }

  @Test func severitiesAndRemediesAreThoseOfTheCode() throws {
    for row in try Self.table() {
      let kind = try #require(FindingKind(rawValue: row.kind))
      #expect(row.severity == kind.severity.rawValue, "\(row.kind)")
      #expect(!row.cells[0].isEmpty, "\(row.kind)")
      #expect(row.cells[1].isEmpty == (kind.severity == .ok), "\(row.kind)")
    }
  }
}
