// The sockets of the protocol: one that sends per family, one that receives per interface and
// family. Confined to the routers' thread.

import Configuration
import Kernel
import VRRP

/// What a router needs to hear its peers.
struct ReceiveNeed: Hashable {
  var interface: UInt32
  var name: String
  var family: AddressFamily
  /// nil = unicast.
  var group: IPAddress?
}

/// A packet with what its IP header said.
struct HeardPacket {
  var interface: UInt32
  var source: ProtocolAddress
  var destination: ProtocolAddress
  /// 0...255.
  var hopLimit: UInt8
  /// The VRRP message, link padding included.
  var message: ArraySlice<UInt8>
}

final class Exchange {
  /// Where `checksum` stands in a VRRP message.
  private static let checksumOffset: Int32 = 6

  private struct Receiver {
    var descriptor: Int32
    var interface: UInt32
    var family: AddressFamily
    var groups: Set<IPAddress>
  }

  private struct Key: Hashable {
    var interface: UInt32
    var family: AddressFamily
  }

  private var receivers: [Key: Receiver] = [:]
  private var senders: [AddressFamily: Int32] = [:]
  private var identification: UInt16 = 0
  /// What the IPv6 sender is set to.
  private var unicastHops = Wire.hopLimit
  private var buffer = [UInt8](repeating: 0, count: Limits.packetBytes)

  deinit {
    receivers.values.forEach { Socket.close($0.descriptor) }
    senders.values.forEach { Socket.close($0) }
  }

  /// Opens what is new and closes what is not needed any more. `watch` gets descriptors to wait
  /// for; closed ones leave epoll by themselves. Throws what the first socket that could not be
  /// opened said; the others are tried all the same.
  func configure(_ needs: Set<ReceiveNeed>, watch: (Int32) -> Void) throws(KernelError) {
    var problem: KernelError?
    var wanted: [Key: (name: String, groups: Set<IPAddress>)] = [:]
    for need in needs {
      let key = Key(interface: need.interface, family: need.family)
      wanted[key, default: (need.name, [])].groups.formUnion(need.group.map { [$0] } ?? [])
      do throws(KernelError) { try openSender(need.family) } catch { problem = problem ?? error }
    }
    for (key, receiver) in receivers where wanted[key] == nil {
      Socket.close(receiver.descriptor)
      receivers[key] = nil
    }
    for (key, want) in wanted {
      do throws(KernelError) {
        try open(key, name: want.name, groups: want.groups, watch: watch)
      } catch {
        problem = problem ?? error
      }
    }
    if let problem { throw problem }
  }

  private func open(
    _ key: Key, name: String, groups: Set<IPAddress>, watch: (Int32) -> Void
  ) throws(KernelError) {
    var receiver: Receiver
    if let known = receivers[key] {
      receiver = known
    } else {
      let socket = try RawSocket.openReceiver(
        family: key.family == .v4 ? Socket.familyIPv4 : Socket.familyIPv6,
        protocolNumber: Int32(Wire.protocolNumber), checksumOffset: Exchange.checksumOffset,
        interface: name, queue_bytes: Limits.receiveQueue_bytes)
      receiver = Receiver(
        descriptor: socket.release(), interface: key.interface, family: key.family, groups: [])
      receivers[key] = receiver
      watch(receiver.descriptor)
    }
    for group in receiver.groups.subtracting(groups) {
      try? RawSocket.leave(
        receiver.descriptor, group: NetworkEndpoint(group), interfaceIndex: key.interface)
      receiver.groups.remove(group)
    }
    receivers[key] = receiver
    for group in groups.subtracting(receiver.groups) {
      try RawSocket.join(
        receiver.descriptor, group: NetworkEndpoint(group), interfaceIndex: key.interface)
      receivers[key]?.groups.insert(group)
    }
  }

  private func openSender(_ family: AddressFamily) throws(KernelError) {
    guard senders[family] == nil else { return }
    senders[family] = try RawSocket.openSender(
      family: family == .v4 ? Socket.familyIPv4 : Socket.familyIPv6,
      protocolNumber: Int32(Wire.protocolNumber), checksumOffset: Exchange.checksumOffset
    ).release()
  }

  // MARK: Receiving

  /// Takes all packets that have arrived, at most `Limits.packetsPerTurn` of each socket, so that
  /// a flood cannot keep the timers from running.
  func receive(
    _ handle: (HeardPacket) -> Void, refused: (UInt32, AddressFamily, DropReason) -> Void
  ) {
    for receiver in receivers.values {
      for _ in 0..<Limits.packetsPerTurn {
        var about = ReceivedDatagram()
        let result = buffer.withUnsafeMutableBytes {
          RawSocket.receive(receiver.descriptor, into: $0, about: &about)
        }
        // An error such as ENETDOWN says nothing that the link's own events do not say.
        guard result.raw >= 0 else { break }
        do throws(DropReason) {
          handle(try packet(result.raw, about, receiver))
        } catch {
          refused(receiver.interface, receiver.family, error)
        }
      }
    }
  }

  private func packet(
    _ count: Int, _ about: ReceivedDatagram, _ receiver: Receiver
  ) throws(DropReason) -> HeardPacket {
    let bytes = buffer[..<min(count, buffer.count)]
    switch receiver.family {
    case .v4:
      let (header, payload) = try IPv4Header.decode(bytes)
      return HeardPacket(
        interface: receiver.interface, source: header.source, destination: header.destination,
        hopLimit: header.timeToLive, message: payload)
    case .v6:
      guard about.destination.family == 6, about.hopLimit >= 0 else { throw .badIPHeader }
      return HeardPacket(
        interface: receiver.interface, source: ProtocolAddress(about.source.address),
        destination: ProtocolAddress(about.destination.address),
        hopLimit: UInt8(clamping: about.hopLimit), message: bytes)
    }
  }

  // MARK: Sending

  /// Sends one advertisement out of an interface. Nil when it went well.
  func send(
    _ advert: Advertisement, from source: ProtocolAddress, to destination: ProtocolAddress,
    hopLimit: UInt8, interface: UInt32, sumsPseudoHeader: Bool
  ) -> KernelError? {
    guard let socket = senders[source.isV4 ? .v4 : .v6] else {
      return KernelError(call: "send", code: 9)
    }
    var bytes = advert.encoded(
      source: source, destination: destination, sumsPseudoHeader: sumsPseudoHeader)
    if source.isV4 {
      identification = identification == .max ? 1 : identification + 1
      bytes = IPv4Header(
        source: source, destination: destination, timeToLive: hopLimit,
        identification: identification
      ).encoded(before: bytes)
    } else if !destination.isMulticast, hopLimit != unicastHops {
      Socket.set(socket, .ipv6UnicastHops, Int32(hopLimit))
      unicastHops = hopLimit
    }
    let result = bytes.withUnsafeBytes {
      RawSocket.send(
        socket, $0, to: NetworkEndpoint(IPAddress(destination)),
        from: source.isV4 ? nil : NetworkEndpoint(IPAddress(source)), interfaceIndex: interface)
    }
    return result.raw < 0 ? KernelError(call: "sendmsg", code: Int32(clamping: -result.raw)) : nil
  }
}
