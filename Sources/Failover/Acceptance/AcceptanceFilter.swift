// Keeps the packet filter in step with the configuration: routers with no_accept hold their
// addresses and answer for them on the link, and nothing is to be reached there. The rules stand
// for the whole run: they mean nothing while an address is somewhere else, and no transition has
// to wait for them.

import Configuration
import Synchronization

/// Used by one thread at a time; which one does not matter.
final class AcceptanceFilter: Sendable {
  private struct State {
    /// Kept open while there are rules: the table belongs to it.
    var socket: RouteSocket?
    var refused = RefusedAddresses()
    /// Of the configuration that `prepare` found.
    var before = RefusedAddresses()
    /// A reload that ends after the routers have does not bring the rules back.
    var hasEnded = false
  }
  private let state = Mutex(State())

  /// At the start, in the network namespace of the calling thread: removes what a killed run left
  /// behind and installs what the configuration needs. Throws when packets would be accepted
  /// that must not be; a kernel without nftables is no problem to who needs no rules. True when
  /// something was left behind.
  func start(_ configuration: FailoverConfiguration) throws(FailoverError) -> Bool {
    state.withLock { $0.hasEnded = false }
    let refused = RefusedAddresses(configuration)
    var wasLeft = false
    do throws(NetlinkError) { wasLeft = try AcceptanceFilter.removeLeftover() } catch {
      if !refused.isEmpty {
        throw FailoverError(description: "cannot remove left-over packet filter rules: \(error)")
      }
    }
    try change(to: refused)
    return wasLeft
  }

  /// Before another configuration takes effect: drops what either of the two wants dropped, so
  /// that no address is open between. Throws when that is impossible; nothing has changed then.
  func prepare(for configuration: FailoverConfiguration) throws(FailoverError) {
    let old = state.withLock {
      $0.before = $0.refused
      return $0.refused
    }
    try change(to: old.union(RefusedAddresses(configuration)))
  }

  /// Now that a configuration is in effect, or, nil, that the one before `prepare` stays. Throws
  /// when too much is still dropped.
  func settle(_ configuration: FailoverConfiguration?) throws(FailoverError) {
    try change(to: configuration.map { RefusedAddresses($0) } ?? state.withLock { $0.before })
  }

  /// Removes the rules; nothing is said when that fails, since it is the end.
  func stop() {
    try? change(to: RefusedAddresses())
    state.withLock { $0.hasEnded = true }
  }

  /// All at once or not at all. Rules that should be there already are made anew all the same:
  /// where the kernel cannot protect them, somebody may have removed them.
  private func change(to wanted: RefusedAddresses) throws(FailoverError) {
    try state.withLock { (state) throws(FailoverError) in
      guard !(wanted.isEmpty && state.refused.isEmpty), !state.hasEnded else { return }
      do throws(NetlinkError) { try AcceptanceFilter.apply(wanted, &state) } catch {
        throw FailoverError(description: AcceptanceFilter.explain(error))
      }
    }
  }

  private static func apply(
    _ wanted: RefusedAddresses, _ state: inout State
  ) throws(NetlinkError) {
    let socket = if let open = state.socket { open } else { try RouteSocket(netfilter: ()) }
    if wanted.isEmpty {
      try socket.commit(AcceptanceTable.messagesForRemoval(), "remove the table")
      state.socket = nil
    } else {
      try install(wanted, socket)
      state.socket = socket
    }
    state.refused = wanted
  }

  /// Out of reach for `nft flush ruleset`, with which firewalls load their rules anew, where the
  /// kernel has that together with staying when we are killed: an address that is left behind is
  /// not to be open.
  private static func install(
    _ wanted: RefusedAddresses, _ socket: RouteSocket
  ) throws(NetlinkError) {
    let what = "install the table \(AcceptanceTable.name)"
    let protected = TableAttribute.ownerFlag | TableAttribute.persistFlag
    do throws(NetlinkError) {
      try socket.commit(
        AcceptanceTable.messages(installing: wanted, tableFlags: protected), what)
    } catch {
      guard error.code == Errno.notSupported || error.code == Errno.invalid else { throw error }
      try socket.commit(AcceptanceTable.messages(installing: wanted, tableFlags: 0), what)
    }
  }

  private static func explain(_ error: NetlinkError) -> String {
    let sentence = "virtual routers with no_accept need nftables in the kernel: \(error)"
    switch error.code {
    case Errno.notPermitted:
      return sentence + "; root or CAP_NET_ADMIN is needed, or another program owns this table"
    case Errno.invalid, Errno.notSupported, Errno.protocolNotSupported:
      return sentence + "; the kernel modules nfnetlink and nf_tables are missing"
    default: return sentence
    }
  }

  /// In the network namespace of the calling thread. False when there was none. Only for who is
  /// alone there.
  static func removeLeftover() throws(NetlinkError) -> Bool {
    do throws(NetlinkError) {
      let socket = try RouteSocket(netfilter: ())
      try socket.request(AcceptanceTable.question(), "look for \(AcceptanceTable.name)")
      try socket.commit(AcceptanceTable.messagesForRemoval(), "remove \(AcceptanceTable.name)")
      return true
    } catch {
      switch error.code {
      case Errno.noSuchEntry: return false
      // A kernel without nftables has no tables, and nobody may look who may not make them.
      case Errno.invalid, Errno.notSupported, Errno.protocolNotSupported, Errno.notPermitted:
        return false
      default: throw error
      }
    }
  }
}
