// Made-up and damaged files: whatever comes in, the parser returns, "nil means an error" holds,
// and what it accepts prints to text that is read back as the same model. The release-built
// `fairlead-fuzz keepalived-conf` does the same millions of times.

import Foundation
import FuzzInputs
import Testing

@testable import Configuration

@Suite struct KeepalivedFuzzTests {
  @Test func madeUpFilesNeverTrap() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed = environment["FUZZ_SEED"].flatMap(UInt64.init) ?? 20_261_121
    let count = environment["FUZZ_COUNT"].flatMap(Int.init) ?? 3_000
    let corpus = try KeepalivedFixtures.files.map { try Fixtures.bytes($0) }
    let options = KeepalivedOptions(
      configurationID: "one", environment: ["HOME": "/root"],
      readFile: { (path: String) throws(ConfigurationFileError) in
        Array("include self.conf\n$B=${B}${A}\n".utf8)
      }, expand: { [$0] })
    var texts = KeepalivedTexts(
      seed: seed, keywords: KeepalivedDialect.everyKeyword, corpus: corpus)
    var accepted = 0
    for number in 0..<count {
      let own = seed &+ UInt64(number)
      texts.reseed(own)
      let bytes = texts.next()
      let label = Comment(rawValue: "FUZZ_SEED=\(own) FUZZ_COUNT=1")
      let result = KeepalivedDialect.parse(files: [("f.conf", bytes)], options: options)
      #expect((result.configuration == nil) == !result.errors.isEmpty, label)
      for diagnostic in result.diagnostics.prefix(20) { _ = diagnostic.rendered(color: true) }
      _ = KeepalivedDialect.recognises(bytes)
      guard let configuration = result.configuration else { continue }
      accepted += 1
      let text = KeepalivedDialect.print(configuration)
      let again = KeepalivedDialect.parse(
        files: [("g.conf", Array(text.utf8))], options: options)
      let why = again.diagnostics.map(\.message).joined(separator: "; ")
      #expect(again.configuration == configuration, "\(label) \(why)\n\(text)")
      #expect(again.configuration.map(KeepalivedDialect.print) == text, label)
    }
    // The generator is no use if it only makes refused files.
    #expect(count < 1000 || accepted > count / 3)
  }

  /// Each of these would run or grow for ever without a limit.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "$A=${B}${B}${B}${B}\n$B=${C}${C}${C}${C}\n$C=${D}${D}${D}${D}\n$D=${E}${E}${E}${E}\n"
        + "$E=${F}${F}${F}${F}\n$F=${G}${G}${G}${G}\n$G=${H}${H}${H}${H}\n$H=${I}${I}${I}${I}\n"
        + "$I=${J}${J}${J}${J}\n$J=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n${A}\n",
      "$A=${B}${B}\n$B=${C}${C}\n$C=${D}${D}\n$D=${E}${E}\n$E=${F}${F}\n$F=${G}${G}\n"
        + "$G=${H}${H}\n$H=${I}${I}\n$I=${J}${J}\n$J=${K}${K}\n$K=${L}${L}\n$L=${M}${M}\n"
        + "$M=${N}${N}\n$N=${O}${O}\n$O=${P}${P}\n$P=${Q}${Q}\n$Q=${R}${R}\n$R=\n${A}\n",
      "$A=${A}\n${A}\n", "$A=${B}\n$B=${A}\n$A\n", "$A= \\\nx \\\n$A \\\n$A\n\n$A\n",
      "include self.conf\n",
      "~SEQ(A,1,9999) ~SEQ(B,1,9999) ~SEQ(C,1,9999) ~SEQ(D,1,9999) x\n",
      "~SEQ(A,1,65000) vrrp_instance x${A} { y\n",
    ]) func expansionsEnd(_ text: String)
  {
    var options = KeepalivedFixtures.options()
    options.readFile = { (path: String) throws(ConfigurationFileError) in
      Array("include self.conf\ninclude self.conf\n".utf8)
    }
    let result = KeepalivedDialect.parse(files: [("k.conf", Array(text.utf8))], options: options)
    #expect((result.configuration == nil) == !result.errors.isEmpty)
    #expect(!result.diagnostics.isEmpty)
  }

  /// Reading takes time in proportion to size: 3,000 of a thing must not take its square.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "vrrp_instance a# {\n interface e#\n virtual_router_id 1\n}\n",
      "vrrp_instance a# {\n interface e#\n virtual_router_id 1\n track_script {\n s#\n }\n}\n",
      "vrrp_script s# {\n script /bin/true\n}\n", "nonsense#\n", "virtual_server # {\n}\n",
      "vrrp_sync_group g# {\n group {\n a#\n }\n}\n", "static_ipaddress {\n 10.0.0.1 dev e#\n}\n",
      "$N#=x\n$N#\n", "{\n", "}\n", "static_rules {\n from 10.0.0.0/8 table #\n}\n",
    ]) func largeFilesEnd(_ line: String)
  {
    let lines = (1...3_000).map {
      line.split(separator: "#", omittingEmptySubsequences: false)
        .joined(separator: "\($0)")
    }
    let result = parseFailover(lines.joined())
    #expect((result.configuration == nil) == !result.errors.isEmpty)
  }
}
