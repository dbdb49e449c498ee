// What the native file asks of the machine it is read on: its name and its addresses.

import Configuration
import Failover
import Glibc

enum ThisMachine {
  /// The host name as the kernel has it, and every address that is not a virtual one of ours. A
  /// machine that does not tell its addresses is found by name only.
  static func options(node: String?, isOnlyChecked: Bool = false) -> NativeOptions {
    var options = NativeOptions(hostName: hostName(), node: node, isOnlyChecked: isOnlyChecked)
    guard let table = try? LinkTable() else { return options }
    for link in table.links.values.sorted(by: { $0.index < $1.index }) {
      for held in table.addresses(of: link.index) where !held.isOurs {
        options.addresses.append(
          NativeOptions.LocalAddress(
            interface: link.name, address: held.address, prefixLength: held.prefixLength))
      }
    }
    return options
  }

  private static func hostName() -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "localhost" }
    return withUnsafePointer(to: &name.nodename) { pointer in
      pointer.withMemoryRebound(to: CChar.self, capacity: 65) { String(cString: $0) }
    }
  }
}
