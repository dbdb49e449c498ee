// Everything that probing found out, as plain values: what the judgement is made of.

import Configuration

/// One examination's facts. What was not looked at is empty, and `gaps` says why.
public struct Facts: Sendable {
  /// Seconds since 1970 when the examination began.
  public var now: Double = 0
  public var servers: [ServerFacts] = []
  public var names: [NameFacts] = []
  /// By name; those of configured interfaces that exist, and all others of the machine.
  public var interfaces: [InterfaceFacts] = []
  public var answers: [AddressAnswers] = []
  public var wire = WireFacts()
  public var machine = MachineFacts()
  /// What could not be looked at.
  public var gaps: [Gap] = []
  public init() {}

  func interface(_ name: String) -> InterfaceFacts? { interfaces.first { $0.name == name } }
}

/// Something that could not be looked at, and why.
public struct Gap: Equatable, Sendable {
  public var area: Area
  public var what: String
  public var reason: String
  public var remedy: String
  public init(
    _ area: Area, _ what: String, _ reason: String,
    remedy: String = "Run it again as root (sudo), on the node itself."
  ) {
    self.area = area
    self.what = what
    self.reason = reason
    self.remedy = remedy
  }
}

/// What a name given by `--name` leads to.
public struct NameFacts: Equatable, Sendable {
  public var name: String
  /// Empty: it has none.
  public var addresses: [IPAddress]
  public init(name: String, addresses: [IPAddress]) {
    self.name = name
    self.addresses = addresses
  }
}
