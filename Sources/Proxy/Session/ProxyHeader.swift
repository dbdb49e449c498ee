// The PROXY protocol (version 1 text, version 2 binary): reading it from clients that must send
// it, writing it to servers that expect it. Format: HAProxy's doc/proxy-protocol.txt.

import Configuration
import Kernel

enum ProxyHeader {
  enum Decoded: Equatable {
    case incomplete
    /// Longer than a header of version 1 can be.
    case endless
    /// Not a PROXY header at all, or one of a version that does not exist.
    case unknown
    case invalid
    /// `length` bytes belong to the header. No addresses: LOCAL or UNKNOWN, keep the real ones.
    case valid(length: Int, source: NetworkEndpoint?, destination: NetworkEndpoint?)
  }

  /// The 12 bytes that begin version 2.
  static let signature: [UInt8] = [
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
  ]

  static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
    if bytes.isEmpty { return .incomplete }
    if bytes[0] == signature[0] { return decodeVersion2(bytes) }
    return decodeVersion1(bytes)
  }

  ///  0                   1                   2                   3
  ///  +--------------------------- signature (12 bytes) ------------+
  ///  | ver/cmd (1) | family/protocol (1) | length, big endian (2)  |
  ///  | addresses and extensions (length bytes)                     |
  private static func decodeVersion2(_ bytes: UnsafeRawBufferPointer) -> Decoded {
    for position in 0..<min(signature.count, bytes.count)
    where bytes[position] != signature[position] { return .unknown }
    if bytes.count > 12, bytes[12] >> 4 != 2 { return .unknown }
    guard bytes.count >= 16 else { return .incomplete }
    let command = bytes[12] & 15
    guard command <= 1 else { return .invalid }
    let length = 16 + (Int(bytes[14]) << 8 | Int(bytes[15]))
    guard length <= Limits.proxyHeader_bytes else { return .invalid }
    guard bytes.count >= length else { return .incomplete }
    if command == 0 { return .valid(length: length, source: nil, destination: nil) }
    switch bytes[13] {
    case 0x11 where length >= 28:
      return .valid(
        length: length,
        source: endpoint4(bytes, address: 16, port: 24),
        destination: endpoint4(bytes, address: 20, port: 26))
    case 0x21 where length >= 52:
      return .valid(
        length: length,
        source: endpoint6(bytes, address: 16, port: 48),
        destination: endpoint6(bytes, address: 32, port: 50))
    case 0x11, 0x21: return .invalid
    default: return .valid(length: length, source: nil, destination: nil)
    }
  }

  private static func big(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ count: Int) -> UInt64 {
    var value: UInt64 = 0
    for position in at..<(at + count) { value = value << 8 | UInt64(bytes[position]) }
    return value
  }

  private static func endpoint4(
    _ bytes: UnsafeRawBufferPointer, address: Int, port: Int
  ) -> NetworkEndpoint {
    var endpoint = NetworkEndpoint()
    endpoint.family = 4
    endpoint.low = big(bytes, address, 4)
    endpoint.port = UInt16(big(bytes, port, 2))
    return endpoint
  }

  private static func endpoint6(
    _ bytes: UnsafeRawBufferPointer, address: Int, port: Int
  ) -> NetworkEndpoint {
    var endpoint = NetworkEndpoint()
    endpoint.family = 6
    endpoint.high = big(bytes, address, 8)
    endpoint.low = big(bytes, address + 8, 8)
    endpoint.port = UInt16(big(bytes, port, 2))
    return endpoint
  }

  /// `PROXY TCP4 <source> <destination> <source port> <destination port>\r\n`, at most 107 bytes.
  private static func decodeVersion1(_ bytes: UnsafeRawBufferPointer) -> Decoded {
    let prefix: StaticString = "PROXY "
    for position in 0..<min(6, bytes.count)
    where bytes[position] != prefix.utf8Start[position] { return .unknown }
    let searched = bytes.prefix(107)
    guard let end = searched.firstIndex(of: 0x0A) else {
      return bytes.count >= 107 ? .endless : .incomplete
    }
    guard end >= 7, bytes[end - 1] == 0x0D else { return .invalid }
    let line = String(decoding: bytes[6..<(end - 1)], as: UTF8.self)
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    if words.first == "UNKNOWN" {
      return .valid(length: end + 1, source: nil, destination: nil)
    }
    guard words.count == 5, words[0] == "TCP4" || words[0] == "TCP6",
      let source = IPAddress(String(words[1])), let destination = IPAddress(String(words[2])),
      let sourcePort = UInt16(words[3]), let destinationPort = UInt16(words[4]),
      source.isVersion4 == (words[0] == "TCP4"), destination.isVersion4 == source.isVersion4
    else { return .invalid }
    return .valid(
      length: end + 1, source: NetworkEndpoint(source, port: sourcePort),
      destination: NetworkEndpoint(destination, port: destinationPort))
  }

  /// The header for a server: version 1 at most 107 bytes, version 2 16, 28 or 52.
  static func encode(
    _ version: ProxyProtocolVersion, source: NetworkEndpoint, destination: NetworkEndpoint
  ) -> [UInt8] {
    let family = source.family == destination.family ? source.family : 0
    switch version {
    case .v1:
      guard family == 4 || family == 6 else { return Array("PROXY UNKNOWN\r\n".utf8) }
      let text =
        "PROXY TCP\(family) \(source.address) \(destination.address) "
        + "\(source.port) \(destination.port)\r\n"
      return Array(text.utf8)
    case .v2:
      var bytes = signature
      guard family == 4 || family == 6 else { return bytes + [0x20, 0x00, 0, 0] }
      bytes += [0x21, family == 4 ? 0x11 : 0x21, 0, family == 4 ? 12 : 36]
      for endpoint in [source, destination] {
        if family == 6 { append(endpoint.high, 8, to: &bytes) }
        append(endpoint.low, family == 4 ? 4 : 8, to: &bytes)
      }
      append(UInt64(source.port), 2, to: &bytes)
      append(UInt64(destination.port), 2, to: &bytes)
      return bytes
    }
  }

  private static func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
    for shift in stride(from: (count - 1) * 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }
}

