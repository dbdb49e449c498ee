// Puts what a master owns into the kernel and takes it out again. Every request is answered
// before the call returns. What is added carries our protocol number, so that a later run finds
// what this one may leave behind.

import Configuration

public final class AddressKeeper {
  /// IFA_PROTO of addresses, rtm_protocol of routes and FRA_PROTOCOL of rules that are ours. Free
  /// in iproute2's rt_protos and rt_addrprotos (keepalived has 18). Kernels before 5.18 do not
  /// keep it for addresses, and before 4.17 not for rules: left-overs cannot be found there.
  public static let protocolNumber: UInt8 = 0x66

  public enum AddOutcome: Equatable, Sendable {
    case added
    /// It was there, of whoever's making, and now carries our number.
    case alreadyThere
  }

  public enum RemoveOutcome: Equatable, Sendable {
    case removed
    /// It, or its interface, was not there: no error.
    case absent
  }

  let requests: RouteSocket
  /// Settings of base interfaces from before their first virtual MAC interface, by base name.
  var savedSettings: [String: [InterfaceSetting]] = [:]

  /// Of the calling thread's network namespace.
  public init() throws(NetlinkError) { requests = try RouteSocket() }

  /// Adds an address to an interface (`address.interface` is not looked at). Throws ENODEV
  /// without the interface, EACCES when IPv6 is off on it, EPERM without CAP_NET_ADMIN.
  public func add(
    _ address: VirtualAddress, to interface: UInt32
  ) throws(NetlinkError) -> AddOutcome {
    let what = "add \(AddressKeeper.text(address)) to interface \(interface)"
    do throws(NetlinkError) {
      try requests.request(
        AddressKeeper.message(adding: address, to: interface, replacing: false), what)
      return .added
    } catch {
      guard error.code == Errno.exists else { throw error }
    }
    try requests.request(
      AddressKeeper.message(adding: address, to: interface, replacing: true), what)
    return .alreadyThere
  }

  /// Removes it, with the prefix length (and label) it was added with.
  public func remove(
    _ address: VirtualAddress, from interface: UInt32
  ) throws(NetlinkError) -> RemoveOutcome {
    try removing {
      () throws(NetlinkError) in
      try requests.request(
        AddressKeeper.message(removing: address, from: interface),
        "remove \(AddressKeeper.text(address)) from interface \(interface)")
    }
  }

  /// "Not there" is what the caller wanted.
  func removing(
    _ body: () throws(NetlinkError) -> Void
  ) throws(NetlinkError) -> RemoveOutcome {
    do throws(NetlinkError) {
      try body()
      return .removed
    } catch {
      switch error.code {
      case Errno.addressNotAvailable, Errno.noDevice, Errno.noSuchProcess, Errno.noSuchEntry:
        return .absent
      default: throw error
      }
    }
  }

  static func text(_ address: VirtualAddress) -> String {
    "\(address.address)/\(address.prefixLength)"
  }

  // MARK: Messages

  static func message(
    adding address: VirtualAddress, to interface: UInt32, replacing: Bool
  ) -> NetlinkMessage {
    var message = NetlinkMessage(
      type: RouteMessage.newAddress,
      flags: RequestFlag.request | RequestFlag.acknowledge | RequestFlag.create
        | (replacing ? RequestFlag.replace : RequestFlag.exclusive))
    appendIdentity(of: address, interface, to: &message)
    if let broadcast = broadcast(of: address) {
      message.attribute(AddressAttribute.broadcast, broadcast.networkBytes)
    }
    if let label = address.label { message.attribute(AddressAttribute.label, text: label) }
    let flags = flags(of: address)
    if flags != 0 { message.attribute(AddressAttribute.flags, flags) }
    if let preferred_s = preferredLifetime_s(of: address) {
      // | preferred s | valid s | created | updated |
      let words: [UInt32] = [preferred_s, .max, 0, 0]
      message.attribute(
        AddressAttribute.cacheInfo, words.withUnsafeBytes { Array($0) })
    }
    message.attribute(AddressAttribute.protocolNumber, byte: protocolNumber)
    return message
  }

  static func message(
    removing address: VirtualAddress, from interface: UInt32
  ) -> NetlinkMessage {
    var message = NetlinkMessage(
      type: RouteMessage.deleteAddress, flags: RequestFlag.request | RequestFlag.acknowledge)
    appendIdentity(of: address, interface, to: &message)
    return message
  }

  private static func appendIdentity(
    of address: VirtualAddress, _ interface: UInt32, to message: inout NetlinkMessage
  ) {
    message.append(bytes: [
      RouteFamily.number(address.address.family), address.prefixLength, 0, address.scope.number,
    ])
    message.append(interface)
    message.attribute(AddressAttribute.local, address.address.networkBytes)
    message.attribute(
      AddressAttribute.address, (address.peer ?? address.address).networkBytes)
  }

  /// IPv4 only; a network of one or two addresses has none (RFC 3021).
  static func broadcast(of address: VirtualAddress) -> IPAddress? {
    guard case .v4(let value) = address.address else { return nil }
    let hostBits: UInt32 =
      address.prefixLength >= 31 ? 0 : UInt32.max >> UInt32(address.prefixLength)
    switch address.broadcast {
    case .none: return nil
    case .address(let given): return given.family == .v4 ? given : nil
    case .ones: return hostBits == 0 ? nil : .v4(value | hostBits)
    case .zeros: return hostBits == 0 ? nil : .v4(value & ~hostBits)
    }
  }

  static func flags(of address: VirtualAddress) -> UInt32 {
    var flags: UInt32 = 0
    if address.noPrefixRoute { flags |= AddressFlag.noPrefixRoute }
    if address.autojoins { flags |= AddressFlag.autojoin }
    guard address.address.family == .v6 else { return flags }
    if !address.detectsDuplicates { flags |= AddressFlag.noDuplicateDetection }
    if address.isHome { flags |= AddressFlag.homeAddress }
    if address.managesTemporary { flags |= AddressFlag.managesTemporary }
    return flags
  }

  /// Nil = the kernel's default, for ever.
  static func preferredLifetime_s(of address: VirtualAddress) -> UInt32? {
    switch address.preferredLifetime {
    case .standard: address.address.family == .v6 && address.prefixLength == 128 ? 0 : nil
    case .forever: nil
    case .seconds(let count): count
    }
  }
}
