// From facts to findings: pure functions, one per area, and the words they share.

import Configuration

public enum Judgement {
  /// Everything that the facts say, in the order in which it is told.
  public static func findings(_ subject: Subject, _ facts: Facts) -> [Finding] {
    let all =
      configuration(subject, facts) + servers(subject, facts) + certificates(subject, facts)
      + names(subject, facts) + clock(facts) + interfaces(subject, facts)
      + addresses(subject, facts) + wire(subject, facts) + machine(subject, facts)
      + ports(subject, facts) + gaps(facts)
    return all.inOrder()
  }

  private static func gaps(_ facts: Facts) -> [Finding] {
    facts.gaps.map { gap in
      Finding(
        .unexamined, gap.what, "could not be looked at: \(gap.reason)",
        remedy: gap.remedy, area: gap.area)
    }
  }
}

/// Numbers and lists as people write them.
enum Words {
  /// `0.36 s`, `35 s`, `10 min`, `5 h`.
  static func span(_ seconds: Double) -> String {
    if seconds >= 3600, seconds.truncatingRemainder(dividingBy: 3600) == 0 {
      return "\(Int(seconds / 3600)) h"
    }
    if seconds >= 120, seconds.truncatingRemainder(dividingBy: 60) == 0 {
      return "\(Int(seconds / 60)) min"
    }
    return "\(number(seconds)) s"
  }

  /// At most two decimals, fewer the larger it is.
  static func number(_ value: Double) -> String {
    let value = max(-1e12, min(value, 1e12))
    let places = abs(value) >= 100 ? 1.0 : abs(value) >= 10 ? 10.0 : 100.0
    let scaled = (value * places).rounded() / places
    return scaled == scaled.rounded() ? "\(Int(scaled))" : "\(scaled)"
  }

  static func span(_ duration: Duration) -> String { span(seconds(duration)) }

  static func seconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) + Double(attoseconds) * 1e-18
  }

  /// At most `limit` of them, and how many more there are.
  static func list(_ items: [String], limit: Int = 6, none: String = "none") -> String {
    if items.isEmpty { return none }
    let rest = items.count - limit
    return items.prefix(limit).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }

  static func list(_ addresses: [IPAddress]) -> String { list(addresses.map { "\($0)" }) }

  static func count(_ count: Int, _ one: String, _ many: String) -> String {
    "\(count) \(count == 1 ? one : many)"
  }

  static func days(_ seconds: Int64) -> String { count(Int(seconds / 86_400), "day", "days") }
}

extension IPAddress {
  /// Whether both are in the same network of that length; false for different families.
  func shares(_ length: UInt8, with other: IPAddress) -> Bool {
    switch (self, other) {
    case (.v4(let a), .v4(let b)):
      return length == 0 || (a ^ b) >> UInt32(max(0, 32 - Int(length))) == 0
    case (.v6(let aHigh, let aLow), .v6(let bHigh, let bLow)):
      if length <= 64 { return length == 0 || (aHigh ^ bHigh) >> UInt64(64 - length) == 0 }
      return aHigh == bHigh && (aLow ^ bLow) >> UInt64(max(0, 128 - Int(length))) == 0
    case (.v4, .v6), (.v6, .v4): return false
    }
  }

  /// Whether a socket that listens on one gets in the way of one that listens on the other, on
  /// the same port. `::` takes IPv4 as well, as the kernel has it unless told otherwise.
  func overlaps(_ other: IPAddress) -> Bool {
    if self == other { return true }
    if family == other.family { return isUnspecified || other.isUnspecified }
    return family == .v6 ? isUnspecified : other.isUnspecified
  }

  /// The host's length: a prefix of its own.
  var hostLength: UInt8 {
    switch self {
    case .v4: 32
    case .v6: 128
    }
  }

  var isLinkLocal: Bool {
    switch self {
    case .v4(let value): value >> 16 == 0xa9fe
    case .v6(let high, _): high >> 54 == 0xfe80 >> 6
    }
  }
}
