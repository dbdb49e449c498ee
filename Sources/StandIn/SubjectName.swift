// A name in a certificate: what a client may have written into its kubeconfig.

import Glibc
import X509

/// A DNS name or a numeric address.
public enum SubjectName: Equatable, Sendable {
  /// At most 253 ASCII letters, digits, hyphens and dots; `*` is allowed as the first label.
  case dns(String)
  /// Four or sixteen bytes in network order.
  case address([UInt8])

  /// Nil when the text is neither a numeric address nor a DNS name.
  public init?(_ text: String) {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      self = .address(withUnsafeBytes(of: &four) { Array($0) })
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      self = .address(withUnsafeBytes(of: &six) { Array($0) })
    } else if Self.isDNSName(text) {
      self = .dns(text)
    } else {
      return nil
    }
  }

  private static func isDNSName(_ text: String) -> Bool {
    guard (1...253).contains(text.utf8.count) else { return false }
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    return labels.enumerated().allSatisfy { index, label in
      if index == 0, label == "*", labels.count > 1 { return true }
      return (1...63).contains(label.utf8.count)
        && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    }
  }

  var general: GeneralName {
    switch self {
    case .dns(let name): .dnsName(name)
    case .address(let bytes): .ipAddress(.init(contentBytes: bytes[...]))
    }
  }
}
