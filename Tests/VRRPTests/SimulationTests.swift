// Some hundreds of schedules, and the proof that the statements can fail.

import Testing
import VRRPSimulation

@Suite struct SimulationTests {
  @Test func everyStatementHolds() {
    var total = Figures()
    for seed in UInt64(1)...400 {
      let figures = Simulation(seed: seed).run()
      total.add(figures)
      if let violation = figures.violation {
        Issue.record("\(violation); replay: fairlead-simulation --seed \(seed) --trace")
      }
    }
    // What is simulated does happen.
    #expect(total.elections > 800 && total.stalls > 20 && total.refused > 20)
    #expect(total.moves > 40)
  }

  @Test func sameSeedSameRun() {
    func transcript() -> [String] {
      var lines: [String] = []
      _ = Simulation(seed: 7, trace: { lines.append($0) }).run()
      return lines
    }
    let first = transcript()
    #expect(first.count > 100 && first == transcript())
  }

  /// Each breakage takes away one rule of the machine or of the shell; the statement that it
  /// breaks has to notice within three hundred schedules.
  @Test(arguments: Breakage.allCases.filter { $0 != .none })
  func brokenRulesAreFound(_ breakage: Breakage) {
    let found = (UInt64(1)...300).contains { seed in
      Simulation(seed: seed, breakage: breakage).run().violation != nil
    }
    #expect(found)
  }
}
