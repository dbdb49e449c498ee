// Who may do what. Decides on values only: the server fills them in from a request.

import Configuration

/// What a request wants.
enum RequestKind: Equatable, Sendable {
  /// The page itself, which says nothing of this daemon.
  case page
  /// Whether the daemon serves: asked by programs that know no token.
  case health
  case read
  case write
}

/// Why a request is not answered.
enum AccessRefusal: Equatable, Sendable {
  /// Another name in `Host` than this machine's loopback: a foreign page whose name was made to
  /// point here (DNS rebinding).
  case foreignHost
  /// The token is missing or wrong.
  case tokenNeeded
  /// Nothing can be changed without a token in the configuration.
  case readOnly
  /// A page of another site sent it.
  case crossSite
  case contentType

  var words: String {
    switch self {
    case .foreignHost: "the Host header must name this machine, for example localhost"
    case .tokenNeeded: "a token is needed: Authorization: Bearer TOKEN"
    case .readOnly: "nothing can be changed over HTTP: no token is configured"
    case .crossSite: "requests of other sites change nothing"
    case .contentType: "the body, if any, must be application/json"
    }
  }
}

/// What of a request decides.
struct AccessRequest: Equatable, Sendable {
  var kind: RequestKind
  /// The host that was asked for, with or without a port.
  var authority: String?
  var authorization: String?
  var origin: String?
  var fetchSite: String?
  var contentType: String?
}

struct Access: Equatable, Sendable {
  private let token: [UInt8]?
  private let readsNeedToken: Bool
  private let isLoopback: Bool

  init(_ settings: HTTPSettings) {
    token = settings.token.map { Array($0.utf8) }
    readsNeedToken = settings.readsNeedToken
    isLoopback = settings.isLoopback
  }

  /// Somebody can change something.
  var allowsWrites: Bool { token != nil }

  /// nil: go ahead.
  func refusal(of request: AccessRequest) -> AccessRefusal? {
    // Where a token is asked for, a foreign page cannot know it. Elsewhere being on this machine
    // is the only proof, and a browser is on this machine as well.
    if isLoopback, !readsNeedToken, request.kind != .health, !Access.isLocal(request.authority) {
      return .foreignHost
    }
    switch request.kind {
    case .page, .health: return nil
    case .read: return readsNeedToken && !hasToken(request) ? .tokenNeeded : nil
    case .write:
      guard token != nil else { return .readOnly }
      guard hasToken(request) else { return .tokenNeeded }
      if let site = request.fetchSite, site != "same-origin", site != "none" { return .crossSite }
      if let origin = request.origin, Access.authority(of: origin) != request.authority {
        return .crossSite
      }
      if let type = request.contentType,
        type.lowercased().prefix(while: { $0 != ";" }) != "application/json"
      {
        return .contentType
      }
      return nil
    }
  }

  /// Takes as long for a wrong token as for the right one.
  private func hasToken(_ request: AccessRequest) -> Bool {
    guard let token, let text = request.authorization else { return false }
    let scheme = "bearer "
    guard text.prefix(scheme.count).lowercased() == scheme else { return false }
    return Access.equal(Array(text.utf8.dropFirst(scheme.utf8.count)), token)
  }

  static func equal(_ offered: [UInt8], _ token: [UInt8]) -> Bool {
    var difference = offered.count ^ token.count
    for index in token.indices {
      let byte = index < offered.count ? offered[index] : 0
      difference |= Int(byte ^ token[index])
    }
    return difference == 0
  }

  /// `localhost`, an address of 127.0.0.0/8 or ::1, with or without a port.
  static func isLocal(_ authority: String?) -> Bool {
    guard let authority else { return false }
    var host = authority.lowercased()
    if host.hasPrefix("[") {
      host = String(host.dropFirst().prefix { $0 != "]" })
      return IPAddress(host) == .v6(high: 0, low: 1)
    }
    host = String(host.prefix { $0 != ":" })
    if host == "localhost" || host.hasSuffix(".localhost") { return true }
    if case .v4(let address)? = IPAddress(host) { return address >> 24 == 127 }
    return false
  }

  private static func authority(of origin: String) -> String? {
    for scheme in ["http://", "https://"] where origin.hasPrefix(scheme) {
      return String(origin.dropFirst(scheme.count))
    }
    return nil
  }
}
