// Probes against real servers on loopback.

import Configuration
import Glibc
import NIOCore
import NIOSSL
import Testing

@testable import Health

/// Runs one probe of a server with this check.
func probe(
  _ address: Configuration.SocketAddress?, _ method: CheckMethod = .connect,
  interval: Duration = .seconds(20), timeoutCheck: Duration? = nil,
  timeoutConnect: Duration? = nil, source: SourceAddress? = nil,
  configure: (inout ServerCheck) -> Void = { _ in }
) async throws -> CheckReport {
  var check = ServerCheck()
  check.interval = interval
  configure(&check)
  var server = Server(name: "s", host: .ip(.v4(0x7f00_0001)), port: .fixed(1))
  server.check = check
  var backend = Backend(name: "b")
  backend.check = method
  backend.timeoutCheck = timeoutCheck
  backend.timeoutConnect = timeoutConnect
  backend.source = source
  let target = CheckTarget(server: server, backend: backend, address: address)
  var contexts = TLSContexts()
  let probeTarget = try #require(try target.makeProbeTarget(contexts: &contexts))
  let loop = group.next()
  let promise = loop.makePromise(of: CheckReport.self)
  loop.execute {
    Probe(probeTarget, on: loop, wasDown: false, serverState: nil) { promise.succeed($1) }.start()
  }
  return try await promise.futureResult.get()
}

private func tls(
  _ certificates: Certificates, ca: String? = nil
) -> CheckTLS {
  CheckTLS(verify: ca != nil, caFile: ca.map { certificates.path($0) })
}

