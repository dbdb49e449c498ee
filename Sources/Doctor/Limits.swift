// Every limit of an examination, with its reason. All that takes time runs side by side, so that
// the whole ends within 15 seconds whatever the network does.

/// How long and how much is looked at.
public enum Limits {
  /// Listening for adverts, unless asked for otherwise: a router of version 2 with `advert_int 3`
  /// still shows itself; longer intervals are rare, and nobody waits for minutes.
  public static let listening_s: ClosedRange<Double> = 1...10
  /// What `--listen` may ask for.
  public static let askedListening_s: ClosedRange<Double> = 0.1...300
  /// One server: connection, TLS and one answer. Those that need longer are slow enough to say so.
  static let server_ms: Int64 = 4000
  /// Servers that are asked, all at once: more connections in one moment would look like a flood.
  static let servers = 256
  /// A name that the resolver has not found by then makes starts slow, too.
  static let resolving_ms: Int64 = 4000
  /// The configured check; its own timeouts may be longer.
  static let check_ms: Int64 = 5000
  /// An address is asked for three times (RFC 5227, section 2.1.1), this far apart…
  static let probes = 3
  static let probeInterval_us: Int64 = 300_000
  /// …and after the last time this long waited for. RFC 5227 says 2 s for slow bridges; a host
  /// that answers does so at once, and its three chances are spread already.
  static let probeWait_us: Int64 = 500_000
  /// Senders of adverts that are told apart.
  static let senders = 256
  /// Names of a certificate that are looked up.
  static let certificateNames = 8
  /// Bytes of a table below /proc: `net/tcp` lists listeners first, so its end may be missing.
  static let procTable_bytes = 4 << 20
  /// Bytes of what /proc tells about one process; `status` has about 1,500.
  static let procLine_bytes = 8192
  /// Processes that are looked at.
  static let processes = 32_768
  /// Clocks that differ by less are taken for one: the Date header counts whole seconds.
  static let clockSkew_s = 2.0
  /// Certificates with less than this left are told.
  static let certificateDays = 30
}
