// What the dialect asks of the machine it is read on: the host's name, files, patterns.

import Glibc

enum KeepalivedHost {
  /// The first part of the node name, which `@name` lines are compared with.
  static func shortName() -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "localhost" }
    let text = withUnsafePointer(to: &name.nodename) { pointer in
      pointer.withMemoryRebound(to: CChar.self, capacity: 65) { String(cString: $0) }
    }
    return String(text.prefix { $0 != "." })
  }

  static let readFile: @Sendable (String) throws(ConfigurationFileError) -> [UInt8] = {
    (path: String) throws(ConfigurationFileError) -> [UInt8] in
    try ConfigurationFiles.read(path, atMost: KeepalivedReader.maximumBytes)
  }

  static let expand: @Sendable (String) -> [String] = { pattern in
    var found = glob_t()
    defer { globfree(&found) }
    let braces: Int32 = 1 << 10  // GLOB_BRACE
    guard glob(pattern, GLOB_MARK | braces, nil, &found) == 0, let paths = found.gl_pathv else {
      return []
    }
    return (0..<Int(found.gl_pathc)).compactMap { index in
      paths[index].map { String(cString: $0) }
    }.filter { !$0.hasSuffix("/") }
  }
}
