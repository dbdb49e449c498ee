// Every bound of this module, with where its number comes from.

enum Limits {
  /// Largest UDP answer that is read: 512 by RFC 1035, more from servers that ignore it.
  static let message = 4_096
  /// Bytes of a name in wire form (RFC 1035, 2.3.4).
  static let name = 255
  /// Bytes of a label.
  static let label = 63
  /// Compression pointers followed in one name. Each must point backwards, which alone ends
  /// every chain; 255 bytes of name need no more than this many.
  static let pointers = 128
  /// Answer records read; a 4 KiB message holds 256 A records.
  static let records = 256
  /// CNAMEs followed within one answer.
  static let aliases = 16
  /// Bytes of resolv.conf that are read.
  static let resolvConf = 65_536
  /// Name servers of one section.
  static let nameservers = 64
  /// Shortest time between two queries, whatever the configuration says.
  static let shortestTimer = Duration.milliseconds(10)
}
