// The numbers of rtnetlink(7) that we use, by their names in linux/rtnetlink.h, if_link.h,
// if_addr.h and fib_rules.h.

/// Types of messages.
enum RouteMessage {
  static let error: UInt16 = 2
  static let done: UInt16 = 3
  static let newLink: UInt16 = 16
  static let deleteLink: UInt16 = 17
  static let getLink: UInt16 = 18
  static let newAddress: UInt16 = 20
  static let deleteAddress: UInt16 = 21
  static let getAddress: UInt16 = 22
  static let newRoute: UInt16 = 24
  static let deleteRoute: UInt16 = 25
  static let getRoute: UInt16 = 26
  static let newRule: UInt16 = 32
  static let deleteRule: UInt16 = 33
  static let getRule: UInt16 = 34
}

/// NLM_F_*.
enum RequestFlag {
  static let request: UInt16 = 0x1
  static let acknowledge: UInt16 = 0x4
  static let dumpInterrupted: UInt16 = 0x10
  static let acknowledgeText: UInt16 = 0x200
  static let dump: UInt16 = 0x300
  static let replace: UInt16 = 0x100
  static let exclusive: UInt16 = 0x200
  static let create: UInt16 = 0x400
}

/// IFLA_*.
enum LinkAttribute {
  static let address: UInt16 = 1
  static let name: UInt16 = 3
  static let mtu: UInt16 = 4
  static let link: UInt16 = 5
  static let info: UInt16 = 18
  static let alias: UInt16 = 20
  static let infoKind: UInt16 = 1
  static let infoData: UInt16 = 2
  static let macvlanMode: UInt16 = 1
  static let macvlanModePrivate: UInt32 = 1
}

/// IFF_*.
enum LinkFlag {
  static let up: UInt32 = 0x1
  static let running: UInt32 = 0x40
}

/// IFA_* attributes and IFA_F_* flags.
enum AddressAttribute {
  static let address: UInt16 = 1
  static let local: UInt16 = 2
  static let label: UInt16 = 3
  static let broadcast: UInt16 = 4
  static let cacheInfo: UInt16 = 6
  static let flags: UInt16 = 8
  /// Since Linux 5.18; older kernels ignore it.
  static let protocolNumber: UInt16 = 11
}

enum AddressFlag {
  static let secondary: UInt32 = 0x01
  static let noDuplicateDetection: UInt32 = 0x02
  static let homeAddress: UInt32 = 0x10
  static let duplicateDetectionFailed: UInt32 = 0x08
  static let tentative: UInt32 = 0x40
  static let managesTemporary: UInt32 = 0x100
  static let noPrefixRoute: UInt32 = 0x200
  static let autojoin: UInt32 = 0x400
}

/// RTA_*, RTAX_*, RTN_*, RTNH_F_*.
enum RouteAttribute {
  static let destination: UInt16 = 1
  static let outputInterface: UInt16 = 4
  static let gateway: UInt16 = 5
  static let metric: UInt16 = 6
  static let preferredSource: UInt16 = 7
  static let metrics: UInt16 = 8
  static let multipath: UInt16 = 9
  static let table: UInt16 = 15
  static let via: UInt16 = 18
  static let metricMTU: UInt16 = 2
  static let metricAdvertisedMSS: UInt16 = 8
  static let onLink: UInt32 = 4
  static let mainTable: UInt32 = 254
}

/// FRA_* and FIB_RULE_*.
enum RuleAttribute {
  static let destination: UInt16 = 1
  static let source: UInt16 = 2
  static let inputInterface: UInt16 = 3
  static let preference: UInt16 = 6
  static let mark: UInt16 = 10
  static let table: UInt16 = 15
  static let markMask: UInt16 = 16
  static let outputInterface: UInt16 = 17
  static let protocolNumber: UInt16 = 21
  static let inverted: UInt32 = 0x2
  static let actionToTable: UInt8 = 1
}

/// errno values that some requests answer with and that are no failure there.
enum Errno {
  static let notPermitted: Int32 = 1
  static let noSuchProcess: Int32 = 3
  static let noDevice: Int32 = 19
  static let noSuchEntry: Int32 = 2
  static let exists: Int32 = 17
  static let noBufferSpace: Int32 = 105
  static let timedOut: Int32 = 110
  static let addressNotAvailable: Int32 = 99
  static let interrupted: Int32 = 4
  static let invalid: Int32 = 22
  static let protocolNotSupported: Int32 = 93
  static let notSupported: Int32 = 95
  static let badMessage: Int32 = 74
  static let messageTooLong: Int32 = 90
}
