// DNS messages (RFC 1035, section 4): queries for addresses are encoded, answers decoded.
// Decoding is bounded everywhere and cannot trap, whatever the bytes.

import Configuration

/// What is asked for.
public enum RecordType: UInt16, Equatable, Hashable, Sendable {
  case a = 1
  case aaaa = 28
}

/// Why bytes are not a DNS answer.
public enum DecodeError: Error, Equatable, Sendable {
  case truncated
  /// A label longer than 63 bytes, a reserved label type or a name longer than 255.
  case badName
  /// A compression pointer that does not point backwards, or too many of them.
  case badPointer
  case badRecord
  /// More records than this module reads.
  case tooManyRecords
}

/// A host name in wire form: lower-case labels with their lengths, ended by the root.
public struct DomainName: Hashable, Sendable, CustomStringConvertible {
  public let wire: [UInt8]

  /// nil for a name that DNS cannot carry: an empty label, one over 63 bytes, over 255 in all.
  public init?(_ text: String) {
    var bytes = Array(text.utf8)
    if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
    guard !bytes.isEmpty else { return nil }
    var wire: [UInt8] = []
    for label in bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
      guard (1...Limits.label).contains(label.count) else { return nil }
      wire.append(UInt8(label.count))
      wire += label.map(lowercased)
    }
    wire.append(0)
    guard wire.count <= Limits.name else { return nil }
    self.wire = wire
  }

  init(wire: [UInt8]) { self.wire = wire }

  public var description: String {
    var labels: [String] = []
    var rest = wire[...]
    while let length = rest.first, length > 0 {
      labels.append(String(decoding: rest.dropFirst().prefix(Int(length)), as: UTF8.self))
      rest = rest.dropFirst(Int(length) + 1)
    }
    return labels.joined(separator: ".")
  }
}

func lowercased(_ byte: UInt8) -> UInt8 {
  byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}

/// A question for one record type of one name, in class IN.
public struct Query: Equatable, Sendable {
  public var id: UInt16
  public var name: DomainName
  public var type: RecordType

  public init(id: UInt16, name: DomainName, type: RecordType) {
    self.id = id
    self.name = name
    self.type = type
  }

  /// The bytes to send: recursion desired, one question, nothing else.
  public var bytes: [UInt8] {
    [UInt8(id >> 8), UInt8(id & 255), 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]
      + name.wire + [0, UInt8(type.rawValue & 255), 0, 1]
  }
}

/// An answer, as far as address lookups need it.
public struct Answer: Equatable, Sendable {
  /// RFC 1035, 4.1.1.
  public enum Code: Equatable, Sendable {
    case noError, formatError, serverFailure, nameError, notImplemented, refused
    case other(UInt8)

    init(_ value: UInt8) {
      switch value {
      case 0: self = .noError
      case 1: self = .formatError
      case 2: self = .serverFailure
      case 3: self = .nameError
      case 4: self = .notImplemented
      case 5: self = .refused
      default: self = .other(value)
      }
    }
  }

  public var id: UInt16
  public var code: Code
  /// The answer did not fit into its datagram.
  public var isTruncated: Bool
  public var question: Query?
  /// Addresses of the name asked for, or of what its CNAMEs lead to, in the answer's order.
  public var addresses: [IPAddress]

  //   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
  // +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
  // |                      ID                       |
  // |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
  // |       QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT      |
  // +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
  /// - Throws: `DecodeError` when the bytes are not a whole response.
  public init(decoding bytes: [UInt8]) throws(DecodeError) {
    guard bytes.count <= Limits.message else { throw .badRecord }
    var reader = MessageReader(bytes)
    id = try reader.word()
    let flags = try reader.word()
    guard flags & 0x8000 != 0, flags & 0x7800 == 0 else { throw .badRecord }
    isTruncated = flags & 0x0200 != 0
    code = Code(UInt8(flags & 15))
    let questions = try reader.word()
    let answers = try reader.word()
    _ = try reader.word()
    _ = try reader.word()
    addresses = []
    question = nil
    guard questions <= 1 else { throw .badRecord }
    guard answers <= Limits.records else { throw .tooManyRecords }
    guard questions == 1 else { return }
    let name = try reader.name()
    let type = try reader.word()
    let recordClass = try reader.word()
    if let type = RecordType(rawValue: type), recordClass == 1 {
      question = Query(id: id, name: DomainName(wire: name), type: type)
    }
    var records: [Record] = []
    for _ in 0..<answers {
      // What a truncated answer lacks is no error: it says so itself.
      do {
        if let record = try reader.record() { records.append(record) }
      } catch {
        if isTruncated { break }
        throw error
      }
    }
    addresses = Self.follow(name, records)
  }

  /// Follows CNAMEs from `name` to the addresses at their end.
  private static func follow(_ name: [UInt8], _ records: [Record]) -> [IPAddress] {
    var name = name
    for _ in 0..<Limits.aliases {
      let addresses = records.compactMap { record in
        if record.name == name, case .address(let address) = record.data { return address }
        return nil as IPAddress?
      }
      if !addresses.isEmpty { return addresses }
      let alias = records.lazy.compactMap { record in
        if record.name == name, case .alias(let target) = record.data { return target }
        return nil as [UInt8]?
      }.first
      guard let alias else { return [] }
      name = alias
    }
    return []
  }
}

/// One resource record of interest.
struct Record: Equatable {
  enum Data: Equatable {
    case address(IPAddress)
    case alias([UInt8])
  }
  var name: [UInt8]
  var data: Data
}
