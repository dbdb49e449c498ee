// Asks servers: connection, TLS with whatever certificate there is, one `GET /readyz`, and the
// configured check.

import Configuration
import Health
import NIOCore
import NIOPosix
import NIOSSL
import Resolution

struct ServerProbe: Sendable {
  let server: Server
  let backend: Backend
  let carriesAPI: Bool
  /// Sent as TLS server name and Host header.
  let name: String?
  let group: any EventLoopGroup

  /// All servers of the running backends.
  static func all(in subject: Subject, group: any EventLoopGroup) -> [ServerProbe] {
    subject.backends.flatMap { backend in
      let carriesAPI = subject.carriesAPI(backend)
      return backend.servers.filter { !$0.isDisabled }.map {
        ServerProbe(
          server: $0, backend: backend, carriesAPI: carriesAPI,
          name: subject.names.first { IPAddress($0) == nil }, group: group)
      }
    }
  }

  func examine() async -> ServerFacts {
    let reference = ServerReference(backend: backend.name, server: server.name)
    var address = server.numericAddress
    if case .name(let host) = server.host {
      guard let found = await NameProbe.addresses(of: host).first else {
        return ServerFacts(
          reference, address: host, carriesAPI: carriesAPI, connection: .unresolved(host))
      }
      address = .ip(found, port: port)
    }
    guard let address, let endpoint = address.endpoint else {
      return ServerFacts(
        reference, address: address.map { "\($0)" } ?? "the client's own destination",
        carriesAPI: false, connection: .established(milliseconds: 0))
    }
    // A server that wants a PROXY header first would take our hello for a broken one.
    let asksAPI = carriesAPI && server.sendProxy == nil
    async let checked = check(at: address)
    let talk = await Talk.hold(
      with: endpoint, from: (server.source ?? backend.source)?.address?.endpoint, asksAPI: asksAPI,
      name: name, group: group)
    var facts = ServerFacts(
      reference, address: "\(address)", carriesAPI: asksAPI,
      connection: talk.connected_ms.map { .established(milliseconds: $0) }
        ?? .failed(talk.problem ?? "no answer"))
    facts.tlsProblem = talk.tlsProblem
    facts.certificate = talk.certificate
    facts.readiness = talk.readiness
    facts.clock = talk.clock
    facts.check = await checked
    return facts
  }

  private var port: UInt16 {
    if case .fixed(let port) = server.port { port } else { 0 }
  }

  private func check(at address: Configuration.SocketAddress) async -> CheckWords? {
    guard server.check != nil, server.track == nil else { return nil }
    let target = CheckTarget(server: server, backend: backend, address: address)
    let report: CheckReport
    do {
      guard
        let found = try await target.carryOutOnce(
          on: group.next(), limit: .milliseconds(Limits.check_ms))
      else { return nil }
      report = found
    } catch {
      return CheckWords(hasPassed: false, words: "\(error)")
    }
    var words = report.status.description
    if let code = report.code { words += ", status \(code)" }
    if let info = report.info, !info.isEmpty { words += " (\(info))" }
    return CheckWords(hasPassed: report.status.result != .failed, words: words)
  }
}

extension CertificateFacts {
  init(_ certificate: NIOSSLCertificate) {
    self.init(
      names: [], addresses: [], validFrom: Int64(certificate.notValidBefore),
      validUntil: Int64(certificate.notValidAfter))
    for alternative in certificate._subjectAlternativeNames() {
      let bytes = Array(alternative.contents)
      switch alternative.nameType {
      case .dnsName: names.append(Printable.text(bytes))
      case .ipAddress: if let address = IPAddress(octets: bytes) { addresses.append(address) }
      default: break
      }
    }
  }
}

extension IPAddress {
  /// Four or sixteen bytes in network order.
  init?(octets bytes: [UInt8]) {
    func number(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
    switch bytes.count {
    case 4: self = .v4(UInt32(truncatingIfNeeded: number(bytes[...])))
    case 16: self = .v6(high: number(bytes[..<8]), low: number(bytes[8...]))
    default: return nil
    }
  }
}

/// What comes from the network and goes to a terminal.
enum Printable {
  /// Printable ASCII, others as `?`; at most 253 bytes, the longest name (RFC 1035).
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    String(
      decoding: bytes.prefix(253).map { (33...126).contains($0) ? $0 : UInt8(ascii: "?") },
      as: UTF8.self)
  }
}
