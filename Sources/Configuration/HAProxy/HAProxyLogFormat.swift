// `log-format` strings (manual, section 8.2.6): text, aliases, flags.

enum HAProxyLogFormat {
  struct Problem {
    /// Byte offset in the format.
    var offset: Int
    var length: Int
    var message: String
    var isError: Bool
  }

  /// Aliases that need an HTTP request, or TLS terminated here: `-` in TCP mode.
  static let httpAliases: Set<String> = [
    "CC", "CS", "HM", "HP", "HPO", "HQ", "HU", "HV", "Ta", "Tq", "Tr", "TR", "r", "tr", "trg",
    "trl",
  ]
  static let emptyAliases: Set<String> = ["ID", "ST", "sslc", "sslv", "OG"]
  /// Captured headers: there are none, and nothing stands for them.
  static let absentAliases: Set<String> = ["hr", "hrl", "hs", "hsl"]
  /// Sample fetches (manual, sections 7.3.2 and 7.3.3) that say the same as an alias.
  static let samples: [String: LogField] = [
    "src": .clientIP, "src_port": .clientPort, "dst": .frontendIP, "dst_port": .frontendPort,
    "fe_name": .frontendName, "be_name": .backendName, "srv_name": .serverName,
    "hostname": .hostname, "pid": .processID,
  ]

  static func compile(_ format: String) -> (items: [LogFormatItem], problems: [Problem]) {
    var compiler = Compiler(bytes: Array(format.utf8))
    compiler.run()
    return (compiler.items, compiler.problems)
  }

  private struct Compiler {
    let bytes: [UInt8]
    var position = 0
    var items: [LogFormatItem] = []
    var problems: [Problem] = []
    var literal: [UInt8] = []
    /// Flags set by `%{…}o`, which stay on for what follows.
    var standing = LogFieldFlags()

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() {
      while position < bytes.count {
        let byte = bytes[position]
        guard byte == UInt8(ascii: "%") else {
          // HAProxy writes one space for a run of them.
          if byte != 32 || literal.last != 32 { literal.append(byte) }
          position += 1
          continue
        }
        if position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "%") {
          literal.append(byte)
          position += 2
          continue
        }
        flush()
        alias()
      }
      flush()
    }

    private mutating func flush() {
      guard !literal.isEmpty else { return }
      let text = String(decoding: literal, as: UTF8.self)
      literal = []
      if case .literal(let before) = items.last {
        let repeats = before.hasSuffix(" ") && text.hasPrefix(" ")
        items[items.count - 1] = .literal(before + (repeats ? String(text.dropFirst()) : text))
      } else {
        items.append(.literal(text))
      }
    }

    private mutating func fail(_ start: Int, _ message: String, isError: Bool = true) {
      problems.append(
        Problem(
          offset: start, length: max(1, position - start), message: message, isError: isError))
    }

    private mutating func alias() {
      let start = position
      position += 1
      // %(name) only names the field for structured encodings.
      if position < bytes.count, bytes[position] == UInt8(ascii: "(") {
        guard skip(to: UInt8(ascii: ")")) != nil else {
          return fail(start, "missing ')' after a name")
        }
      }
      var flags = standing
      if position < bytes.count, bytes[position] == UInt8(ascii: "{") {
        guard let inside = skip(to: UInt8(ascii: "}")) else {
          return fail(start, "missing '}' after flags")
        }
        guard apply(inside, to: &flags, start) else { return }
      }
      if position < bytes.count, bytes[position] == UInt8(ascii: "[") {
        guard let name = skip(to: UInt8(ascii: "]")) else {
          return fail(start, "missing ']' after a sample expression")
        }
        if let field = HAProxyLogFormat.samples[name] {
          items.append(.field(field, flags))
          return
        }
        return fail(
          start,
          "sample expression '%[\(name)]' is not supported; those that are: "
            + HAProxyLogFormat.samples.keys.sorted().joined(separator: ", "))
      }
      let from = position
      while position < bytes.count, isAlphanumeric(bytes[position]) { position += 1 }
      let name = String(decoding: bytes[from..<position], as: UTF8.self)
      add(name, flags, start)
    }

    private mutating func add(_ name: String, _ flags: LogFieldFlags, _ start: Int) {
      if name == "o" {
        standing = flags
      } else if name == "tsc" {
        // The cookie half of the four-letter state is empty without HTTP.
        items.append(.field(.terminationState, flags))
        items.append(.literal("--"))
      } else if let field = LogField(rawValue: name), field != .httpOnly {
        items.append(.field(field, flags))
      } else if HAProxyLogFormat.emptyAliases.contains(name) {
        items.append(.field(.httpOnly, flags))
      } else if HAProxyLogFormat.absentAliases.contains(name) {
        return
      } else if HAProxyLogFormat.httpAliases.contains(name) {
        items.append(.field(.httpOnly, flags))
        fail(
          start, "format variable '\(name)' is reserved for HTTP mode; it prints '-'",
          isError: false)
      } else if name.isEmpty {
        fail(start, "'%' without a variable; write '%%' for a percent sign")
      } else {
        let near = Spelling.nearest(to: name, among: LogField.allCases.map(\.rawValue))
        fail(start, "no such format variable '\(name)'" + HAProxyParser.hint(near))
      }
    }

    /// `+Q,-X`: signs and letters, for this field or, with `o`, for all that follow.
    private mutating func apply(
      _ text: String, to flags: inout LogFieldFlags, _ start: Int
    ) -> Bool {
      for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        let isOn = part.first == "+"
        switch part.dropFirst() {
        case "Q" where isOn || part.first == "-": flags.quoted = isOn
        case "X" where isOn || part.first == "-": flags.hexadecimal = isOn
        case "E" where isOn || part.first == "-": flags.escaped = isOn
        case "M" where isOn || part.first == "-": flags.mandatory = isOn
        default:
          fail(start, "unknown flag '\(part)'; +Q, +X, +E and +M are supported")
          return false
        }
      }
      return true
    }

    private mutating func skip(to end: UInt8) -> String? {
      let from = position + 1
      guard let close = bytes[position...].firstIndex(of: end) else {
        position = bytes.count
        return nil
      }
      position = close + 1
      return String(decoding: bytes[from..<close], as: UTF8.self)
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool {
      switch byte {
      case 48...57, 65...90, 97...122: true
      default: false
      }
    }
  }

  /// The text that compiles to `items`.
  static func print(_ items: [LogFormatItem]) -> String {
    // A format without output is still a format.
    guard !items.isEmpty else { return "%o" }
    return items.map { item in
      switch item {
      case .literal(let text):
        return text.split(separator: "%", omittingEmptySubsequences: false)
          .joined(separator: "%%")
      case .field(let field, let flags):
        var letters: [String] = []
        if flags.quoted { letters.append("+Q") }
        if flags.hexadecimal { letters.append("+X") }
        if flags.escaped { letters.append("+E") }
        if flags.mandatory { letters.append("+M") }
        let prefix = letters.isEmpty ? "" : "{" + letters.joined(separator: ",") + "}"
        // Any alias that is empty in TCP mode will do.
        return "%" + prefix + (field == .httpOnly ? "ID" : field.rawValue)
      }
    }.joined()
  }
}
