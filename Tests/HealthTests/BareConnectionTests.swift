// A bare connection check must not wake the server's program: HAProxy's does not either.

import Configuration
import Glibc
import Testing

@testable import Health

@Suite(.timeLimit(.minutes(1))) struct BareConnectionTests {
  @Test func theServerAcceptsNothing() async throws {
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let listener = socket(AF_INET, kind, 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(listener, $0, length)
        listen(listener, 8)
        getsockname(listener, $0, &length)
      }
    }
    let port = UInt16(bigEndian: address.sin_port)
    var accepted = 0
    for _ in 0..<10 {
      #expect(try await probe(.ip(.v4(0x7f00_0001), port: port)).status == .layer4OK)
      let client = accept(listener, nil, nil)
      if client >= 0 {
        accepted += 1
        close(client)
      }
    }
    // The delayed acknowledgement may leave on a busy machine before the reset does.
    #expect(accepted <= 2)
  }
}
