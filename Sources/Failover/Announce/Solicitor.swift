// Asks the network who has an address, without claiming anything: ARP probes (RFC 5227, section
// 2.1.1) and neighbour solicitations (RFC 4861, section 7.2.2). Answers are heard by a
// DuplicateWatch.

import Configuration
import Kernel

public final class Solicitor {
  private let raw: Int32

  /// Throws EPERM without CAP_NET_RAW.
  public init() throws(KernelError) { raw = try PacketSocket.openSender().release() }

  deinit { Socket.close(raw) }

  /// Asks once. IPv6 asks from `source`, a link-local address of the interface: a solicitation
  /// without one is duplicate detection and would take the address from a holder that has just
  /// begun to use it. Nil when it was sent; EADDRNOTAVAIL for IPv6 without a source. Never
  /// blocks.
  public func ask(
    for address: IPAddress, on interface: UInt32, mac: MACAddress, source: IPAddress?
  ) -> KernelError? {
    let frame: [UInt8]
    switch address {
    case .v4(let number): frame = Frames.arpProbe(address: number, mac: mac)
    case .v6:
      guard let source, source.family == .v6 else { return KernelError(call: "ask", code: 99) }
      frame = Frames.neighbourSolicitation(for: address, from: source, mac: mac)
    }
    let result = frame.withUnsafeBytes {
      PacketSocket.send(raw, $0, interfaceIndex: interface)
    }
    return result.raw < 0 ? KernelError(call: "sendto", code: result.errorCode) : nil
  }
}

extension Frames {
  /// Broadcast. The sender's protocol address is 0.0.0.0, so that no neighbour learns anything.
  ///
  ///     | Ethernet: to 6 | from 6 | 0x0806 u16 |
  ///     | 1 u16 | 0x0800 u16 | 6 u8 | 4 u8 | 1 u16 | sender MAC 6 | 0.0.0.0 |
  ///     | 0 × 6 | target IP 4 |
  static func arpProbe(address: UInt32, mac: MACAddress) -> [UInt8] {
    var frame = MACAddress.broadcast.bytes + mac.bytes
    frame += [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, UInt8(ARPOperation.request.rawValue)]
    frame += mac.bytes + [0, 0, 0, 0]
    frame += [0, 0, 0, 0, 0, 0] + IPAddress.v4(address).networkBytes
    return frame
  }

  /// To the solicited-node group of `target` (ff02::1:ff00:0/104), hop limit 255, with the source
  /// link-layer address option.
  ///
  ///     | Ethernet: 33:33:ff + last 3 of target | from 6 | 0x86dd u16 |
  ///     | 6 << 28 u32 | 32 u16 | 58 u8 | 255 u8 | source 16 | destination 16 |
  ///     | 135 u8 | 0 u8 | checksum u16 | 0 u32 | target 16 | 1 u8 | 1 u8 | MAC 6 |
  static func neighbourSolicitation(
    for target: IPAddress, from source: IPAddress, mac: MACAddress
  ) -> [UInt8] {
    let wanted = target.networkBytes
    let group = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff] + wanted.suffix(3)
    var message: [UInt8] = [135, 0, 0, 0, 0, 0, 0, 0] + wanted + [1, 1] + mac.bytes
    let sum = checksum(
      source.networkBytes + group + [0, 0, 0, UInt8(message.count), 0, 0, 0, 58] + message)
    message[2] = UInt8(sum >> 8)
    message[3] = UInt8(sum & 0xff)
    var frame: [UInt8] = [0x33, 0x33, 0xff] + wanted.suffix(3) + mac.bytes
    frame += [0x86, 0xdd, 0x60, 0, 0, 0, 0, UInt8(message.count), 58, 255]
    return frame + source.networkBytes + group + message
  }
}
