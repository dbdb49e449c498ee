// The arithmetic of tracking. The expected values of `measured` are those keepalived 2.2.7 gave
// (state and "Effective priority" of its data dump) for the same configuration.

import Configuration
import Failover
import Testing

struct SumCase: CustomTestStringConvertible, Sendable {
  var base: UInt8
  var references: [(TrackedSubject, Int, Bool, TrackResult)]
  /// nil = in fault.
  var expected: UInt8?
  var testDescription: String { "\(base) \(references) → \(expected.map(String.init) ?? "fault")" }

  init(
    _ base: UInt8, _ references: [(TrackedSubject, Int, Bool, TrackResult)], _ expected: UInt8?
  ) {
    self.base = base
    self.references = references
    self.expected = expected
  }
}

private func script(_ weight: Int, _ isGood: Bool, reverse: Bool = false, _ name: String = "s") -> (
  TrackedSubject, Int, Bool, TrackResult
) {
  (.script(name), weight, reverse, isGood ? .good : .bad)
}

private func file(_ weight: Int, _ value: Int, reverse: Bool = false) -> (
  TrackedSubject, Int, Bool, TrackResult
) {
  (.file("f"), weight, reverse, .value(value))
}

private func link(_ weight: Int, _ isUp: Bool, reverse: Bool = false) -> (
  TrackedSubject, Int, Bool, TrackResult
) {
  (.interface("eth1"), weight, reverse, isUp ? .good : .bad)
}

private func process(_ weight: Int, _ isUp: Bool) -> (TrackedSubject, Int, Bool, TrackResult) {
  (.process("p"), weight, false, isUp ? .good : .bad)
}

private let measured: [SumCase] = [
  SumCase(100, [script(10, true)], 110),
  SumCase(100, [script(10, false)], 100),
  SumCase(100, [script(-10, true)], 100),
  SumCase(100, [script(-10, false)], 90),
  SumCase(100, [script(10, true, reverse: true)], 90),
  SumCase(100, [script(10, false, reverse: true)], 100),
  SumCase(100, [script(-10, true, reverse: true)], 100),
  SumCase(100, [script(-10, false, reverse: true)], 110),
  SumCase(100, [script(0, true)], 100),
  SumCase(100, [script(0, false)], nil),
  SumCase(100, [script(0, true, reverse: true)], nil),
  SumCase(100, [script(0, false, reverse: true)], 100),
  SumCase(200, [script(253, true)], 254),
  SumCase(200, [script(-253, false)], 1),
  SumCase(
    100, [script(100, true, "a"), script(100, true, "b"), script(-100, false, "c")], 200),
  SumCase(100, [script(-90, false, "a"), script(-90, false, "b"), script(60, true, "c")], 1),
  SumCase(255, [script(-10, false)], 255),
  SumCase(255, [script(10, true)], 255),
  SumCase(255, [script(0, false)], nil),
  SumCase(254, [script(10, true)], 254),
  SumCase(100, [link(10, true)], 110),
  SumCase(100, [link(10, false)], 100),
  SumCase(100, [link(-10, false)], 90),
  SumCase(100, [link(-10, false, reverse: true)], 110),
  SumCase(100, [link(10, true, reverse: true)], 90),
  SumCase(100, [link(0, false)], nil),
  SumCase(100, [link(0, false, reverse: true)], 100),
  SumCase(100, [link(0, true, reverse: true)], nil),
  SumCase(100, [file(1, 5)], 105),
  SumCase(100, [file(-2, 5)], 90),
  SumCase(100, [file(2, 5, reverse: true)], 90),
  SumCase(100, [file(0, 5)], nil),
  SumCase(100, [file(0, 0)], 100),
  SumCase(100, [file(0, 5, reverse: true)], 100),
  SumCase(100, [file(0, 0, reverse: true)], nil),
  SumCase(254, [file(1, -253)], 1),
  SumCase(254, [file(1, -254)], nil),
  SumCase(254, [file(1, -255)], nil),
  SumCase(254, [file(-2, 127)], nil),
  SumCase(50, [file(1, 254)], 254),
  SumCase(50, [file(1, 300)], 254),
  SumCase(100, [file(2, 127, reverse: true)], nil),
  SumCase(255, [file(1, 5)], nil),
  SumCase(255, [file(0, 5)], nil),
  SumCase(255, [file(1, -255)], nil),
  SumCase(100, [process(10, false)], 100),
  SumCase(100, [process(-10, false)], 90),
  SumCase(100, [process(0, false)], nil),
  SumCase(254, [process(-254, false)], 1),
]

private let computed: [SumCase] = [
  SumCase(100, [file(Int.max, Int.max)], 254),
  SumCase(100, [file(Int.min, Int.max)], nil),
  SumCase(100, [file(Int.min, 1, reverse: true)], nil),
  SumCase(100, [file(1, Int.min, reverse: true)], 254),
  SumCase(100, [(.script("s"), 0, false, .disabled)], 100),
  SumCase(100, [(.script("s"), 50, false, .disabled)], 100),
]

