// From file names to a configuration that can run: read, recognise the dialect, parse, and look
// at what only the machine can answer (certificate files, patterns).

import Configuration
import Health

/// A configuration, or why there is none. What is said to the user is in `messages`.
struct LoadedConfiguration {
  var configuration: ProxyConfiguration?
  var diagnostics: [Diagnostic] = []
  /// Problems without a place in a file.
  var problems: [String] = []
}

enum ConfigurationLoader {
  static func load(_ paths: [String]) -> LoadedConfiguration {
    var loaded = LoadedConfiguration()
    let files: [(path: String, bytes: [UInt8])]
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
    for file in files where !isHAProxyDialect(file.bytes) {
      loaded.problems.append(
        "\(file.path): this is not a haproxy.cfg (it does not begin with a section such as"
          + " 'global' or 'defaults'). Fairlead \(Version.text) reads haproxy.cfg files;"
          + " keepalived.conf and fairlead.yaml are not served yet.")
    }
    if !loaded.problems.isEmpty { return loaded }
    let result = HAProxyDialect.parse(files: files)
    loaded.diagnostics = result.diagnostics
    guard let configuration = result.configuration else { return loaded }
    for target in CheckTarget.all(in: configuration) {
      do {
        try target.validate()
      } catch {
        let origin = target.server.origin.description
        loaded.problems.append((origin.isEmpty ? "" : origin + ": error: ") + "\(error)")
      }
    }
    if loaded.problems.isEmpty { loaded.configuration = configuration }
    return loaded
  }

  /// A file of blanks and comments counts as well: HAProxy reads those.
  private static func isHAProxyDialect(_ bytes: [UInt8]) -> Bool {
    if HAProxyDialect.recognises(bytes) { return true }
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
