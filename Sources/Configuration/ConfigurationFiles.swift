// Reading configuration files from disk: files as they are, directories as their *.cfg files.

import Glibc

/// Why a configuration file could not be read.
public struct ConfigurationFileError: Error, Equatable, CustomStringConvertible {
  public var path: String
  public var reason: String
  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
  public var description: String { "\(path): cannot open: \(reason)" }
}

/// Loads what `-f` names (HAProxy management guide, section 3): repeated, and for a directory
/// every file ending in `.cfg`, sorted, without recursion.
public enum ConfigurationFiles {
  /// The most one configuration may hold in all its files together.
  public static let maximumBytes = 16 << 20

  /// Reads every path in order. Throws ConfigurationFileError for the first that fails.
  public static func load(
    paths: [String]
  ) throws(ConfigurationFileError) -> [(path: String, bytes: [UInt8])] {
    var files: [(path: String, bytes: [UInt8])] = []
    var total = 0
    for path in paths {
      for file in try expand(path) {
        let bytes = try read(file, atMost: maximumBytes - total)
        total += bytes.count
        files.append((file, bytes))
      }
    }
    return files
  }

  private static func expand(_ path: String) throws(ConfigurationFileError) -> [String] {
    var status = stat()
    guard stat(path, &status) == 0 else { throw failure(path) }
    guard status.st_mode & S_IFMT == S_IFDIR else { return [path] }
    guard let directory = opendir(path) else { throw failure(path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      // Hidden files are an editor's leftovers; HAProxy leaves them out as well.
      if name.hasSuffix(".cfg"), !name.hasPrefix(".") { names.append(name) }
    }
    let base = path.hasSuffix("/") ? path : path + "/"
    return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
      .map { base + $0 }
  }

  static func read(
    _ path: String, atMost limit: Int
  ) throws(ConfigurationFileError) -> [UInt8] {
    // O_NONBLOCK: a named pipe without a writer must not hang the start.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(path) }
    // Pipes (`<(generate)`) and terminals are read blocking once opened.
    _ = fcntl(descriptor, F_SETFL, 0)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(path) }
      if count == 0 { return bytes }
      bytes.append(contentsOf: buffer[..<count])
      guard bytes.count <= limit else {
        throw ConfigurationFileError(path: path, reason: "larger than \(maximumBytes >> 20) MiB")
      }
    }
  }

  private static func failure(_ path: String) -> ConfigurationFileError {
    ConfigurationFileError(path: path, reason: String(cString: strerror(errno)))
  }
}
