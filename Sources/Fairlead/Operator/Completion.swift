// What a shell offers after Tab: names that the running daemon or a file knows. Quick and silent: a
// person waits at the prompt, and a daemon that is not there is no error here.

import ArgumentParser
import Configuration
import Control

enum Completion {
  /// How long a prompt may stand still.
  private static let patience_s = 1

  /// Servers as `backend/server`.
  static let servers = names { report in
    allServers(report).map(\.name)
  }

  /// Servers that `undrain` can do something for.
  static let drainedServers = names { report in
    allServers(report).filter(\.isDrained).map(\.name)
  }

  /// Servers that are not drained yet.
  static let undrainedServers = names { report in
    allServers(report).filter { !$0.isDrained }.map(\.name)
  }

  /// Virtual routers by name.
  static let routers = names { $0.routers.map(\.name) }

  /// The nodes of the running daemon's native file; without one, the node it runs on.
  static let nodes = names { report in
    report.nodes ?? report.node.map { [$0] } ?? []
  }

  /// The nodes of a native file that the command line names.
  static let nodesOfFile = CompletionKind.custom { words, _, _ in
    for word in words.dropFirst() where !word.hasPrefix("-") {
      guard let files = try? ConfigurationFiles.load(paths: [word]), let file = files.first,
        NativeDialect.recognises(file.bytes)
      else { continue }
      let options = NativeOptions(hostName: "", isOnlyChecked: true)
      let result = NativeDialect.parse(files: [file], options: options)
      return result.document?.nodes.map(\.name) ?? []
    }
    return []
  }

  private static func allServers(_ report: StatusReport) -> [(name: String, isDrained: Bool)] {
    report.backends.flatMap { backend in
      backend.servers.map { ("\(backend.name)/\($0.name)", $0.isDrained) }
    }
  }

  private static func names(
    _ find: @escaping @Sendable (StatusReport) -> [String]
  ) -> CompletionKind {
    .custom { words, _, _ in
      guard
        let client = try? ControlClient(path: socket(in: words), patience_s: patience_s),
        let answer = try? client.ask(ControlRequest(.status), timeout_s: patience_s),
        let report = answer.status
      else { return [] }
      return find(report)
    }
  }

  /// The daemon that the command line so far is about.
  private static func socket(in words: [String]) -> String {
    for (word, next) in zip(words, words.dropFirst()) where word == "--control" { return next }
    let option = "--control="
    let joined = words.first { $0.hasPrefix(option) }
    return joined.map { String($0.dropFirst(option.count)) } ?? ControlClient.defaultPath
  }
}