@Suite(.timeLimit(.minutes(2))) struct ProbeTests {
  @Test func connects() async throws {
    let server = try await LoopbackServer.start(.silent)
    #expect(try await probe(server.address).status == .layer4OK)
    #expect(server.received.use { $0.isEmpty })
    try await server.stop()
  }

  @Test func isRefused() async throws {
    let refused = RefusedPort()
    let report = try await probe(refused.address)
    #expect(report.status == .layer4ConnectionProblem)
    #expect(report.info == "Connection refused")
    let port = try await probe(.ip(.v4(0x7f00_0001), port: 1)) { $0.port = refused.port }
    #expect(port.status == .layer4ConnectionProblem)
    withExtendedLifetime(refused) {}
  }

  @Test func overridesAddressAndPort() async throws {
    let server = try await LoopbackServer.start(.silent)
    let report = try await probe(.ip(.v4(0x7f00_0002), port: 1)) {
      $0.port = server.port
      $0.address = .ip(.v4(0x7f00_0001))
    }
    #expect(report.status == .layer4OK)
    let missing = try await probe(nil)
    #expect(missing.status == .socketError)
    try await server.stop()
  }

  @Test func speaksToUnixSockets() async throws {
    let path = Certificates.shared.path("socket")
    let server = try await LoopbackServer.start(
      .reply(["+PONG\r\n"], closes: false), unixPath: path)
    let report = try await probe(.unix(path: path), .script([ping, expect(string("+PONG"))]))
    #expect(report.status == .layer7OK)
    try await server.stop()
    let gone = try await probe(.unix(path: path + "-not-there"))
    #expect(gone.status == .socketError)
    #expect(gone.info == "General socket error (No such file or directory)")
  }

  @Test func timesOut() async throws {
    let server = try await LoopbackServer.start(.silent)
    let whole = try await probe(
      server.address, http(.success), interval: .milliseconds(150))
    #expect(whole.status == .layer7Timeout)
    #expect(whole.duration >= .milliseconds(149))
    let read = try await probe(
      server.address, http(.success), timeoutCheck: .milliseconds(120),
      timeoutConnect: .seconds(9))
    #expect(read.status == .layer7Timeout)
    #expect(read.duration >= .milliseconds(119) && read.duration < .seconds(9))
    let handshake = try await probe(server.address, interval: .milliseconds(100)) {
      $0.tls = CheckTLS(verify: false)
    }
    #expect(handshake.status == .layer6Timeout)
    try await server.stop()
  }

  @Test func aFullBacklogTimesOutConnecting() async throws {
    // A listener with the smallest backlog that nobody accepts from, filled up.
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    var clients: [CInt] = []
    defer { for client in clients { close(client) } }
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(listener, $0, length)
        listen(listener, 0)
        getsockname(listener, $0, &length)
        for _ in 0..<4 {
          let client = socket(
            AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
          _ = connect(client, $0, length)
          clients.append(client)
        }
      }
    }
    let port = UInt16(bigEndian: address.sin_port)
    let report = try await probe(
      .ip(.v4(0x7f00_0001), port: port), timeoutCheck: .seconds(9),
      timeoutConnect: .milliseconds(150))
    #expect(report.status == .layer4Timeout)
    #expect(report.info == nil)
    #expect(report.duration >= .milliseconds(149))
  }

  @Test func playsTheRedisRoleScript() async throws {
    let server = try await LoopbackServer.start(
      .reply(["$87\r\n# Replication\r\nro", "le:mas", "ter\r\n"], closes: false))
    let script = CheckMethod.script([
      .connect(CheckConnect()), .send(CheckBytes(Array("info replication\r\n".utf8))),
      expect(string("role:master")), .send(CheckBytes(Array("QUIT\r\n".utf8))),
    ])
    let report = try await probe(server.address, script)
    #expect(report.status == .layer7OK)
    #expect(report.info == "(tcp-check)")
    let slave = try await probe(
      server.address,
      .script([ping, expect(string("role:slave"), negated: false)]),
      interval: .milliseconds(200))
    #expect(slave.status == .layer7Timeout)
    try await server.stop()
  }

  @Test func readsTheGreetingAndTheEnd() async throws {
    let server = try await LoopbackServer.start(.greet("220 hello\r\n"))
    #expect(
      try await probe(server.address, .script([expect(.regex("^220[ -]"))])).status == .layer7OK)
    try await server.stop()
    let closing = try await LoopbackServer.start(.close)
    let ended = try await probe(closing.address, .script([expect(string("220"))]))
    #expect(ended.status == .layer7InvalidResponse)
    #expect(ended.info == "TCPCHK got an empty response at step 1")
    try await closing.stop()
    let resetting = try await LoopbackServer.start(.reset)
    let reset = try await probe(resetting.address, .script([expect(string("220"))]))
    // A reset that overtakes the news of the connection counts as a failure to connect.
    if reset.status != .layer4ConnectionProblem {
      #expect(reset.status == .socketError)
      #expect(
        reset.info == "Connection reset by peer at step 1 of tcp-check (expect string '220')")
    }
    try await resetting.stop()
  }

  @Test func asksHTTP() async throws {
    let server = try await LoopbackServer.start(.reply([ok], closes: true))
    let report = try await probe(server.address, http(.success))
    #expect(report.status == .layer7OK)
    #expect(report.code == 200)
    #expect(server.received.use { $0 } == Array("OPTIONS / HTTP/1.0\r\n\r\n".utf8))
    try await server.stop()
    let broken = try await LoopbackServer.start(
      .reply(["HTTP/1.1 503 Service Un", "available\r\n\r\n"], closes: true))
    let wrong = try await probe(broken.address, http(.success))
    #expect(wrong.status == .layer7WrongStatus)
    #expect(wrong.code == 503)
    #expect(wrong.info == "Service Unavailable")
    try await broken.stop()
  }

  @Test func sendsTheProxyHeaderFirst() async throws {
    let server = try await LoopbackServer.start(.reply([ok], closes: true))
    _ = try await probe(server.address, http(.success)) { $0.sendProxy = .v2 }
    #expect(
      server.received.use { $0 }
        == [13, 10, 13, 10, 0, 13, 10] + Array("QUIT\n ".utf8) + [0, 0, 0]
        + Array("OPTIONS / HTTP/1.0\r\n\r\n".utf8))
    server.received.use { $0 = [] }
    _ = try await probe(server.address, http(.success)) { $0.sendProxy = .v1 }
    let text = String(decoding: server.received.use { $0 }, as: UTF8.self)
    #expect(text.hasPrefix("PROXY TCP4 127.0.0.1 127.0.0.1 "))
    #expect(text.contains(" \(server.port)\r\nOPTIONS / HTTP/1.0\r\n\r\n"))
    try await server.stop()
  }

  @Test func bindsTheSourceAddress() async throws {
    let server = try await LoopbackServer.start(.reply([ok], closes: true))
    let source = SourceAddress(address: .ip(.v4(0x7f00_0009), port: 0), interface: nil)
    _ = try await probe(server.address, http(.success), source: source) { $0.sendProxy = .v1 }
    let text = String(decoding: server.received.use { $0 }, as: UTF8.self)
    #expect(text.hasPrefix("PROXY TCP4 127.0.0.9 127.0.0.1 "))
    let foreign = SourceAddress(address: .ip(.v4(0xcb00_7101), port: 0), interface: nil)
    #expect(try await probe(server.address, source: foreign).status == .socketError)
    try await server.stop()
  }

  @Test func helloIsAnswered() async throws {
    let server = try await LoopbackServer.start(.silent, tls: try Certificates.shared.server())
    // A modern server refuses SSLv3 with an alert record, which counts as an answer.
    #expect(try await probe(server.address, .sslHello).status == .layer6OK)
    try await server.stop()
  }
}

