// The frames that tell a network where an address lives now: gratuitous ARP (RFC 5227, section
// 3; RFC 9568, section 8.1.2) and unsolicited neighbour advertisements (RFC 4861, section 7.2.6;
// RFC 9568, section 8.2.2). Pure: values in, bytes out.

import Configuration

/// The two forms of gratuitous ARP; some neighbours only heed one of them.
public enum ARPOperation: UInt16, Equatable, Sendable, CaseIterable {
  case request = 1
  case reply = 2
}

public enum Frames {
  /// Length of every gratuitous ARP frame, without padding: 14 + 28.
  static let gratuitousARP_bytes = 42

  /// Broadcast: sender and target are both `address`, which is at `mac`. The target's hardware
  /// address is all ones in a request, as keepalived has it, and `mac` in a reply.
  ///
  ///     | Ethernet: to 6 | from 6 | 0x0806 u16 |
  ///     | 1 u16 | 0x0800 u16 | 6 u8 | 4 u8 | operation u16 | sender MAC 6 | sender IP 4 |
  ///     | target MAC 6 | target IP 4 |
  public static func gratuitousARP(
    _ operation: ARPOperation, address: UInt32, mac: MACAddress
  ) -> [UInt8] {
    let target: MACAddress =
      switch operation {
      case .request: .broadcast
      case .reply: mac
      }
    let ip = IPAddress.v4(address).networkBytes
    var frame: [UInt8] = []
    frame.reserveCapacity(gratuitousARP_bytes)
    frame += MACAddress.broadcast.bytes
    frame += mac.bytes
    frame += [0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4]
    frame += [0, UInt8(operation.rawValue)]
    frame += mac.bytes
    frame += ip
    frame += target.bytes
    frame += ip
    return frame
  }

  /// To all nodes (ff02::1), from the address itself, hop limit 255, with the override flag and
  /// the target link-layer address option; `isRouter` is set where the node forwards.
  ///
  ///     | Ethernet: 33:33:00:00:00:01 | from 6 | 0x86dd u16 |
  ///     | 6 << 28 u32 | 32 u16 | 58 u8 | 255 u8 | source 16 | destination 16 |
  ///     | 136 u8 | 0 u8 | checksum u16 | R S O flags u32 | target 16 | 2 u8 | 1 u8 | MAC 6 |
  public static func neighbourAdvertisement(
    high: UInt64, low: UInt64, mac: MACAddress, isRouter: Bool
  ) -> [UInt8] {
    let source = IPAddress.v6(high: high, low: low).networkBytes
    let allNodes = IPAddress.v6(high: 0xff02 << 48, low: 1).networkBytes
    var message: [UInt8] = [136, 0, 0, 0, isRouter ? 0xa0 : 0x20, 0, 0, 0]
    message += source
    message += [2, 1]
    message += mac.bytes
    let sum = checksum(
      source + allNodes + [0, 0, 0, UInt8(message.count), 0, 0, 0, 58] + message)
    message[2] = UInt8(sum >> 8)
    message[3] = UInt8(sum & 0xff)

    var frame: [UInt8] = [0x33, 0x33, 0, 0, 0, 1]
    frame += mac.bytes
    frame += [0x86, 0xdd, 0x60, 0, 0, 0, 0, UInt8(message.count), 58, 255]
    frame += source
    frame += allNodes
    frame += message
    return frame
  }

  /// RFC 1071: the complement of the one's complement sum of 16-bit words.
  static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    var index = 0
    while index < bytes.count {
      let low = index + 1 < bytes.count ? bytes[index + 1] : 0
      sum = sum &+ (UInt32(bytes[index]) << 8 | UInt32(low))
      sum = (sum & 0xffff) &+ (sum >> 16)
      index += 2
    }
    return ~UInt16(truncatingIfNeeded: sum)
  }
}
