// Planned moves: who may be asked for what, and what is said instead where VRRP cannot do it.

import Configuration
import Failover
import Testing

@testable import Fairlead

@Suite struct FailoverPlanTests {
  static func address(_ last: UInt8) -> IPAddress { IPAddress("10.0.0.\(last)")! }
  static func node(_ number: UInt8) -> FailoverSituation.Node {
    FailoverSituation.Node(name: "lb-\(number)", addresses: [address(130 + number)])
  }

  static func router(
    _ name: String = "api", held: Bool = true, others: [UInt8]? = [2], master: UInt8? = nil,
    faults: [String] = [], heard_s: Double? = nil, health: RouterHealth? = nil,
    goesFirst: Bool = false, group: String? = nil
  ) -> FailoverSituation.Router {
    FailoverSituation.Router(
      name: name, addresses: [address(name == "api" ? 179 : 180)], isHeldHere: held,
      faults: faults, others: others?.map(node), master: master.map { address(130 + $0) },
      heard_s: heard_s, health: health,
      standing: health.map { "\($0.rawValue): as it is" } ?? "", interval_us: 100_000,
      longestSkew_us: 100_000, patience_us: 1_600_000, goesFirst: goesFirst, sessions: 12,
      group: group)
  }

  func plan(
    _ routers: [FailoverSituation.Router], to: String? = nil, vip: String? = nil
  ) throws(FailoverPlan.Refusal) -> FailoverPlan {
    try FailoverPlan.make(
      FailoverSituation(thisNode: Self.node(1), routers: routers), to: to, vip: vip)
  }

  func refusal(
    _ routers: [FailoverSituation.Router], to: String? = nil, vip: String? = nil
  ) -> String? {
    do throws(FailoverPlan.Refusal) {
      _ = try plan(routers, to: to, vip: vip)
      return nil
    } catch {
      return error.problem
    }
  }

  @Test func theHolderGivesUpAndSaysWhatThatCosts() throws {
    let plan = try plan([Self.router()])
    #expect(plan.step == .stepDown(["api"]))
    let text = plan.lines.joined(separator: "\n")
    #expect(text.contains("12 sessions are reset"))
    #expect(text.contains("if another node is ready: none, it has the address before"))
    #expect(text.contains("if none is, the address stays here, which is known after 1.60 s"))
    #expect(text.contains("if this node died instead: up to 0.40 s, if another node is ready"))
    #expect(text.contains("10.0.0.179"))
  }

  @Test func whatIsKnownOfOthersIsTold() throws {
    let alone = try plan([Self.router()])
    #expect(alone.isUnheard)
    #expect(alone.lines.contains { $0.contains("no other node was ever heard here") })
    let heard = try plan([Self.router(heard_s: 12)])
    #expect(!heard.isUnheard)
    #expect(heard.lines.contains { $0.contains("another node was heard 12s ago; backups") })
    #expect(try plan([Self.router(heard_s: 1), Self.router("web")]).isUnheard)
    let sick = try plan([Self.router(health: .unhealthy)])
    #expect(sick.lines[1] == "  this node is unhealthy: as it is")
    let gone = try plan([Self.router(heard_s: 1, goesFirst: true)]).lines.joined()
    #expect(gone.contains("is ready: up to 0.10 s, since"))
    #expect(gone.contains("is back here after up to 0.40 s"))
  }

  @Test(arguments: [RouterHealth.unhealthy, .drained])
  func whoCannotServeTakesNothing(_ health: RouterHealth) throws {
    let problem = refusal([Self.router(held: false, master: 2, health: health)], to: "lb-1")
    #expect(problem == "api cannot come here: this node is \(health.rawValue): as it is")
    let recovering = Self.router(held: false, master: 2, health: .recovering)
    #expect(try plan([recovering], to: "lb-1").step == .claim(["api"]))
  }

  @Test(arguments: ["lb-2", "10.0.0.132"])
  func withTwoNodesTheOtherMayBeNamed(_ name: String) throws {
    #expect(try plan([Self.router()], to: name).step == .stepDown(["api"]))
  }

  @Test func withThreeNodesTheSuccessorHasToAsk() {
    let problem = refusal([Self.router(others: [2, 3])], to: "lb-3")
    #expect(problem?.contains("run on lb-3: fairlead failover --to lb-3") == true)
    #expect(throws: Never.self) { try plan([Self.router(others: [2, 3])]) }
  }

  @Test func withMulticastNobodyKnowsTheNodes() throws {
    let problem = refusal([Self.router(others: nil)], to: "lb-2")
    #expect(problem?.contains("is not known here; run on lb-2") == true)
    #expect(try plan([Self.router(others: nil)]).step == .stepDown(["api"]))
  }

  @Test func aBackupMayTakeOverOrIsToldWhereToAsk() throws {
    let router = Self.router(held: false, others: [2, 3], master: 2)
    #expect(try plan([router], to: "lb-1").step == .claim(["api"]))
    #expect(try plan([router], to: "lb-2").step == .nothing)
    #expect(refusal([router])?.contains("held by lb-2, 10.0.0.132. Run this there") == true)
    #expect(refusal([router], to: "lb-3")?.contains("run on lb-3") == true)
  }

  @Test func whatIsHereAlreadyNeedsNothing() throws {
    #expect(try plan([Self.router()], to: "lb-1").step == .nothing)
  }

  @Test func aFaultIsInTheWay() {
    let router = Self.router(held: false, master: 2, faults: ["interface eth0 is down"])
    #expect(refusal([router], to: "lb-1")?.contains("interface eth0 is down") == true)
  }

  @Test func aloneNobodyCanTakeIt() {
    #expect(
      throws: FailoverPlan.Refusal(
        problem: "api: this node is the only one in the files: nobody could take it", isAlone: true)
    ) { try plan([Self.router(others: [])]) }
    #expect(refusal([]) == "this node has no virtual addresses")
  }

  @Test(arguments: ["web", "10.0.0.180"])
  func oneOfSeveral(_ name: String) throws {
    let routers = [Self.router(), Self.router("web")]
    #expect(try plan(routers, vip: name).step == .stepDown(["web"]))
    #expect(try plan(routers).step == .stepDown(["api", "web"]))
  }

  @Test func aGroupMovesTogether() throws {
    let routers = [Self.router(group: "g"), Self.router("web", group: "g")]
    #expect(try plan(routers, vip: "web").step == .stepDown(["api", "web"]))
  }

  @Test func ordersAreTakenBackWhereverTheAddressIs() throws {
    let routers = [Self.router(), Self.router("web", held: false, master: 2)]
    let situation = FailoverSituation(thisNode: Self.node(1), routers: routers)
    let all = try FailoverPlan.make(situation, to: nil, vip: nil, isWithdrawn: true)
    #expect(all.step == .withdraw(["api", "web"]))
    #expect(
      all.lines[1]
        == "web is held by lb-2, 10.0.0.132; on this node its preference counts again")
    let one = try FailoverPlan.make(situation, to: nil, vip: "web", isWithdrawn: true)
    #expect(one.step == .withdraw(["web"]))
  }

  @Test func unknownNames() {
    #expect(refusal([Self.router()], vip: "nope")?.contains("there are api") == true)
    #expect(refusal([Self.router()], to: "nope")?.contains("there are lb-1, lb-2") == true)
  }
}
