// Timers, scheduling, and raw sockets over loopback. The raw sockets need CAP_NET_RAW, real-time
// scheduling CAP_SYS_NICE: root.

import Foundation
import Testing

@testable import Kernel

private let isPrivileged = geteuid() == 0 || ProcessInfo.processInfo.environment["CI"] != nil

@Suite struct TimerTests {
  @Test func firesAtItsMomentAndNotBefore() throws {
    let timer = try TimerDescriptor.open()
    let start = Clock.monotonic_us()
    TimerDescriptor.arm(timer.raw, at: start + 20_000)
    #expect(!TimerDescriptor.take(timer.raw))
    #expect(System.waitReadable(timer.raw, timeout_ms: 10_000))
    #expect(Clock.monotonic_us() >= start + 20_000)
    #expect(TimerDescriptor.take(timer.raw) && !TimerDescriptor.take(timer.raw))
    // The past fires at once; a disarmed timer does not.
    for moment in [Int64(0), -5, start] {
      TimerDescriptor.arm(timer.raw, at: moment)
      #expect(System.waitReadable(timer.raw, timeout_ms: 10_000))
    }
    TimerDescriptor.disarm(timer.raw)
    #expect(!System.waitReadable(timer.raw, timeout_ms: 0))
    timer.close()
  }
}

@Suite(.enabled(if: isPrivileged, "needs root"))
struct RawSocketTests {
  private func endpoint(_ low: UInt64) -> NetworkEndpoint {
    var it = NetworkEndpoint()
    it.family = low == 1 ? 6 : 4
    it.low = low
    return it
  }

  @Test func bothFamiliesCarryTheHopLimit() throws {
    for (family, low) in [(Socket.familyIPv4, UInt64(0x7f00_0001)), (Socket.familyIPv6, 1)] {
      let sender = try RawSocket.openSender(
        family: family, protocolNumber: 112, checksumOffset: 6)
      let receiver = try RawSocket.openReceiver(
        family: family, protocolNumber: 112, checksumOffset: 6, interface: "lo",
        queue_bytes: 1 << 20)
      var packet: [UInt8] = [0x31, 7, 100, 0, 0, 100, 0, 0]
      if family == Socket.familyIPv4 {
        let header: [UInt8] = [
          0x45, 0xc0, 0, 28, 0, 0, 0, 0, 255, 112, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
        ]
        packet = header + packet
      }
      let sent = packet.withUnsafeBytes {
        RawSocket.send(sender.raw, $0, to: endpoint(low), interfaceIndex: 0)
      }
      #expect(sent.raw == packet.count)
      #expect(System.waitReadable(receiver.raw, timeout_ms: 5000))
      var buffer = [UInt8](repeating: 0, count: 256)
      var about = ReceivedDatagram()
      let got = buffer.withUnsafeMutableBytes {
        RawSocket.receive(receiver.raw, into: $0, about: &about)
      }
      #expect(got.raw == packet.count)
      #expect(about.hopLimit == 255 && about.source.low == low && about.destination.low == low)
      #expect(about.interfaceIndex == NetworkInterface.index(named: "lo"))
      sender.close()
      receiver.close()
    }
  }

  @Test func absentInterfacesAreErrors() {
    #expect(throws: KernelError(call: "setsockopt(SO_BINDTODEVICE)", code: ENODEV)) {
      let socket = try RawSocket.openReceiver(
        family: Socket.familyIPv4, protocolNumber: 112, checksumOffset: 6,
        interface: "nowhere0", queue_bytes: 4096)
      socket.close()
    }
    #expect(NetworkInterface.index(named: "nowhere0") == nil)
  }

  @Test func schedulingIsSetAndSetBack() throws {
    let old = try Scheduling.current()
    try Scheduling.roundRobin(priority: 1).apply()
    #expect(try Scheduling.current() == .roundRobin(priority: 1))
    try old.apply()
    #expect(try Scheduling.current() == old)
    #expect(throws: KernelError.self) { try Scheduling.roundRobin(priority: 100).apply() }
  }
}
