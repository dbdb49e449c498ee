// Descriptors, sockets, epoll, pipes and eventfds as the rest of the program uses them.

import Glibc
import Testing

@testable import Kernel

private func loopback(_ port: UInt16 = 0) throws -> KernelAddress {
  var endpoint = NetworkEndpoint()
  endpoint.family = 4
  endpoint.low = 0x7f00_0001
  endpoint.port = port
  return try KernelAddress(endpoint)
}

/// A listener on a free port of loopback.
private func listen() throws -> (fd: Int32, endpoint: NetworkEndpoint) {
  var address = try loopback()
  let fd = Socket.openStream(family: Socket.familyIPv4)
  #expect(Socket.bind(fd, &address.raw) == 0)
  #expect(Socket.listen(fd, backlog: 16) == 0)
  return (fd, Socket.localEndpoint(fd))
}

/// Both ends of an established connection.
private func pair() throws -> (near: Int32, far: Int32) {
  let listener = try listen()
  defer { Socket.close(listener.fd) }
  var address = try KernelAddress(listener.endpoint)
  let near = Socket.openStream(family: Socket.familyIPv4)
  let result = Socket.connect(near, &address.raw)
  #expect(result == 0 || result == -EINPROGRESS)
  #expect(System.waitReadable(listener.fd, timeout_ms: 5000))
  var peer = NetworkEndpoint()
  let far = Socket.accept(listener.fd, peer: &peer)
  #expect(far >= 0)
  #expect(peer == Socket.localEndpoint(near))
  #expect(Socket.peerEndpoint(far) == peer)
  return (near, far)
}

@Suite struct SocketTests {
  @Test func bytesPassAndWouldBlockIsAResult() throws {
    let (near, far) = try pair()
    defer { [near, far].forEach(Socket.close) }
    var buffer = [UInt8](repeating: 0, count: 16)
    let nothing = Socket.receive(far, &buffer, 16)
    #expect(nothing.isWouldBlock && !nothing.isError && nothing.errorCode == EAGAIN)
    #expect(Socket.send(near, [1, 2, 3] as [UInt8], 3).raw == 3)
    #expect(System.waitReadable(far, timeout_ms: 5000))
    #expect(Socket.peek(far, &buffer, 16).raw == 3)
    #expect(Socket.receive(far, &buffer, 2).raw == 2)
    #expect(Socket.receive(far, &buffer, 16).raw == 1)
    #expect(Socket.shutdownWrite(near) == 0)
    #expect(System.waitReadable(far, timeout_ms: 5000))
    #expect(Socket.receive(far, &buffer, 16).raw == 0)
    #expect(Socket.takeError(far) == 0)
  }

  @Test func resetOnCloseReachesThePeer() throws {
    let (near, far) = try pair()
    defer { Socket.close(far) }
    Socket.resetOnClose(near)
    Socket.close(near)
    #expect(System.waitReadable(far, timeout_ms: 5000))
    var byte: UInt8 = 0
    let result = Socket.receive(far, &byte, 1)
    #expect(result.isError && result.errorCode == ECONNRESET)
    // A broken socket is an error number, never a signal.
    #expect(Socket.send(far, &byte, 1).errorCode == EPIPE)
  }

  @Test func refusedConnectionIsAnErrorNumber() throws {
    let listener = try listen()
    Socket.close(listener.fd)
    var address = try KernelAddress(listener.endpoint)
    let fd = Socket.openStream(family: Socket.familyIPv4)
    defer { Socket.close(fd) }
    let result = Socket.connect(fd, &address.raw)
    if result == -EINPROGRESS {
      #expect(System.isWritable(fd, timeout_ms: 5000))
      #expect(Socket.takeError(fd) == ECONNREFUSED)
    } else {
      #expect(result == -ECONNREFUSED)
    }
    #expect(Socket.takeError(fd) == 0, "taking an error clears it")
  }

  @Test func addresses() throws {
    var endpoint = NetworkEndpoint()
    #expect(throws: KernelError.self) { try KernelAddress(endpoint) }
    endpoint.family = 6
    endpoint.low = 1
    endpoint.port = 443
    #expect(try KernelAddress(endpoint).family == Socket.familyIPv6)
    let longest = String(repeating: "a", count: 107)
    #expect(try KernelAddress(unixPath: longest).family == Socket.familyUnix)
    #expect(throws: KernelError.self) { try KernelAddress(unixPath: longest + "a") }
    #expect(throws: KernelError.self) { try KernelAddress(unixPath: "") }
    #expect(try KernelAddress(unixPath: longest, isAbstract: true).raw.length == 110)
    var empty = KernelAddress.empty
    let fd = Socket.openStream(family: Socket.familyIPv4)
    #expect(Socket.connect(fd, &empty.raw) < 0)
    Socket.close(fd)
  }

