// Bytes into a YAML tree, bounded: no aliases, no deep nesting, no large file.

import Yams

enum NativeText {
  /// nil when a problem has been reported.
  static func compose(_ bytes: [UInt8], _ text: String, _ reader: NativeReader) -> NativeValue? {
    guard bytes.count <= NativeLimits.bytes else {
      reader.report(line: 0, column: 0, "a native file has 1 MiB at most")
      return nil
    }
    guard Array(text.utf8) == bytes, !bytes.contains(0) else {
      reader.report(line: 0, column: 0, "this is not UTF-8 text")
      return nil
    }
    guard isBounded(bytes, reader) else { return nil }
    do {
      guard let root = try Yams.compose(yaml: text, .basic) else {
        reader.report(
          line: 0, column: 0,
          "the file is empty: a fairlead.yaml has 'frontends' and 'servers', or 'nodes' and "
            + "'virtualAddresses', or all of these; 'fairlead init' writes one")
        return nil
      }
      return NativeValue(node: root, path: "")
    } catch let error as YamlError {
      NativeYAMLError.report(error, reader)
    } catch {
      reader.report(line: 0, column: 0, "this is not YAML: \(error)")
    }
    return nil
  }

  /// Looks for anchors, aliases and nesting before the YAML parser, which recurses, sees them.
  private static func isBounded(_ bytes: [UInt8], _ reader: NativeReader) -> Bool {
    var quote: UInt8?
    var isEscaped = false
    var depth = 0
    var line = 1
    var column = 0
    var isLeading = true
    var isComment = false
    var before: UInt8 = 10
    for (index, byte) in bytes.enumerated() {
      defer { before = byte }
      column += 1
      if byte == 10 {
        (line, column, isLeading, isComment) = (line + 1, 0, true, false)
        isEscaped = false
        continue
      }
      if isComment { continue }
      if isLeading, !Array(" -?:\t".utf8).contains(byte) { isLeading = false }
      if isLeading, column > NativeLimits.nesting * 4 {
        reader.report(line: line, column: column, "nested too deeply")
        return false
      }
      if let open = quote {
        if isEscaped {
          isEscaped = false
        } else if byte == 92, open == 34 {
          // Within double quotes a backslash hides what follows.
          isEscaped = true
        } else if byte == open {
          // Two single quotes within single quotes are one.
          let isDoubled = open == 39 && index + 1 < bytes.count && bytes[index + 1] == 39
          if isDoubled { isEscaped = true } else { quote = nil }
        }
        continue
      }
      let startsToken = Array(" \t\n[{,:-".utf8).contains(before)
      switch byte {
      case 34 where startsToken, 39 where startsToken: quote = byte
      case UInt8(ascii: "#") where before == 32 || before == 10 || before == 9:
        isComment = true
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        if depth > NativeLimits.nesting {
          reader.report(line: line, column: column, "nested too deeply")
          return false
        }
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
      case UInt8(ascii: "&"), UInt8(ascii: "*"):
        let next = index + 1 < bytes.count ? bytes[index + 1] : 10
        guard startsToken, next > 32 else { continue }
        reader.report(
          line: line, column: column,
          "YAML anchors and aliases are not accepted; a value that begins with "
            + "'\(byte == 38 ? "&" : "*")' needs quotes")
        return false
      default: break
      }
    }
    return true
  }
}
