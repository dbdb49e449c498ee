// The protocol's times. All are microseconds; the machine is given the time and has no clock.

/// A duration, or a moment of a monotonic clock.
public typealias Microseconds = Int64

public enum ProtocolVersion: UInt8, Sendable {
  /// RFC 3768: IPv4, whole seconds, a password field.
  case v2 = 2
  /// RFC 5798 and RFC 9568: IPv4 and IPv6, centiseconds, no authentication.
  case v3 = 3
}

public enum Timing {
  public static let second_us: Microseconds = 1_000_000
  public static let centisecond_us: Microseconds = 10_000
  /// What fits the field of version 2: eight bits of seconds.
  public static let longestV2_us: Microseconds = 255 * second_us
  /// What fits the field of version 3: twelve bits of centiseconds.
  public static let longestV3_us: Microseconds = 4095 * centisecond_us

  /// Skew_Time: the lower the priority, the longer a backup waits. Version 2: (256 - priority) /
  /// 256 seconds (RFC 3768, section 6.1); version 3: that part of the master's interval (RFC
  /// 9568, section 6.1).
  public static func skew_us(
    version: ProtocolVersion, priority: UInt8, masterInterval_us: Microseconds
  ) -> Microseconds {
    let rank = 256 - Microseconds(priority)
    return switch version {
    case .v2: rank * second_us / 256
    case .v3: rank * masterInterval_us / 256
    }
  }

  /// Active_Down_Interval: `adverts` intervals of the master, and the skew.
  public static func masterDown_us(
    version: ProtocolVersion, priority: UInt8, masterInterval_us: Microseconds, adverts: Int
  ) -> Microseconds {
    Microseconds(adverts) * masterInterval_us
      + skew_us(version: version, priority: priority, masterInterval_us: masterInterval_us)
  }
}
