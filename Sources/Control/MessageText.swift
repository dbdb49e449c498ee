// Messages as JSON text and back, by Foundation's coders. Keys are sorted, so that the same value
// is always the same text.

import FoundationEssentials

/// How the messages of the control socket, and what is printed for scripts, are written.
public enum MessageText {
  /// One line without its end, or indented for people. Nil members are left out.
  /// Throws EncodingError for numbers that JSON has no words for.
  public static func write(_ value: some Encodable, indented: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if indented { encoder.outputFormatting.insert(.prettyPrinted) }
    return withoutControls(String(decoding: try encoder.encode(value), as: UTF8.self))
  }

  /// The same where nobody could be told of an error: `fallback` for what has no words.
  public static func write(
    _ value: some Encodable, indented: Bool = false, otherwise fallback: String
  ) -> String {
    (try? write(value, indented: indented)) ?? fallback
  }

  /// Members that the type does not know are ignored. Throws DecodingError.
  public static func read<Value: Decodable>(_ type: Value.Type, _ text: [UInt8]) throws -> Value {
    try JSONDecoder().decode(type, from: Data(text))
  }

  /// DEL and the C1 controls stand in strings only; escaped, what a peer sent cannot steer a
  /// terminal.
  private static func withoutControls(_ text: String) -> String {
    let isControl = { (scalar: Unicode.Scalar) in (0x7F...0x9F).contains(scalar.value) }
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isControl(scalar) {
        result += "\\u00" + String(scalar.value, radix: 16)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
