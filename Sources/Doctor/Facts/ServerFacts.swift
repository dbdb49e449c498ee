// What one server showed of itself.

import Configuration

public struct ServerFacts: Equatable, Sendable {
  public enum Connection: Equatable, Sendable {
    /// Its name has no address.
    case unresolved(String)
    /// Why there was none, in the system's words.
    case failed(String)
    case established(milliseconds: Int64)
  }

  /// The answer to `GET /readyz`.
  public enum Readiness: Equatable, Sendable {
    case status(Int, milliseconds: Int64)
    /// No whole answer: why.
    case none(String)
  }

  public var reference: ServerReference
  /// `10.0.0.11:6443`
  public var address: String
  public var carriesAPI: Bool
  public var connection: Connection
  /// Why the TLS handshake failed; nil when it succeeded or was not tried.
  public var tlsProblem: String?
  public var certificate: CertificateFacts?
  public var readiness: Readiness?
  public var clock: ClockFacts?
  /// The configured check, carried out once.
  public var check: CheckWords?

  public init(
    _ reference: ServerReference, address: String, carriesAPI: Bool, connection: Connection
  ) {
    self.reference = reference
    self.address = address
    self.carriesAPI = carriesAPI
    self.connection = connection
  }

  var name: String { "\(reference.backend)/\(reference.server)" }
  var isConnected: Bool { if case .established = connection { true } else { false } }
}

/// A configured check's result in words.
public struct CheckWords: Equatable, Sendable {
  public var hasPassed: Bool
  public var words: String
  public init(hasPassed: Bool, words: String) {
    self.hasPassed = hasPassed
    self.words = words
  }
}

/// A server's certificate, as far as clients look at it.
public struct CertificateFacts: Equatable, Sendable {
  /// DNS names among its subject alternative names.
  public var names: [String]
  public var addresses: [IPAddress]
  /// Seconds since 1970.
  public var validFrom: Int64
  public var validUntil: Int64
  /// What its DNS names resolve to here, as far as they were looked up.
  public var resolved: [String: [IPAddress]] = [:]

  public init(names: [String], addresses: [IPAddress], validFrom: Int64, validUntil: Int64) {
    self.names = names
    self.addresses = addresses
    self.validFrom = validFrom
    self.validUntil = validUntil
  }
}

/// A server's clock beside ours, seconds since 1970.
public struct ClockFacts: Equatable, Sendable {
  /// Of its Date header, which counts whole seconds.
  public var date: Double
  /// Ours before the request was sent and after the answer came.
  public var sent: Double
  public var received: Double
  public init(date: Double, sent: Double, received: Double) {
    self.date = date
    self.sent = sent
    self.received = received
  }

  /// How far the server is ahead of us, the smallest that explains what was seen; 0 when the
  /// clocks may agree.
  var offset_s: Double {
    // The server's clock read between `date` and a second later, somewhere in our interval.
    let least = date - received
    let most = date + 1 - sent
    if least > 0 { return least }
    return most < 0 ? most : 0
  }
}
