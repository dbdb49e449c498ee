// Packets as an enemy, or a broken switch, would send them.

import VRRP

/// A packet, with what a socket tells of it.
public struct PacketInput: Sendable {
  /// IPv4: with its header. IPv6: the payload alone.
  public var bytes: [UInt8]
  public var isV4: Bool
  /// IPv6 only.
  public var source: ProtocolAddress
  public var destination: ProtocolAddress
  public var hopLimit: UInt8
}

/// An endless sequence of packets; the seed decides all of them.
public struct PacketInputs: Sendable {
  private var chance: SeededRandom

  public init(seed: UInt64) { chance = SeededRandom(seed: seed) }

  private mutating func number() -> UInt64 { chance.next() }
  private mutating func below(_ bound: Int) -> Int { chance.below(bound) }
  private mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: number()) }

  public mutating func next() -> PacketInput {
    switch below(8) {
    case 0: return random()
    case 1: return mutated(valid())
    case 2: return truncated(valid())
    case 3: return padded(valid())
    case 4, 5: return edited()
    default: return valid()
    }
  }

  private mutating func random() -> PacketInput {
    var input = valid()
    input.bytes = (0..<below(80)).map { _ in byte() }
    // Half of them get past the first look.
    if input.isV4, input.bytes.count >= 20, below(2) == 0 {
      input.bytes[0] = 0x45
      input.bytes[2] = 0
      input.bytes[3] = UInt8(input.bytes.count)
      input.bytes[9] = Wire.protocolNumber
    }
    return input
  }

  private mutating func mutated(_ input: PacketInput) -> PacketInput {
    var input = input
    for _ in 0...below(4) where !input.bytes.isEmpty {
      input.bytes[below(input.bytes.count)] = byte()
    }
    return input
  }

  private mutating func truncated(_ input: PacketInput) -> PacketInput {
    var input = input
    input.bytes.removeLast(below(input.bytes.count + 1))
    // With a total length that is true again, so that the header lets it pass.
    if input.isV4, input.bytes.count >= 20, below(2) == 0 {
      input.bytes[3] = UInt8(truncatingIfNeeded: input.bytes.count)
    }
    return input
  }

  private mutating func padded(_ input: PacketInput) -> PacketInput {
    var input = input
    input.bytes += (0..<below(64)).map { _ in byte() }
    return input
  }

  /// A sound packet that a router of `PacketTarget` may take.
  private mutating func valid() -> PacketInput {
    packet(advertisement(isV4: below(4) != 0), hopLimit: below(8) == 0 ? byte() : 255)
  }

  /// One or more fields changed before the checksum is made.
  private mutating func edited() -> PacketInput {
    var advert = advertisement(isV4: below(3) != 0)
    for _ in 0...below(3) {
      switch below(6) {
      case 0: advert.id = byte()
      case 1: advert.priority = byte()
      case 2: advert.interval_us = Int64(below(3) * below(5000)) * Timing.centisecond_us
      case 3: advert.addresses = Array(repeating: address(isV4(advert)), count: below(20))
      case 4:
        guard advert.version == .v2 else { break }
        advert.authentication =
          below(2) == 0 ? .other(type: byte()) : .password((0..<8).map { _ in byte() })
      default: advert.addresses.append(address(isV4(advert)))
      }
    }
    var input = packet(advert, hopLimit: 255)
    // Version, type and count change no length, so the sum is made good by hand.
    let start = input.isV4 ? 20 : 0
    if below(3) == 0 {
      let before = input.bytes[start]
      input.bytes[start] = below(2) == 0 ? before & 0xf0 | byte() & 0xf : byte()
      compensate(&input.bytes, at: start, before: before)
    }
    return input
  }

  private func isV4(_ advert: Advertisement) -> Bool { advert.addresses.first?.isV4 ?? true }

  /// The checksum after a change of the high half of a word (RFC 1624, equation 3).
  private func compensate(_ bytes: inout [UInt8], at index: Int, before: UInt8) {
    let field = index + 6
    guard field + 1 < bytes.count else { return }
    let sum = UInt32(bytes[field]) << 8 | UInt32(bytes[field + 1])
    var folded = (~sum & 0xffff) + (~(UInt32(before) << 8) & 0xffff) + UInt32(bytes[index]) << 8
    while folded >> 16 != 0 { folded = folded & 0xffff + folded >> 16 }
    let value = ~UInt16(truncatingIfNeeded: folded)
    bytes[field] = UInt8(value >> 8)
    bytes[field + 1] = UInt8(value & 0xff)
  }

  private mutating func address(_ isV4: Bool) -> ProtocolAddress {
    isV4
      ? .v4(UInt32(truncatingIfNeeded: number()))
      : .v6(high: 0xfe80 << 48, low: number())
  }

  private mutating func advertisement(isV4: Bool) -> Advertisement {
    let settings = PacketTarget.settings[below(PacketTarget.settings.count)]
    var advert = Advertisement(
      version: isV4 ? settings.version : .v3, id: settings.id, priority: byte(),
      interval_us: settings.interval_us, addresses: settings.addresses)
    if advert.version == .v2, let password = settings.password {
      advert.authentication = .password(password)
    }
    if !isV4 { advert.addresses = [.v6(high: 0xfe80 << 48, low: 0x100)] }
    if below(20) == 0 { advert.version = advert.version == .v2 ? .v3 : .v2 }
    return advert
  }

  private mutating func packet(_ advert: Advertisement, hopLimit: UInt8) -> PacketInput {
    let isV4 = self.isV4(advert)
    let source: ProtocolAddress =
      isV4
      ? .v4(0x0a09_0001 + UInt32(below(4))) : .v6(high: 0xfe80 << 48, low: UInt64(1 + below(4)))
    let unicast: ProtocolAddress = isV4 ? .v4(0x0a09_0001) : .v6(high: 0xfe80 << 48, low: 1)
    let multicast = isV4 ? Wire.multicastV4 : Wire.multicastV6
    let isUnicast = (advert.id == PacketTarget.unicastID) != (below(20) == 0)
    let destination = isUnicast ? unicast : multicast
    var bytes = advert.encoded(source: source, destination: destination)
    if isV4 {
      let header = IPv4Header(
        source: source, destination: destination, timeToLive: hopLimit,
        identification: UInt16(truncatingIfNeeded: number()))
      bytes = header.encoded(before: bytes)
    }
    return PacketInput(
      bytes: bytes, isV4: isV4, source: source, destination: destination, hopLimit: hopLimit)
  }
}
