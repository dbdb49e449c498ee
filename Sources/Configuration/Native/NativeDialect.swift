// The entrance to the native file: text in, this node's part of it and diagnostics out, and back.

import Yams

/// `fairlead.yaml`: one file for all nodes, from which each finds its own part.
public enum NativeDialect {
  /// Parses one native file. Never traps; both halves are nil when a diagnostic is an error. More
  /// than one file is an error, since their parts would have no order.
  public static func parse(
    files: [(path: String, bytes: [UInt8])], options: NativeOptions
  ) -> NativeParseResult {
    guard let file = files.first else {
      return NativeParseResult(
        diagnostics: [Diagnostic(.error, file: "", line: 0, column: 0, message: "no file")])
    }
    if files.count > 1 {
      return NativeParseResult(
        diagnostics: files.dropFirst().map {
          Diagnostic(
            .error, file: $0.path, line: 0, column: 0,
            message: "a second native file: \(file.path) already describes everything")
        })
    }
    // A byte order mark, as some editors write it.
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    let bytes = file.bytes.starts(with: mark) ? Array(file.bytes.dropFirst(3)) : file.bytes
    let text = String(decoding: bytes, as: UTF8.self)
    let reader = NativeReader(file: file.path, text: text)
    guard let root = NativeText.compose(bytes, text, reader) else {
      return NativeParseResult(diagnostics: reader.diagnostics)
    }
    let parser = NativeParser(reader: reader)
    let document = parser.read(root)
    var result = NativeParseResult(diagnostics: [])
    if !reader.hasErrors {
      let assembly = NativeAssembly(reader: reader, document: document, options: options)
      let failover = assembly.failover()
      let everyNode = assembly.everyNode()
      if !reader.hasErrors {
        result.proxy = document.proxy
        result.failover = failover
        result.everyNode = everyNode
        result.http = document.http.settings
        result.node = assembly.node?.name
        result.document = document
      }
    }
    // In the order of the file, whatever was read first.
    result.diagnostics = reader.diagnostics.enumerated().sorted {
      ($0.element.line, $0.element.column, $0.offset)
        < ($1.element.line, $1.element.column, $1.offset)
    }.map(\.element)
    return result
  }

  /// YAML text that parses to an equal document; values that are defaults are left out.
  public static func print(_ document: NativeDocument) -> String {
    NativePrinter.output(document).block()
  }

  /// Where to listen, as a native file writes it: `127.0.0.1:9600`, `"[::]:9600"`, `9600`.
  public static func listeningAddress(_ text: String) -> SocketAddress? {
    NativeAddress.listening(text)
  }

  /// Whether the text looks like a native file: its first line that is no comment is one of its
  /// top-level keys with a colon, or a YAML document marker.
  public static func recognises(_ bytes: [UInt8]) -> Bool {
    for line in bytes.prefix(1 << 20).split(whereSeparator: { $0 == 10 || $0 == 13 }) {
      var words = line
      // A byte order mark, as some editors write it.
      if words.starts(with: [0xef, 0xbb, 0xbf]) { words = words.dropFirst(3) }
      guard let first = words.first(where: { $0 != 32 && $0 != 9 }) else { continue }
      if first == UInt8(ascii: "#") || first == UInt8(ascii: "%") { continue }
      if words.starts(with: Array("---".utf8)) { return true }
      let key = words.prefix { $0 != UInt8(ascii: ":") }
      guard key.count < words.count, words.first != 32 else { return false }
      let text = String(decoding: key, as: UTF8.self)
      // A misspelt key is recognised too: it deserves its diagnostic.
      return NativeParser.keys.contains(text)
        || Spelling.nearest(to: text, among: NativeParser.keys) != nil
    }
    return false
  }
}

/// What the machine says of itself.
public struct NativeOptions: Sendable {
  /// An address of an interface of this machine.
  public struct LocalAddress: Equatable, Sendable {
    public var interface: String
    public var address: IPAddress
    public var prefixLength: UInt8
    public init(interface: String, address: IPAddress, prefixLength: UInt8) {
      self.interface = interface
      self.address = address
      self.prefixLength = prefixLength
    }
  }
  public var hostName: String
  public var addresses: [LocalAddress]
  /// `--node`: goes before the host name and the addresses.
  public var node: String?
  /// Nothing is to run from the result: what only the nodes themselves can know is no error.
  public var isOnlyChecked: Bool
  public init(
    hostName: String, addresses: [LocalAddress] = [], node: String? = nil,
    isOnlyChecked: Bool = false
  ) {
    self.hostName = hostName
    self.addresses = addresses
    self.node = node
    self.isOnlyChecked = isOnlyChecked
  }
}

/// A parsed native file.
public struct NativeParseResult: Sendable {
  /// nil without `frontends` and with errors.
  public var proxy: ProxyConfiguration?
  /// nil without `virtualAddresses` and with errors. Holds the routers of this node only.
  public var failover: FailoverConfiguration?
  /// nil: no HTTP; also with errors.
  public var http: HTTPSettings?
  /// Each node's `failover`, in file order, when only a check was asked for and this machine is
  /// none of them; their interfaces may then be words such as `interface-of-lb-1`.
  public var everyNode: [(node: String, failover: FailoverConfiguration)] = []
  /// Which of the file's nodes this machine is; nil when the file has none.
  public var node: String?
  public var diagnostics: [Diagnostic]
  /// What the file says for all nodes; nil with errors.
  public var document: NativeDocument?

  public init(diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
}

/// The whole file, not yet one node's view of it.
public struct NativeDocument: Equatable, Sendable {
  public var nodes: [NativeNode] = []
  public var virtualAddresses: [NativeVirtualAddress] = []
  /// Virtual addresses, by their names, that change state together.
  public var groups: [SyncGroup] = []
  public var scripts: [TrackedScript] = []
  public var files: [TrackedFile] = []
  public var processes: [TrackedProcess] = []
  /// What holds for all routers; the node's name takes the place of `routerID`.
  public var vrrp = FailoverGlobals()
  /// nil: no proxy.
  public var proxy: ProxyConfiguration?
  public var http = NativeHTTP.usual
  public init() {}
}
