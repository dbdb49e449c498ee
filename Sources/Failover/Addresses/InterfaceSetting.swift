// Settings of one interface below /proc/sys/net (the kernel's ip-sysctl.rst).

import Configuration
import Kernel

/// A setting and the value it has or shall have.
public struct InterfaceSetting: Equatable, Sendable {
  public let family: AddressFamily
  public let interface: String
  /// The file's name, such as "arp_ignore".
  public let key: String
  public var value: Int

  public init(_ family: AddressFamily, _ interface: String, _ key: String, _ value: Int) {
    self.family = family
    self.interface = interface
    self.key = key
    self.value = value
  }

  /// The value now; nil when it cannot be read (no such interface, no IPv6 …).
  public static func read(
    _ family: AddressFamily, _ interface: String, _ key: String
  ) -> Int? {
    (try? SystemFile.read(path(family, interface, key))).flatMap { Int($0) }
  }

  /// Nil when it is so now; otherwise why not. What has the value already is not written, for
  /// /proc/sys may be read-only in a container.
  public func write() -> KernelError? {
    if InterfaceSetting.read(family, interface, key) == value { return nil }
    do throws(KernelError) {
      try SystemFile.write(InterfaceSetting.path(family, interface, key), "\(value)")
      return nil
    } catch {
      return error
    }
  }

  /// Whether an interface forwards IPv6, so that its neighbour advertisements bear the router
  /// flag (RFC 4861, section 7.2.4).
  public static func isForwardingIPv6(_ interface: String) -> Bool {
    read(.v6, interface, "forwarding").map { $0 != 0 } ?? false
  }

  /// promote_secondaries: when a primary IPv4 address is removed, its first secondary one takes
  /// its place; with false all of them vanish with it. Nil when it cannot be read.
  public static func promotesSecondaries(_ interface: String) -> Bool? {
    read(.v4, interface, "promote_secondaries").map { $0 != 0 }
  }

  public static func setPromotesSecondaries(_ interface: String, _ on: Bool) -> KernelError? {
    InterfaceSetting(.v4, interface, "promote_secondaries", on ? 1 : 0).write()
  }

  private static func path(_ family: AddressFamily, _ interface: String, _ key: String) -> String {
    switch family {
    case .v4: "/proc/sys/net/ipv4/conf/\(interface)/\(key)"
    case .v6: "/proc/sys/net/ipv6/conf/\(interface)/\(key)"
    }
  }
}
