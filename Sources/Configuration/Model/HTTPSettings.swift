// What the daemon serves over HTTP: the dashboard, metrics and a few commands. Where, and to whom.

/// Settings of the HTTP server, already checked: who listens beyond loopback has a token or has
/// said that everybody may read.
public struct HTTPSettings: Equatable, Sendable {
  /// Where to listen; nil: `usualAddress`, if that can be had.
  public var address: SocketAddress?
  /// Reading needs no token.
  public var isPublic = false
  /// What clients send as `Authorization: Bearer`; nil: nothing can be changed over HTTP.
  public var token: String?
  /// Paths of PEM files; both or none.
  public var certificate: String?
  public var key: String?

  public init() {}

  /// 127.0.0.1:9600.
  public static let usualAddress = SocketAddress.ip(.v4(0x7f00_0001), port: 9600)
  /// Bytes of a token. Shorter ones could be guessed.
  public static let tokenLength = 16...512

  public var effectiveAddress: SocketAddress { address ?? HTTPSettings.usualAddress }
  /// Only this machine can connect.
  public var isLoopback: Bool {
    switch effectiveAddress {
    case .ip(.v4(let address), _): address >> 24 == 127
    case .ip(.v6(let high, let low), _): high == 0 && low == 1
    default: false
    }
  }
  /// Reading needs the token.
  public var readsNeedToken: Bool { token != nil && !isPublic }

  /// What is wrong with the settings as a whole; nil when nothing is.
  public var problem: String? {
    if !isLoopback, token == nil, !isPublic {
      return "\(effectiveAddress) can be reached from other machines: give a token, or say that "
        + "everybody may read (public)"
    }
    if (certificate == nil) != (key == nil) {
      return "TLS needs a certificate and its key"
    }
    return nil
  }

  /// Visible ASCII of a good length.
  public static func isToken(_ text: String) -> Bool {
    tokenLength.contains(text.utf8.count) && text.utf8.allSatisfy { (33...126).contains($0) }
  }
}
