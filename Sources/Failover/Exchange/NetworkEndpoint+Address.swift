// The model's addresses in the kernel's form and back; raw sockets have no ports.

import Configuration
import Kernel

extension NetworkEndpoint {
  init(_ address: IPAddress) {
    self.init()
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

  /// Family 0 reads as the IPv4 unspecified address.
  var address: IPAddress {
    family == 6 ? .v6(high: high, low: low) : .v4(UInt32(truncatingIfNeeded: low))
  }
}
