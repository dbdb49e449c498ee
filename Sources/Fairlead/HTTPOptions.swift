// What the command line says of HTTP, and what comes of it together with the file.

import Configuration
import Glibc

struct HTTPOptions: Equatable, Sendable {
  enum Place: Equatable, Sendable {
    /// As the native file says; haproxy.cfg and keepalived.conf say nothing, so that there is none.
    case asConfigured
    case none
    case address(SocketAddress)
  }
  var place = Place.asConfigured
  /// Holds the token, and goes before the native file's.
  var tokenFile: String?

  /// Why HTTP cannot be as asked for.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  /// What to serve; nil: nothing. Throws Problem.
  func settings(_ configured: HTTPSettings?) throws(Problem) -> HTTPSettings? {
    var settings: HTTPSettings
    switch place {
    case .none: return nil
    case .asConfigured:
      guard let configured else { return nil }
      settings = configured
    case .address(let address):
      settings = configured ?? HTTPSettings()
      settings.address = address
    }
    if let tokenFile { settings.token = try HTTPOptions.token(tokenFile) }
    if let problem = settings.problem {
      throw Problem(description: "http: \(problem) (--http-token-file, or in the native file)")
    }
    return settings
  }

  /// The first line of the file.
  private static func token(_ path: String) throws(Problem) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      throw Problem(description: "token file \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: HTTPSettings.tokenLength.upperBound + 2)
    let count = read(file, &bytes, bytes.count)
    let line = bytes.prefix(max(0, count)).prefix { $0 != 10 && $0 != 13 }
    let text = String(decoding: line, as: UTF8.self)
    guard HTTPSettings.isToken(text) else {
      let length = HTTPSettings.tokenLength
      throw Problem(
        description: "token file \(path): its first line must be a token of \(length.lowerBound)"
          + " to \(length.upperBound) letters, digits and signs")
    }
    return text
  }
}
