// `balance` and `hashType`: how a backend picks a server.

enum NativeBalance {
  private static let plain: [(String, Balance)] = [
    ("leastconn", .leastConnections), ("roundrobin", .roundRobin),
    ("static-rr", .staticRoundRobin), ("first", .first), ("source", .source),
    ("random", .random(draws: 2)),
  ]
  private static let functions: [(String, HashType.Function)] = [
    ("sdbm", .sdbm), ("djb2", .djb2), ("wt6", .wt6), ("crc32", .crc32), ("none", .none),
  ]

  static var key: NativeKey<NativeBackend> {
    NativeKey(
      "balance", \.model.balance, read: readBalance,
      print: { value in
        .scalar(plain.first { $0.1 == value }?.0 ?? HAProxyPrinter.word(value))
      })
  }

  private static func readBalance(_ reader: NativeReader, _ value: NativeValue) -> Balance? {
    guard let text = value.text, text.hasPrefix("random(") else {
      return reader.choice(value, plain)
    }
    let inside = String(text.dropFirst(7).dropLast())
    if text.hasSuffix(")"), let draws = HAProxyUnits.integer(inside, in: 1...255) {
      return .random(draws: draws)
    }
    reader.report(at: value, "expected 1 to 255 draws, such as random(3)")
    return nil
  }

  /// `map-based` or `consistent`, then a function and `avalanche` where they are wanted.
  static var hashType: NativeKey<NativeBackend> {
    NativeKey(
      "hashType", \.model.hashType, read: readHashType,
      print: { .list(HAProxyPrinter.words($0).map { .scalar($0) }) })
  }

  private static func readHashType(_ reader: NativeReader, _ value: NativeValue) -> HashType? {
    var result = HashType()
    for (index, element) in reader.elements(value, acceptsOne: true).enumerated() {
      let word = element.text ?? ""
      if index == 0, word == "map-based" || word == "consistent" {
        result.method = word == "consistent" ? .consistent : .mapBased
      } else if index == 1, let known = functions.first(where: { $0.0 == word }) {
        result.function = known.1
      } else if (1...2).contains(index), word == "avalanche", !result.avalanche {
        result.avalanche = true
      } else {
        reader.report(
          at: element,
          "expected map-based or consistent, then sdbm, djb2, wt6, crc32 or none, then avalanche")
        return nil
      }
    }
    return result
  }
}
