// Listens for others that claim an address of ours: ARP whose sender is that address, and
// neighbour advertisements of it. The kernel sorts out the rest, so that a busy network does not
// wake the thread.

import Configuration
import Kernel

/// Somebody on the wire who says that an address is theirs.
public struct HeardOwner: Hashable, Sendable {
  public let interface: UInt32
  public let address: IPAddress
  /// Nil for an advertisement without the target link-layer address option.
  public let mac: MACAddress?
  public init(interface: UInt32, address: IPAddress, mac: MACAddress?) {
    self.interface = interface
    self.address = address
    self.mac = mac
  }
}

public final class DuplicateWatch {
  /// Packets looked at by one `readHeard()`.
  static let maximumPackets = 64
  /// Neighbour advertisement, RFC 4861, section 4.4.
  static let advertisementType: UInt8 = 136

  private let arp: Int32
  private let advertisements: Int32
  private var addresses: Set<IPAddress> = []
  private var interfaces: Set<UInt32> = []

  /// Hears nothing until `watch` says what. On a host without IPv6 it watches IPv4 only. Throws
  /// EPERM without CAP_NET_RAW.
  public init() throws(KernelError) {
    arp = try PacketSocket.openReceiver(
      etherType: PacketSocket.etherTypeARP, interfaceIndex: 0, filter: .dropAll
    ).release()
    advertisements = DuplicateWatch.openAdvertisements() ?? -1
  }

  deinit {
    Socket.close(arp)
    if advertisements >= 0 { Socket.close(advertisements) }
  }

  private static func openAdvertisements() -> Int32? {
    guard let socket = try? RawSocket.openICMPv6Receiver(type: advertisementType) else {
      return nil
    }
    let raw = socket.release()
    guard (try? PacketFilter.dropAll.attach(to: raw)) != nil else {
      Socket.close(raw)
      return nil
    }
    return raw
  }

  /// One or two, the same for its whole life: readable (level-triggered) when there is something
  /// for `readHeard()`.
  public var descriptors: [Int32] { advertisements >= 0 ? [arp, advertisements] : [arp] }

  /// From now on these addresses on these interfaces and no others. Nil, or why the kernel took
  /// no filter (ENOMEM): the old one is in force then, and what it lets pass is still compared.
  public func watch(
    _ addresses: Set<IPAddress>, on interfaces: Set<UInt32>
  ) -> KernelError? {
    self.addresses = addresses
    self.interfaces = interfaces
    let wanted = interfaces.isEmpty ? [] : addresses
    do throws(KernelError) {
      try DuplicateFilter.arp(wanted).attach(to: arp)
      if advertisements >= 0 {
        try DuplicateFilter.advertisements(wanted).attach(to: advertisements)
      }
      return nil
    } catch {
      return error
    }
  }

  /// What was heard, without repetitions; announcements of this host itself only where a network
  /// sends them back. Bounded: the rest is left for the next call. Never blocks.
  public func readHeard() -> [HeardOwner] {
    var heard: [HeardOwner] = []
    var buffer = [UInt8](repeating: 0, count: 256)
    readARP(&buffer, &heard)
    if advertisements >= 0 { readAdvertisements(&buffer, &heard) }
    return heard
  }

  private func readARP(_ buffer: inout [UInt8], _ heard: inout [HeardOwner]) {
    for _ in 0..<DuplicateWatch.maximumPackets {
      var interface: UInt32 = 0
      var isOwn = false
      let result = buffer.withUnsafeMutableBytes {
        PacketSocket.receive(arp, into: $0, interfaceIndex: &interface, isOwn: &isOwn)
      }
      // An error of the socket, such as an interface that went down, is told once and is over.
      if result.isWouldBlock { return }
      guard !result.isError, !isOwn else { continue }
      take(HeardOwner(arp: buffer[..<result.raw], interface: interface), &heard)
    }
  }

  private func readAdvertisements(_ buffer: inout [UInt8], _ heard: inout [HeardOwner]) {
    var about = ReceivedDatagram()
    for _ in 0..<DuplicateWatch.maximumPackets {
      let result = buffer.withUnsafeMutableBytes {
        RawSocket.receive(advertisements, into: $0, about: &about)
      }
      if result.isWouldBlock { return }
      // RFC 4861, section 7.1.2: a smaller hop limit came through a router.
      guard !result.isError, about.hopLimit == 255 else { continue }
      take(
        HeardOwner(advertisement: buffer[..<result.raw], interface: about.interfaceIndex), &heard)
    }
  }