extension Worker {
  /// Looks whether the client's PROXY header is complete; takes it and routes the session.
  mutating func readProxyHeader(_ index: UInt32) {
    let session = sessions + Int(index)
    let client = halves + Int(index) * 2
    let seen = Socket.peek(client.pointee.descriptor, copyBuffer, Limits.proxyHeader_bytes)
    if seen.isWouldBlock { return }
    guard seen.raw > 0 else {
      finish(index, .proxyHeaderMissing)
      return
    }
    let bytes = UnsafeRawBufferPointer(start: copyBuffer, count: seen.raw)
    switch ProxyHeader.decode(bytes) {
    case .incomplete:
      if !client.pointee.flags.isDisjoint(with: [.peerClosed, .failed]) {
        finish(index, .proxyHeaderTruncated)
      }
    case .endless: finish(index, .proxyHeaderTruncated)
    case .unknown: finish(index, .proxyHeaderUnknown)
    case .invalid: finish(index, .proxyHeaderInvalid)
    case .valid(let length, let source, let destination):
      _ = Socket.receive(client.pointee.descriptor, copyBuffer, length)
      if let source { session.pointee.client = source }
      if let destination { session.pointee.local = destination }
      session.pointee.handshake_ms = Int32(clamping: now_ms - session.pointee.accepted_ms)
      route(index)
    }
  }

  /// Sends the header as the first bytes to the server. A fresh socket has room for it.
  func sendProxyHeader(_ index: UInt32, _ version: ProxyProtocolVersion) -> Bool {
    let session = sessions[Int(index)]
    let pair = halves + Int(index) * 2
    var local = session.local
    if local.family == 0 { local = Socket.localEndpoint(pair[Side.client].descriptor) }
    let bytes = ProxyHeader.encode(version, source: session.client, destination: local)
    let sent = bytes.withUnsafeBytes {
      Socket.send(pair[Side.server].descriptor, $0.baseAddress!, $0.count)
    }
    return sent.raw == bytes.count
  }
}
