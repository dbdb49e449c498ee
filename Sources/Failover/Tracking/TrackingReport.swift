// What is watched, and what became of it: the words between those who watch and the routers.

import Configuration

/// Something a router or a sync group depends on, by its name in the configuration.
public enum TrackedSubject: Hashable, Sendable {
  case script(String)
  case file(String)
  case process(String)
  /// Interfaces are watched by their owner, not by the `Tracker`.
  case interface(String)
}

/// The last thing known about a subject.
public enum TrackResult: Hashable, Sendable {
  case good
  case bad
  /// The number a file holds, in the range of a 32-bit integer.
  case value(Int)
  /// It cannot be watched at all (a script that is missing, or refused by script security).
  /// keepalived drops the references to it, so it neither adds nor faults.
  case disabled
}

/// A result that changed.
public struct TrackingReport: Sendable, Equatable {
  public var subject: TrackedSubject
  public var result: TrackResult
  /// The line to log; nil = nothing to say.
  public var text: String?
  public init(_ subject: TrackedSubject, _ result: TrackResult, text: String? = nil) {
    self.subject = subject
    self.result = result
    self.text = text
  }
}
