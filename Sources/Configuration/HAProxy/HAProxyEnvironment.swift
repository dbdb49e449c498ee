// The process environment as a dictionary.

import Glibc

extension HAProxyDialect {
  /// The environment of this process.
  public static func processEnvironment() -> [String: String] {
    var result: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        result[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    return result
  }
}

/// Why the C library rejects an extended regular expression (POSIX 1003.1, section 9.4), or
/// nil when it is fine. Checks run by regexec(3), so its opinion is the one that counts.
func regularExpressionError(_ pattern: String) -> String? {
  for construct in ["\\d", "\\D", "(?", "*?", "+?", "\\p{", "\\K"]
  where pattern.contains(construct) {
    return "'\(construct)' is Perl's; write a POSIX extended expression such as [0-9]"
  }
  guard pattern.utf8.count <= 1024 else { return "longer than 1024 bytes" }
  // Nested bounded repeats make regcomp(3) use memory without limit.
  guard pattern.filter({ $0 == "{" }).count <= 2 else { return "more than two '{…}' repeats" }
  var compiled = regex_t()
  let code = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB)
  guard code != 0 else {
    regfree(&compiled)
    return nil
  }
  var buffer = [CChar](repeating: 0, count: 128)
  regerror(code, &compiled, &buffer, buffer.count)
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
