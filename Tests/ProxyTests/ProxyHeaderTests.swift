// The PROXY protocol, both versions and both ways.

import Configuration
import Kernel
import Testing

@testable import Proxy

private func decode(_ bytes: [UInt8]) -> ProxyHeader.Decoded {
  bytes.withUnsafeBytes { ProxyHeader.decode($0) }
}

private func decode(_ text: String) -> ProxyHeader.Decoded { decode(Array(text.utf8)) }

private let a4 = NetworkEndpoint(.v4(0xC000_0201), port: 56324)
private let b4 = NetworkEndpoint(.v4(0xC633_6401), port: 443)
private let a6 = NetworkEndpoint(.v6(high: 0x2001_0db8_0000_0000, low: 1), port: 1)
private let b6 = NetworkEndpoint(.v6(high: 0x2001_0db8_0000_0000, low: 2), port: 65535)

private struct Vector {
  let version: ProxyProtocolVersion
  let source: NetworkEndpoint
  let destination: NetworkEndpoint
  let bytes: [UInt8]
}

private let vectors: [Vector] = [
  Vector(
    version: .v1, source: a4, destination: b4,
    bytes: Array("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".utf8)),
  Vector(
    version: .v1, source: a6, destination: b6,
    bytes: Array("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n".utf8)),
  Vector(
    version: .v2, source: a4, destination: b4,
    bytes: ProxyHeader.signature + [0x21, 0x11, 0, 12]
      + [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB]),
  Vector(
    version: .v2, source: a6, destination: b6,
    bytes: ProxyHeader.signature + [0x21, 0x21, 0, 36]
      + [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
      + [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
      + [0, 1, 0xFF, 0xFF]),
]

@Suite struct ProxyHeaderTests {
  @Test func vectorsBothWays() {
    for vector in vectors {
      let made = ProxyHeader.encode(
        vector.version, source: vector.source, destination: vector.destination)
      #expect(made == vector.bytes)
      let whole = ProxyHeader.Decoded.valid(
        length: vector.bytes.count, source: vector.source, destination: vector.destination)
      #expect(decode(vector.bytes) == whole)
      #expect(decode(vector.bytes + Array("payload\r\n".utf8)) == whole)
      for length in 0..<vector.bytes.count {
        #expect(decode(Array(vector.bytes[..<length])) == .incomplete, "cut at \(length)")
      }
    }
  }

  @Test func withoutAddresses() {
    let mixed = ProxyHeader.encode(.v1, source: a4, destination: b6)
    #expect(mixed == Array("PROXY UNKNOWN\r\n".utf8))
    #expect(decode(mixed) == .valid(length: 15, source: nil, destination: nil))
    #expect(
      decode("PROXY UNKNOWN ffff::1 2 3 4\r\n") == .valid(length: 29, source: nil, destination: nil)
    )
    let local = ProxyHeader.encode(.v2, source: NetworkEndpoint(), destination: a4)
    #expect(local == ProxyHeader.signature + [0x20, 0, 0, 0])
    #expect(decode(local) == .valid(length: 16, source: nil, destination: nil))
    // UNIX (0x31) and UDP (0x12) carry nothing for us, and their length is skipped.
    for family: UInt8 in [0x31, 0x12, 0x00, 0xFF] {
      let bytes = ProxyHeader.signature + [0x21, family, 0, 20] + [UInt8](repeating: 7, count: 20)
      #expect(decode(bytes) == .valid(length: 36, source: nil, destination: nil))
    }
  }

  @Test func extensionsAreSkipped() {
    let tlv: [UInt8] = [3, 0, 4, 1, 2, 3, 4]
    let bytes = ProxyHeader.signature + [0x21, 0x11, 0, 19] + vectors[2].bytes[16...] + tlv
    #expect(decode(bytes) == .valid(length: 35, source: a4, destination: b4))
    #expect(decode(Array(bytes.dropLast())) == .incomplete)
  }

  @Test(arguments: [
    "PROXY \r\n", "PROXY TCP4\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
    "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
    "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
    "PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n",
  ])
  func invalidText(_ text: String) {
    #expect(decode(text) == .invalid)
  }

  @Test(arguments: ["GET / HTTP/1.1\r\n", "PROXY\r\n", "X", "PROXZ", "\n", "\r\r"])
  func textOfAnotherKind(_ text: String) {
    #expect(decode(text) == .unknown)
  }

  @Test func invalidBinaryAndEndless() {
    let body = [UInt8](repeating: 0, count: 36)
    let wrong: [[UInt8]] = [
      [0x22, 0x11, 0, 12], [0x2F, 0x11, 0, 12],
      [0x21, 0x11, 0, 11], [0x21, 0x21, 0, 35], [0x21, 0x11, 0xFF, 0xFF],
    ]
    for header in wrong {
      #expect(decode(ProxyHeader.signature + header + body) == .invalid, "\(header)")
    }
    let endless = "PROXY UNKNOWN " + String(repeating: "x", count: 200)
    #expect(decode(ProxyHeader.signature + [0x11, 0x11, 0, 12] + body) == .unknown)
    #expect(decode(endless) == .endless)
    #expect(decode(String(endless.prefix(106))) == .incomplete)
    #expect(decode([]) == .incomplete)
  }

  /// Nothing a client sends can trap, and a header never claims more bytes than there are.
  @Test func randomAndMutatedInputs() {
    var random = SplitMix(seed: 0xFA12)
    for round in 0..<100_000 {
      var bytes: [UInt8]
      if round % 4 == 0 {
        bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in
          UInt8(truncatingIfNeeded: random.next())
        }
      } else {
        bytes = vectors[Int.random(in: 0..<vectors.count, using: &random)].bytes
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          mutate(&bytes, &random)
        }
      }
      if case .valid(let length, _, _) = decode(bytes) {
        if length < 7 || length > bytes.count { Issue.record("length \(length) of \(bytes)") }
      }
    }
  }

  private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix) {
    guard !bytes.isEmpty else { return }
    let at = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
    case 1: bytes.remove(at: at)
    case 2: bytes.insert([0x20, 0x0D, 0x0A, 0x30, 0xFF].randomElement(using: &random)!, at: at)
    default: bytes.removeLast(bytes.count - at)
    }
  }
}
