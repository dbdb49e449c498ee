// A balancer inside the test process, with servers and clients on loopback that are plain
// blocking sockets in threads.

import Configuration
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Proxy

/// Everything that runs an engine lives in this one suite, so that pipes and sockets counted at
/// the end of a test are that test's own.
@Suite(.serialized) enum EngineTests {}

/// A blocking TCP socket of a test.
struct Peer: Sendable {
  let fd: Int32

  /// Connects to a port of loopback.
  static func connect(_ port: UInt16, to host: UInt32 = 0x7f00_0001) -> Peer? {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { return nil }
    let peer = Peer(fd: fd)
    peer.limitWaiting()
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = host.bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 { return peer }
    Glibc.close(fd)
    return nil
  }

  /// A stuck test fails after 20 s instead of hanging.
  func limitWaiting() {
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
  }

  func setBuffers(_ bytes: Int32) {
    var bytes = bytes
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, 4)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, 4)
  }

  /// False when not everything could be sent.
  @discardableResult func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(fd, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  /// Up to `count` bytes; empty at the end, nil for an error.
  func receive(_ count: Int = 65_536) -> [UInt8]? {
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
      let got = recv(fd, buffer.baseAddress, count, 0)
      failed = got < 0
      used = max(0, got)
    }
    return failed ? nil : bytes
  }

  /// Everything until the end, or nil after an error.
  func receiveAll() -> [UInt8]? {
    var all: [UInt8] = []
    while true {
      guard let more = receive() else { return nil }
      if more.isEmpty { return all }
      all += more
    }
  }

  func finishWriting() { shutdown(fd, Int32(SHUT_WR)) }
  func close() { Glibc.close(fd) }
  func reset() {
    Socket.resetOnClose(fd)
    Glibc.close(fd)
  }
}

/// A server: one thread accepts, and each connection gets a thread that runs `serve` and closes.
final class Backside: Sendable {
  let port: UInt16
  private let fd: Int32
  private let thread = Mutex<ThreadHandle?>(nil)
  private let open = Mutex<[ThreadHandle]>([])
  let accepted = Atomic<Int>(0)
  /// Connections being served now, and the most at once.
  let current = Atomic<Int>(0)
  let maximum = Atomic<Int>(0)

  init(_ serve: @escaping @Sendable (Peer) -> Void) throws {
    (fd, port) = try Rig.listen()
    let acceptor = try System.startThread(named: "server") { [self] in
      while true {
        let accepted = accept(fd, nil, nil)
        if accepted < 0 { return }
        let handle = try? System.startThread(named: "serve") { [self] in
          let now = current.add(1, ordering: .sequentiallyConsistent).newValue
          _ = maximum.max(now, ordering: .sequentiallyConsistent)
          let peer = Peer(fd: accepted)
          peer.limitWaiting()
          serve(peer)
          current.subtract(1, ordering: .sequentiallyConsistent)
          peer.close()
        }
        self.accepted.add(1, ordering: .sequentiallyConsistent)
        if let handle { open.withLock { $0.append(handle) } }
      }
    }
    thread.withLock { $0 = acceptor }
  }

  /// Ends the listener and waits for the connections.
  func stop() {
    shutdown(fd, Int32(SHUT_RDWR))
    thread.withLock { $0?.join() }
    close(fd)
    open.withLock { $0 }.forEach { $0.join() }
  }
}

enum Rig {
  /// A listening socket on a free port of loopback.
  static func listen() throws -> (Int32, UInt16) {
    signal(SIGPIPE, SIG_IGN)
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = try KernelAddress(client(0x7f00_0001, port: 0))
    try #require(Socket.bind(fd, &address.raw) == 0)
    #expect(Socket.listen(fd, backlog: 1024) == 0)
    return (fd, Socket.localEndpoint(fd).port)
  }

  /// A port that nobody listens on.
  static func freePort() throws -> UInt16 {
    let (fd, port) = try listen()
    close(fd)
    return port
  }

  /// Polls until the condition holds; false after `seconds`.
  static func eventually(_ seconds: Double = 15, _ condition: () -> Bool) -> Bool {
    let end = Clock.monotonic_us() + Int64(seconds * 1_000_000)
    while !condition() {
      if Clock.monotonic_us() > end { return false }
      usleep(500)
    }
    return true
  }

