// Reads the response to an HTTP check: status line, header fields and as much of the body as
// has arrived. Works on a bounded buffer from its beginning each time; never traps on input.

/// What has arrived of a response.
struct HTTPResponse: Equatable, Sendable {
  struct Field: Equatable, Sendable {
    var name: [UInt8]  // lower case
    var value: [UInt8]
  }

  var status: Int
  var reason: [UInt8]
  var fields: [Field]
  /// Decoded when chunked.
  var body: [UInt8]
  /// Nothing more belongs to the response.
  var isComplete: Bool

  enum Reading: Equatable, Sendable {
    /// The header section has not ended yet.
    case incomplete
    case invalid
    case response(HTTPResponse)
  }

  /// Reads what `bytes` hold.
  /// - Parameters:
  ///   - isLast: the peer has ended the connection, or no more will be read.
  ///   - hasBody: false for the response to HEAD.
  static func read(_ bytes: [UInt8], isLast: Bool, hasBody: Bool) -> Reading {
    // HAProxy rejects what cannot become a status line before its end has arrived.
    guard zip(bytes, "HTTP/".utf8).allSatisfy({ $0 == $1 }) else { return .invalid }
    var lines = Lines(bytes)
    guard let first = lines.next() else { return isLast ? .invalid : .incomplete }
    guard let (status, reason) = statusLine(first) else { return .invalid }
    var fields: [Field] = []
    while true {
      guard let line = lines.next() else { return isLast ? .invalid : .incomplete }
      if line.isEmpty { break }
      guard let field = field(line) else { return .invalid }
      fields.append(field)
    }
    var response = HTTPResponse(
      status: status, reason: Array(reason), fields: fields, body: [], isComplete: isLast)
    let rest = bytes[lines.position...]
    if !hasBody || status / 100 == 1 || status == 204 || status == 304 {
      response.isComplete = true
    } else if response.isChunked {
      guard response.decodeChunks(rest) else { return .invalid }
    } else if let length = response.contentLength {
      guard let length else { return .invalid }
      response.body = Array(rest.prefix(length))
      if rest.count >= length { response.isComplete = true }
    } else {
      response.body = Array(rest)
    }
    return .response(response)
  }

  /// nil = no such field; the inner nil = not a number.
  private var contentLength: Int?? {
    guard let text = fields.first(where: { $0.name == Array("content-length".utf8) }) else {
      return .none
    }
    guard !text.value.isEmpty, text.value.count <= 18 else { return .some(nil) }
    var length = 0
    for byte in text.value {
      guard let digit = hexValue(byte), digit < 10 else { return .some(nil) }
      length = length * 10 + Int(digit)
    }
    return .some(length)
  }

  private var isChunked: Bool {
    fields.contains {
      $0.name == Array("transfer-encoding".utf8)
        && lowercased($0.value[...]).suffix(7) == Array("chunked".utf8)[...]
    }
  }

  /// False when the chunks are malformed.
  private mutating func decodeChunks(_ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    while let end = rest.firstIndex(of: 10) {
      var size = 0
      var digits = 0
      for byte in rest[..<end] {
        guard let digit = hexValue(byte) else {
          guard byte == 13 || byte == UInt8(ascii: ";") || byte == 32 else { return false }
          break
        }
        digits += 1
        guard digits <= 8 else { return false }
        size = size << 4 | Int(digit)
      }
      guard digits > 0 else { return false }
      rest = rest[(end + 1)...]
      if size == 0 {
        isComplete = true
        return true
      }
      body += rest.prefix(size)
      guard rest.count >= size + 2 else { return true }
      rest = rest.dropFirst(size)
      if rest.first == 13 { rest = rest.dropFirst() }
      guard rest.first == 10 else { return false }
      rest = rest.dropFirst()
    }
    return rest.count <= 64  // an unfinished size line; longer ones are not sizes
  }
}

/// `HTTP/1.1 200 Reason`: version, three digits, and an optional reason.
private func statusLine(_ line: ArraySlice<UInt8>) -> (Int, ArraySlice<UInt8>)? {
  let words = line.split(separator: 32, maxSplits: 2, omittingEmptySubsequences: false)
  guard words.count >= 2, words[0].starts(with: "HTTP/".utf8), words[0].count == 8 else {
    return nil
  }
  let version = Array(words[0].suffix(3))
  guard let major = hexValue(version[0]), major < 10, version[1] == UInt8(ascii: "."),
    let minor = hexValue(version[2]), minor < 10, words[1].count == 3
  else { return nil }
  var status = 0
  for byte in words[1] {
    guard let digit = hexValue(byte), digit < 10 else { return nil }
    status = status * 10 + Int(digit)
  }
  return (status, words.count == 3 ? words[2] : [])
}

private func field(_ line: ArraySlice<UInt8>) -> HTTPResponse.Field? {
  guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon != line.startIndex else {
    return nil
  }
  let name = line[..<colon]
  guard name.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
  let blanks: (UInt8) -> Bool = { $0 == 32 || $0 == 9 }
  let value = line[(colon + 1)...].drop(while: blanks)
  let trailing = value.reversed().prefix(while: blanks).count
  return .init(name: lowercased(name), value: Array(value.dropLast(trailing)))
}

func lowercased(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
  bytes.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 | 0x20 : $0 }
}

/// Lines ended by LF or CRLF, without their ends.
private struct Lines {
  private let bytes: [UInt8]
  private(set) var position = 0
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func next() -> ArraySlice<UInt8>? {
    guard let end = bytes[position...].firstIndex(of: 10) else { return nil }
    defer { position = end + 1 }
    return end > position && bytes[end - 1] == 13
      ? bytes[position..<(end - 1)]
      : bytes[position..<end]
  }
}
