// What packets are fed to: the whole way of a packet, from the header to the machine.

import VRRP

public struct PacketTarget: Sendable {
  static let unicastID: UInt8 = 55
  /// Kinds of routers that differ in what they refuse.
  static let settings: [RouterSettings] = {
    let address = [ProtocolAddress.v4(0x0a09_0064)]
    func router(
      _ id: UInt8, _ version: ProtocolVersion, priority: UInt8 = 100,
      _ change: (inout RouterSettings) -> Void = { _ in }
    ) -> RouterSettings {
      var settings = RouterSettings(
        id: id, version: version, priority: priority, interval_us: Timing.second_us,
        addresses: address)
      change(&settings)
      return settings
    }
    return [
      router(51, .v2) { $0.password = Array("42Secure".utf8) },
      router(52, .v2) { $0.preempt = .never },
      router(53, .v3) { $0.preempt = .delayed(Timing.second_us) },
      router(54, .v2, priority: 255) { $0.ownerIgnoresAdverts = true },
      router(unicastID, .v3) {
        let peer = UnicastRange(.v4(0x0a09_0002), minimumTTL: 250, maximumTTL: 255)
        $0.transport = .unicast(peers: [peer], checksSource: true)
      },
      router(56, .v3) { $0.addresses = [.v6(high: 0xfe80 << 48, low: 0x100)] },
    ]
  }()

  /// Packets by reason for which they were dropped.
  public private(set) var refused: [DropReason: Int] = [:]
  public private(set) var accepted = 0
  /// Accepted packets that meant something else once encoded and decoded again. Bytes are not
  /// compared: what a receiver ignores (authentication data of type 0, RFC 3768, section 5.3.10)
  /// and both forms of a zero checksum are accepted, and encoded in one form.
  public private(set) var changed = 0
  private var routers: [VRRPRouter]
  private var now_us: Microseconds = 0
  private let own = [ProtocolAddress.v4(0x0a09_0001), .v6(high: 0xfe80 << 48, low: 1)]

  public init() {
    routers = Self.settings.map { settings in
      var router = VRRPRouter(settings)
      router.handle(.start(address: .v4(0x0a09_0001)), at: 0) { _ in }
      return router
    }
  }

  /// Takes one packet; it is counted either as accepted or under the reason of its refusal.
  public mutating func take(_ input: PacketInput) {
    do throws(DropReason) {
      try deliver(input)
      accepted += 1
    } catch {
      refused[error, default: 0] += 1
    }
  }

  private mutating func deliver(_ input: PacketInput) throws(DropReason) {
    var payload = input.bytes[...]
    var (source, destination) = (input.source, input.destination)
    var hopLimit = input.hopLimit
    if input.isV4 {
      let (header, rest) = try IPv4Header.decode(input.bytes[...])
      (source, destination, payload) = (header.source, header.destination, rest)
      hopLimit = header.timeToLive
    }
    let advert = try Advertisement(decoding: payload, source: source, destination: destination)
    guard let index = routers.firstIndex(where: { $0.settings.id == advert.id }) else {
      throw .unknownRouter
    }
    if let reason = routers[index].settings.refusal(
      of: advert, from: source, to: destination, hopLimit: hopLimit,
      ownAddress: own[input.isV4 ? 0 : 1], priority: routers[index].priority)
    {
      throw reason
    }
    let again = advert.encoded(source: source, destination: destination)
    let meant = try? Advertisement(decoding: again[...], source: source, destination: destination)
    if meant != advert { changed += 1 }
    step(index, .advertisement(advert, from: source))
  }

  /// Every accepted packet moves the clock, and the machine through its states.
  private mutating func step(_ index: Int, _ event: RouterEvent) {
    now_us &+= 100_000
    routers[index].handle(event, at: now_us) { _ in }
    switch accepted % 7 {
    case 0: routers[index].handle(.timer(.masterDown), at: now_us) { _ in }
    case 3: routers[index].handle(.resumed, at: now_us) { _ in }
    case 5: routers[index].handle(.timer(.advertise), at: now_us) { _ in }
    default: break
    }
  }

  /// A line for each reason, in the order in which they are looked at.
  public var summary: String {
    let lines = DropReason.allCases.map { "  \($0.rawValue): \(refused[$0] ?? 0)" }
    return (["accepted \(accepted)", "refused"] + lines).joined(separator: "\n")
  }
}
