// What `fairlead failover` is going to do, what it costs, and why it may be refused. Decides only:
// what is known is given, and who carries it out waits for the outcome.

import Configuration
import Control
import Failover

/// What this node knows before a planned move.
struct FailoverSituation {
  struct Node: Equatable {
    var name: String
    var addresses: [IPAddress]

    func isCalled(_ word: String) -> Bool {
      name == word || addresses.contains { "\($0)" == word }
    }
  }
  struct Router: Equatable {
    var name: String
    var addresses: [IPAddress]
    var isHeldHere: Bool
    /// Why it cannot take part; empty when nothing is wrong.
    var faults: [String]
    /// The other nodes that take part; nil when adverts go to a group: nobody knows who listens.
    var others: [Node]?
    /// The master, as last heard.
    var master: IPAddress?
    /// Seconds since another node was heard; nil: never.
    var heard_s: Double?
    /// Of this node, as the holder; nil for a router that does not follow the proxy.
    var health: RouterHealth?
    /// Why this node has its priority, in words; may be empty.
    var standing = ""
    var interval_us: Int64
    /// The longest that a backup waits after a resignation.
    var longestSkew_us: Int64
    /// How long another node may take until the address stays here.
    var patience_us: Int64
    /// The address is given up before another node has it (`nopreempt`).
    var goesFirst = false
    /// Open sessions to its addresses.
    var sessions: Int
    /// Its sync group: its routers move together.
    var group: String?
  }
  var thisNode: Node
  var routers: [Router]
}

struct FailoverPlan: Equatable {
  enum Step: Equatable {
    /// This node gives these up.
    case stepDown([String])
    /// This node takes these.
    case claim([String])
    /// What an operator ordered of these is over: preferences count again.
    case withdraw([String])
    /// It is as wanted already.
    case nothing
  }
  var step: Step
  /// Preflight, for a person.
  var lines: [String]
  /// Of what is given up, nobody else was ever heard: whether anybody could take it is not known.
  var isUnheard = false

  /// Why nothing is done, and what to do instead.
  struct Refusal: Error, Equatable {
    var problem: String
    /// This node is the only one that is known.
    var isAlone = false
  }

  /// `to` is a node's name or address; nil: whoever is next. `vip` is a virtual router's name or
  /// one of its addresses; nil: all. `isWithdrawn` takes earlier orders back, whatever `to` is.
  /// Throws what is in the way.
  static func make(
    _ situation: FailoverSituation, to: String?, vip: String?, isWithdrawn: Bool = false
  ) throws(Refusal) -> FailoverPlan {
    let chosen = try choose(situation.routers, vip)
    if isWithdrawn {
      return FailoverPlan(
        step: .withdraw(chosen.map(\.name)),
        lines: chosen.map { whereItIs($0) + "; on this node its preference counts again" })
    }
    let plan =
      if let to {
        situation.thisNode.isCalled(to)
          ? try claim(chosen, situation) : try handOver(chosen, to, situation)
      } else {
        try stepDown(chosen, situation)
      }
    return plan
  }

  // MARK: Which

  private static func choose(
    _ routers: [FailoverSituation.Router], _ vip: String?
  ) throws(Refusal) -> [FailoverSituation.Router] {
    guard !routers.isEmpty else {
      throw Refusal(problem: "this node has no virtual addresses")
    }
    guard let vip else { return routers }
    let found = routers.filter { router in
      router.name == vip || router.addresses.contains { "\($0)" == vip }
    }
    guard !found.isEmpty else {
      let names = routers.map(\.name).joined(separator: ", ")
      throw Refusal(problem: "there is no virtual router or address '\(vip)'; there are \(names)")
    }
    let groups = Set(found.compactMap(\.group))
    return routers.filter { router in
      found.contains(router) || router.group.map(groups.contains) == true
    }
  }

  // MARK: What

  private static func stepDown(
    _ chosen: [FailoverSituation.Router], _ situation: FailoverSituation
  ) throws(Refusal) -> FailoverPlan {
    let held = chosen.filter(\.isHeldHere)
    guard !held.isEmpty else {
      let here = situation.thisNode.name
      throw Refusal(
        problem: chosen.map { whereItIs($0) }.joined(separator: "; ")
          + ". Run this there; or here, to take over: fairlead failover --to \(here)")
    }
    if let alone = held.first(where: { $0.others?.isEmpty == true }) {
      throw Refusal(
        problem: "\(alone.name): this node is the only one in the files: nobody could take it",
        isAlone: true)
    }
    return stepDown(held)
  }

  private static func stepDown(_ held: [FailoverSituation.Router]) -> FailoverPlan {
    FailoverPlan(
      step: .stepDown(held.map(\.name)), lines: held.flatMap(costs),
      isUnheard: held.contains { $0.heard_s == nil })
  }

