// What the daemon says to the person who started it: plain lines on standard error.

import Configuration
import Glibc

/// Lines on standard error. A closed or full standard error is ignored: talking never stops work.
enum Console {
  static func say(_ text: String) { write(text + "\n", to: 2) }

  /// A line on standard output.
  static func print(_ text: String) { write(text + "\n", to: 1) }

  static func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if written < 0, errno == EINTR { continue }
        if written <= 0 { return }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
      }
    }
  }

  /// Diagnostics as a person reads them; notes only when asked for.
  static func show(_ diagnostics: [Diagnostic], notes: Bool = false) {
    let color = isatty(2) == 1
    for diagnostic in diagnostics where notes || diagnostic.severity > .note {
      say(diagnostic.rendered(color: color))
    }
  }
}
