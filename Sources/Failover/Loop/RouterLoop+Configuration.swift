// Makes a configuration the running one, without touching what did not change.

import Configuration
import Kernel
import VRRP

extension RouterLoop {
  /// Nil when it went well; otherwise why not, and nothing has changed.
  func apply(_ new: FailoverConfiguration) -> String? {
    followLinks()
    if let problem = absentInterface(new) { return problem }
    let isFirst = !hasConfiguration
    hasConfiguration = true
    let now_us = Clock.monotonic_us()
    if isFirst, new.global.startupDelay > .zero {
      startAt_us = now_us + new.global.startupDelay.microseconds
    }
    if !isFirst { warnOfLateSettings(new.global) }
    stopRouters(absentFrom: new)
    output.adopt(new)
    replaceStatics(with: new)
    remarkRefused(new)

    let identities = runtimes.map(\.router.identity)
    let before = (set: set, runtimes: runtimes, timers: timers)
    let origins = new.routers.map { identities.firstIndex(of: $0.identity) }
    configuration = new
    rebuild(new, origins: origins, before: before, at: now_us)
    if identities != new.routers.map(\.identity) { announcements.removeAll() }
    findInterfaces()
    if isFirst { removeForeignHoldings() }
    let changed = runtimes.indices.filter { index in
      origins[index].map { before.runtimes[$0].router != runtimes[index].router } ?? false
    }
    for index in changed where set.routers[index].state == .master { removeUnwanted(index) }
    for index in changed {
      // The priority follows when it is evaluated: with a word about it.
      var settings = runtimes[index].settings
      settings.priority = set.routers[index].priority
      handle(index, .reconfigured(settings), at: now_us)
    }
    for index in runtimes.indices { evaluate(index) }
    settleGroups(at: Clock.monotonic_us())
    if !isFirst, new.global.writesStatesOnReload { restate() }
    hasNews = true
    if isFirst { publishNews() }
    return nil
  }

  private func warnOfLateSettings(_ new: FailoverGlobals) {
    let old = configuration.global
    var names: [String] = []
    if new.realtimePriority != old.realtimePriority { names.append("vrrp_rt_priority") }
    if new.locksMemory != old.locksMemory { names.append("vrrp_no_swap") }
    if new.startupDelay != old.startupDelay { names.append("vrrp_startup_delay") }
    if new.startupScript != old.startupScript { names.append("startup_script") }
    guard !names.isEmpty else { return }
    log(
      .warning, "\(names.joined(separator: ", ")): the change takes effect at the next start",
      .vipProblem)
  }

  /// `fifo_write_vrrp_states_on_reload`.
  private func restate() {
    for (index, runtime) in runtimes.enumerated() {
      let machine = set.routers[index]
      guard machine.state != .initialize else { continue }
      output.notify(
        .restated(
          .router(runtime.router.name), NotifyState(machine.state), priority: machine.priority))
    }
    for (group, state) in zip(configuration.groups, set.groupStates) where state != .initialize {
      output.notify(.restated(.group(group.name), NotifyState(state), priority: 0))
    }
  }

  private func absentInterface(_ new: FailoverConfiguration) -> String? {
    guard !new.global.allowsAbsentInterfaces else { return nil }
    for router in new.routers where links.link(named: router.interface) == nil {
      let known = links.links.values.map(\.name).sorted().joined(separator: ", ")
      let place = router.origin.description
      return (place.isEmpty ? "" : place + ": ")
        + "(\(router.name)) there is no interface '\(router.interface)' (there are: \(known));"
        + " 'dynamic_interfaces' in global_defs lets it come later"
    }
    return nil
  }

  /// Routers that are gone, or that are another one now under the same name.
  private func stopRouters(absentFrom new: FailoverConfiguration) {
    let kept = Set(new.routers.map(\.identity))
    let now_us = Clock.monotonic_us()
    isDeleting = true
    for index in runtimes.indices where !kept.contains(runtimes[index].router.identity) {
      handle(index, .stop, at: now_us)
      removeVirtualMAC(index)
    }
    isDeleting = false
  }

