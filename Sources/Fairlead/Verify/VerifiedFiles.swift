// What `fairlead verify` examines when no file is named: the files of the daemon that runs here,
// or else those in the usual places.

import ArgumentParser
import Control
import Glibc

struct VerifiedFiles: Equatable {
  var files: [String]
  var node: String?

  /// Used when no daemon runs: the native file, or else the other two.
  static let usual = (
    native: "/etc/fairlead/fairlead.yaml",
    others: ["/etc/haproxy/haproxy.cfg", "/etc/keepalived/keepalived.conf"]
  )

  /// Says on standard error where they come from. `control` is the socket that was asked for: then
  /// a daemon must answer there, otherwise this ends with status 3.
  static func ofThisMachine(control: String?, node: String?) throws -> VerifiedFiles {
    do throws(ControlError) {
      let report = try ask(control ?? ControlClient.defaultPath)
      if let files = report.files {
        Console.say(
          "examining what the running daemon (pid \(report.pid)) has:"
            + " \(files.joined(separator: " "))")
        return VerifiedFiles(files: files, node: node ?? report.nativeNode)
      }
      if let control {
        throw .noAnswer(path: control, reason: "the daemon there runs without files: name some")
      }
    } catch {
      let words = OperatorOptions.explain(error)
      if control != nil {
        Console.say("error: \(words)")
        throw ExitCode(3)
      }
      if !error.isAbsence { Console.say("warning: the running daemon cannot be asked: \(words)") }
    }
    let found = usualFiles()
    if !found.isEmpty {
      Console.say("examining the usual files: \(found.joined(separator: " "))")
    }
    return VerifiedFiles(files: found, node: node)
  }

  private static func ask(_ path: String) throws(ControlError) -> StatusReport {
    let client = try ControlClient(path: path)
    let answer = try client.ask(ControlRequest(.status), timeout_s: 10)
    guard let status = answer.status else {
      let reason = answer.messages.first ?? "it does not tell its status"
      throw .noAnswer(path: path, reason: reason)
    }
    return status
  }

  private static func usualFiles() -> [String] {
    func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }
    if exists(usual.native) { return [usual.native] }
    return usual.others.filter(exists)
  }
}

extension ControlError {
  /// Nothing runs there.
  fileprivate var isAbsence: Bool {
    if case .failed(_, let code) = self { return code == ENOENT || code == ECONNREFUSED }
    return false
  }
}
