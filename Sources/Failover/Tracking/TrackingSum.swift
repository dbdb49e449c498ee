// Adds up what a router watches: is it in fault, must it wait, and which priority does it have.
// Pure; the rules and their oddities are those measured with keepalived 2.2.7.

import Configuration

/// What the watched things make of a router.
public struct TrackingOutcome: Equatable, Sendable {
  /// In the order of the configuration. Not empty = the router is in fault.
  public var faults: [TrackedSubject]
  /// Something with weight 0 is not known yet: the router stays in its initial state.
  public var waits: Bool
  /// Effective priority: 1...254, or 255 for an owner of the addresses, always.
  public var priority: UInt8
  public init(faults: [TrackedSubject] = [], waits: Bool = false, priority: UInt8) {
    self.faults = faults
    self.waits = waits
    self.priority = priority
  }
}

/// The sum of one router: made when the configuration is loaded, evaluated on every report.
public struct TrackingSum: Sendable, Equatable {
  /// What a file adds is kept within this range; the lowest of it is a fault
  /// (keepalived.conf(5), "Track files").
  static let lowestFileTerm = -254
  static let highestFileTerm = 253

  struct Term: Equatable, Sendable {
    var subject: TrackedSubject
    /// 0 = decides about the fault state.
    var weight: Int
    var isReversed: Bool
  }

  let terms: [Term]
  let base: UInt8
  /// References that do not count, as sentences for the log.
  public let notices: [String]

  /// What the sum depends on.
  public var subjects: [TrackedSubject] { terms.map(\.subject) }

  /// `group` is the sync group the router is in.
  public init(router: VirtualRouter, group: SyncGroup?, configuration: FailoverConfiguration) {
    let defaults = Defaults(configuration)
    var terms: [Term] = []
    var notices: [String] = []
    var seen: Set<TrackedSubject> = []
    base = router.priority

    // An owner's priority is 255 by definition (RFC 9568 section 5.2.4), so weights cannot count.
    func add(_ term: Term) {
      guard seen.insert(term.subject).inserted else { return }
      var term = term
      if router.priority == 255, term.weight != 0 {
        guard case .file = term.subject else {
          notices.append(
            "(\(router.name)) ignoring tracked \(term.subject.words) with weights due to"
              + " address_owner")
          return
        }
        // Measured: a file stays, with weight 0; everything else is dropped.
        notices.append(
          "(\(router.name)) ignoring weight from tracked \(term.subject.words) due to"
            + " address_owner. specify weight 0")
        term.weight = 0
      }
      terms.append(term)
    }

    if let group { defaults.terms(of: group).forEach(add) }
    let groupSubjects = seen
    for term in defaults.terms(of: router) {
      if groupSubjects.contains(term.subject) {
        notices.append(
          "(\(router.name)) tracked \(term.subject.words) is configured on the router and on its"
            + " sync group: the group's counts")
      } else if let group, !group.allowsWeights, term.weight != 0 {
        // Members must change together, so they must not have weights of their own.
        notices.append(
          "(\(router.name)) ignoring tracked \(term.subject.words) with weights due to SYNC group")
      } else {
        add(term)
      }
    }
    self.terms = terms
    self.notices = notices
  }

  /// What is missing in `results` is not known yet.
  public func evaluate(_ results: [TrackedSubject: TrackResult]) -> TrackingOutcome {
    var outcome = TrackingOutcome(priority: base)
    var sum = Int(base)
    for term in terms {
      switch term.effect(of: results[term.subject]) {
      case .none: break
      case .fault: outcome.faults.append(term.subject)
      case .wait: outcome.waits = true
      case .add(let amount): sum += amount
      }
    }
    if base != 255 { outcome.priority = UInt8(min(max(sum, 1), 254)) }
    return outcome
  }
}

extension TrackingSum.Term {
  enum Effect: Equatable {
    case none, fault, wait
    case add(Int)
  }

  func effect(of result: TrackResult?) -> Effect {
    switch result {
    case nil: weight == 0 ? .wait : .none
    case .disabled: .none
    case .value(let value): effect(ofValue: value)
    case .good: effect(isGood: true)
    case .bad: effect(isGood: false)
    }
  }

  /// A positive weight counts while the thing is good, a negative one while it is bad; `reverse`
  /// turns the sign of what is added, or swaps good and bad for weight 0.
  private func effect(isGood: Bool) -> Effect {
    if weight == 0 { return isGood == isReversed ? .fault : .none }
    guard isGood == (weight > 0) else { return .none }
    return .add(isReversed ? -weight : weight)
  }

  private func effect(ofValue value: Int) -> Effect {
    if weight == 0 { return (value == 0) == isReversed ? .fault : .none }
    // Both factors come from a file and a configuration that may hold anything.
    let (product, overflow) = value.multipliedReportingOverflow(
      by: isReversed ? 0 &- weight : weight)
    let isNegative = ((value < 0) != (weight < 0)) != isReversed
    if overflow { return isNegative ? .fault : .add(TrackingSum.highestFileTerm) }
    if product <= TrackingSum.lowestFileTerm { return .fault }
    return .add(min(product, TrackingSum.highestFileTerm))
  }
}

extension TrackedSubject {
  /// For messages: `script chk`.
  public var words: String {
    switch self {
    case .script(let name): "script \(name)"
    case .file(let name): "file \(name)"
    case .process(let name): "process \(name)"
    case .interface(let name): "interface \(name)"
    }
  }
}

/// What references mean when they do not say it themselves.
private struct Defaults {
  var scripts: [String: (weight: Int, isReversed: Bool)] = [:]
  var files: [String: (weight: Int, isReversed: Bool)] = [:]
  var processes: [String: (weight: Int, isReversed: Bool)] = [:]

  init(_ configuration: FailoverConfiguration) {
    for script in configuration.scripts {
      scripts[script.name] = (script.weight, script.isReversed)
    }
    for file in configuration.files { files[file.name] = (file.weight, file.isReversed) }
    for process in configuration.processes {
      processes[process.name] = (process.weight, process.isReversed)
    }
  }

  func terms(of router: VirtualRouter) -> [TrackingSum.Term] {
    terms(
      router.trackedInterfaces, router.trackedScripts, router.trackedFiles,
      router.trackedProcesses)
  }

  func terms(of group: SyncGroup) -> [TrackingSum.Term] {
    terms(
      group.trackedInterfaces, group.trackedScripts, group.trackedFiles, group.trackedProcesses)
  }

  private func terms(
    _ interfaces: [TrackReference], _ scriptReferences: [TrackReference],
    _ fileReferences: [TrackReference], _ processReferences: [TrackReference]
  ) -> [TrackingSum.Term] {
    interfaces.map { term(.interface($0.name), $0, (0, false)) }
      + scriptReferences.map { term(.script($0.name), $0, scripts[$0.name]) }
      + fileReferences.map { term(.file($0.name), $0, files[$0.name]) }
      + processReferences.map { term(.process($0.name), $0, processes[$0.name]) }
  }

  /// A reference with a weight of its own also says whether it is reversed.
  private func term(
    _ subject: TrackedSubject, _ reference: TrackReference, _ own: (weight: Int, isReversed: Bool)?
  ) -> TrackingSum.Term {
    if let weight = reference.weight {
      return .init(subject: subject, weight: weight, isReversed: reference.isReversed)
    }
    return .init(
      subject: subject, weight: own?.weight ?? 0,
      isReversed: reference.isReversed != (own?.isReversed ?? false))
  }
}
