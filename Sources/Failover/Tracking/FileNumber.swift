// The number in a tracked file, read as keepalived reads it, and the file's first content.

import Configuration
import Glibc
import Kernel

enum FileNumber {
  /// White space, a sign, then digits: decimal, octal after `0`, hexadecimal after `0x`. What
  /// follows is ignored; no digits = 0 (strtol(3) with base 0). nil = not in the range of a 32-bit
  /// integer: keepalived keeps the number it had.
  static func parse(_ text: some Sequence<UInt8>) -> Int? {
    var bytes = Array(text)[...]
    bytes = bytes.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
    var isNegative = false
    if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      isNegative = sign == UInt8(ascii: "-")
      bytes.removeFirst()
    }
    var base = 10
    if bytes.first == UInt8(ascii: "0") {
      base = 8
      let rest = bytes.dropFirst()
      if let x = rest.first, x | 0x20 == UInt8(ascii: "x"),
        let next = rest.dropFirst().first, digit(next, base: 16) != nil
      {
        base = 16
        bytes = rest.dropFirst()
      }
    }
    var value = 0
    for byte in bytes {
      guard let digit = digit(byte, base: base) else { break }
      value = value &* base &+ digit
      if value > 1 << 31 { return nil }
    }
    value = isNegative ? -value : value
    return Int32(exactly: value).map(Int.init)
  }

  private static func digit(_ byte: UInt8, base: Int) -> Int? {
    let value =
      switch byte {
      case 0x30...0x39: Int(byte) - 0x30
      case 0x41...0x46: Int(byte) - 0x41 + 10
      case 0x61...0x66: Int(byte) - 0x61 + 10
      default: base
      }
    return value < base ? value : nil
  }

  /// 0 when there is no file or it cannot be read; nil as `parse`.
  static func read(_ path: String) -> Int? {
    // Not blocked by a FIFO that nobody writes to.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return 0 }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: TrackingLimits.fileBytes, alignment: 1) {
      let count = Glibc.read(descriptor, $0.baseAddress, $0.count)
      return parse($0.prefix(max(count, 0)))
    }
  }

  /// `init_file`. Returns a sentence when it did not work.
  static func create(_ file: TrackedFile) -> String? {
    guard case .create(let value, let overwrites) = file.initial else { return nil }
    let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (overwrites ? O_TRUNC : O_EXCL)
    let descriptor = open(file.path, flags, 0o644)
    if descriptor < 0 {
      let code = errno
      if code == EEXIST, !overwrites { return nil }
      return "track file \(file.name): \(file.path) cannot be made - \(KernelError.text(of: code))"
    }
    defer { close(descriptor) }
    var text = "\(value)\n"
    let result = text.withUTF8 { System.write(descriptor, UnsafeRawBufferPointer($0)) }
    if !result.isError { return nil }
    return "track file \(file.name): \(file.path): \(KernelError.text(of: result.errorCode))"
  }
}
