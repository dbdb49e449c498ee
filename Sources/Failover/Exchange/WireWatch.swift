// Listens to the adverts of an interface without taking part: what other routers say, and what
// a configured router would make of it.

import Configuration
import Glibc
import Kernel
import VRRP

/// An advert as it was heard, or a packet that should have been one.
public struct HeardAdvert: Sendable {
  /// Name of the interface.
  public var interface: String
  public var source: IPAddress
  public var isMulticast: Bool
  /// VRID, 0...255.
  public var id: UInt8
  /// nil when it could not be decoded.
  public var advert: Advertisement?
  /// Why the configured router of this id refuses it; nil = it does not, or there is none.
  public var refusal: DropReason?
}

public final class WireWatch {
  private struct Place {
    var router: VirtualRouter
    var settings: RouterSettings
    var interface: UInt32
    var source: ProtocolAddress?
  }

  private let places: [Place]
  private let names: [UInt32: String]
  /// Addresses of this machine: what comes from them is an echo.
  private let own: Set<IPAddress>
  private let exchange = Exchange()
  private var descriptors: [Int32] = []
  /// Why some sockets or groups could not be had; what could be is heard all the same.
  public private(set) var problem: KernelError?

  /// Listens on the routers' interfaces: to unicast, to their groups, and to the standard group,
  /// where strangers are. Throws EPERM without CAP_NET_RAW.
  public init(_ routers: [VirtualRouter], links: LinkTable) throws(KernelError) {
    var places: [Place] = []
    var needs: Set<ReceiveNeed> = []
    let virtual = Set(routers.flatMap { $0.addresses.map(\.address) })
    for router in routers {
      guard let link = links.link(named: router.interface) else { continue }
      let source =
        router.source
        ?? (router.family == .v4
          ? links.primaryIPv4(of: link.index)
          : links.linkLocalIPv6(of: link.index, besides: virtual))
      places.append(
        Place(
          router: router, settings: RouterSettings(router), interface: link.index,
          source: source.map { ProtocolAddress($0) }))
      let standard = IPAddress(router.family == .v4 ? Wire.multicastV4 : Wire.multicastV6)
      for group in [nil, standard, router.multicastGroup] as [IPAddress?] {
        needs.insert(
          ReceiveNeed(
            interface: link.index, name: link.name, family: router.family, group: group))
      }
    }
    self.places = places
    names = links.links.mapValues(\.name)
    own = Set(links.links.keys.flatMap { links.addresses(of: $0).map(\.address) })
    var opened: [Int32] = []
    do throws(KernelError) {
      try exchange.configure(needs) { opened.append($0) }
    } catch {
      guard !opened.isEmpty else { throw error }
      problem = error
    }
    descriptors = opened
  }

  /// Waits for packets, at most so long. True when there may be some.
  public func wait(timeout_ms: Int32) -> Bool {
    var wanted = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    return poll(&wanted, nfds_t(wanted.count), timeout_ms) > 0
  }

  /// What has arrived. Bounded; the rest is left for the next call. Never blocks.
  public func readHeard() -> [HeardAdvert] {
    var heard: [HeardAdvert] = []
    exchange.receive { packet in
      if let advert = judge(packet) { heard.append(advert) }
    } refused: { _, _, _ in
      // Not even an IP header: nobody can be named.
    }
    return heard
  }

  private func judge(_ packet: HeardPacket) -> HeardAdvert? {
    let source = IPAddress(packet.source)
    guard let id = packet.message.dropFirst().first, !own.contains(source) else { return nil }
    var heard = HeardAdvert(
      interface: names[packet.interface] ?? "", source: source,
      isMulticast: packet.destination.isMulticast, id: id)
    let place = places.first {
      $0.interface == packet.interface && $0.router.id == id && $0.router.family == source.family
    }
    do throws(DropReason) {
      let advert = try Advertisement(
        decoding: packet.message, source: packet.source, destination: packet.destination,
        sumsPseudoHeader: place?.settings.sumsPseudoHeader ?? true)
      heard.advert = advert
      heard.refusal = place?.settings.refusal(
        of: advert, from: packet.source, to: packet.destination, hopLimit: packet.hopLimit,
        ownAddress: place?.source, priority: place?.settings.priority ?? 0)
    } catch {
      heard.refusal = error
    }
    return heard
  }
}
