// What the proxy and operators make of the routers' priorities: the shell around HolderPriority.

import Configuration
import Kernel
import VRRP

/// An operator's order that has not ended for every router.
struct PendingOrder {
  var waiting: Set<String>
  var results: [OrderResult] = []
  let started_us: Microseconds
  let answer: @Sendable ([OrderResult]) -> Void
}

extension RouterLoop {
  // MARK: The path

  func see(_ observation: PathObservation) {
    let now_us = Clock.monotonic_us()
    path.times = PathTimes(checkInterval_us: observation.checkInterval.microseconds)
    if let problem = observation.problem {
      pathProblem = problem
      hasNews = true
    }
    if path.see(isGood: observation.problem == nil, at: now_us) { spreadVerdict(at: now_us) }
  }

  /// What time changes.
  func followPath(at now_us: Microseconds) {
    if path.expire(at: now_us) { spreadVerdict(at: now_us) }
    for index in runtimes.indices {
      guard let due_us = runtimes[index].holder.next_us, now_us >= due_us else { continue }
      conclude(index, runtimes[index].holder.expire(at: now_us), at: now_us)
    }
  }

  private func spreadVerdict(at now_us: Microseconds) {
    for index in runtimes.indices {
      let outcome = runtimes[index].holder.handle(.path(path.state), at: now_us)
      conclude(index, outcome, at: now_us)
      evaluate(index)
    }
    settleGroups(at: now_us)
  }

  /// A router that was not there before learns what the others know.
  func inform(_ index: Int, at now_us: Microseconds) {
    _ = runtimes[index].holder.handle(.path(path.state), at: now_us)
    if isDrained { _ = runtimes[index].holder.handle(.drained(true), at: now_us) }
    runtimes[index].saidStanding = standing(index)
  }

  // MARK: Priorities

  /// What tracking adds up is what the rule works on; of an owner nothing changes it.
  func adoptPriority(_ index: Int, tracked: UInt8, at now_us: Microseconds) {
    if tracked != runtimes[index].trackedPriority {
      runtimes[index].trackedPriority = tracked
      let router = runtimes[index].router
      runtimes[index].holder.configure(
        preference: tracked, follows: router.following != nil,
        returns: router.preemption != .never,
        preemptDelay_us: router.following?.preemptDelay.microseconds ?? 0, at: now_us)
    }
    adoptPriority(index, at: now_us)
  }

  private func adoptPriority(_ index: Int, at now_us: Microseconds) {
    let priority = runtimes[index].holder.priority
    guard priority != runtimes[index].toldPriority else { return }
    runtimes[index].toldPriority = priority
    handle(index, .priority(priority), at: now_us)
  }

  /// After every step of a machine: who has become master, or is none any more.
  func tellHolders(at now_us: Microseconds) {
    for index in runtimes.indices where runtimes[index].hasMoved {
      runtimes[index].hasMoved = false
      let isMaster = set.routers[index].state == .master
      conclude(index, runtimes[index].holder.handle(.master(isMaster), at: now_us), at: now_us)
    }
  }

  // MARK: Orders

  /// `router` is a name; nil = every router. Whatever another operator waits for ends now.
  func order(
    _ event: HolderEvent, of router: String?, at now_us: Microseconds,
    answer: @escaping @Sendable ([OrderResult]) -> Void
  ) {
    let chosen = runtimes.indices.filter { router == nil || runtimes[$0].router.name == router }
    if case .drained(let isDrained) = event { self.isDrained = isDrained }
    guard !chosen.isEmpty else { return answer([]) }
    endOrder(.withdrawn)
    pendingOrder = PendingOrder(
      waiting: Set(chosen.map { runtimes[$0].router.name }), started_us: now_us, answer: answer)
    for index in chosen {
      let outcome = runtimes[index].holder.handle(
        event, patience_us: patience_us(index), at: now_us)
      let isMaster = set.routers[index].state == .master
      conclude(index, outcome, at: now_us)
      switch event {
      case .drained(false), .withdraw: end(index, nil, at: now_us)
      case .stepDown, .drained(true):
        // Peers that never preempt are not moved by a low priority.
        guard isMaster, set.routers[index].settings.preempt == .never else { continue }
        handle(index, .resign, at: now_us)
      case .claim, .path, .master: break
      }
    }
  }

  private func patience_us(_ index: Int) -> Microseconds {
    let machine = set.routers[index]
    return FailoverEngine.patience_us(
      interval_us: max(machine.settings.interval_us, machine.masterInterval_us),
      downTimerAdverts: machine.settings.downTimerAdverts)
  }

  /// After whatever has happened to a holder.
  private func conclude(_ index: Int, _ outcome: HolderOutcome?, at now_us: Microseconds) {
    if set.routers[index].hasStarted { adoptPriority(index, at: now_us) }
    sayStanding(index)
    if let outcome { end(index, outcome, at: now_us) }
  }

  /// nil = it was carried out, and there is nothing to wait for.
  private func end(_ index: Int, _ outcome: HolderOutcome?, at now_us: Microseconds) {
    let name = runtimes[index].router.name
    guard var order = pendingOrder, order.waiting.remove(name) != nil else { return }
    var result = OrderResult(router: name, outcome: outcome)
    result.master = set.routers[index].master.map { IPAddress($0.address) }
    result.duration_us = now_us - order.started_us
    order.results.append(result)
    pendingOrder = order
    if order.waiting.isEmpty { endOrder(.withdrawn) }
  }

  /// Who has not been answered for is answered with this.
  func endOrder(_ outcome: HolderOutcome) {
    guard let order = pendingOrder else { return }
    pendingOrder = nil
    let left = order.waiting.sorted().map { OrderResult(router: $0, outcome: outcome) }
    order.answer(order.results + left)
  }

  // MARK: Words

  /// Of a router that ends nothing is worth a line any more.
  private func sayStanding(_ index: Int) {
    guard !isEnding, !isDeleting else { return }
    let words = standing(index)
    guard words != runtimes[index].saidStanding else { return }
    runtimes[index].saidStanding = words
    hasNews = true
    guard !words.isEmpty else { return }
    let name = runtimes[index].router.name
    let situation = runtimes[index].holder.situation
    let isBad = situation.follows && situation.standing == .unhealthy
    output.log(
      FailoverNotice(
        isBad ? .warning : .notice, "(\(name)) Now \(words)",
        standing: RouterStanding(router: name, words: words)))
  }

  /// Why a router has its priority. Without a time it says nothing that changes by itself.
  func standing(_ index: Int, at now_us: Microseconds? = nil) -> String {
    Wording.standing(runtimes[index].holder, problem: pathProblem, at: now_us)
  }
}
