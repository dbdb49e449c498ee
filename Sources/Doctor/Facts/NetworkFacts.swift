// Interfaces, who answers for addresses, and what was heard of other routers.

import Configuration
import VRRP

/// An interface of this machine.
public struct InterfaceFacts: Equatable, Sendable {
  public struct Held: Equatable, Sendable {
    public var address: IPAddress
    public var prefixLength: UInt8
    /// It bears the mark that Fairlead puts on its addresses.
    public var isOurs: Bool
    public init(_ address: IPAddress, prefixLength: UInt8, isOurs: Bool = false) {
      self.address = address
      self.prefixLength = prefixLength
      self.isOurs = isOurs
    }
  }
  public var name: String
  public var isUp: Bool
  /// It has a carrier.
  public var isRunning: Bool
  public var addresses: [Held]
  public init(_ name: String, isUp: Bool = true, isRunning: Bool = true, addresses: [Held] = []) {
    self.name = name
    self.isUp = isUp
    self.isRunning = isRunning
    self.addresses = addresses
  }

  func own(_ family: AddressFamily) -> [Held] {
    addresses.filter { $0.address.family == family && !$0.isOurs }
  }
}

/// Who said that an address is theirs when it was asked for. Own MAC addresses are left out.
public struct AddressAnswers: Equatable, Sendable {
  public var interface: String
  public var address: IPAddress
  /// In the order in which they were heard, each once.
  public var macs: [String]
  public init(interface: String, address: IPAddress, macs: [String]) {
    self.interface = interface
    self.address = address
    self.macs = macs
  }
}

/// Adverts that were heard.
public struct WireFacts: Sendable {
  /// How long was listened; 0 = not at all.
  public var listened_s: Double = 0
  public var senders: [SenderFacts] = []
  public init() {}
}

/// All adverts of one sender for one virtual router.
public struct SenderFacts: Equatable, Sendable {
  public var interface: String
  public var source: IPAddress
  public var isMulticast: Bool
  /// VRID.
  public var id: UInt8
  /// Why the router of ours with this id refuses it; nil = it does not, or there is none.
  public var refusal: DropReason?
  /// nil when it could not be decoded.
  public var content: Content?
  public var count = 1
  /// When it was heard last, counted from the start of listening; and the first time.
  public var first_us: Int64 = 0
  public var last_us: Int64 = 0

  public struct Content: Equatable, Sendable {
    /// 2 or 3.
    public var version: Int
    public var priority: UInt8
    public var interval_us: Int64
    public var addresses: [IPAddress]
    public init(version: Int, priority: UInt8, interval_us: Int64, addresses: [IPAddress]) {
      self.version = version
      self.priority = priority
      self.interval_us = interval_us
      self.addresses = addresses
    }
  }

  public init(
    interface: String, source: IPAddress, isMulticast: Bool, id: UInt8, refusal: DropReason? = nil,
    content: Content?
  ) {
    self.interface = interface
    self.source = source
    self.isMulticast = isMulticast
    self.id = id
    self.refusal = refusal
    self.content = content
  }
}
