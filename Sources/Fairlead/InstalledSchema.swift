// Where the JSON Schema of the native file was installed, if it was.

import Glibc

enum InstalledSchema {
  static let name = "share/fairlead/fairlead.schema.json"

  /// Beside the program (`/usr/local/bin/fairlead`: below `/usr/local/share`) or below `/usr`; nil
  /// where there is none.
  static func path() -> String? {
    var places = ["/usr/" + name]
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    if count > 0 {
      let program = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let folders = program.split(separator: "/", omittingEmptySubsequences: true).dropLast()
      if folders.last == "bin" {
        places.insert("/" + (folders.dropLast() + [Substring(name)]).joined(separator: "/"), at: 0)
      }
    }
    return places.first { access($0, R_OK) == 0 }
  }
}