@Suite(.timeLimit(.minutes(2))) struct TLSProbeTests {
  let certificates = Certificates.shared

  @Test(arguments: [TLSVersion.tlsv12, .tlsv13])
  func unverifiedSelfSignedServersWork(_ version: TLSVersion) async throws {
    let server = try await LoopbackServer.start(
      .reply([ok], closes: true), tls: try certificates.server(maximum: version))
    let settings = CheckTLS(verify: false)
    let handshake = try await probe(server.address) { $0.tls = settings }
    #expect(handshake.status == .layer6OK)
    #expect(handshake.info == nil)
    let report = try await probe(server.address, http(.success)) { $0.tls = settings }
    #expect(report.status == .layer7OK)
    #expect(report.code == 200)
    try await server.stop()
  }

  @Test func verificationNeedsTheRightAuthority() async throws {
    let server = try await LoopbackServer.start(
      .reply([ok], closes: true), tls: try certificates.server())
    let good = try await probe(server.address, http(.success)) {
      $0.tls = tls(certificates, ca: "localhost.crt")
    }
    #expect(good.status == .layer7OK)
    let unknown = try await probe(server.address, http(.success)) {
      $0.tls = tls(certificates, ca: "other.crt")
    }
    #expect(unknown.status == .layer6InvalidResponse)
    #expect(unknown.info == "SSL handshake failure")
    let system = try await probe(server.address) { $0.tls = CheckTLS(verify: true) }
    #expect(system.status == .layer6InvalidResponse)
    try await server.stop()
  }

  @Test func namesAreVerifiedWhenGiven() async throws {
    let server = try await LoopbackServer.start(
      .reply([ok], closes: true), tls: try certificates.server())
    var settings = tls(certificates, ca: "localhost.crt")
    settings.serverName = "localhost"
    #expect(try await probe(server.address) { $0.tls = settings }.status == .layer6OK)
    settings.verifyHost = "127.0.0.1"
    #expect(try await probe(server.address) { $0.tls = settings }.status == .layer6OK)
    settings.verifyHost = "foo.bar"
    let other = try await probe(server.address) { $0.tls = settings }
    #expect(other.status == .layer6InvalidResponse)
    #expect(
      other.info == "Server presented an SSL certificate different from the configured one")
    try await server.stop()
  }

  @Test func plainServersFailTheHandshake() async throws {
    for behaviour in [Behaviour.greet("hello plain\r\n"), .close] {
      let server = try await LoopbackServer.start(behaviour)
      let report = try await probe(server.address, .script([])) {
        $0.tls = CheckTLS(verify: false)
      }
      #expect(report.status == .layer6InvalidResponse)
      #expect(report.info == "SSL handshake failure at initial connection step of tcp-check")
      try await server.stop()
    }
  }

  @Test func presentsTheClientCertificate() async throws {
    let server = try await LoopbackServer.start(
      .reply([ok], closes: true), tls: try certificates.server(clientCA: "other.crt"))
    var settings = CheckTLS(verify: false)
    settings.certificateFile = certificates.path("other.pem")
    settings.alpn = ["http/1.1"]
    let report = try await probe(server.address, http(.success)) { $0.tls = settings }
    #expect(report.status == .layer7OK)
    settings.certificateFile = nil
    let without = try await probe(server.address, http(.success)) { $0.tls = settings }
    #expect(without.status != .layer7OK)
    try await server.stop()
  }

  @Test func kubeadmsConnectRuleSpeaksTLS() async throws {
    let server = try await LoopbackServer.start(
      .reply([ok], closes: true), tls: try certificates.server())
    var connect = CheckConnect()
    connect.tls = true
    var request = HTTPRequest()
    request.method = "GET"
    request.uri = "/healthz"
    let check = HTTPCheck(steps: [
      .connect(connect), .sendHTTP(request), .expectHTTP(HTTPExpect(.status([200...200]))),
    ])
    let report = try await probe(server.address, .http(check)) {
      $0.tls = tls(certificates, ca: "localhost.crt")
    }
    #expect(report.status == .layer7OK)
    #expect(server.received.use { $0 } == Array("GET /healthz HTTP/1.0\r\n\r\n".utf8))
    try await server.stop()
  }

  @Test func badFilesAreFoundAtLoadTime() {
    var settings = CheckTLS(verify: true, caFile: "/nowhere/ca.pem")
    #expect(throws: CheckTLSError.self) { try settings.validate() }
    settings = CheckTLS(verify: false)
    settings.certificateFile = certificates.path("localhost.crt")
    #expect(throws: CheckTLSError.self) { try settings.validate() }
  }
}
