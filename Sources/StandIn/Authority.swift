// Certificates made at start: one authority, and a certificate for every server it is asked for.
// Nothing is written to a file; the keys live as long as the process.

import Crypto
import NIOSSL
import X509

/// A certificate authority of its own for one set of stand-in servers.
public struct Authority: Sendable {
  /// What certificates are valid for beyond now, before and after, seconds.
  private static let validSeconds: (before: Double, after: Double) = (3600, 7 * 86400)

  private let key = P256.Signing.PrivateKey()
  private let name: DistinguishedName
  private let certificate: Certificate

  /// Makes a key and signs itself.
  public init() throws {
    name = try DistinguishedName { CommonName("fairlead stand-in authority") }
    certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
      notValidBefore: .init(timeIntervalSinceNow: -Self.validSeconds.before),
      notValidAfter: .init(timeIntervalSinceNow: Self.validSeconds.after),
      issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(keyCertSign: true, cRLSign: true))
      },
      issuerPrivateKey: .init(key))
  }

  /// The authority's certificate, for clients that verify.
  public var pem: String {
    get throws { try certificate.serializeAsPEM().pemString }
  }

  /// TLS settings of a client that trusts this authority and nothing else.
  public func clientConfiguration() throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    let bytes = Array(try pem.utf8)
    configuration.trustRoots = .certificates([try NIOSSLCertificate(bytes: bytes, format: .pem)])
    configuration.applicationProtocols = ["http/1.1"]
    return configuration
  }

  /// TLS settings of a server called `name`; its certificate is good for that name, for
  /// `localhost` and for 127.0.0.1.
  public func serverConfiguration(for server: String) throws -> TLSConfiguration {
    let serverKey = P256.Signing.PrivateKey()
    let issued = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(),
      publicKey: .init(serverKey.publicKey),
      notValidBefore: .init(timeIntervalSinceNow: -Self.validSeconds.before),
      notValidAfter: .init(timeIntervalSinceNow: Self.validSeconds.after),
      issuer: name, subject: try DistinguishedName { CommonName(server) },
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames([
          .dnsName(server), .dnsName("localhost"),
          .ipAddress(.init(contentBytes: [127, 0, 0, 1])),
        ])
      },
      issuerPrivateKey: .init(key))
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
