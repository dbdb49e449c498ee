// Netlink messages as bytes: a builder for requests, and readers that believe no length they
// are told (netlink(7): everything is in host byte order and padded to four bytes).

/// A request under construction.
///
///     | length u32 | type u16 | flags u16 | sequence u32 | port u32 | body … | attributes … |
struct NetlinkMessage {
  private(set) var bytes: [UInt8]

  init(type: UInt16, flags: UInt16) {
    bytes = []
    append(UInt32(0))
    append(type)
    append(flags)
    append(UInt32(0))
    append(UInt32(0))
  }

  mutating func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }

  mutating func append(bytes more: [UInt8]) { bytes.append(contentsOf: more) }

  mutating func attribute(_ type: UInt16, _ payload: [UInt8]) {
    append(UInt16(truncatingIfNeeded: payload.count &+ 4))
    append(type)
    bytes.append(contentsOf: payload)
    pad()
  }

  mutating func attribute(_ type: UInt16, _ value: UInt32) {
    attribute(type, withUnsafeBytes(of: value) { Array($0) })
  }

  mutating func attribute(_ type: UInt16, byte value: UInt8) { attribute(type, [value]) }

  /// With the NUL at the end that names have.
  mutating func attribute(_ type: UInt16, text: String) { attribute(type, Array(text.utf8) + [0]) }

  /// What `body` appends becomes the payload of one attribute.
  mutating func nested(_ type: UInt16, _ body: (inout NetlinkMessage) -> Void) {
    let start = bytes.count
    append(UInt16(0))
    append(type)
    body(&self)
    patch(UInt16(truncatingIfNeeded: bytes.count &- start), at: start)
    pad()
  }

  /// Writes a number over one that stands there already.
  mutating func patch<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    withUnsafeBytes(of: value) { raw in
      for (index, byte) in raw.enumerated() where offset + index < bytes.count {
        bytes[offset + index] = byte
      }
    }
  }

  /// The whole message; `acknowledged` asks for an answer, whatever its flags say.
  func finished(sequence: UInt32, acknowledged: Bool = false) -> [UInt8] {
    var copy = self
    if acknowledged, let flags = bytes[...].number(UInt16.self, at: 6) {
      copy.patch(flags | RequestFlag.acknowledge, at: 6)
    }
    copy.patch(UInt32(truncatingIfNeeded: bytes.count), at: 0)
    copy.patch(sequence, at: 8)
    return copy.bytes
  }

  private mutating func pad() {
    while bytes.count % 4 != 0 { bytes.append(0) }
  }
}

/// A received message; `payload` is what follows the header.
struct NetlinkReceived {
  let type: UInt16
  let flags: UInt16
  let sequence: UInt32
  let payload: ArraySlice<UInt8>

  /// The messages of a datagram; reading ends at the first length that cannot be.
  static func all(in datagram: ArraySlice<UInt8>) -> [NetlinkReceived] {
    var found: [NetlinkReceived] = []
    var rest = datagram
    while let length = rest.number(UInt32.self, at: 0), length >= 16, length <= rest.count,
      let type = rest.number(UInt16.self, at: 4), let flags = rest.number(UInt16.self, at: 6),
      let sequence = rest.number(UInt32.self, at: 8)
    {
      found.append(
        NetlinkReceived(
          type: type, flags: flags, sequence: sequence,
          payload: rest.prefix(Int(length)).dropFirst(16)))
      rest = rest.dropFirst((Int(length) + 3) & ~3)
    }
    return found
  }

  /// The attributes behind a body of `length` bytes.
  func attributes(behind length: Int) -> NetlinkAttributes {
    NetlinkAttributes(payload.dropFirst(length))
  }
}

/// A run of attributes: | length u16 | type u16 | payload |, each padded to four bytes.
struct NetlinkAttributes {
  private var values: [UInt16: ArraySlice<UInt8>] = [:]

  /// The last one of a type counts, as in the kernel. Reading ends at a length that cannot be.
  init(_ bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while let length = rest.number(UInt16.self, at: 0), length >= 4, length <= rest.count,
      let type = rest.number(UInt16.self, at: 2)
    {
      // The two highest bits say "nested" and "network byte order".
      values[type & 0x3fff] = rest.prefix(Int(length)).dropFirst(4)
      rest = rest.dropFirst((Int(length) + 3) & ~3)
    }
  }

  subscript(type: UInt16) -> ArraySlice<UInt8>? { values[type] }

  func word(_ type: UInt16) -> UInt32? { values[type]?.number(UInt32.self, at: 0) }

  func byte(_ type: UInt16) -> UInt8? { values[type]?.first }

  /// Up to the first NUL; what is no UTF-8 becomes U+FFFD.
  func text(_ type: UInt16) -> String? {
    values[type].map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  func nested(_ type: UInt16) -> NetlinkAttributes? { values[type].map(NetlinkAttributes.init) }
}

extension ArraySlice<UInt8> {
  /// A number in host byte order, `offset` bytes behind the beginning; nil beyond the end.
  func number<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T? {
    let size = MemoryLayout<T>.size
    guard offset >= 0, offset <= count - size else { return nil }
    return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
  }
}