  private static func claim(
    _ chosen: [FailoverSituation.Router], _ situation: FailoverSituation
  ) throws(Refusal) -> FailoverPlan {
    let wanted = chosen.filter { !$0.isHeldHere }
    if let faulty = wanted.first(where: { !$0.faults.isEmpty }) {
      throw Refusal(
        problem: "\(faulty.name) cannot come here: \(faulty.faults.joined(separator: ", "))")
    }
    if let unfit = wanted.first(where: { $0.health == .unhealthy || $0.health == .drained }) {
      throw Refusal(problem: "\(unfit.name) cannot come here: this node is \(unfit.standing)")
    }
    guard !wanted.isEmpty else {
      return FailoverPlan(
        step: .nothing, lines: chosen.map { "\($0.name) is held by this node already" })
    }
    let lines = wanted.flatMap { router in
      [
        whereItIs(router) + " and comes to this node",
        "  sessions through that node are reset; how many only `fairlead sessions` there tells",
      ]
    }
    return FailoverPlan(step: .claim(wanted.map(\.name)), lines: lines)
  }

  private static func handOver(
    _ chosen: [FailoverSituation.Router], _ to: String, _ situation: FailoverSituation
  ) throws(Refusal) -> FailoverPlan {
    let remedy = "run on \(to): fairlead failover --to \(to)"
    for router in chosen {
      guard let others = router.others else {
        throw Refusal(
          problem: "\(router.name): VRRP names no successor, and who listens to multicast"
            + " adverts is not known here; \(remedy)")
      }
      guard let node = others.first(where: { $0.isCalled(to) }) else {
        let names = ([situation.thisNode] + others).map(\.name).joined(separator: ", ")
        throw Refusal(problem: "\(router.name): no node is called '\(to)'; there are \(names)")
      }
      if !router.isHeldHere, let master = router.master, node.addresses.contains(master) {
        continue
      }
      guard router.isHeldHere else {
        throw Refusal(problem: "\(whereItIs(router)), not by this node; \(remedy)")
      }
      guard others.count == 1 else {
        throw Refusal(
          problem: "\(router.name): VRRP names no successor, and \(others.count) other nodes"
            + " could be it; \(remedy)")
      }
    }
    let held = chosen.filter(\.isHeldHere)
    guard !held.isEmpty else {
      return FailoverPlan(step: .nothing, lines: chosen.map { whereItIs($0) + " already" })
    }
    return stepDown(held)
  }

  /// The longest that a backup waits for a master that says nothing.
  private static func masterDown_us(_ router: FailoverSituation.Router) -> Int64 {
    3 * router.interval_us + router.longestSkew_us
  }

  // MARK: Words

  private static func whereItIs(_ router: FailoverSituation.Router) -> String {
    if router.isHeldHere { return "\(router.name) is held by this node" }
    guard let master = router.master else {
      return "\(router.name) is held by nobody that was heard here"
    }
    let node = router.others?.first { $0.addresses.contains(master) }
    let name = node.map { $0.name == "\(master)" ? "" : "\($0.name), " } ?? ""
    return "\(router.name) is held by \(name)\(master)"
  }

  /// What giving it up means.
  private static func costs(_ router: FailoverSituation.Router) -> [String] {
    let addresses = router.addresses.map { "\($0)" }.joined(separator: ", ")
    let nodes =
      router.others.map { others in "may go to " + others.map(\.name).joined(separator: " or ") }
      ?? "goes to whoever listens to its adverts"
    var lines = ["\(router.name) (\(addresses)) is held by this node and \(nodes)"]
    if !router.standing.isEmpty { lines.append("  this node is \(router.standing)") }
    if let heard_s = router.heard_s {
      lines.append(
        "  another node was heard \(seconds(heard_s)) ago; backups send nothing, so only"
          + " `fairlead status` there tells whether one is ready")
    } else {
      lines.append(
        "  no other node was ever heard here: this may be the only one that runs; backups send"
          + " nothing, so `fairlead status` on the others tells")
    }
    lines.append(
      "  \(router.sessions) \(router.sessions == 1 ? "session is" : "sessions are") reset when it"
        + " goes, and can connect anew at once")
    let lost = seconds(Double(masterDown_us(router)) / 1_000_000)
    if router.goesFirst {
      let skew = seconds(Double(router.longestSkew_us) / 1_000_000)
      lines.append(
        "  expected gap if another node is ready: up to \(skew), since with nopreempt it takes only"
          + " what has been given up; if none is, the address is back here after up to \(lost)")
    } else {
      lines.append(
        "  expected gap if another node is ready: none, it has the address before it goes from"
          + " here; if none is, the address stays here, which is known after"
          + " \(seconds(Double(router.patience_us) / 1_000_000))")
    }
    lines.append("  if this node died instead: up to \(lost), if another node is ready")
    return lines
  }

  private static func seconds(_ value: Double) -> String { StatusTable.moment(value) }
}
