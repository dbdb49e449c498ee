// `$NAME=value`, what replaces `$NAME` and `${NAME}`, and the names keepalived defines itself.

extension KeepalivedReader {
  static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122, 95: true
    default: false
    }
  }

  /// The name and the raw value of a definition line.
  func definition(_ line: ArraySlice<UInt8>) -> (name: String, value: ArraySlice<UInt8>)? {
    guard line.first == UInt8(ascii: "$") else { return nil }
    let name = line.dropFirst().prefix(while: KeepalivedReader.isNameByte)
    guard let first = name.first, !(48...57).contains(first), name.endIndex < line.endIndex,
      line[name.endIndex] == UInt8(ascii: "=")
    else { return nil }
    return (String(decoding: name, as: UTF8.self), line[(name.endIndex + 1)...])
  }

  func define(_ line: ArraySlice<UInt8>, source: SourceLine, isMade: Bool) -> Bool {
    guard let (name, raw) = definition(line) else { return false }
    var value = isMade ? Array(raw) : withoutComment(Array(raw))
    while let last = value.last, KeepalivedEscapes.isBlank(last) { value.removeLast() }
    value = Array(value.drop { KeepalivedEscapes.isBlank($0) })
    definitions[name] = Definition(lines: [(value, source)], isMultiline: false)
    return true
  }

  /// The text before an unquoted `#` or `!`.
  func withoutComment(_ line: [UInt8]) -> [UInt8] {
    var isQuoted = false
    var index = 0
    while index < line.count {
      switch line[index] {
      case UInt8(ascii: "\\") where isQuoted: index += 1
      case UInt8(ascii: "\""): isQuoted.toggle()
      case UInt8(ascii: "#") where !isQuoted, UInt8(ascii: "!") where !isQuoted:
        return Array(line[..<index])
      default: break
      }
      index += 1
    }
    return line
  }

  /// The name when the line is `$NAME` or `${NAME}` and nothing else.
  func wholeName(_ line: ArraySlice<UInt8>) -> String? {
    var rest = line.dropFirst()
    while let last = rest.last, KeepalivedEscapes.isBlank(last) { rest = rest.dropLast() }
    if rest.first == UInt8(ascii: "{"), rest.last == UInt8(ascii: "}") {
      rest = rest.dropFirst().dropLast()
    }
    guard !rest.isEmpty, rest.allSatisfy(KeepalivedReader.isNameByte) else { return nil }
    return String(decoding: rest, as: UTF8.self)
  }

  func countSubstitution(_ bytes: Int, _ place: Place) -> Bool {
    substitutions += 1
    substitutedBytes &+= bytes
    if substitutions <= KeepalivedReader.maximumSubstitutions,
      substitutedBytes <= KeepalivedReader.maximumSubstitutedBytes
    {
      return true
    }
    exhaust(place, "the definitions used here grow without end; nothing after this is read")
    return false
  }

  /// The line with every known name replaced; nil when there was nothing to replace. The parts
  /// of a definition of several lines are separated by line feeds.
  func substitute(
    _ line: [UInt8], place: Place, depth: Int, isAgain: Bool = false
  ) -> [UInt8]? {
    guard depth < KeepalivedReader.maximumDepth else {
      exhaust(place, "definitions are nested too deeply here, or one contains itself")
      return nil
    }
    var result: [UInt8] = []
    var copied = 0
    var index = 0
    var isQuoted = false
    while index < line.count, !isExhausted {
      let byte = line[index]
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      guard byte == UInt8(ascii: "$"),
        let (name, arguments, end, isBraced) = reference(line, at: index)
      else {
        index += 1
        continue
      }
      guard let value = value(of: name, arguments, place: place, depth: depth) else {
        if isBraced, !isQuoted, !isAgain {
          report(.warning, place, "'${\(name)}' is not defined; it stays as it is written")
        }
        index = end
        continue
      }
      guard isBraced || end == line.count || KeepalivedEscapes.isBlank(line[end]) else {
        report(
          .warning, place,
          "'$\(name)' is only replaced before a blank; write '${\(name)}' here")
        index = end
        continue
      }
      guard countSubstitution(value.count, place) else { return nil }
      result += line[copied..<index]
      result += value
      copied = end
      index = end
    }
    guard copied > 0 else { return nil }
    result += line[copied...]
    // What stands side by side now may be a name; lines of a block are looked at one by one.
    guard result.contains(UInt8(ascii: "$")), !result.contains(10) else { return result }
    return substitute(result, place: place, depth: depth + 1, isAgain: true) ?? result
  }

  private func reference(
    _ line: [UInt8], at dollar: Int
  ) -> (name: String, arguments: ArraySlice<UInt8>, end: Int, isBraced: Bool)? {
    var start = dollar + 1
    guard start < line.count else { return nil }
    let isBraced = line[start] == UInt8(ascii: "{")
    if isBraced { start += 1 }
    let name = line[start...].prefix(while: KeepalivedReader.isNameByte)
    guard let first = name.first, !(48...57).contains(first) else { return nil }
    let text = String(decoding: name, as: UTF8.self)
    guard isBraced else { return (text, [], name.endIndex, false) }
    guard let close = line[name.endIndex...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
    let arguments = line[name.endIndex..<close]
    guard arguments.isEmpty || KeepalivedEscapes.isBlank(arguments[name.endIndex]) else {
      return nil
    }
    return (text, arguments, close + 1, true)
  }

  private func value(
    of name: String, _ arguments: ArraySlice<UInt8>, place: Place, depth: Int
  ) -> [UInt8]? {
    if name.utf8.first == UInt8(ascii: "_"), let text = predefined(name, arguments, place) {
      return Array(text.utf8)
    }
    guard let definition = definitions[name] else { return nil }
    var joined: [UInt8] = []
    for (number, line) in definition.lines.enumerated() {
      if number > 0 { joined.append(10) }
      joined += line.bytes
    }
    guard joined.contains(UInt8(ascii: "$")) else { return joined }
    // Definitions inside a block of lines are made when those lines are read.
    if definition.isMultiline { return joined }
    return substitute(joined, place: place, depth: depth + 1) ?? joined
  }

  /// keepalived.conf(5), "Pre-defined definitions".
  private func predefined(
    _ name: String, _ arguments: ArraySlice<UInt8>, _ place: Place
  ) -> String? {
    let words = KeepalivedEscapes.words(of: arguments)
    switch name {
    case "_HASH": return "#"
    case "_BANG": return "!"
    case "_INSTANCE": return options.instance
    case "_PWD": return KeepalivedReader.folder(of: place.source.file)
    case "_ENV":
      guard let variable = words.first else { return nil }
      if options.environment[variable] == nil {
        report(.warning, place, "the environment has no '\(variable)'; it is taken as empty")
      }
      return options.environment[variable] ?? ""
    case "_RANDOM":
      let low = words.first.flatMap(Int.init) ?? 0
      let high = words.dropFirst().first.flatMap(Int.init) ?? max(32_767, low)
      guard low >= 0, low <= high else {
        report(.warning, place, "'${_RANDOM \(low) \(high)}' is not a range; the first is taken")
        return String(low)
      }
      return String(options.random(low...high))
    default: return nil
    }
  }

  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
