// Planned moves of virtual addresses, carried out: the plan is FailoverPlan's, the elections are
// the routers'. Nothing else waits for the outcome of a move.

import Configuration
import Control
import Failover
import Kernel
import Proxy

extension Daemon {
  /// Who else there is, for as long as these files are in force.
  func adoptNodes(of loaded: LoadedConfiguration) {
    thisNode = loaded.node
    nodes = (loaded.document?.nodes ?? []).map {
      FailoverSituation.Node(name: $0.name, addresses: $0.addresses)
    }
  }

  func failover(_ request: ControlRequest) async -> ControlAnswer {
    guard let half = failover else { return .refused("this node has no virtual addresses") }
    guard !isMoving else { return .refused("another failover is under way") }
    isMoving = true
    defer { isMoving = false }
    let plan: FailoverPlan
    do throws(FailoverPlan.Refusal) {
      plan = try FailoverPlan.make(
        await situation(half), to: request.to, vip: request.vip,
        isWithdrawn: request.withdraw == true)
    } catch {
      var answer = ControlAnswer.refused(error.problem)
      if error.isAlone { answer.isUnheard = true }
      return answer
    }
    if request.dryRun == true || plan.step == .nothing {
      var answer = ControlAnswer(ok: true, messages: plan.lines)
      if plan.isUnheard { answer.isUnheard = true }
      return answer
    }
    return await carryOut(plan, half)
  }

  private func situation(_ half: FailoverHalf) async -> FailoverSituation {
    let listing = await openSessions(of: nil, limit: ControlLimits.sessions)
    let sessions = listing.sessions.map(\.local).filter { $0.family != 0 }.map(\.address)
    let now_us = Clock.monotonic_us()
    let status = Dictionary(half.engine.status.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    let own = nodes.first { $0.name == thisNode }
    let here =
      own
      ?? FailoverSituation.Node(
        name: half.configuration.global.routerID ?? System.hostName,
        addresses: half.configuration.routers.compactMap(\.source))
    let routers = half.configuration.routers.map { router in
      let known = status[router.name]
      let addresses = (router.addresses + router.excludedAddresses).map(\.address)
      let interval_us = Int64(router.advertisementInterval / .microseconds(1))
      return FailoverSituation.Router(
        name: router.name, addresses: addresses, isHeldHere: known?.state == .master,
        faults: known?.faults ?? [],
        others: router.peers.isEmpty ? nil : router.peers.map { node(of: $0.address) },
        master: known?.state == .backup ? known?.master : nil,
        heard_s: known?.heardAt_us.map { Double(now_us &- $0) / 1_000_000 },
        health: known?.health, standing: known?.standing ?? "", interval_us: interval_us,
        longestSkew_us: router.version == .v2 ? 1_000_000 : interval_us,
        patience_us: FailoverEngine.patience_us(
          interval_us: interval_us, downTimerAdverts: router.downTimerAdverts),
        goesFirst: router.following == nil && router.preemption == .never,
        sessions: sessions.count(where: addresses.contains),
        group: half.configuration.groups.first { $0.members.contains(router.name) }?.name)
    }
    return FailoverSituation(thisNode: here, routers: routers)
  }

  /// A peer by its name in the native file; without one, its address is its name.
  private func node(of address: IPAddress) -> FailoverSituation.Node {
    nodes.first { $0.addresses.contains(address) }
      ?? FailoverSituation.Node(name: "\(address)", addresses: [address])
  }
}

// MARK: Carrying out

extension Daemon {
  private func carryOut(_ plan: FailoverPlan, _ half: FailoverHalf) async -> ControlAnswer {
    var results: [OrderResult] = []
    switch plan.step {
    case .nothing: return ControlAnswer(ok: true, messages: plan.lines)
    case .stepDown(let held):
      for name in held {
        tellMove(of: name, .notice, "\(name): an operator gives it to another node")
        results += tellOutcome(await half.engine.stepDown(router: name))
      }
    case .claim(let wanted):
      for name in wanted {
        tellMove(of: name, .notice, "\(name): an operator moves it to this node")
        results += tellOutcome(await half.engine.claim(router: name))
      }
    case .withdraw(let names):
      for name in names {
        tellMove(of: name, .notice, "\(name): what an operator ordered before is over")
        results += await half.engine.withdraw(router: name)
      }
    }
    return answer(results, after: plan.lines)
  }

  /// `drain --node` and `undrain --node`.
  func setNodeDrained(_ isDrained: Bool) async -> ControlAnswer {
    guard let half = failover else { return .refused("this node has no virtual addresses") }
    let text =
      isDrained
      ? "this node is drained: any other node takes its virtual addresses, and none comes back"
      : "this node is no longer drained"
    tellMove(of: nil, .notice, text)
    let results = await half.engine.setDrained(isDrained)
    if isDrained { _ = tellOutcome(results.filter { $0.outcome != .notHolder }) }
    return answer(results, after: [text])
  }

  /// Into the log, the history of events, and the log targets.
  private func tellMove(
    of router: String?, _ level: LogLevel, to outcome: String? = nil, _ text: String
  ) {
    tell(.vipHandover, level, text, subject: router)
    record(.vipHandover, .router, of: router, to: outcome, text)
    logToAll(level, text)
  }

  /// Whether the address has moved, to whom, and how long that took.
  private func tellOutcome(_ results: [OrderResult]) -> [OrderResult] {
    for result in results {
      tellMove(
        of: result.router, result.isSuccess ? .notice : .warning,
        to: result.isSuccess ? "done" : "failed", words(result))
    }
    return results
  }

  private func words(_ result: OrderResult) -> String {
    result.words { address in
      let name = node(of: address).name
      return name == "\(address)" ? name : "\(name) (\(address))"
    }
  }

  private func answer(_ results: [OrderResult], after lines: [String]) -> ControlAnswer {
    let words = results.map(words)
    let failed = results.filter { !$0.isSuccess }
    var answer = ControlAnswer(
      ok: failed.isEmpty && !results.isEmpty, messages: lines + words)
    if results.isEmpty { answer.messages.append("the virtual routers have stopped") }
    answer.isUntaken = failed.contains { $0.outcome == .nobodyTook || $0.outcome == .notTaken }
    return answer
  }
}
