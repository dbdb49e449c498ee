// Byte searches and renderings that expectations need.

import Configuration

/// A condition on a response that may still be arriving.
enum Verdict: Equatable { case matched, mismatched, undecided }

func evaluateHTTP(
  _ expect: HTTPExpect, _ pattern: CheckPattern?, _ response: HTTPResponse
) -> Verdict {
  switch expect.condition {
  case .success: return (200...399).contains(response.status) ? .matched : .mismatched
  case .status(let ranges):
    return ranges.contains { $0.contains(response.status) } ? .matched : .mismatched
  case .statusRegex:
    let digits = Array(String(response.status).utf8)
    return pattern?.matches(digits) == true ? .matched : .mismatched
  case .header(let name, let value):
    let wanted = lowercased(Array(name.utf8)[...])
    let isThere = response.fields.contains { field in
      field.name == wanted && (value.map { field.value == Array($0.utf8) } ?? true)
    }
    return isThere ? .matched : .mismatched
  case .body(let bytes):
    if contains(response.body, bytes) { return .matched }
    return response.isComplete ? .mismatched : .undecided
  case .bodyRegex:
    if pattern?.matches(response.body) == true { return .matched }
    return response.isComplete ? .mismatched : .undecided
  }
}

/// Whether `needle` occurs in `bytes`; an empty needle always does.
func contains(_ bytes: [UInt8], _ needle: [UInt8]) -> Bool {
  guard let first = needle.first else { return true }
  guard bytes.count >= needle.count else { return false }
  return bytes.withUnsafeBufferPointer { haystack in
    needle.withUnsafeBufferPointer { needle in
      var start = 0
      let end = haystack.count - needle.count
      while start <= end {
        if haystack[start] == first {
          var offset = 1
          while offset < needle.count, haystack[start + offset] == needle[offset] { offset += 1 }
          if offset == needle.count { return true }
        }
        start += 1
      }
      return false
    }
  }
}

/// Two upper-case digits per byte.
func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
  let digits = Array("0123456789ABCDEF".utf8)
  var output: [UInt8] = []
  output.reserveCapacity(bytes.count * 2)
  for byte in bytes {
    output.append(digits[Int(byte >> 4)])
    output.append(digits[Int(byte & 15)])
  }
  return output
}

/// Printable ASCII as it is; other bytes as `\r`, `\n`, `\t` or `\xHH`, so that no peer can put
/// line ends into a log.
func printable(_ bytes: [UInt8]) -> String {
  var output: [UInt8] = []
  for byte in bytes.prefix(Limits.info) {
    switch byte {
    case 32...126: output.append(byte)
    case 9: output += Array("\\t".utf8)
    case 10: output += Array("\\n".utf8)
    case 13: output += Array("\\r".utf8)
    default: output += Array("\\x".utf8) + hexadecimal([byte])
    }
  }
  return String(decoding: output, as: UTF8.self)
}