private func router(_ base: UInt8) -> VirtualRouter {
  var router = VirtualRouter(name: "V", origin: Origin("test"), interface: "eth0", id: 1)
  router.priority = base
  return router
}

private func refer(_ to: TrackedSubject, _ weight: Int?, _ isReversed: Bool = false) -> (
  TrackedSubject, TrackReference
) {
  let name =
    switch to {
    case .script(let name), .file(let name), .process(let name), .interface(let name): name
    }
  var reference = TrackReference(name, weight: weight)
  reference.isReversed = isReversed
  return (to, reference)
}

extension VirtualRouter {
  fileprivate mutating func track(
    _ subject: TrackedSubject, _ weight: Int?, _ reverse: Bool = false
  ) {
    let reference = refer(subject, weight, reverse).1
    switch subject {
    case .script: trackedScripts.append(reference)
    case .file: trackedFiles.append(reference)
    case .process: trackedProcesses.append(reference)
    case .interface: trackedInterfaces.append(reference)
    }
  }
}

@Test(arguments: measured + computed)
func theSumIsKeepalivedS(_ example: SumCase) {
  var router = router(example.base)
  var results: [TrackedSubject: TrackResult] = [:]
  for (subject, weight, reverse, result) in example.references {
    router.track(subject, weight, reverse)
    results[subject] = result
  }
  let sum = TrackingSum(router: router, group: nil, configuration: FailoverConfiguration())
  let outcome = sum.evaluate(results)
  #expect(outcome.faults.isEmpty == (example.expected != nil))
  if let expected = example.expected { #expect(outcome.priority == expected) }
  #expect(!outcome.waits)
}

@Test func whatIsNotKnownYetIsWaitedForWhenItDecidesAboutFaults() {
  var router = router(100)
  router.track(.script("weighted"), 10)
  let weighted = TrackingSum(router: router, group: nil, configuration: FailoverConfiguration())
  #expect(weighted.evaluate([:]) == TrackingOutcome(priority: 100))
  router.track(.script("deciding"), 0)
  router.track(.interface("eth1"), 0)
  let sum = TrackingSum(router: router, group: nil, configuration: FailoverConfiguration())
  #expect(sum.evaluate([:]) == TrackingOutcome(waits: true, priority: 100))
  #expect(
    sum.evaluate([.interface("eth1"): .bad])
      == TrackingOutcome(faults: [.interface("eth1")], waits: true, priority: 100))
  #expect(
    sum.evaluate([.interface("eth1"): .good, .script("deciding"): .good])
      == TrackingOutcome(priority: 100))
}

@Test func referencesWithoutWeightTakeTheThingsOwn() {
  var configuration = FailoverConfiguration()
  var script = TrackedScript(name: "s", command: scriptCommand("/bin/true"))
  (script.weight, script.isReversed) = (7, true)
  configuration.scripts = [script]
  var router = router(100)
  router.track(.script("s"), nil)
  let own = TrackingSum(router: router, group: nil, configuration: configuration)
  #expect(own.evaluate([.script("s"): .good]).priority == 93)
  router.trackedScripts[0].weight = 3
  let overridden = TrackingSum(router: router, group: nil, configuration: configuration)
  #expect(overridden.evaluate([.script("s"): .good]).priority == 103)
}

/// Measured: groups GA, GC, GD of a keepalived with the same references.
@Test func membersOfSyncGroupsLoseTheirWeightsUnlessTheGroupAllowsThem() {
  var group = SyncGroup(name: "G", origin: Origin("test"))
  group.trackedScripts = [TrackReference("B", weight: -10)]
  var member = router(90)
  member.track(.script("F"), -5)
  member.track(.script("Z"), 0)
  let results: [TrackedSubject: TrackResult] = [
    .script("B"): .bad, .script("F"): .bad, .script("Z"): .good, .script("G"): .good,
  ]
  let strict = TrackingSum(router: member, group: group, configuration: FailoverConfiguration())
  #expect(strict.evaluate(results) == TrackingOutcome(priority: 80))
  #expect(strict.notices == ["(V) ignoring tracked script F with weights due to SYNC group"])
  #expect(
    strict.evaluate([.script("B"): .good, .script("Z"): .bad]).faults == [.script("Z")])

  group.allowsWeights = true
  var other = router(90)
  other.track(.script("G"), 7)
  other.track(.script("B"), -20)
  let loose = TrackingSum(router: other, group: group, configuration: FailoverConfiguration())
  #expect(loose.evaluate(results) == TrackingOutcome(priority: 87))
  #expect(loose.notices.count == 1)
}
