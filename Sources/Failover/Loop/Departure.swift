// Addresses on their way out. They stay a moment longer than the router is master, until whoever
// takes over has told the network, and then until their sessions have been reset. The decisions,
// without a clock; RouterLoop+Departures.swift carries them out.

import Configuration
import VRRP

struct Departure {
  /// What is due.
  enum Step: Equatable {
    case wait
    /// The sessions are to be reset.
    case reset
    /// They have been, or that takes too long.
    case remove
  }

  /// The router with what it held; it may have left the configuration since.
  var runtime: RouterRuntime
  /// Goes with the last address.
  var link: VirtualMACLink?
  /// The order to reset the sessions; nil before it was given.
  private(set) var ticket: Int?
  /// It has been carried out.
  private(set) var isReset = false
  private(set) var due_us: Microseconds

  init(_ runtime: RouterRuntime, waiting_us: Microseconds, at now_us: Microseconds) {
    self.runtime = runtime
    due_us = now_us + waiting_us
  }

  /// How long a successor is waited for; 0 = its arrival would do harm, or none can be heard.
  static func waiting_us(
    for runtime: RouterRuntime, state: RouterState, isLinkUp: Bool
  ) -> Microseconds {
    let router = runtime.router
    // Two nodes that send from one MAC address confuse the switches between them; an address that
    // is looked for on the link before it is used must not be found there.
    let mustGoFirst =
      router.virtualMAC != nil
      || runtime.held.contains { $0.address.address.family == .v6 && $0.address.detectsDuplicates }
    if !isLinkUp || mustGoFirst { return 0 }
    switch state {
    // A new master has spoken.
    case .backup, .master: return Limits.successorHead_us
    // We have said priority 0: the others are waiting for their skew, which is the longest for
    // the lowest priority.
    case .initialize, .fault:
      let skew_us = Timing.skew_us(
        version: runtime.settings.version, priority: 1,
        masterInterval_us: runtime.settings.interval_us)
      return min(skew_us + Limits.successorHead_us, Limits.successorWait_us)
    }
  }

  /// Another node speaks as master: it announces the addresses next.
  mutating func hearAdvert(at now_us: Microseconds) {
    guard ticket == nil else { return }
    due_us = min(due_us, now_us + Limits.successorHead_us)
  }

  /// Another node has announced an address: clients send there from now on. An IPv6 address has
  /// been added there, but its kernel takes packets for it only after some work of its own.
  mutating func hearAnnouncement(at now_us: Microseconds) {
    guard ticket == nil else { return }
    let settle_us = runtime.router.family == .v6 ? Limits.successorSettle_us : 0
    due_us = min(due_us, now_us + settle_us)
  }

  func step(at now_us: Microseconds) -> Step {
    if now_us < due_us { return .wait }
    return ticket == nil ? .reset : .remove
  }

  mutating func beginReset(_ ticket: Int, at now_us: Microseconds) {
    self.ticket = ticket
    due_us = now_us + Limits.resetWait_us
  }

  /// The order was carried out.
  mutating func endReset(at now_us: Microseconds) {
    isReset = true
    due_us = min(due_us, now_us)
  }

  /// Addresses, and with them nothing else, that somebody keeps after all.
  mutating func give(back wanted: [HeldAddress]) -> [HeldAddress] {
    let kept = runtime.held.filter(wanted.contains)
    runtime.held.removeAll(where: wanted.contains)
    return kept
  }
}
