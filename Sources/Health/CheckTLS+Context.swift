// TLS of checks: contexts are built once per distinct setting, when targets are given, because
// reading certificates is file I/O that has no place on an event loop.

import Configuration
import Glibc
import NIOCore
import NIOSSL

/// Why the TLS settings of a check cannot be used.
public struct CheckTLSError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file the error is about, if any.
  public var file: String?
  public var reason: String
  public var description: String { file.map { "\($0): \(reason)" } ?? reason }
}

/// A context and what must be compared after the handshake.
struct TLSClient: Sendable {
  var context: NIOSSLContext
  /// Sent as SNI.
  var serverName: String?
  /// The certificate must be for this name; nil = any that the authorities signed.
  var requiredName: String?
}

extension CheckTLS {
  /// Reads the certificates and keys, to find errors at load time. Does file I/O.
  public func validate() throws(CheckTLSError) { _ = try makeContext(alpn: alpn) }

  /// - Parameter connect: the rule whose own `sni` and `alpn` come first.
  func makeClient(
    for connect: CheckConnect?, contexts: inout TLSContexts
  ) throws(CheckTLSError) -> TLSClient {
    let ownProtocols = connect?.alpn ?? []
    let context = try contexts.context(self, alpn: ownProtocols.isEmpty ? alpn : ownProtocols)
    let name = connect?.serverName ?? serverName
    return TLSClient(
      context: context, serverName: name.flatMap { isAddress($0) ? nil : $0 },
      requiredName: verify ? verifyHost ?? name : nil)
  }

  fileprivate func makeContext(alpn: [String]) throws(CheckTLSError) -> NIOSSLContext {
    var settings = TLSConfiguration.makeClientConfiguration()
    // The name is checked after the handshake, because SNI and verifyhost may differ.
    settings.certificateVerification = verify ? .noHostnameVerification : .none
    if verify, let caFile, caFile != "@system-ca" { settings.trustRoots = .file(caFile) }
    settings.applicationProtocols = alpn
    if let certificateFile { try load(certificateFile, into: &settings) }
    do {
      return try NIOSSLContext(configuration: settings)
    } catch {
      throw CheckTLSError(file: caFile, reason: Self.words(error, "certificates"))
    }
  }

  private func load(
    _ file: String, into settings: inout TLSConfiguration
  ) throws(CheckTLSError) {
    do {
      settings.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
      settings.privateKey = .privateKey(try NIOSSLPrivateKey(file: file, format: .pem))
    } catch {
      throw CheckTLSError(file: file, reason: Self.words(error, "certificate and key"))
    }
  }

  /// What is wrong with a file, in a person's words.
  private static func words(_ error: any Error, _ wanted: String) -> String {
    switch error {
    case let error as IOError:
      return "cannot open: \(String(cString: strerror(error.errnoCode)))"
    case NIOSSLError.noSuchFilesystemObject: return "cannot open: No such file or directory"
    case NIOSSLError.failedToLoadCertificate, NIOSSLError.failedToLoadPrivateKey:
      return "no \(wanted) in PEM form in it"
    default: return "no \(wanted) in PEM form in it (\(error))"
    }
  }
}

/// SNI carries names only.
private func isAddress(_ name: String) -> Bool {
  (try? NIOCore.SocketAddress(ipAddress: name, port: 0)) != nil
}

/// Whether a certificate is for `name`: its DNS names, with a wildcard as the whole first label.
func certificate(_ certificate: NIOSSLCertificate, isFor name: String) -> Bool {
  let wanted = lowercased(Array(name.utf8)[...])
  for alternative in certificate._subjectAlternativeNames() {
    let pattern = lowercased(Array(alternative.contents)[...])
    switch alternative.nameType {
    case .dnsName: if hostname(wanted, matches: pattern) { return true }
    case .ipAddress: if addressBytes(name) == Array(alternative.contents) { return true }
    default: break
    }
  }
  return false
}

/// Both in lower case; a pattern may have `*` as its whole first label (RFC 6125, section 6.4.3).
package func hostname(_ name: [UInt8], matches pattern: [UInt8]) -> Bool {
  guard pattern.starts(with: "*.".utf8) else { return name == pattern }
  guard let dot = name.firstIndex(of: UInt8(ascii: ".")), dot > 0 else { return false }
  return name[dot...] == pattern[1...]
}

private func addressBytes(_ text: String) -> [UInt8]? {
  switch try? NIOCore.SocketAddress(ipAddress: text, port: 0).ip?.address {
  case .v4(let number): withUnsafeBytes(of: number.bigEndian) { Array($0) }
  case .v6(let high, let low):
    withUnsafeBytes(of: high.bigEndian) { Array($0) }
      + withUnsafeBytes(of: low.bigEndian) { Array($0) }
  case nil: nil
  }
}

/// Contexts by what they are made of, so that 500 servers of one backend share one.
struct TLSContexts {
  private struct Key: Hashable {
    var verify: Bool
    var caFile: String?
    var certificateFile: String?
    var alpn: [String]
  }
  private var contexts: [Key: NIOSSLContext] = [:]

  mutating func context(
    _ settings: CheckTLS, alpn: [String]
  ) throws(CheckTLSError) -> NIOSSLContext {
    let key = Key(
      verify: settings.verify, caFile: settings.caFile,
      certificateFile: settings.certificateFile, alpn: alpn)
    if let known = contexts[key] { return known }
    let context = try settings.makeContext(alpn: alpn)
    contexts[key] = context
    return context
  }
}
