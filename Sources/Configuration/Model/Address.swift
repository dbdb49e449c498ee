// Addresses as a configuration names them. Parsing a numeric address touches no network;
// names stay names until the daemon resolves them.

/// An IP address, as numbers in host byte order.
public enum IPAddress: Hashable, Sendable {
  case v4(UInt32)
  /// The first and last eight bytes.
  case v6(high: UInt64, low: UInt64)
}

/// Where to listen, or a numeric address to connect to.
public enum SocketAddress: Hashable, Sendable {
  case ip(IPAddress, port: UInt16)
  /// A file-system socket path.
  case unix(path: String)
  /// A Linux abstract socket name, without the leading NUL.
  case abstract(name: String)
  /// An inherited descriptor number (`fd@N`); listeners only.
  case descriptor(Int32)
}

/// The host part of a server address.
public enum ServerHost: Hashable, Sendable {
  case ip(IPAddress)
  /// Resolved at start (libc) or by a `resolvers` section.
  case name(String)
  case unix(path: String)
  case abstract(name: String)
  /// `0.0.0.0` or `*`: the address the client connected to.
  case clientDestination
}

/// The port part of a server address.
public enum ServerPort: Hashable, Sendable {
  case fixed(UInt16)
  /// The port the client connected to plus an offset, -65535...65535 (`:+N`, `:-N`, none = 0).
  case offset(Int)
}
