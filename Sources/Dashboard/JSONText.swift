// Messages as JSON text, written as those of the control socket are.

import Control

enum JSONText {
  /// On one line, without its end.
  static func line(_ value: some Encodable) -> String {
    (try? MessageText.write(value)) ?? "null"
  }

  /// As `fairlead status --json` prints it.
  static func indented(_ value: some Encodable) -> String {
    ((try? MessageText.write(value, indented: true)) ?? "null") + "\n"
  }
}
