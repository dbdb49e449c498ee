// What the system refuses is a value: which call, and the errno it gave.

import CLinux

/// A system call that failed.
public struct KernelError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The call's name as in section 2 of the manual pages.
  public let call: String
  /// A positive errno value.
  public let code: Int32

  public init(call: String, code: Int32) {
    self.call = call
    self.code = code
  }

  /// The system's words for the errno, such as "Address already in use".
  public var reason: String { KernelError.text(of: code) }
  public var description: String { "\(call): \(reason)" }

  /// The system's words for an errno value.
  public static func text(of code: Int32) -> String { String(cString: fl_error_text(code)) }

  /// Throws when `result` is negative (an errno with its sign turned), otherwise returns it.
  @inlinable @discardableResult
  static func check(_ result: Int32, _ call: StaticString) throws(KernelError) -> Int32 {
    if result < 0 { throw KernelError(call: call.description, code: -result) }
    return result
  }
}

/// What a call that moves bytes came back with: a count, end of stream (0), would-block, or an
/// error number. A value, not an exception: would-block is the common case.
@frozen public struct IOResult: Sendable {
  /// Bytes moved, or a negative errno.
  public let raw: Int
  @inlinable @inline(__always) public init(_ raw: Int) { self.raw = raw }
  @inlinable @inline(__always) public var isWouldBlock: Bool { raw == -11 }
  @inlinable @inline(__always) public var isError: Bool { raw < 0 && raw != -11 }
  /// Positive errno, or 0.
  @inlinable @inline(__always) public var errorCode: Int32 { raw < 0 ? Int32(-raw) : 0 }
}
