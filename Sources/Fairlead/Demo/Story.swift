// What is done to the servers, and when.

import StandIn

/// A plan over time, scaled to the length of the demo.
struct Story: Sendable {
  enum Act: Equatable, Sendable { case kill, hang, revive }

  struct Step: Sendable {
    var at: Duration
    var act: Act
    /// Index of the server.
    var server: Int
  }

  /// Seconds; nil = for ever.
  let length: Int?

  /// The length of one round without a given end, and about that of each of several.
  private static let roundSeconds = 40

  /// Below this there is no time for a hang and both recoveries (bounds of `DemoTiming`).
  static let fullSeconds = 30
  /// Below this there is no time to kill a server and see it recover.
  static let killSeconds = 12

  /// The steps of round `number`; nil after the last one.
  func steps(round number: Int) -> [Step]? {
    guard let length else { return Self.full(number, .seconds(Self.roundSeconds)) }
    if length < Self.killSeconds { return nil }
    if length < Self.fullSeconds {
      if number > 0 { return nil }
      let whole = Duration.seconds(length)
      return [
        Step(at: whole * 20 / 100, act: .kill, server: 1),
        Step(at: whole * 50 / 100, act: .revive, server: 1),
      ]
    }
    let rounds = max(1, length / Self.roundSeconds)
    return number < rounds ? Self.full(number, .seconds(length) / rounds) : nil
  }

  /// Of 30 s, the shortest round: 3 s calm, 5 s without one server (noticed within 1.5 s), 4 s
  /// to recover (1.5 s), 7 s with one that hangs (3.5 s), 10 s to recover and stay calm.
  private static func full(_ number: Int, _ length: Duration) -> [Step] {
    let start = length * number
    let killed = (number + 1) % 3
    let hung = (number + 2) % 3
    return [
      Step(at: start + length * 10 / 100, act: .kill, server: killed),
      Step(at: start + length * 27 / 100, act: .revive, server: killed),
      Step(at: start + length * 42 / 100, act: .hang, server: hung),
      Step(at: start + length * 65 / 100, act: .revive, server: hung),
    ]
  }

  /// Plays until the end, or until cancelled.
  func play(_ servers: [StandInServer], _ journal: Journal) async {
    let origin = journal.elapsed
    var round = 0
    while let steps = steps(round: round) {
      for step in steps {
        guard await Self.wait(until: journal.instant(origin + step.at)) else { return }
        await perform(step.act, servers[step.server], journal)
      }
      round += 1
    }
    if let length { _ = await Self.wait(until: journal.instant(origin + .seconds(length))) }
  }

  private static func wait(until instant: ContinuousClock.Instant) async -> Bool {
    try? await ContinuousClock().sleep(until: instant)
    return !Task.isCancelled
  }

  private func perform(_ act: Act, _ server: StandInServer, _ journal: Journal) async {
    switch act {
    case .kill:
      journal.disturbed(server.name, .killed)
      journal.note("\(server.name) is killed: port closed, connections cut", .harm)
      await server.stop()
    case .hang:
      journal.disturbed(server.name, .hung)
      journal.note("\(server.name) hangs: port open, connections taken, no answers", .harm)
      await server.hang()
    case .revive:
      // The balancer can notice at any moment from here on, and so the time counts from here.
      journal.revived(server.name)
      journal.note("\(server.name) runs again", .cure)
      do {
        try await server.revive()
      } catch {
        journal.note("\(server.name) cannot be started again: \(error)", .failure)
      }
    }
  }
}
