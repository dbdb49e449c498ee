// Numbers, times and sizes as written in a file (manual, section 2.5).

/// A value, or what is wrong with its text.
enum Reading<Value> {
  case value(Value)
  /// Accepted by HAProxy 2.6 with a warning.
  case doubtful(Value, String)
  case wrong(String)
}

enum HAProxyUnits {
  /// Longest time HAProxy holds: a signed 32-bit count of milliseconds.
  static let maximumMilliseconds = 2_147_483_647

  enum TimeUnit: Int { case milliseconds = 1, seconds = 1000 }

  /// `30`, `30s`, `5m`: an integer and at most one unit of us, ms, s, m, h, d.
  static func time(_ text: String, unit: TimeUnit = .milliseconds) -> Reading<Duration> {
    let bytes = Array(text.utf8)
    let digits = bytes.prefix { (48...57).contains($0) }
    guard !digits.isEmpty else { return .wrong("'\(text)' is not a time such as 500ms or 30s") }
    let overflow =
      "timer overflow in '\(text)' (maximum value is 2147483647 ms or ~24.8 days)"
    guard digits.count <= 12, let count = Int(String(decoding: digits, as: UTF8.self)) else {
      return .wrong(overflow)
    }
    let suffix = String(decoding: bytes[digits.count...], as: UTF8.self)
    let units: [(String, Int)] = [
      ("us", 0), ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    var factor = unit.rawValue
    var rest = suffix
    if !suffix.isEmpty {
      guard let found = units.first(where: { suffix.hasPrefix($0.0) }) else {
        return .wrong(
          "unexpected character '\(suffix.first.map(String.init) ?? "")' in the time '\(text)'; "
            + "units are us, ms, s, m, h and d, and values are whole numbers")
      }
      factor = found.1
      rest = String(suffix.dropFirst(found.0.count))
    }
    let (product, overflows) = count.multipliedReportingOverflow(by: factor)
    // Microseconds are rounded up to what the timers can hold.
    let total = factor == 0 ? (count + 999) / 1000 : product
    guard !overflows, total <= maximumMilliseconds else { return .wrong(overflow) }
    let value = Duration.milliseconds(total)
    guard let odd = rest.unicodeScalars.first else { return .value(value) }
    guard rest.utf8.allSatisfy({ (97...122).contains($0) || (65...90).contains($0) }) else {
      return .wrong("unexpected character '\(odd)' after the time '\(text)'; write one unit only")
    }
    return .doubtful(
      value,
      "unexpected character '\(odd)' after the timer value '\(text)'; read as "
        + "\(print(value)), newer versions refuse it")
  }

  /// A whole number within bounds.
  static func integer(_ text: String, in range: ClosedRange<Int>) -> Int? {
    let bytes = Array(text.utf8)
    guard (1...18).contains(bytes.count) else { return nil }
    let digits =
      bytes[0] == UInt8(ascii: "-") || bytes[0] == UInt8(ascii: "+")
      ? bytes.dropFirst() : bytes[...]
    guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }),
      let value = Int(text), range.contains(value)
    else { return nil }
    return value
  }

  /// Bytes, with k, m or g for powers of 1024.
  static func size(_ text: String) -> Int? {
    let factors: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
    guard let last = text.last else { return nil }
    let factor = factors[Character(last.lowercased())]
    let number = factor == nil ? text : String(text.dropLast())
    guard let value = integer(number, in: 0...Int(Int32.max)) else { return nil }
    let (product, overflows) = value.multipliedReportingOverflow(by: factor ?? 1)
    return overflows ? nil : product
  }

  /// The shortest exact text with a unit, such as `1m` or `1500ms`.
  static func print(_ duration: Duration) -> String {
    let parts = duration.components
    let milliseconds = parts.attoseconds / 1_000_000_000_000_000
    let (scaled, overflows) = parts.seconds.multipliedReportingOverflow(by: 1000)
    let total = overflows ? Int64(maximumMilliseconds) : scaled + milliseconds
    guard total != 0 else { return "0" }
    for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
      if total % Int64(factor) == 0 { return "\(total / Int64(factor))\(unit)" }
    }
    return "\(total)ms"
  }
}
