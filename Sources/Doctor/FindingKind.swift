// The vocabulary of findings. The raw values are stable: scripts match them, and
// Documentation/verify.md explains each.

public enum FindingKind: String, Codable, CaseIterable, Sendable {
  // Configuration
  case nothingConfigured = "nothing-configured"
  case timeoutsGood = "timeouts-good"
  case timeoutShort = "timeout-short"
  case timeoutMissing = "timeout-missing"
  case checkGood = "check-good"
  case checkMissing = "check-missing"
  case checkSuperficial = "check-superficial"
  case checkPath = "check-path"
  case checkSlow = "check-slow"
  case serverSingle = "server-single"
  case serverLoop = "server-loop"
  case addressUnserved = "address-unserved"
  case priorityEqual = "priority-equal"
  case takeover
  case takeoverSlow = "takeover-slow"
  // Servers
  case serverReady = "server-ready"
  case serverUnresolved = "server-unresolved"
  case serverUnreachable = "server-unreachable"
  case serverWithoutTLS = "server-without-tls"
  case serverNotReady = "server-not-ready"
  case serverSilent = "server-silent"
  case serverAnonymous = "server-anonymous"
  case checkFails = "check-fails"
  case serverNone = "server-none"
  // Certificates
  case certificateGood = "certificate-good"
  case certificateLacksAddress = "certificate-lacks-address"
  case certificateLacksName = "certificate-lacks-name"
  case certificateByName = "certificate-by-name"
  case certificateExpired = "certificate-expired"
  case certificateExpiring = "certificate-expiring"
  case certificateEarly = "certificate-early"
  // Names
  case nameGood = "name-good"
  case nameUnresolved = "name-unresolved"
  case nameElsewhere = "name-elsewhere"
  // Clock
  case clockGood = "clock-good"
  case clockSkew = "clock-skew"
  // Interfaces
  case interfaceGood = "interface-good"
  case interfaceMissing = "interface-missing"
  case interfaceDown = "interface-down"
  case interfaceAddressless = "interface-addressless"
  case addressOutside = "address-outside"
  case addressPrefix = "address-prefix"
  case addressUnusable = "address-unusable"
  case ipv6Disabled = "ipv6-disabled"
  // Virtual addresses
  case addressFree = "address-free"
  case addressHere = "address-here"
  case addressHeld = "address-held"
  case addressDuplicate = "address-duplicate"
  case addressStranger = "address-stranger"
  case addressStatic = "address-static"
  case addressLeftover = "address-leftover"
  case addressUnanswered = "address-unanswered"
  // VRRP on the wire
  case masterHeard = "master-heard"
  case masterHere = "master-here"
  case masterMissing = "master-missing"
  case networkSilent = "network-silent"
  case mastersSeveral = "masters-several"
  case routerIDClash = "router-id-clash"
  case addressListDiffers = "address-list-differs"
  case versionDiffers = "version-differs"
  case passwordDiffers = "password-differs"
  case intervalDiffers = "interval-differs"
  case transportDiffers = "transport-differs"
  case peerUnknown = "peer-unknown"
  case advertRefused = "advert-refused"
  case routerIDsInUse = "router-ids-in-use"
  case peersSilent = "peers-silent"
  case peerUnreachable = "peer-unreachable"
  // This machine
  case capabilitiesGood = "capabilities-good"
  case capabilityMissing = "capability-missing"
  case capabilityUseful = "capability-useful"
  case sysctlUnneeded = "sysctl-unneeded"
  case arpReplyOff = "arp-reply-off"
  case arpFlux = "arp-flux"
  case reversePathStrict = "reverse-path-strict"
  case promoteSecondaries = "promote-secondaries"
  case backlogSmall = "backlog-small"
  case sourcePortsFew = "source-ports-few"
  case descriptorsFew = "descriptors-few"
  case conntrackFull = "conntrack-full"
  case unexamined
  // Ports and processes
  case portFree = "port-free"
  case portOwn = "port-own"
  case portTaken = "port-taken"
  case haproxyHere = "haproxy-here"
  case keepalivedHere = "keepalived-here"
  case daemonHere = "daemon-here"