  /// An IPv4 client of a dual-stack listener reads as IPv4.
  @Test func mappedAddressesReadAsVersion4() throws {
    var any = NetworkEndpoint()
    any.family = 6
    var address = try KernelAddress(any)
    let listener = Socket.openStream(family: Socket.familyIPv6)
    defer { Socket.close(listener) }
    Socket.set(listener, .ipv6Only, 0)
    try #require(Socket.bind(listener, &address.raw) == 0)
    #expect(Socket.listen(listener, backlog: 1) == 0)
    let client = Socket.openStream(family: Socket.familyIPv4)
    defer { Socket.close(client) }
    var target = try loopback(Socket.localEndpoint(listener).port)
    _ = Socket.connect(client, &target.raw)
    #expect(System.waitReadable(listener, timeout_ms: 5000))
    var peer = NetworkEndpoint()
    let accepted = Socket.accept(listener, peer: &peer)
    defer { Socket.close(accepted) }
    #expect(peer.family == 4 && peer.low == 0x7f00_0001 && peer.high == 0)
    #expect(Socket.localEndpoint(accepted).family == 4)
  }

  @Test func datagramsOverUnixSockets() throws {
    let name = "fairlead-kernel-\(getpid())"
    var address = try KernelAddress(unixPath: name, isAbstract: true)
    let receiver = Socket.openDatagram(family: Socket.familyUnix)
    let sender = Socket.openDatagram(family: Socket.familyUnix)
    defer { [receiver, sender].forEach(Socket.close) }
    #expect(Socket.bind(receiver, &address.raw) == 0)
    let sent = [UInt8]("hello".utf8).withUnsafeBytes { Socket.send(sender, $0, to: address) }
    #expect(sent.raw == 5)
    var buffer = [UInt8](repeating: 0, count: 16)
    #expect(Socket.receive(receiver, &buffer, 16).raw == 5)
  }
}

@Suite struct EventTests {
  @Test func epollReportsCookiesAndEdges() throws {
    let epoll = try Epoll()
    let (near, far) = try pair()
    defer { [near, far].forEach(Socket.close) }
    let events = UnsafeMutablePointer<ReadinessEvent>.allocate(capacity: 4)
    defer { events.deallocate() }
    let interest = Epoll.Interest.readable | Epoll.Interest.peerClosed | Epoll.Interest.edge
    #expect(epoll.add(far, interest, cookie: 0xDEAD_BEEF_0123) == 0)
    #expect(epoll.add(far, interest, cookie: 1) == -EEXIST)
    #expect(epoll.wait(into: events, capacity: 4, timeout_ms: 0) == 0)
    _ = Socket.send(near, [1] as [UInt8], 1)
    #expect(epoll.wait(into: events, capacity: 4, timeout_ms: 5000) == 1)
    #expect(events[0].cookie == 0xDEAD_BEEF_0123)
    #expect(events[0].events == Epoll.Interest.readable)
    #expect(epoll.wait(into: events, capacity: 4, timeout_ms: 0) == 0, "an edge comes once")
    let writable = interest | Epoll.Interest.writable
    #expect(epoll.modify(far, writable, cookie: 7) == 0)
    #expect(epoll.wait(into: events, capacity: 4, timeout_ms: 0) == 1)
    #expect(events[0].cookie == 7 && events[0].events & Epoll.Interest.writable != 0)
    _ = Socket.shutdownWrite(near)
    #expect(epoll.wait(into: events, capacity: 4, timeout_ms: 5000) == 1)
    #expect(events[0].events & Epoll.Interest.peerClosed != 0)
    #expect(epoll.remove(far) == 0)
    #expect(epoll.remove(far) == -ENOENT)
  }

  @Test func eventDescriptorWakesOnceForManySignals() throws {
    let event = try EventDescriptor.open()
    for _ in 0..<100 { EventDescriptor.signal(event.raw) }
    #expect(System.waitReadable(event.raw, timeout_ms: 0))
    EventDescriptor.drain(event.raw)
    #expect(!System.waitReadable(event.raw, timeout_ms: 0))
    EventDescriptor.drain(event.raw)
    event.close()
  }

  @Test func pipesSplice() throws {
    let pipe = try #require(KernelPipe.open(capacity: 256 * 1024))
    let (near, far) = try pair()
    defer { [pipe.read, pipe.write, near, far].forEach(Socket.close) }
    #expect(pipe.capacity >= 4096)
    #expect(KernelPipe.fill(pipe.write, from: far, 4096).isWouldBlock)
    let sent = [UInt8]((0..<200).map { UInt8($0) })
    _ = Socket.send(near, sent, sent.count)
    #expect(System.waitReadable(far, timeout_ms: 5000))
    #expect(KernelPipe.fill(pipe.write, from: far, 4096).raw == 200)
    #expect(KernelPipe.drain(pipe.read, to: far, 4096).raw == 200)
    #expect(KernelPipe.drain(pipe.read, to: far, 4096).isWouldBlock)
    #expect(System.waitReadable(near, timeout_ms: 5000))
    var buffer = [UInt8](repeating: 0, count: 256)
    #expect(Socket.receive(near, &buffer, 256).raw == 200)
    #expect(Array(buffer[..<200]) == sent)
    _ = Socket.shutdownWrite(near)
    #expect(System.waitReadable(far, timeout_ms: 5000))
    #expect(KernelPipe.fill(pipe.write, from: far, 4096).raw == 0)
  }
}
