// Every limit of the failover half, with its reason.

enum Limits {
  /// An advertisement with 255 IPv6 addresses: 20 + 8 + 255 × 16 + 8 bytes, rounded up.
  static let packetBytes = 4352
  /// What may queue up while the process is not run: 10 s of adverts every 10 ms from ten
  /// routers, about 1 KiB each in the kernel's account.
  static let receiveQueue_bytes: Int32 = 8 << 20
  /// Taken from a socket before the timers get their turn. More than what queues up in a stall.
  static let packetsPerTurn = 16_384
  /// Senders of packets with our id and other settings that are remembered, per router.
  static let clashes = 64
  /// Holders of our addresses that are remembered as reported.
  static let reportedHolders = 64
  /// Between two times that a router's addresses are put back.
  static let restorePause_us: Int64 = 250_000
  /// An address that somebody keeps taking away is put back every time; so many times it is said
  /// at once, and then this often.
  static let strippedReports = 5
  static let strippedReport_us: Int64 = 60_000_000
  /// How long the addresses stay after priority 0 until a successor is heard: the longest skew of
  /// version 2, and that of version 3 up to an interval of 1 s.
  static let successorWait_us: Int64 = 1_000_000
  /// From a new master's advert until it has announced the addresses, if that is not heard.
  static let successorHead_us: Int64 = 20_000
  /// From the announcement of an IPv6 address until its new holder can be expected to use it.
  static let successorSettle_us: Int64 = 10_000
  /// How long the addresses stay until the proxy has reset their sessions: 10,000 take a quarter
  /// of this with every core busy, and those that are left when an address goes are left hanging.
  static let resetWait_us: Int64 = 1_000_000
  /// Announcements that wait for their turn when an interval between them is configured.
  static let pendingAnnouncements = 4096
  /// Events that are taken from epoll at once; descriptors are a handful.
  static let events: Int32 = 32
}
