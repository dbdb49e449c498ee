// From file names to a configuration that can run: read, recognise each file's dialect, parse,
// and look at what only the machine can answer (certificate files, patterns).

import Configuration
import Dashboard
import Health

/// A configuration, or why there is none.
struct LoadedConfiguration {
  /// What the files describe; at least one is not nil.
  struct Halves {
    var proxy: ProxyConfiguration?
    var failover: FailoverConfiguration?
    /// nil: none, unless the command line says otherwise.
    var http: HTTPSettings?
  }
  /// nil when anything at all is wrong: both halves run, or none.
  var halves: Halves?
  var diagnostics: [Diagnostic] = []
  /// Problems without a place in a file.
  var problems: [String] = []
  /// The native file as all nodes see it, and which of them this machine is.
  var document: NativeDocument?
  var node: String?
  /// Every node's part, when it is only checked and this machine is none of them.
  var everyNode: [(node: String, failover: FailoverConfiguration)] = []
  /// A keepalived.conf with warnings: it runs, as keepalived would run it, but not as written.
  var hasFailoverWarnings = false
}

enum ConfigurationLoader {
  private typealias File = (path: String, bytes: [UInt8])

  /// `node` is which node of a native file this machine is; nil lets it find itself. A file that is
  /// only checked may be one of other machines.
  static func load(
    _ paths: [String], node: String? = nil, isOnlyChecked: Bool = false
  ) -> LoadedConfiguration {
    var loaded = LoadedConfiguration()
    let files: [File]
    do {
      files = try ConfigurationFiles.load(paths: paths)
    } catch {
      loaded.problems.append("\(error)")
      return loaded
    }
    if files.isEmpty {
      loaded.problems.append("no configuration file in \(paths.joined(separator: ", "))")
      return loaded
    }
    var proxyFiles: [File] = []
    var failoverFiles: [File] = []
    var nativeFiles: [File] = []
    for file in files {
      if NativeDialect.recognises(file.bytes) || isNamedNative(file) {
        nativeFiles.append(file)
      } else if HAProxyDialect.recognises(file.bytes) {
        proxyFiles.append(file)
      } else if KeepalivedDialect.recognises(file.bytes) {
        failoverFiles.append(file)
      } else if [".yaml", ".yml"].contains(where: file.path.hasSuffix) {
        // What it holds goes before how it is called; this one holds nothing known.
        nativeFiles.append(file)
      } else if mayBeHAProxyDialect(file.bytes) {
        proxyFiles.append(file)
      } else {
        loaded.problems.append(
          "\(file.path): this is neither a haproxy.cfg (it does not begin with a section such as"
            + " 'global' or 'defaults') nor a keepalived.conf (with blocks such as"
            + " 'vrrp_instance NAME {') nor a fairlead.yaml (with keys such as 'frontends:')")
      }
    }
    if let native = nativeFiles.first, !proxyFiles.isEmpty || !failoverFiles.isEmpty {
      loaded.problems.append(
        "\(native.path): a native file describes everything; run it without other files, or make"
          + " one of them all with 'fairlead convert'")
    }
    if let node, nativeFiles.isEmpty, loaded.problems.isEmpty {
      loaded.problems.append("--node \(node): only a native file (fairlead.yaml) has nodes")
    }
    guard loaded.problems.isEmpty else { return loaded }
    if !nativeFiles.isEmpty {
      let options = ThisMachine.options(node: node, isOnlyChecked: isOnlyChecked)
      loadNative(nativeFiles, options, &loaded)
      return loaded
    }
    var halves = LoadedConfiguration.Halves()
    if !proxyFiles.isEmpty { halves.proxy = loadProxy(proxyFiles, &loaded) }
    if !failoverFiles.isEmpty {
      let result = KeepalivedDialect.parse(files: failoverFiles)
      loaded.diagnostics += result.diagnostics
      loaded.hasFailoverWarnings = result.diagnostics.contains { $0.severity == .warning }
      halves.failover = result.configuration
    }
    let isWhole =
      (halves.proxy != nil || proxyFiles.isEmpty)
      && (halves.failover != nil || failoverFiles.isEmpty)
    if isWhole, loaded.problems.isEmpty { loaded.halves = halves }
    return loaded
  }

  private static func loadProxy(
    _ files: [File], _ loaded: inout LoadedConfiguration
  ) -> ProxyConfiguration? {
    let result = HAProxyDialect.parse(files: files)
    loaded.diagnostics += result.diagnostics
    guard let configuration = result.configuration else { return nil }
    validateChecks(configuration, &loaded)
    return configuration
  }

  private static func loadNative(
    _ files: [File], _ options: NativeOptions, _ loaded: inout LoadedConfiguration
  ) {
    let result = NativeDialect.parse(files: files, options: options)
    loaded.diagnostics += result.diagnostics
    if let proxy = result.proxy { validateChecks(proxy, &loaded) }
    if let http = result.http {
      do {
        try DashboardServer.validate(http)
      } catch {
        loaded.problems.append("\(error)")
      }
    }
    guard result.document != nil, loaded.problems.isEmpty else { return }
    loaded.document = result.document
    loaded.node = result.node
    loaded.everyNode = result.everyNode
    loaded.halves = LoadedConfiguration.Halves(
      proxy: result.proxy, failover: result.failover, http: result.http)
  }

  private static func validateChecks(
    _ configuration: ProxyConfiguration, _ loaded: inout LoadedConfiguration
  ) {
    for target in CheckTarget.all(in: configuration) {
      do {
        try target.validate()
      } catch {
        let origin = target.server.origin.description
        loaded.problems.append((origin.isEmpty ? "" : origin + ": error: ") + "\(error)")
      }
    }
  }

  /// What is called so is meant so, also when it is empty or begins with a mistake.
  private static func isNamedNative(_ file: File) -> Bool {
    (file.path.hasSuffix(".yaml") || file.path.hasSuffix(".yml"))
      && !HAProxyDialect.recognises(file.bytes) && !KeepalivedDialect.recognises(file.bytes)
  }

  /// A file of blanks and comments counts as well: HAProxy reads those.
  private static func mayBeHAProxyDialect(_ bytes: [UInt8]) -> Bool {
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let first = line.first(where: { $0 != 32 && !(9...13).contains($0) }) else { continue }
      if first == UInt8(ascii: "#") { continue }
      // A misspelt section keyword deserves HAProxy's diagnostics, another language does not.
      let braces = line.contains(UInt8(ascii: "{")) || line.contains(UInt8(ascii: "!"))
      return !braces && line.last != UInt8(ascii: ":")
    }
    return true
  }
}
