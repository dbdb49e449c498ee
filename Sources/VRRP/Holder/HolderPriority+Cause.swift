// Why a router has changed its state, where an operator's order is behind it: a planned move must
// not look like the death of a master.

extension HolderPriority {
  /// The cause of a change of state with what operators have ordered in mind, here or at another
  /// node; the machine's own cause where no order is behind it. To be asked before the holder
  /// hears of the change.
  public func cause(_ cause: TransitionCause, to state: RouterState) -> TransitionCause {
    switch (state, cause) {
    case (.master, .masterDown), (.master, .masterResigned), (.master, .lowerPriority),
      (.master, .group):
      return situation.order == .claiming ? .orderedHere : cause
    case (.backup, .higherPriority(let priority, let source)):
      // Preferences end below these: only a node that was told to take the address has one.
      let isClaimed =
        situation.follows && (HolderBand.claimed...HolderBand.claiming).contains(priority)
      return isClaimed || givesAway ? .orderedAway(to: source) : cause
    case (.backup, .higherAddress(let source)):
      return givesAway ? .orderedAway(to: source) : cause
    case (.backup, .resigned), (.backup, .group):
      return givesAway ? .orderedAway(to: nil) : cause
    default: return cause
    }
  }

  private var givesAway: Bool {
    if case .steppingDown = situation.order { return true }
    return situation.isDrained
  }
}