  public var severity: Severity {
    switch self {
    case .timeoutsGood, .checkGood, .takeover, .serverReady, .certificateGood, .nameGood,
      .clockGood, .interfaceGood, .addressFree, .addressHere, .addressHeld, .masterHeard,
      .masterHere, .capabilitiesGood, .sysctlUnneeded, .portFree, .portOwn, .daemonHere:
      .ok
    case .timeoutMissing, .checkPath, .takeoverSlow, .serverAnonymous, .certificateByName,
      .addressPrefix, .networkSilent, .routerIDsInUse, .peersSilent, .capabilityUseful,
      .promoteSecondaries, .backlogSmall:
      .note
    case .timeoutShort, .checkMissing, .checkSuperficial, .checkSlow, .serverSingle,
      .priorityEqual, .serverUnreachable, .serverWithoutTLS, .serverNotReady, .serverSilent,
      .checkFails, .certificateExpiring, .clockSkew, .addressOutside, .addressLeftover,
      .addressUnanswered, .masterMissing, .addressListDiffers, .transportDiffers, .peerUnknown,
      .advertRefused, .peerUnreachable, .arpFlux, .reversePathStrict, .sourcePortsFew,
      .descriptorsFew, .conntrackFull, .unexamined, .haproxyHere:
      .warning
    case .nothingConfigured, .serverLoop, .addressUnserved, .serverUnresolved, .serverNone,
      .certificateLacksAddress, .certificateLacksName, .certificateExpired, .certificateEarly,
      .nameUnresolved, .nameElsewhere, .interfaceMissing, .interfaceDown, .interfaceAddressless,
      .addressUnusable, .ipv6Disabled, .addressDuplicate, .addressStranger, .addressStatic,
      .mastersSeveral, .routerIDClash, .versionDiffers, .passwordDiffers, .intervalDiffers,
      .capabilityMissing, .arpReplyOff, .portTaken, .keepalivedHere:
      .problem
    }
  }

  /// Where it is told, unless its maker knows better.
  public var area: Area {
    switch self {
    case .nothingConfigured, .timeoutsGood, .timeoutShort, .timeoutMissing, .checkGood,
      .checkMissing, .checkSuperficial, .checkPath, .checkSlow, .serverSingle, .serverLoop,
      .addressUnserved, .priorityEqual, .takeover, .takeoverSlow:
      .configuration
    case .serverReady, .serverUnresolved, .serverUnreachable, .serverWithoutTLS,
      .serverNotReady, .serverSilent, .serverAnonymous, .checkFails, .serverNone:
      .servers
    case .certificateGood, .certificateLacksAddress, .certificateLacksName, .certificateByName,
      .certificateExpired, .certificateExpiring, .certificateEarly:
      .certificates
    case .nameGood, .nameUnresolved, .nameElsewhere: .names
    case .clockGood, .clockSkew: .clock
    case .interfaceGood, .interfaceMissing, .interfaceDown, .interfaceAddressless,
      .addressOutside, .addressPrefix, .addressUnusable, .ipv6Disabled:
      .interfaces
    case .addressFree, .addressHere, .addressHeld, .addressDuplicate, .addressStranger,
      .addressStatic, .addressLeftover, .addressUnanswered:
      .addresses
    case .masterHeard, .masterHere, .masterMissing, .networkSilent, .mastersSeveral,
      .routerIDClash, .addressListDiffers, .versionDiffers, .passwordDiffers, .intervalDiffers,
      .transportDiffers, .peerUnknown, .advertRefused, .routerIDsInUse, .peersSilent,
      .peerUnreachable:
      .wire
    case .capabilitiesGood, .capabilityMissing, .capabilityUseful, .sysctlUnneeded,
      .arpReplyOff, .arpFlux, .reversePathStrict, .promoteSecondaries, .backlogSmall,
      .sourcePortsFew, .descriptorsFew, .conntrackFull, .unexamined:
      .machine
    case .portFree, .portOwn, .portTaken, .haproxyHere, .keepalivedHere, .daemonHere: .ports
    }
  }
}
