// What the status tells of a virtual router's change of state.

/// A virtual router has changed its state. Times are seconds, instants seconds since 1970.
public struct MoveReport: Codable, Equatable, Sendable {
  public var time: Double
  public var router: String
  /// initialize, backup, master or fault.
  public var from: String
  public var to: String
  /// Why, in words.
  public var reason: String
  /// How long the state before has lasted.
  public var lasted: Double
  /// For a new master: how long nobody had been heard, and so the address may have been without
  /// anybody; nil when nobody ever was.
  public var silence: Double?

  public init(
    time: Double, router: String, from: String, to: String, reason: String, lasted: Double,
    silence: Double?
  ) {
    self.time = time
    self.router = router
    self.from = from
    self.to = to
    self.reason = reason
    self.lasted = lasted
    self.silence = silence
  }
}
