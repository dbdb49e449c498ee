// May a command be run: it is there, its user may execute it, and, when it runs as root, nobody
// else could have replaced it (keepalived.conf(5), "enable_script_security").

import Configuration
import Glibc
import Kernel

/// Why a command is not run.
public enum ScriptProblem: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownUser(String)
  case unknownGroup(String)
  /// A bare name that no directory of PATH has.
  case notInPath(String)
  case notAccessible(path: String, reason: String)
  case wrongFileType(path: String)
  case notExecutable(path: String, user: UInt32, group: UInt32)
  /// Somebody other than root may write to `component` of the path.
  case insecure(path: String, component: String)
  /// Only root may run things as somebody else.
  case cannotBecome(user: UInt32)

  public var description: String {
    switch self {
    case .unknownUser(let name): "user '\(name)' is not known, or has no group"
    case .unknownGroup(let name): "group '\(name)' is not known"
    case .notInPath(let name): "cannot find script \(name) in path"
    case .notAccessible(let path, let reason): "script \(path) cannot be accessed - \(reason)"
    case .wrongFileType(let path): "'\(path)' is not a regular file"
    case .notExecutable(let path, let user, let group):
      "script '\(path)' is not executable for uid:gid \(user):\(group)"
    case .insecure(let path, let component):
      path == component
        ? "unsafe permissions found for script '\(path)'"
        : "unsafe permissions found for script '\(path)' (\(component))"
    case .cannotBecome(let user): "only root can run scripts as user \(user)"
    }
  }
}

/// What `ScriptSecurity.check` found.
public enum ScriptVerdict: Equatable, Sendable {
  /// `path` is what to execute; the warnings are for the log, a sentence each.
  case runnable(path: String, warnings: [String])
  case refused(ScriptProblem)
}

public enum ScriptSecurity {
  /// Looks at the first word of `command`. `enforced`: what others could replace is refused and
  /// not only warned of. Nothing is checked but access when `identity` is not root: then the
  /// script can do no more than that user.
  public static func check(
    _ command: ScriptCommand, as identity: ScriptIdentity, enforced: Bool
  ) -> ScriptVerdict {
    guard let word = command.words.first, !word.isEmpty else { return .refused(.notInPath("")) }
    let current = ScriptIdentity.current
    if current.user != 0, identity.user != current.user || identity.group != current.group {
      return .refused(.cannotBecome(user: identity.user))
    }
    var warnings: [String] = []
    let path: String
    if word.contains("/") {
      path = word.hasPrefix("/") ? word : workingDirectory + "/" + word
    } else {
      guard let found = lookUp(word, identity) else { return .refused(.notInPath(word)) }
      path = found
      warnings.append(
        "script `\(word)` resolved by path search to `\(found)`. Please specify full path.")
    }
    if let problem = accessProblem(path, identity) { return .refused(problem) }
    if identity.user == 0, let component = insecureComponent(of: path) {
      let problem = ScriptProblem.insecure(path: path, component: component)
      if enforced { return .refused(problem) }
      warnings.append("\(problem), and script security is not enabled")
    }
    return .runnable(path: path, warnings: warnings)
  }

  private static var workingDirectory: String {
    guard let text = getcwd(nil, 0) else { return "" }
    defer { free(text) }
    return String(cString: text)
  }

  private static func lookUp(_ name: String, _ identity: ScriptIdentity) -> String? {
    let list = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
    for directory in list.split(separator: ":") where directory.hasPrefix("/") {
      let path = directory + "/" + name
      if accessProblem(String(path), identity) == nil { return String(path) }
    }
    return nil
  }

  /// access(2) answers for ourselves; this answers for somebody else, by the mode bits.
  static func accessProblem(_ path: String, _ identity: ScriptIdentity) -> ScriptProblem? {
    guard let real = realPath(path) else {
      return .notAccessible(path: path, reason: KernelError.text(of: errno))
    }
    for directory in ancestors(of: real) {
      guard let status = status(directory, followingLinks: true) else {
        return .notAccessible(path: path, reason: KernelError.text(of: errno))
      }
      if !mayExecute(status, identity, isDirectory: true) {
        return .notAccessible(path: path, reason: KernelError.text(of: EACCES))
      }
    }
    guard let status = status(real, followingLinks: true) else {
      return .notAccessible(path: path, reason: KernelError.text(of: errno))
    }
    guard status.st_mode & S_IFMT == S_IFREG else { return .wrongFileType(path: path) }
    if !mayExecute(status, identity, isDirectory: false) {
      return .notExecutable(path: path, user: identity.user, group: identity.group)
    }
    return nil
  }

  private static func mayExecute(
    _ status: stat, _ identity: ScriptIdentity, isDirectory: Bool
  ) -> Bool {
    // Root passes every directory, but executes only what is executable for somebody.
    if identity.user == 0 { return isDirectory || status.st_mode & 0o111 != 0 }
    if status.st_uid == identity.user { return status.st_mode & 0o100 != 0 }
    if status.st_gid == identity.group || identity.groups.contains(status.st_gid) {
      return status.st_mode & 0o010 != 0
    }
    return status.st_mode & 0o001 != 0
  }

  /// The first part of the path, as written or with its links resolved, that somebody other than
  /// root could change: nil = none.
  static func insecureComponent(of path: String) -> String? {
    var components = ancestors(of: path) + [path]
    if let real = realPath(path), real != path { components += ancestors(of: real) + [real] }
    for component in components {
      guard let status = status(component, followingLinks: false) else { return component }
      if status.st_uid != 0 { return component }
      let kind = status.st_mode & S_IFMT
      // The bits of a link mean nothing. In a sticky directory (/tmp) nobody can replace what
      // belongs to root.
      if kind == S_IFLNK || (kind == S_IFDIR && status.st_mode & UInt32(S_ISVTX) != 0) { continue }
      if status.st_mode & 0o002 != 0 { return component }
      if status.st_mode & 0o020 != 0, status.st_gid != 0 { return component }
    }
    return nil
  }

  /// `/a/b/c` → `/`, `/a`, `/a/b`.
  private static func ancestors(of path: String) -> [String] {
    var result = ["/"]
    var prefix = ""
    for part in path.split(separator: "/").dropLast() {
      prefix += "/" + part
      result.append(prefix)
    }
    return result
  }

  private static func realPath(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  private static func status(_ path: String, followingLinks: Bool) -> stat? {
    var result = stat()
    let code = followingLinks ? stat(path, &result) : lstat(path, &result)
    return code == 0 ? result : nil
  }
}
