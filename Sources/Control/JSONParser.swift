// Text to JSON values (RFC 8259). Input may be hostile: depth is bounded, nothing traps.

/// Why bytes are not one JSON value.
public struct JSONError: Error, Equatable, CustomStringConvertible {
  /// Bytes from the start.
  public var offset: Int
  public var problem: String
  public var description: String { "not JSON at byte \(offset): \(problem)" }
}

extension JSONValue {
  /// Parses exactly one value with blanks around it. Throws JSONError.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    var parser = JSONParser(bytes: bytes)
    self = try parser.value(depth: 0)
    parser.skipBlanks()
    guard parser.offset == bytes.count else { throw parser.error("more after the value") }
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var offset = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  func error(_ problem: String) -> JSONError { JSONError(offset: offset, problem: problem) }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func skipBlanks() {
    while let byte = next, byte == 32 || byte == 9 || byte == 10 || byte == 13 { offset += 1 }
  }

  private mutating func takes(_ character: Character) -> Bool {
    skipBlanks()
    guard next == character.asciiValue else { return false }
    offset += 1
    return true
  }

  mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < ControlLimits.depth else { throw error("nested too deeply") }
    skipBlanks()
    switch next {
    case UInt8(ascii: "{"):
      offset += 1
      return .object(try members(depth: depth + 1))
    case UInt8(ascii: "["):
      offset += 1
      return .array(try elements(depth: depth + 1))
    case UInt8(ascii: "\""):
      offset += 1
      return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw error("the end")
    case let byte? where "-0123456789".utf8.contains(byte): return try number()
    default: throw error("no value")
    }
  }

  private mutating func members(depth: Int) throws(JSONError) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = []
    if takes("}") { return members }
    repeat {
      guard takes("\"") else { throw error("no member name") }
      let name = try string()
      guard takes(":") else { throw error("no colon") }
      members.append(JSONValue.Member(name, try value(depth: depth)))
    } while takes(",")
    guard takes("}") else { throw error("no end of the object") }
    return members
  }

  private mutating func elements(depth: Int) throws(JSONError) -> [JSONValue] {
    var elements: [JSONValue] = []
    if takes("]") { return elements }
    repeat { elements.append(try value(depth: depth)) } while takes(",")
    guard takes("]") else { throw error("no end of the array") }
    return elements
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard bytes[offset...].starts(with: word.utf8) else { throw error("no value") }
    offset += word.utf8.count
    return value
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = offset
    while let byte = next, "+-.eE0123456789".utf8.contains(byte) { offset += 1 }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if let integer = Int64(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else { throw error("no number") }
    return .number(number)
  }

  private mutating func string() throws(JSONError) -> String {
    var text: [UInt8] = []
    while let byte = next {
      offset += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): try escape(&text)
      case 0..<32: throw error("a control character in a string")
      default: text.append(byte)
      }
    }
    throw error("no end of the string")
  }

  private mutating func escape(_ text: inout [UInt8]) throws(JSONError) {
    guard let byte = next else { throw error("the end") }
    offset += 1
    switch byte {
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), bytes[offset...].starts(with: [0x5C, 0x75]) {
        offset += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw error("half a character") }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error("half a character") }
      text.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw error("unknown escape")
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw error("the end") }
    var code: UInt32 = 0
    for byte in bytes[offset..<offset + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 128 else {
        throw error("no hexadecimal digit")
      }
      code = code << 4 | UInt32(digit)
    }
    offset += 4
    return code
  }
}