  /// New numbers for routers and groups; states, timers and holdings of those that stay go along.
  private func rebuild(
    _ new: FailoverConfiguration, origins: [Int?],
    before: (set: RouterSet, runtimes: [RouterRuntime], timers: TimerTable),
    at now_us: Microseconds
  ) {
    var machines: [VRRPRouter] = []
    var faulty: [Bool] = []
    runtimes = []
    timers = TimerTable(routers: new.routers.count)
    for (index, router) in new.routers.enumerated() {
      let settings = RouterSettings(router)
      let group = new.groups.first { $0.members.contains(router.name) }
      let tracking = TrackingSum(router: router, group: group, configuration: new)
      tracking.notices.forEach { log(.warning, $0, .vipTracking) }
      guard let origin = origins[index] else {
        runtimes.append(RouterRuntime(router, settings: settings, tracking: tracking, at: now_us))
        inform(runtimes.count - 1, at: now_us)
        machines.append(VRRPRouter(settings))
        faulty.append(false)
        continue
      }
      var runtime = before.runtimes[origin]
      runtime.router = router
      runtime.settings = settings
      runtime.tracking = tracking
      runtime.holder.configure(
        preference: runtime.trackedPriority, follows: router.following != nil,
        returns: router.preemption != .never,
        preemptDelay_us: router.following?.preemptDelay.microseconds ?? 0, at: now_us)
      runtime.forgetReports()
      runtimes.append(runtime)
      machines.append(before.set.routers[origin])
      faulty.append(runtime.isFaulty)
      for (timer, deadline_us) in before.timers.running(of: origin) {
        timers.set(index, timer, at: deadline_us)
      }
    }
    let numbers = Dictionary(
      new.routers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    set = RouterSet(
      adopting: machines, hasOwnFault: faulty,
      groups: new.groups.map { $0.members.compactMap { numbers[$0] } })
  }

  private func replaceStatics(with new: FailoverConfiguration) {
    let old = configuration
    for rule in old.staticRules where !new.staticRules.contains(rule) {
      attempt("remove a static rule") { () throws(NetlinkError) in _ = try keeper.remove(rule) }
    }
    for route in old.staticRoutes where !new.staticRoutes.contains(route) {
      attempt("remove a static route") { () throws(NetlinkError) in _ = try keeper.remove(route) }
    }
    for address in old.staticAddresses where !new.staticAddresses.contains(address) {
      guard let link = links.link(named: address.interface ?? "") else { continue }
      attempt("remove static address \(address.address)") { () throws(NetlinkError) in
        _ = try keeper.remove(address, from: link.index)
      }
    }
    assertStatics(new, besides: old)
  }

  /// Adds what is not there; an interface may come, or come back, later.
  func assertStatics(
    _ new: FailoverConfiguration? = nil, besides old: FailoverConfiguration? = nil
  ) {
    let new = new ?? configuration
    for address in new.staticAddresses {
      let name = address.interface ?? ""
      guard let link = links.link(named: name) else {
        if let old, !old.staticAddresses.contains(address) {
          log(
            .warning, "static address \(address.address) waits for interface '\(name)'", .vipProblem
          )
        }
        continue
      }
      if links.has(address.address, on: link.index) { continue }
      attempt("add static address \(address.address)") { () throws(NetlinkError) in
        _ = try keeper.add(address, to: link.index)
      }
    }
    guard let old else {
      // After a change of a link: what needed it has gone with it, the rest is there already.
      for route in new.staticRoutes { _ = try? keeper.add(route) }
      return
    }
    for route in new.staticRoutes where !old.staticRoutes.contains(route) {
      attempt("add a static route") { () throws(NetlinkError) in _ = try keeper.add(route) }
    }
    for rule in new.staticRules where !old.staticRules.contains(rule) {
      attempt("add a static rule") { () throws(NetlinkError) in _ = try keeper.add(rule) }
    }
  }

  private func attempt(_ what: String, _ body: () throws(NetlinkError) -> Void) {
    do throws(NetlinkError) { try body() } catch {
      log(.err, "cannot \(what): \(error)", .vipProblem)
    }
  }

  // MARK: Start and stop

  /// What another run of this program left behind: it did not end by itself.
  func removeLeftovers() {
    do throws(NetlinkError) {
      for leftover in try keeper.leftovers() {
        _ = try keeper.remove(leftover)
        log(.notice, "removed \(leftover), left behind by an earlier run", .vipLeftover)
      }
    } catch {
      log(.err, "cannot remove what an earlier run left behind: \(error)", .vipLeftover)
    }
    followLinks()
  }

  /// Our addresses without our mark: from keepalived, say, or from somebody's hands. Whoever
  /// starts as a backup must not have them.
  private func removeForeignHoldings() {
    for index in runtimes.indices {
      for want in wantedAddresses(index) {
        guard
          let there = links.addresses(of: want.interface).first(where: {
            $0.address == want.address.address
          })
        else { continue }
        // It may be there with another prefix length than we would give it.
        var address = want.address
        address.prefixLength = there.prefixLength
        attempt("remove \(address.address)") { () throws(NetlinkError) in
          guard try keeper.remove(address, from: want.interface) == .removed else { return }
          log(
            .notice,
            "(\(runtimes[index].router.name)) removed \(address.address), which was there before"
              + " the start", .vipNote)
        }
      }
    }
  }

  func stopAll() {
    let now_us = Clock.monotonic_us()
    for index in runtimes.indices { handle(index, .stop, at: now_us) }
    for index in runtimes.indices { removeVirtualMAC(index) }
    publish(runtimes.indices.map(status))
  }

  /// Static routes may be what the last words to clients need.
  func endAll() { replaceStatics(with: FailoverConfiguration()) }
}
