// The nearest known word to a misspelt one.

enum Spelling {
  /// The closest candidate within a third of the word's length, or nil. Equal distances go to
  /// the first in alphabetical order, so that messages do not change from run to run.
  static func nearest(to word: String, among candidates: [String]) -> String? {
    let bytes = Array(word.utf8)
    guard (2...64).contains(bytes.count) else { return nil }
    let limit = max(1, min(4, bytes.count / 3))
    var best: (distance: Int, word: String)?
    for candidate in candidates where candidate != word {
      guard abs(candidate.utf8.count - bytes.count) <= limit else { continue }
      let other = Array(candidate.utf8)
      let found = distance(bytes, other)
      guard found <= limit else { continue }
      if let known = best, (known.distance, known.word) < (found, candidate) { continue }
      best = (found, candidate)
    }
    return best?.word
  }

  /// Damerau-Levenshtein distance (adjacent transpositions count one).
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    var row = beforeLast
    for i in 0..<a.count {
      row[0] = i + 1
      for j in 0..<b.count {
        var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          cost = min(cost, beforeLast[j - 1] + 1)
        }
        row[j + 1] = cost
      }
      swap(&beforeLast, &last)
      swap(&last, &row)
    }
    return last[b.count]
  }
}