  private func take(_ owner: HeardOwner?, _ heard: inout [HeardOwner]) {
    guard let owner, interfaces.contains(owner.interface), addresses.contains(owner.address),
      !heard.contains(owner)
    else { return }
    heard.append(owner)
  }
}

extension HeardOwner {
  /// The sender of an ARP packet of Ethernet and IPv4 (RFC 826), whichever operation.
  init?(arp packet: ArraySlice<UInt8>, interface: UInt32) {
    let bytes = Array(packet)
    guard bytes.count >= 28, bytes[2...5] == [0x08, 0x00, 6, 4],
      let mac = MACAddress(bytes[8..<14]), let address = IPAddress(networkBytes: bytes[14..<18])
    else { return nil }
    self.init(interface: interface, address: address, mac: mac)
  }

  /// The target of a neighbour advertisement, from its ICMPv6 header on.
  init?(advertisement packet: ArraySlice<UInt8>, interface: UInt32) {
    let bytes = Array(packet)
    guard bytes.count >= 24, bytes[0] == DuplicateWatch.advertisementType, bytes[1] == 0,
      let address = IPAddress(networkBytes: bytes[8..<24])
    else { return nil }
    var mac: MACAddress?
    // Options: | type u8 | length in 8 bytes u8 | … |; 2 = target link-layer address.
    var offset = 24
    while offset + 8 <= bytes.count, bytes[offset + 1] > 0 {
      if bytes[offset] == 2 {
        mac = MACAddress(bytes[(offset + 2)..<(offset + 8)])
        break
      }
      offset += Int(bytes[offset + 1]) * 8
    }
    self.init(interface: interface, address: address, mac: mac)
  }
}

/// The kernel's side of the watch.
enum DuplicateFilter {
  /// With more addresses than this all ARP, or all advertisements, are let through: programs are
  /// short (4,096 steps, and net.core.optmem_max bytes, 20 KiB of old).
  static let maximumIPv4 = 500
  static let maximumIPv6 = 200
  /// No packet that matters is longer.
  static let kept_bytes: UInt32 = 256

  /// Passes ARP of IPv4 over Ethernet whose sender is one of `addresses`.
  static func arp(_ addresses: Set<IPAddress>) -> PacketFilter {
    let numbers = addresses.compactMap { address -> UInt32? in
      if case .v4(let number) = address { number } else { nil }
    }.sorted()
    guard !numbers.isEmpty else { return .dropAll }
    guard numbers.count <= maximumIPv4 else { return PacketFilter([.keep(kept_bytes)]) }
    var steps: [PacketFilter.Step] = [
      .loadHalf(2), .ifEqual(0x0800, skip: 1, otherwise: 0), .keep(0),
      .loadHalf(4), .ifEqual(0x0604, skip: 1, otherwise: 0), .keep(0),
      .loadWord(14),
    ]
    for number in numbers {
      steps += [.ifEqual(number, skip: 0, otherwise: 1), .keep(kept_bytes)]
    }
    return PacketFilter(steps + [.keep(0)])
  }

  /// Passes neighbour advertisements whose target is one of `addresses`. The socket already
  /// passes no other ICMPv6 type.
  static func advertisements(_ addresses: Set<IPAddress>) -> PacketFilter {
    let targets = addresses.compactMap { address -> [UInt32]? in
      guard case .v6(let high, let low) = address else { return nil }
      return [high >> 32, high, low >> 32, low].map { UInt32(truncatingIfNeeded: $0) }
    }.sorted { $0.lexicographicallyPrecedes($1) }
    guard !targets.isEmpty else { return .dropAll }
    guard targets.count <= maximumIPv6 else { return PacketFilter([.keep(kept_bytes)]) }
    var steps: [PacketFilter.Step] = []
    for words in targets {
      for (index, word) in words.enumerated() {
        // What differs goes on behind this address: two steps a word, and the one that keeps.
        steps += [
          .loadWord(UInt32(8 + 4 * index)),
          .ifEqual(word, skip: 0, otherwise: UInt8(2 * (3 - index) + 1)),
        ]
      }
      steps.append(.keep(kept_bytes))
    }
    return PacketFilter(steps + [.keep(0)])
  }
}
