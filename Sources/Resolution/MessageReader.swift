// Reads a DNS message from its first byte to its last; every access is checked.

import Configuration

struct MessageReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func byte() throws(DecodeError) -> UInt8 {
    guard position < bytes.count else { throw .truncated }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func word() throws(DecodeError) -> UInt16 {
    let high = try byte()
    return UInt16(high) << 8 | UInt16(try byte())
  }

  private mutating func skip(_ count: Int) throws(DecodeError) {
    guard bytes.count - position >= count else { throw .truncated }
    position += count
  }

  /// A name, decompressed and in lower case (RFC 1035, 4.1.4).
  mutating func name() throws(DecodeError) -> [UInt8] {
    var name: [UInt8] = []
    var at = position
    var end: Int?  // where reading goes on once a pointer was followed
    var pointers = 0
    while true {
      guard at < bytes.count else { throw .truncated }
      let length = Int(bytes[at])
      switch length >> 6 {
      case 0:
        guard at + length < bytes.count else { throw .truncated }
        guard name.count + length + 1 <= Limits.name else { throw .badName }
        name.append(UInt8(length))
        name += bytes[(at + 1)..<(at + 1 + length)].map(lowercased)
        at += 1 + length
        if length == 0 {
          position = end ?? at
          return name
        }
      case 3:
        guard at + 1 < bytes.count else { throw .truncated }
        let target = (length & 0x3f) << 8 | Int(bytes[at + 1])
        pointers += 1
        guard target < at, pointers <= Limits.pointers else { throw .badPointer }
        if end == nil { end = at + 2 }
        at = target
      default: throw .badName
      }
    }
  }

  /// The next record; nil for one of a type or class that is of no interest.
  mutating func record() throws(DecodeError) -> Record? {
    let owner = try name()
    let type = try word()
    let recordClass = try word()
    try skip(4)  // time to live: `hold` decides
    let length = Int(try word())
    let start = position
    guard bytes.count - start >= length else { throw .truncated }
    defer { position = start + length }
    guard recordClass == 1 else { return nil }
    switch type {
    case 1:
      guard length == 4 else { throw .badRecord }
      return Record(name: owner, data: .address(.v4(UInt32(number(start, 4)))))
    case 28:
      guard length == 16 else { throw .badRecord }
      let address = IPAddress.v6(high: number(start, 8), low: number(start + 8, 8))
      return Record(name: owner, data: .address(address))
    case 5:
      let target = try name()
      guard position == start + length else { throw .badRecord }
      return Record(name: owner, data: .alias(target))
    default: return nil
    }
  }

  /// Big-endian; the caller has checked the range.
  private func number(_ start: Int, _ count: Int) -> UInt64 {
    bytes[start..<(start + count)].reduce(0) { $0 << 8 | UInt64($1) }
  }
}
