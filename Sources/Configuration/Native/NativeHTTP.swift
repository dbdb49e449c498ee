// `http`: where the dashboard and the metrics are, and who may see them.

/// What the file says of HTTP.
public enum NativeHTTP: Equatable, Sendable {
  /// Nothing: on, at the usual place.
  case usual
  /// `http: none`.
  case none
  case settings(HTTPSettings)

  /// nil: no HTTP.
  public var settings: HTTPSettings? {
    switch self {
    case .usual: HTTPSettings()
    case .none: nil
    case .settings(let settings): settings
    }
  }

  static func read(_ reader: NativeReader, _ value: NativeValue) -> NativeHTTP {
    if value.text == "none" { return .none }
    var settings = HTTPSettings()
    if value.text != nil {
      keys[0].read(reader, value, &settings)
    } else {
      reader.read(value, into: &settings, with: keys)
    }
    if let problem = settings.problem, !reader.hasErrors { reader.report(at: value, problem) }
    return .settings(settings)
  }

  var output: NativeOutput? {
    switch self {
    case .usual: return nil
    case .none: return .scalar("none")
    case .settings(let settings):
      let said = NativePrinter.pairs(settings, HTTPSettings(), NativeHTTP.keys)
      return said.isEmpty ? nil : .map(said)
    }
  }

  static var keys: [NativeKey<HTTPSettings>] {
    [
      NativeKey(
        "listen", \.address, read: { NativeAddress.listening($0, $1) },
        print: { $0.map { .scalar($0.description) } }),
      .flag("public", \.isPublic),
      NativeKey("token", \.token, read: readToken, print: { $0.map { .scalar($0) } }),
      NativeKey("tls", \.tls, read: readTLS, print: printTLS),
    ]
  }

  static var tlsKeys: [NativeKey<HTTPSettings>] {
    [.word("certificate", \.certificate), .word("key", \.key)]
  }

  /// The token itself is never part of a message.
  private static func readToken(_ reader: NativeReader, _ value: NativeValue) -> String? {
    if let text = value.text, HTTPSettings.isToken(text) { return text }
    let place = NativeValue(node: value.node, path: value.path)
    let length = HTTPSettings.tokenLength
    reader.report(
      at: place,
      "a token is \(length.lowerBound) to \(length.upperBound) letters, digits and signs without "
        + "blanks; 'openssl rand -hex 24' makes one")
    return nil
  }

  private static func readTLS(_ reader: NativeReader, _ value: NativeValue) -> HTTPSettings.TLS? {
    var settings = HTTPSettings()
    reader.read(value, into: &settings, with: tlsKeys)
    return settings.tls
  }

  private static func printTLS(_ tls: HTTPSettings.TLS) -> NativeOutput? {
    var settings = HTTPSettings()
    settings.tls = tls
    let said = tlsKeys.compactMap { key in key.print(settings).map { (key.name, $0) } }
    return said.isEmpty ? nil : .map(said)
  }
}

extension HTTPSettings {
  /// Both paths as one value.
  struct TLS: Equatable {
    var certificate: String?
    var key: String?
  }
  var tls: TLS {
    get { TLS(certificate: certificate, key: key) }
    set { (certificate, key) = (newValue.certificate, newValue.key) }
  }
}
