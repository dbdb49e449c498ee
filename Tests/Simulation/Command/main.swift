// fairlead-simulation: runs seeded schedules of routers on a bad network and says whether the
// statements of VRRPSimulation held.
//
//   fairlead-simulation --count 100000 [--seed 1] [--jobs 2]
//   fairlead-simulation --seed 4711 --trace
//   fairlead-simulation --count 1000 --break forgets-release

import Glibc
import Synchronization
import VRRPSimulation

struct Options {
  var seed: UInt64 = 1
  var count = 1
  var jobs = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  var traces = false
  var breakage = Breakage.none
}

func usage() -> Never {
  print("usage: fairlead-simulation [--seed N] [--count N] [--jobs N] [--trace]")
  print("       [--break \(Breakage.allCases.map(\.rawValue).joined(separator: "|"))]")
  exit(2)
}

func parse(_ arguments: ArraySlice<String>) -> Options {
  var options = Options()
  var rest = arguments
  while let word = rest.popFirst() {
    if word == "--trace" {
      options.traces = true
      continue
    }
    guard let value = rest.popFirst() else { usage() }
    switch word {
    case "--seed": options.seed = UInt64(value) ?? { usage() }()
    case "--count": options.count = Int(value) ?? { usage() }()
    case "--jobs": options.jobs = max(1, Int(value) ?? { usage() }())
    case "--break": options.breakage = Breakage(rawValue: value) ?? { usage() }()
    default: usage()
    }
  }
  return options
}

func report(_ text: String, seed: UInt64, _ breakage: Breakage) {
  print("seed \(seed): \(text)")
  let broken = breakage == .none ? "" : " --break \(breakage.rawValue)"
  print("replay: fairlead-simulation --seed \(seed) --trace\(broken)")
}

func rounded(_ value: Double) -> String {
  let hundredths = Int((value * 100).rounded(.up))
  let rest = hundredths % 100
  return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
}

let options = parse(CommandLine.arguments.dropFirst())

if options.traces {
  let figures = Simulation(seed: options.seed, breakage: options.breakage, trace: { print($0) })
    .run()
  print(figures.violation ?? "every statement held")
  exit(figures.violation == nil ? 0 : 1)
}

let next = Atomic<Int>(0)
let total = Mutex(Figures())
let failures = Mutex<[UInt64: String]>([:])

await withTaskGroup(of: Void.self) { group in
  for _ in 0..<options.jobs {
    group.addTask {
      var mine = Figures()
      while true {
        let number = next.add(1, ordering: .relaxed).oldValue
        guard number < options.count, failures.withLock({ $0.count < 10 }) else { break }
        let seed = options.seed &+ UInt64(number)
        let figures = Simulation(seed: seed, breakage: options.breakage).run()
        if let violation = figures.violation { failures.withLock { $0[seed] = violation } }
        mine.add(figures)
      }
      total.withLock { $0.add(mine) }
    }
  }
}

let figures = total.withLock { $0 }
let failed = failures.withLock { $0 }
for (seed, violation) in failed.sorted(by: { $0.key < $1.key }) {
  report(violation, seed: seed, options.breakage)
}
print(
  """
  schedules \(figures.schedules), events \(figures.events), elections \(figures.elections)
  packets sent \(figures.packets), refused \(figures.refused), stalls \(figures.stalls)
  moves of addresses that follow the proxy: \(figures.moves)
  two masters while nothing was wrong: \(rounded(figures.longestDouble)) intervals at most
  from healing to one master: \(rounded(figures.longestConvergence)) intervals at most
  failures \(failed.count)
  """)
exit(failed.isEmpty ? 0 : 1)
