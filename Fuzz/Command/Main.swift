// `fairlead-fuzz MODE COUNT SEED`: millions of made-up inputs, in a release build. A trap ends
// the process; a broken promise prints the input's seed and exits with 1.

import Glibc

@main
enum FuzzCommand {
  /// Each mode is a file of its own in this folder.
  static let modes: [(name: String, run: @Sendable (_ count: Int, _ seed: UInt64) -> Bool)] = [
    ("keepalived-conf", KeepalivedMode.run),
    ("native", NativeMode.run),
    ("packets", PacketMode.run),
  ]

  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count == 4, let count = Int(arguments[2]), count > 0,
      let seed = UInt64(arguments[3]),
      let mode = modes.first(where: { $0.name == arguments[1] })
    else {
      let names = modes.map(\.name).joined(separator: "|")
      print("usage: fairlead-fuzz \(names) COUNT SEED")
      exit(2)
    }
    exit(mode.run(count, seed) ? 0 : 1)
  }
}
