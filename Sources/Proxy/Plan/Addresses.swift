// The model's addresses in the kernel's form, and back into words.

import Configuration
import Kernel

extension NetworkEndpoint {
  /// An IP address and a port.
  public init(_ address: IPAddress, port: UInt16) {
    self.init()
    self.port = port
    switch address {
    case .v4(let value):
      family = 4
      low = UInt64(value)
    case .v6(let high, let low):
      family = 6
      self.high = high
      self.low = low
    }
  }

  /// The address without the port. Family 0 reads as the IPv4 unspecified address.
  public var address: IPAddress {
    family == 6 ? .v6(high: high, low: low) : .v4(UInt32(truncatingIfNeeded: low))
  }
}

extension IPAddress {
  var isVersion4: Bool {
    if case .v4 = self { return true }
    return false
  }
}

extension KernelAddress {
  static var unset: KernelAddress { KernelAddress.empty }

  init(_ address: SocketAddress) throws(KernelError) {
    switch address {
    case .ip(let ip, let port): try self.init(NetworkEndpoint(ip, port: port))
    case .unix(let path): try self.init(unixPath: path)
    case .abstract(let name): try self.init(unixPath: name, isAbstract: true)
    case .descriptor: throw KernelError(call: "address", code: 97)
    }
  }
}
