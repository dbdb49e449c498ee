// Sends the frames that move an address to this node. How often and when is the caller's
// business.

import Configuration
import Kernel

public final class Announcer {
  private let raw: Int32

  /// Throws EPERM without CAP_NET_RAW.
  public init() throws(KernelError) { raw = try PacketSocket.openSender().release() }

  deinit { Socket.close(raw) }

  /// One announcement: for IPv4 a gratuitous ARP request and a reply, for IPv6 an unsolicited
  /// neighbour advertisement. `mac` is the interface's, or the virtual one on its macvlan;
  /// `isRouter` matters for IPv6 only (`InterfaceSetting.isForwardingIPv6`). Nil when it was
  /// sent; an error (ENETDOWN, ENXIO, ENOBUFS …) says that it was not, or not whole. Never
  /// blocks.
  public func announce(
    _ address: IPAddress, on interface: UInt32, mac: MACAddress, isRouter: Bool
  ) -> KernelError? {
    switch address {
    case .v4(let number):
      for operation in ARPOperation.allCases {
        let frame = Frames.gratuitousARP(operation, address: number, mac: mac)
        if let error = send(frame, interface) { return error }
      }
      return nil
    case .v6(let high, let low):
      return send(
        Frames.neighbourAdvertisement(high: high, low: low, mac: mac, isRouter: isRouter),
        interface)
    }
  }

  private func send(_ frame: [UInt8], _ interface: UInt32) -> KernelError? {
    let result = frame.withUnsafeBytes {
      PacketSocket.send(raw, $0, interfaceIndex: interface)
    }
    return result.raw < 0 ? KernelError(call: "sendto", code: result.errorCode) : nil
  }
}
