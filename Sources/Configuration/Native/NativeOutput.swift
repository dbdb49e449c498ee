// YAML text: block style for structure, one line for small mappings, quotes where they are needed.

extension NativeOutput {
  /// On one line.
  var inline: String {
    switch self {
    case .scalar(let text): NativeOutput.quoted(text)
    case .list(let items): "[" + items.map(\.inline).joined(separator: ", ") + "]"
    case .map(let pairs):
      "{" + pairs.map { "\(NativeOutput.quoted($0.0)): \($0.1.inline)" }.joined(separator: ", ")
        + "}"
    }
  }

  private var isSmall: Bool {
    switch self {
    case .scalar: return true
    case .list(let items):
      return inline.utf8.count <= 60
        && items.allSatisfy { if case .scalar = $0 { true } else { false } }
    case .map: return inline.utf8.count <= 76
    }
  }

  /// Lines, each ended by a newline.
  func block(indent: Int = 0) -> String {
    let margin = String(repeating: " ", count: indent)
    switch self {
    case .scalar: return margin + inline + "\n"
    case .list(let items):
      return items.map { item in
        if item.isSmall { return margin + "- " + item.inline + "\n" }
        return margin + "- " + item.block(indent: indent + 2).dropFirst(indent + 2)
      }.joined()
    case .map(let pairs):
      return pairs.map { key, value in
        let head = margin + NativeOutput.quoted(key) + ":"
        // The first level is always a block: it is what people edit.
        let isInline = if case .scalar = value { true } else { indent > 0 && value.isSmall }
        if isInline { return head + " " + value.inline + "\n" }
        return head + "\n" + value.block(indent: indent + 2)
      }.joined()
    }
  }

  static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
      switch $0 {
      case 45...57, 58, 65...90, 95, 97...122: true
      default: false
      }
    }
    // A number below zero; other words that begin with '-' could be list elements.
    let digits = text.utf8.dropFirst()
    if text.utf8.first == 45, !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) {
      return text
    }
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "~", ""]
    if isPlain, !reserved.contains(text.lowercased()), text.utf8.first != 45,
      text.utf8.first != 58, text.utf8.last != 58
    {
      return text
    }
    if ["true", "false"].contains(text) { return text }
    // What holds quotes or backslashes of its own reads better within the other quotes.
    let isEscaped = text.utf8.contains { $0 == 34 || $0 == 92 }
    let isSimple = text.utf8.allSatisfy { (32...126).contains($0) && $0 != 39 }
    if isEscaped, isSimple { return "'\(text)'" }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\" + String(scalar)
      default:
        let hex = String(scalar.value, radix: 16)
        let isControl = scalar.value < 32 || (127..<160).contains(scalar.value)
        result += isControl ? "\\x" + (hex.count < 2 ? "0" : "") + hex : String(scalar)
      }
    }
    return result + "\""
  }
}
