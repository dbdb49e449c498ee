// Certificates made at start: an authority, and a certificate for every server it is asked for.
// Servers' keys live as long as the process and are never written to a file.

import Crypto
import NIOSSL
import X509

/// A certificate authority: one of its own for one set of stand-in servers, or a given one.
public struct Authority: Sendable {
  /// What certificates are valid for beyond now, before and after, seconds.
  private static let validSeconds: (before: Double, after: Double) = (3600, 100 * 86400)

  private let key: Certificate.PrivateKey
  private let certificate: Certificate

  /// Makes a key and signs itself.
  public init() throws {
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    let name = try DistinguishedName { CommonName("fairlead stand-in authority") }
    certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
      notValidBefore: .init(timeIntervalSinceNow: -Self.validSeconds.before),
      notValidAfter: .init(timeIntervalSinceNow: Self.validSeconds.after),
      issuer: name, subject: name,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(keyCertSign: true, cRLSign: true))
      },
      issuerPrivateKey: key)
    self.key = key
  }

  /// A given authority, both parts in PEM.
  /// - Throws: when a part cannot be read, or the key is another certificate's.
  public init(certificate: String, key: String) throws {
    self.certificate = try Certificate(pemEncoded: certificate)
    self.key = try Certificate.PrivateKey(pemEncoded: key)
    guard self.key.publicKey == self.certificate.publicKey else {
      throw AuthorityError(reason: "the key does not belong to the certificate")
    }
  }

  /// The authority's certificate, for clients that verify.
  public var pem: String {
    get throws { try certificate.serializeAsPEM().pemString }
  }

  /// Its key: who has it can make certificates.
  var keyPEM: String {
    get throws { try key.serializeAsPEM().pemString }
  }

  /// TLS settings of a client that trusts this authority and nothing else.
  public func clientConfiguration() throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    let bytes = Array(try pem.utf8)
    configuration.trustRoots = .certificates([try NIOSSLCertificate(bytes: bytes, format: .pem)])
    configuration.applicationProtocols = ["http/1.1"]
    return configuration
  }

  /// TLS settings of a server called `server`, with a new key. Its certificate is good for that
  /// name, for `localhost`, for 127.0.0.1 and for `names`.
  public func serverConfiguration(
    for server: String, names: [SubjectName] = []
  ) throws -> TLSConfiguration {
    let serverKey = P256.Signing.PrivateKey()
    let own: [SubjectName] = [.dns(server), .dns("localhost"), .address([127, 0, 0, 1])]
    let issued = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(),
      publicKey: .init(serverKey.publicKey),
      notValidBefore: .init(timeIntervalSinceNow: -Self.validSeconds.before),
      notValidAfter: .init(timeIntervalSinceNow: Self.validSeconds.after),
      issuer: certificate.subject, subject: try DistinguishedName { CommonName(server) },
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames((own + names.filter { !own.contains($0) }).map(\.general))
      },
      issuerPrivateKey: key)
    let chain = try [issued, certificate].map { certificate in
      let bytes = Array(try certificate.serializeAsPEM().pemString.utf8)
      return NIOSSLCertificateSource.certificate(
        try NIOSSLCertificate(bytes: bytes, format: .pem))
    }
    let privateKey = try NIOSSLPrivateKey(
      bytes: Array(serverKey.pemRepresentation.utf8), format: .pem)
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain, privateKey: .privateKey(privateKey))
    configuration.applicationProtocols = ["http/1.1"]
    return configuration
  }
}

/// Why an authority cannot be used.
public struct AuthorityError: Error, CustomStringConvertible {
  let reason: String
  public var description: String { reason }
}
