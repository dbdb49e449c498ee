// The kernel's settings, the processes beside us, and who listens where.

import Configuration

public struct MachineFacts: Sendable {
  /// The daemon that runs here, or this very process: whose privileges and limits count.
  public var process = ProcessFacts(id: 0, name: "")
  public var isDaemonRunning = false
  /// haproxy and keepalived processes of this network namespace.
  public var rivals: [ProcessFacts] = []
  public var listeners: [ListenerFacts] = []
  /// By path below /proc/sys, such as "net/ipv4/conf/all/rp_filter".
  public var settings: [String: Int] = [:]
  /// net.ipv4.ip_local_port_range.
  public var sourcePorts: ClosedRange<Int>?
  public init() {}
}

public struct ProcessFacts: Equatable, Sendable {
  public var id: Int
  /// At most 15 bytes, as the kernel keeps it.
  public var name: String
  /// Bits of capabilities(7) in force.
  public var capabilities: UInt64 = 0
  /// Descriptors it may open: the hard limit, which Fairlead raises its own to.
  public var descriptors: Int = 0
  public init(id: Int, name: String) {
    self.id = id
    self.name = name
  }
}

/// A TCP socket that listens in this network namespace.
public struct ListenerFacts: Equatable, Sendable {
  public var address: IPAddress
  public var port: UInt16
  /// nil = could not be found out.
  public var process: ProcessFacts?
  public init(_ address: IPAddress, port: UInt16, process: ProcessFacts? = nil) {
    self.address = address
    self.port = port
    self.process = process
  }
}

/// Bits of the effective set, capabilities(7).
public enum Capability: UInt64, CaseIterable, Sendable {
  case netBindService = 10
  case netAdmin = 12
  case netRaw = 13
  case ipcLock = 14
  case sysNice = 23

  public var name: String {
    switch self {
    case .netBindService: "CAP_NET_BIND_SERVICE"
    case .netAdmin: "CAP_NET_ADMIN"
    case .netRaw: "CAP_NET_RAW"
    case .ipcLock: "CAP_IPC_LOCK"
    case .sysNice: "CAP_SYS_NICE"
    }
  }

  func isIn(_ set: UInt64) -> Bool { set >> rawValue & 1 == 1 }
}
