// Messages as JSON text.

import Control

enum JSONText {
  /// On one line, without a newline.
  static func line(_ value: some Encodable) -> String {
    ((try? JSONValue(encoding: value)) ?? .null).text()
  }

  /// As `fairlead status --json` prints it.
  static func indented(_ value: some Encodable) -> String {
    ((try? JSONValue(encoding: value)) ?? .null).text(indented: true) + "\n"
  }
}
