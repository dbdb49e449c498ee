// Files that grow when they are read, and large files: all of them end, and soon.

import Testing

@testable import Configuration

@Suite struct KeepalivedBoundsTests {
  /// Definitions that hold each other twice: 2^64 copies of a word.
  @Test(.timeLimit(.minutes(1))) func definitionsThatDoubleEnd() {
    var text = "$A0=0123456789\n"
    for level in 1...30 { text += "$A\(level)=${A\(level - 1)} ${A\(level - 1)}\n" }
    let result = keepalived(text + "router ${A30}\n")
    #expect(result.configuration == nil)
    #expect(result.errors.count == 1)
    #expect(result.errors.first?.contains("grow without end") == true)
  }

  @Test(.timeLimit(.minutes(1))) func blocksThatDoubleEnd() {
    var text = "$A0= \\\n x \\\n x\n"
    for level in 1...30 { text += "$A\(level)= \\\n $A\(level - 1) \\\n $A\(level - 1)\n" }
    let result = keepalived(text + "$A30\n")
    #expect(result.errors.count == 1)
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "$A=${A}\nx ${A}\n", "$A=${B}\n$B=${A}\nx ${A}\n", "$A= \\\n $A\n$A\n",
      "$A= \\\n x \\\n $A \\\n $A\n$A\n",
    ]) func definitionsThatHoldThemselvesAreErrors(_ text: String)
  {
    let result = keepalived(text)
    #expect(result.configuration == nil)
    #expect(result.errors.count == 1)
    #expect(result.errors.first?.contains("contains itself") == true)
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["include", "includea"])
  func filesThatIncludeThemselvesAreErrors(_ word: String) {
    let text = Array("\(word) k.conf\n\(word) k.conf\n".utf8)
    var options = KeepalivedFixtures.options()
    options.readFile = { (_: String) throws(ConfigurationFileError) -> [UInt8] in text }
    let result = KeepalivedDialect.parse(files: [("k.conf", text)], options: options)
    #expect(result.configuration == nil)
    #expect(result.errors == ["files include each other more than 32 deep"])
  }

  @Test(.timeLimit(.minutes(1))) func includedFilesCountTogether() {
    let large = [UInt8](repeating: 10, count: 3 << 20)
    var options = KeepalivedFixtures.options()
    options.readFile = { (_: String) throws(ConfigurationFileError) -> [UInt8] in large }
    let text = String(repeating: "include a\n", count: 50)
    let result = KeepalivedDialect.parse(files: [("k.conf", Array(text.utf8))], options: options)
    #expect(result.errors == ["the files together are larger than 16 MiB"])
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "~SEQ(A,1,1,4294967295) x ${A}\n", "~SEQx(A,4294967295) x\n", "~SEQ(A,65537) x\n",
      "~SEQ(A,60000)~SEQ(B,60000) x ${A}${B}\n",
      "~SEQ(A,9)~SEQ(B,9)~SEQ(C,9)~SEQ(D,9)~SEQ(E,9)~SEQ(F,9)~SEQ(G,9) x\n",
    ]) func sequencesThatAreTooLongAreErrors(_ text: String)
  {
    let result = keepalived(text)
    #expect(result.configuration == nil)
    #expect(result.errors.count == 1)
  }

  @Test func sequences() {
    for (line, expected) in [
      ("~SEQ(N,3)", "1 2 3"), ("~SEQ(N,-2)", "-1 -2"), ("~SEQ(N,2,4)", "2 3 4"),
      ("~SEQ(N,4,2)", "4 3 2"), ("~SEQ(N,10,-5,1)", "10 5"), ("~SEQx(N,9,11)", "9 a b"),
      ("~SEQ(N,1,-1,5)", ""), ("~SEQ(N,0x10,0x11)", "16 17"), ("~LST(N,a,b)", "a b"),
    ] {
      // Each round is a keyword of its own, and unknown.
      let found = keepalived(line + " zzzzzzzzzzzz${N}\n").warnings.map {
        $0.split(separator: "'")[1].dropFirst(12)
      }
      #expect(found.joined(separator: " ") == expected, "\(line)")
    }
    for line in ["~SEQ(N)", "~SEQ(N,a)", "~SEQ(N,1,0,2)", "~SEQx(N,-1)", "~LST(N)", "~SEQ(N,1"] {
      #expect(keepalived(line + " x\n").warnings.count == 1, "\(line)")
    }
  }

  /// Reading takes time in proportion to size: 20,000 of a thing must not take its square.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "nonsense#\n", "virtual_server # {\n}\n", "vrrp_script s# {\n script /bin/true\n}\n",
      "garp_group {\n interface e#\n}\nvrrp_instance i# {\n interface e#\n virtual_router_id 1\n}\n",
      "vrrp_sync_group g# {\n group { a# b# }\n}\n", "static_ipaddress { 10.0.0.1 zzz }\n",
      "x ${U}\n",
      "vrrp_instance i# {\n lvs_sync_daemon_interface e\n virtual_ipaddress { 10.0.0.1 }\n}\n",
      "include none#\n", "{ }\n", "}\n", "$A#=${A}\n",
    ]) func largeFilesEnd(_ line: String)
  {
    let lines = (0..<20_000).map { number in
      line.split(separator: "#", omittingEmptySubsequences: false).joined(separator: "\(number)")
    }
    let result = keepalived(lines.joined())
    #expect((result.configuration == nil) == !result.errors.isEmpty)
    #expect(result.diagnostics.count <= KeepalivedParser.maximumDiagnostics + 10)
  }

  @Test(.timeLimit(.minutes(1))) func longLinesEnd() {
    let long = String(repeating: "a ", count: 1 << 16)
    for text in ["x " + long, "$A=\(long)\nx ${A}${A}\n", "x \\\n" + long, "\"" + long] {
      let result = keepalived(text)
      #expect((result.configuration == nil) == !result.errors.isEmpty)
    }
  }
}
