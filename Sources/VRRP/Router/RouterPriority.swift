// What a router's priority is in each of its roles. Most routers have one number for all of them;
// those that follow something that can fail have more, so that a holder is not replaced by its
// equals.

public struct RouterPriority: Equatable, Sendable {
  /// While it is backup: a living master of a lower priority is replaced. 1...255.
  public var backup: UInt8
  /// Advertised while it is master, 1...255.
  public var master: UInt8
  /// What its skew is computed from, 1...255: the higher, the sooner its turn when a master is
  /// gone.
  public var turn: UInt8
  /// Replaces a living master of a lower priority although Preempt_Mode says otherwise.
  public var overridesPreemptMode: Bool

  public init(
    backup: UInt8, master: UInt8, turn: UInt8, overridesPreemptMode: Bool = false
  ) {
    self.backup = backup
    self.master = master
    self.turn = turn
    self.overridesPreemptMode = overridesPreemptMode
  }

  /// The same in every role.
  public init(_ priority: UInt8) {
    self.init(backup: priority, master: priority, turn: priority)
  }

  /// 0 is no priority but a farewell (RFC 9568, section 5.2.4).
  var isPossible: Bool { backup > 0 && master > 0 && turn > 0 }
}

extension RouterPriority: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt8) { self.init(value) }
}