  /// Runs `count` threads of `body` and waits for them.
  static func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    let threads = try (0..<count).map { number in
      try System.startThread(named: "client") { body(number) }
    }
    threads.forEach { $0.join() }
  }

  /// A frontend `in` on `port` and a backend `out` with a server per port.
  static func configuration(
    port: UInt16, servers: [UInt16], _ change: (inout Frontend, inout Backend) -> Void = { _, _ in }
  ) -> ProxyConfiguration {
    var frontend = Frontend(name: "in")
    frontend.binds = [Bind(addresses: [.ip(.v4(0x7f00_0001), port: port)])]
    frontend.defaultBackend = "out"
    var backend = Backend(name: "out")
    backend.timeoutConnect = .seconds(5)
    backend.servers = servers.enumerated().map { index, port in
      Server(name: "s\(index)", host: .ip(.v4(0x7f00_0001)), port: .fixed(port))
    }
    change(&frontend, &backend)
    return ProxyConfiguration(frontends: [frontend], backends: [backend])
  }

  static func addresses(_ configuration: ProxyConfiguration) -> [ServerReference: SocketAddress] {
    var result: [ServerReference: SocketAddress] = [:]
    for backend in configuration.backends {
      for server in backend.servers {
        guard case .ip(let ip) = server.host, case .fixed(let port) = server.port else { continue }
        result[ServerReference(backend: backend.name, server: server.name)] = .ip(ip, port: port)
      }
    }
    return result
  }

  /// Descriptors of this process that are TCP sockets with one of these ports, and pipes of the
  /// size that only the relay asks for.
  static func leaks(ports: Set<UInt16>) -> [String] {
    var inodes: [String: String] = [:]
    for line in read("/proc/self/net/tcp").split(separator: "\n").dropFirst() {
      let words = line.split(separator: " ")
      guard words.count > 9 else { continue }
      let used = [words[1], words[2]].compactMap { UInt16($0.suffix(4), radix: 16) }
      if used.contains(where: ports.contains) { inodes["socket:[\(words[9])]"] = String(line) }
    }
    var found: [String] = []
    for fd in Int32(0)..<4096 {
      var buffer = [CChar](repeating: 0, count: 256)
      let count = readlink("/proc/self/fd/\(fd)", &buffer, 255)
      guard count > 0 else { continue }
      let name = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if let line = inodes[name] { found.append("\(fd): \(line)") }
      if name.hasPrefix("pipe:"), fcntl(fd, F_GETPIPE_SZ_) == Int32(Limits.pipe_bytes) {
        found.append("\(fd): a pipe")
      }
    }
    return found
  }

  private static let F_GETPIPE_SZ_: Int32 = 1032

  private static func read(_ path: String) -> String {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return "" }
    defer { close(fd) }
    var bytes: [UInt8] = []
    while let more = readSome(fd), !more.isEmpty { bytes += more }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func readSome(_ fd: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = Glibc.read(fd, &buffer, buffer.count)
    return count < 0 ? nil : Array(buffer[..<count])
  }
}

/// An engine that serves a configuration, and what must be true when it is done.
final class Balancer {
  let engine: ProxyEngine
  let port: UInt16
  private var ports: Set<UInt16>

  init(
    servers: [UInt16], workers: Int = 2, pipes: Int = 64, capacity: Int = 2000,
    _ change: (inout Frontend, inout Backend) -> Void = { _, _ in }
  ) throws {
    port = try Rig.freePort()
    ports = Set(servers + [port])
    engine = try ProxyEngine(
      EngineOptions(workers: workers, sessionCapacity: capacity, pipesPerWorker: pipes))
    try apply(Rig.configuration(port: port, servers: servers, change))
  }

  func apply(_ configuration: ProxyConfiguration) throws {
    try engine.apply(configuration, addresses: Rig.addresses(configuration)) { _ in
      AccessLogBinding(profile: 0)
    }
  }

  var open: Int { engine.process.sessions.load(ordering: .sequentiallyConsistent) }
  var backend: BackendRuntime { engine.backend("out")! }
  func server(_ index: Int) -> ServerRuntime {
    engine.server(ServerReference(backend: "out", server: "s\(index)"))!
  }

  func records() -> [SessionRecord] {
    var all: [SessionRecord] = []
    for ring in engine.rings { while let record = ring.pop() { all.append(record) } }
    return all
  }

  /// Waits for the last session, then checks that every counter is back at zero, stops the
  /// workers and looks for what they left behind.
  func finish(_ backsides: Backside..., location: SourceLocation = #_sourceLocation) {
    #expect(Rig.eventually { open == 0 }, "\(open) sessions left", sourceLocation: location)
    #expect(
      Rig.eventually(2) {
        engine.frontend("in")!.sessions.load(ordering: .relaxed) == 0
          && backend.sessions.load(ordering: .relaxed) == 0 && backend.queued == 0
          && backsides.indices.allSatisfy {
            server($0).sessions.load(ordering: .relaxed) == 0 && server($0).queued == 0
          }
      }, "counters are back at zero", sourceLocation: location)
    backsides.forEach { $0.stop() }
    engine.stop()
    let leaks = Rig.leaks(ports: ports)
    #expect(leaks.isEmpty, "\(leaks.joined(separator: "\n"))", sourceLocation: location)
  }
}
