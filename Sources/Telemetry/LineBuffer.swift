// Text as bytes, appended piece by piece without making Strings for numbers.

import Configuration

/// A log line in the making.
struct LineBuffer {
  private(set) var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(512) }

  mutating func clear() { bytes.removeAll(keepingCapacity: true) }
  mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
  mutating func append(byte: UInt8) { bytes.append(byte) }
  mutating func append(contentsOf more: LineBuffer) { bytes.append(contentsOf: more.bytes) }

  mutating func append(_ value: some BinaryInteger) {
    if value < 0 {
      bytes.append(UInt8(ascii: "-"))
    }
    var rest = UInt64(value.magnitude)
    if rest < 10 {
      bytes.append(UInt8(ascii: "0") + UInt8(rest))
      return
    }
    var digits: [UInt8] = []
    while rest > 0 {
      digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    }
    bytes.append(contentsOf: digits.reversed())
  }

  /// At least `width` digits, filled with zeros.
  mutating func append(_ value: Int, width: Int) {
    var limit = 1
    for _ in 1..<max(1, width) {
      limit *= 10
      if value < limit { bytes.append(UInt8(ascii: "0")) }
    }
    append(value)
  }

  /// Upper-case hexadecimal, at least two digits.
  mutating func append(hexadecimal value: UInt64, width: Int = 2) {
    var text = String(value, radix: 16, uppercase: true)
    while text.utf8.count < width { text = "0" + text }
    append(text)
  }

  /// Control characters, quotes and non-ASCII bytes as `#XX` (manual, section 8.6).
  mutating func append(encoded text: String) {
    for byte in text.utf8 {
      if byte < 32 || byte == UInt8(ascii: "\"") || byte > 126 {
        bytes.append(UInt8(ascii: "#"))
        append(hexadecimal: UInt64(byte))
      } else {
        bytes.append(byte)
      }
    }
  }

  /// With a backslash before quotes, backslashes and closing brackets (`{+E}`).
  var escaped: LineBuffer {
    var result = LineBuffer()
    for byte in bytes {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "]") {
        result.bytes.append(UInt8(ascii: "\\"))
      }
      result.bytes.append(byte)
    }
    return result
  }

  mutating func truncate(to count: Int) {
    if bytes.count > count { bytes.removeLast(bytes.count - count) }
  }
}
