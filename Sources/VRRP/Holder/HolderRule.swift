// The rule by which an address follows the proxy: from what is known of one node to the priority
// that its router has. Health travels in the advertised priority alone, so a peer that knows
// nothing of it (keepalived) understands. Documentation/decisions/0011 has the reasons and a
// table of what two and three nodes make of it.
//
//   254            an operator moves the address here
//   253            it is here because an operator moved it
//   130...252      healthy, in the order of preference
//   129            healthy, but does not take the address from another healthy node
//   128            unhealthy, and has the address: no unhealthy node takes it
//     2...124      unhealthy, without the address; the preference less 128
//     1            drained: everybody takes it, also unhealthy nodes

public enum HolderBand {
  public static let claiming: UInt8 = 254
  public static let claimed: UInt8 = 253
  /// What may be configured.
  public static let preferences: ClosedRange<UInt8> = 130...252
  public static let modest: UInt8 = 129
  public static let unhealthyHolder: UInt8 = 128
  public static let drained: UInt8 = 1
}

/// What a node's path is worth, as the rule sees it.
public enum HolderStanding: Equatable, Sendable {
  case unhealthy
  /// Healthy again, or since the start, for a short time only.
  case recovering
  case settled
}

/// What an operator wants of one router.
public enum HolderOrder: Equatable, Sendable {
  case none
  /// Give the address to a healthy node. (To any other node: `isDrained`.)
  case steppingDown
  /// Gave it away, and does not take it back from a healthy node.
  case steppedDown
  /// Take the address.
  case claiming
  /// Took it, and keeps it from nodes that are preferred.
  case claimed
}

/// Everything that decides about the priority of one router on one node.
public struct HolderSituation: Equatable, Sendable {
  /// Configured, or as tracking adds it up. `HolderBand.preferences` for one that follows.
  public var preference: UInt8
  /// False: the path does not count, and the preference is the priority.
  public var follows: Bool
  /// A healthy holder of a lower preference is replaced (`preempt`). Only for one that follows;
  /// others have Preempt_Mode.
  public var returns = true
  public var standing = HolderStanding.unhealthy
  public var order = HolderOrder.none
  public var isDrained = false

  public init(preference: UInt8, follows: Bool) {
    self.preference = preference
    self.follows = follows
  }

  public var priority: RouterPriority {
    if isDrained { return RouterPriority(HolderBand.drained) }
    return follows ? followingPriority : plainPriority
  }

  private var followingPriority: RouterPriority {
    if standing == .unhealthy {
      // Subtracting keeps the order; a preference out of range must not trap.
      let low = max(2, preference > 128 ? preference - 128 : 2)
      return RouterPriority(backup: low, master: HolderBand.unhealthyHolder, turn: low)
    }
    var priority = RouterPriority(preference)
    if standing == .recovering || !returns { priority.backup = HolderBand.modest }
    switch order {
    case .none: break
    case .steppingDown:
      priority.backup = HolderBand.modest
      priority.master = HolderBand.unhealthyHolder
    case .steppedDown: priority.backup = HolderBand.modest
    case .claiming:
      return RouterPriority(
        backup: HolderBand.claiming, master: HolderBand.claiming, turn: HolderBand.claiming,
        overridesPreemptMode: true)
    case .claimed: priority.master = HolderBand.claimed
    }
    return priority
  }

  /// Nothing is known of the health of such nodes: whoever steps down is below all of them.
  private var plainPriority: RouterPriority {
    var priority = RouterPriority(preference)
    switch order {
    case .none: break
    case .steppingDown:
      priority.backup = HolderBand.drained
      priority.master = HolderBand.drained
    case .steppedDown: priority.backup = HolderBand.drained
    case .claiming, .claimed:
      return RouterPriority(
        backup: HolderBand.claiming, master: HolderBand.claiming, turn: HolderBand.claiming,
        overridesPreemptMode: true)
    }
    return priority
  }
}
