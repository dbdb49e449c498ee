// What happens to interfaces and addresses, and what is done about it.

import Configuration
import Kernel
import VRRP

extension RouterLoop {
  func followLinks() {
    var events = unprocessed
    unprocessed = []
    do throws(NetlinkError) {
      events += try links.readEvents()
    } catch {
      log(.err, "cannot follow the state of interfaces: \(error)", .vipProblem)
    }
    guard !events.isEmpty else { return }
    let hasLinkNews = events.contains { event in
      switch event {
      case .linkChanged, .linkRemoved: true
      case .addressAdded, .addressChanged, .addressRemoved, .duplicateDetected: false
      }
    }
    if hasLinkNews {
      findInterfaces()
      assertStatics()
    }
    // Before losses are made good: a router whose own address is gone does not want them back.
    for index in runtimes.indices { evaluate(index) }
    for event in events {
      switch event {
      case .addressRemoved(let interface, let address): noticeLoss(of: address, on: interface)
      case .duplicateDetected(let interface, let address): reportFailedDAD(address, on: interface)
      case .addressAdded(_, let address): noteArrival(address)
      case .linkChanged, .linkRemoved, .addressChanged: break
      }
    }
    restoreAddresses()
  }

  /// An address that we hold and did not remove ourselves has gone: it is put back, at once the
  /// first time. Who flushes an interface goes round until it is empty (`ip address flush` gives
  /// up after ten rounds), so the second time waits for a moment.
  private func noticeLoss(of address: IPAddress, on interface: UInt32) {
    let now_us = Clock.monotonic_us()
    for index in runtimes.indices where set.routers[index].state == .master {
      guard
        runtimes[index].held.contains(where: {
          $0.interface == interface && $0.address.address == address
        }), !links.has(address, on: interface), runtimes[index].restoreAt_us == nil
      else { continue }
      let wasLong = now_us - runtimes[index].restored_us > Limits.restorePause_us
      runtimes[index].restoreAt_us = wasLong ? now_us : now_us + Limits.restorePause_us
    }
  }

  /// Puts back what is missing of routers whose time for that has come.
  func restoreAddresses() {
    let now_us = Clock.monotonic_us()
    for index in runtimes.indices {
      guard let due_us = runtimes[index].restoreAt_us, due_us <= now_us else { continue }
      runtimes[index].restoreAt_us = nil
      runtimes[index].restored_us = now_us
      let missing = runtimes[index].held.filter {
        !links.has($0.address.address, on: $0.interface)
      }
      for lost in missing { restore(lost, of: index, at: now_us) }
      reassertPaths(index)
    }
  }

  private func restore(_ lost: HeldAddress, of index: Int, at now_us: Microseconds) {
    let router = runtimes[index].router.name
    let name = links.links[lost.interface]?.name ?? "interface \(lost.interface)"
    do throws(NetlinkError) {
      _ = try keeper.add(lost.address, to: lost.interface)
      announceAddresses(index, .addressesChanged, only: [lost])
      guard
        runtimes[index].strippedReports < Limits.strippedReports
          || now_us >= runtimes[index].strippedReportAt_us
      else { return }
      runtimes[index].strippedReports += 1
      runtimes[index].strippedReportAt_us = now_us + Limits.strippedReport_us
      log(
        .warning,
        "(\(router)) \(lost.address.address) was taken from \(name) by another program; it has been"
          + " put back", .vipAddress)
    } catch {
      // The link itself may be on its way down; its own event follows.
      log(.err, "(\(router)) \(lost.address.address) is gone from \(name): \(error)", .vipAddress)
    }
  }

  private func reportFailedDAD(_ address: IPAddress, on interface: UInt32) {
    for runtime in runtimes
    where runtime.held.contains(where: {
      $0.interface == interface && $0.address.address == address
    }) {
      log(
        .err,
        "(\(runtime.router.name)) duplicate address detection failed: another host on"
          + " \(links.links[interface]?.name ?? "the link") has \(address)", .vipProblem)
    }
  }
}
