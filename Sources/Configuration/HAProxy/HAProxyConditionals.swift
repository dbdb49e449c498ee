// Conditional blocks (manual, section 2.4): .if, .elif, .else, .endif and the message lines.

struct HAProxyConditionals {
  static let directives: Set<String> = [
    ".if", ".elif", ".else", ".endif", ".diag", ".notice", ".warning", ".alert",
  ]
  /// The version that `version_atleast` compares with: the language level we follow.
  static let version = [2, 6]
  /// HAProxy's own limit on nested blocks.
  static let maximumDepth = 16

  struct Block {
    /// A branch was taken already.
    var done: Bool
    /// The current branch is read.
    var active: Bool
    var sawElse = false
    var place: Place
  }
  var blocks: [Block] = []
  var isActive: Bool { blocks.allSatisfy(\.active) }

  /// Evaluates a condition: one or more predicates, `!`, `&&` and `||` without parentheses.
  static func evaluate(_ words: [String], environment: [String: String]) -> Reading<Bool> {
    let text = words.joined(separator: " ")
    var any = false
    for alternative in split(text, by: "||") {
      var all = true
      for term in split(alternative, by: "&&") {
        switch predicate(trim(term), environment: environment) {
        case .value(let value), .doubtful(let value, _): all = all && value
        case .wrong(let message): return .wrong(message)
        }
      }
      any = any || all
    }
    return .value(any)
  }

  private static func split(_ text: String, by separator: String) -> [String] {
    var parts: [String] = [""]
    var rest = text[...]
    while let first = rest.first {
      if rest.hasPrefix(separator) {
        parts.append("")
        rest = rest.dropFirst(separator.count)
      } else {
        parts[parts.count - 1].append(first)
        rest = rest.dropFirst()
      }
    }
    return parts
  }

  private static func trim(_ text: String) -> String {
    let front = text.drop { $0 == " " }
    return String(front.reversed().drop { $0 == " " }.reversed())
  }

  private static func predicate(
    _ text: String, environment: [String: String]
  ) -> Reading<Bool> {
    if text.hasPrefix("!") {
      let inner = text.drop { $0 == "!" }
      let odd = (text.count - inner.count) % 2 == 1
      switch predicate(trim(String(inner)), environment: environment) {
      case .value(let value), .doubtful(let value, _): return .value(value != odd)
      case .wrong(let message): return .wrong(message)
      }
    }
    if let number = HAProxyUnits.integer(text, in: 0...Int(Int32.max)) {
      return .value(number != 0)
    }
    guard let open = text.firstIndex(of: "("), text.hasSuffix(")") else {
      return .wrong("unparsable conditional expression '\(text)'")
    }
    let name = String(text[..<open])
    let inside = text[text.index(after: open)...].dropLast()
    let arguments = inside.split(separator: ",", omittingEmptySubsequences: false)
      .map { trim(String($0)) }
    switch name {
    case "defined" where arguments.count == 1: return .value(environment[arguments[0]] != nil)
    case "feature" where arguments.count == 1: return .value(false)
    case "enabled" where arguments.count == 1: return .value(false)
    case "streq" where arguments.count == 2: return .value(arguments[0] == arguments[1])
    case "strneq" where arguments.count == 2: return .value(arguments[0] != arguments[1])
    case "strstr" where arguments.count == 2: return .value(arguments[0].contains(arguments[1]))
    case "version_atleast", "version_before":
      guard arguments.count == 1, let wanted = numbers(arguments[0]) else {
        return .wrong("'\(name)' expects a version such as 2.6")
      }
      let reached = !version.lexicographicallyPrecedes(wanted)
      return .value(name == "version_atleast" ? reached : !reached)
    default:
      return .wrong(
        "the condition '\(text)' is not supported; defined(), streq(), strneq(), strstr(), "
          + "feature(), enabled(), version_atleast() and version_before() are")
    }
  }

  private static func numbers(_ text: String) -> [Int]? {
    let head = text.prefix { $0 != "-" }
    let parts = head.split(separator: ".", omittingEmptySubsequences: false)
      .map { HAProxyUnits.integer(String($0), in: 0...Int(Int32.max)) }
    var result: [Int] = []
    for part in parts {
      guard let part else { return nil }
      result.append(part)
    }
    return result
  }
}
