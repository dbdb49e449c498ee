// Decides when a name is asked for, which record type, and what its address is. Pure: time is a
// parameter, and queries are actions.

import Configuration

/// A name and the family its user prefers.
public struct ResolvedName: Hashable, Sendable {
  public var name: String
  /// `resolve-prefer ipv4`; HAProxy's default is IPv6.
  public var prefersIPv4: Bool
  public init(_ name: String, prefersIPv4: Bool = false) {
    self.name = name
    self.prefersIPv4 = prefersIPv4
  }
}

/// Why a name has no address.
public enum ResolutionFailure: Equatable, Hashable, Sendable, CustomStringConvertible {
  case nameError, timeout, refused, other

  /// HAProxy's words in `is going DOWN for maintenance (…)`.
  public var description: String {
    switch self {
    case .nameError: "DNS NX status"
    case .timeout: "DNS timeout status"
    case .refused: "DNS refused status"
    case .other: "unspecified DNS error"
    }
  }
}

/// One name's resolution, again and again (configuration manual, section 5.3.2).
struct LookupMachine {
  enum Action: Equatable {
    /// Ask all name servers for this type; replies to earlier queries still count.
    case query(RecordType)
    /// Call `timer` after this time, and forget the timer set before.
    case wait(Duration)
    /// The resolution is over: late replies no longer count.
    case rest
    /// `server` is the index of the name server that answered.
    case changed(from: IPAddress?, to: IPAddress, server: Int)
    case lost(IPAddress, ResolutionFailure)
  }

  typealias Instant = ContinuousClock.Instant

  private let settings: Resolvers
  private let servers: Int
  private let preferred: RecordType
  private(set) var address: IPAddress?
  private var lastValid: Instant?
  /// When the current address was last in an answer.
  private var lastSeen: Instant?

  private var isRunning = false
  private var type: RecordType
  private var triesLeft = 0
  /// Types whose answers of this resolution held no address.
  private var exhausted: Set<RecordType> = []
  /// Name servers that failed the current query.
  private var failed: Set<Int> = []
  private var failure = ResolutionFailure.timeout

  init(_ name: ResolvedName, _ settings: Resolvers, servers: Int, address: IPAddress? = nil) {
    self.settings = settings
    self.servers = servers
    self.address = address
    preferred = name.prefersIPv4 ? .a : .aaaa
    type = preferred
  }

  /// The timer set by `wait` ran out, or the lookup begins.
  mutating func timer(at now: Instant) -> [Action] {
    if lastValid == nil { lastValid = now }  // an initial address is held from the start
    if !isRunning { return begin() }
    triesLeft -= 1
    guard triesLeft > 0 else { return fail(.timeout, at: now) }
    // HAProxy alternates: some servers never answer one of the types.
    if exhausted.isEmpty { type = other(type) }
    return query()
  }

  /// A reply to a query of this resolution. The caller has checked its id and question.
  mutating func handle(_ answer: Answer, server: Int, at now: Instant) -> [Action] {
    guard isRunning, let asked = answer.question?.type else { return [] }
    if answer.code == .noError, !answer.isTruncated {
      let family = answer.addresses.filter { $0.isIPv4 == (asked == .a) }
      if !family.isEmpty { return succeed(family, server: server, at: now) }
    }
    guard asked == type else { return [] }
    failed.insert(server)
    failure =
      switch answer.code {
      case .nameError: .nameError
      case .refused: .refused
      default: .other
      }
    guard failed.count >= servers else { return [] }  // another server may know more
    exhausted.insert(asked)
    guard !exhausted.contains(other(asked)) else { return fail(failure, at: now) }
    type = other(asked)
    return query()
  }

  // MARK: One resolution

  private mutating func begin() -> [Action] {
    isRunning = true
    type = preferred
    triesLeft = max(1, settings.resolveRetries)
    exhausted = []
    return query()
  }

  private mutating func query() -> [Action] {
    failed = []
    return [.query(type), .wait(max(Limits.shortestTimer, settings.timeoutRetry))]
  }

  private mutating func succeed(
    _ addresses: [IPAddress], server: Int, at now: Instant
  ) -> [Action] {
    isRunning = false
    lastValid = now
    var actions: [Action] = [.rest]
    if let address, addresses.contains(address) {
      lastSeen = now
    } else if let address, let lastSeen, lastSeen + settings.holdObsolete > now {
      _ = address  // gone from the answers, but held a while longer
    } else {
      actions.append(.changed(from: address, to: addresses[0], server: server))
      address = addresses[0]
      lastSeen = now
    }
    return actions + [.wait(max(Limits.shortestTimer, settings.holdValid))]
  }

  private mutating func fail(_ failure: ResolutionFailure, at now: Instant) -> [Action] {
    isRunning = false
    var actions: [Action] = [.rest]
    if let address, let lastValid, lastValid + settings.holdOther <= now {
      actions.append(.lost(address, failure))
      self.address = nil
    }
    return actions + [.wait(max(Limits.shortestTimer, settings.timeoutResolve))]
  }

  private func other(_ type: RecordType) -> RecordType { type == .a ? .aaaa : .a }
}

extension IPAddress {
  var isIPv4: Bool {
    switch self {
    case .v4: true
    case .v6: false
    }
  }
}
