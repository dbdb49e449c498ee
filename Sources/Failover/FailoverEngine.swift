// The failover half as the rest of the program sees it: start, change, stop, and a look inside.

import Configuration
import Kernel
import Synchronization

/// Why the failover half cannot run.
public struct FailoverError: Error, Equatable, CustomStringConvertible {
  public var description: String
}

public final class FailoverEngine: Sendable {
  private let options: FailoverOptions
  private let output: LoopOutput
  let mailbox: LoopMailbox
  private let acceptance = AcceptanceFilter()
  private let thread = Mutex<ThreadHandle?>(nil)
  private let statuses = Mutex<[RouterStatus]>([])

  /// Nothing runs yet. `log` and `notify` are called on the routers' thread and must not wait for
  /// anything; `adopt` is called there when a configuration replaces another one, after the
  /// last event of a router that it does not have and before the first of a new one.
  /// `addressUser` has its sessions reset before addresses go; nil = they go at once.
  /// Throws when the process is out of descriptors.
  public init(
    options: FailoverOptions = FailoverOptions(),
    log: @escaping @Sendable (FailoverNotice) -> Void,
    notify: @escaping @Sendable (NotifyEvent) -> Void = { _ in },
    adopt: @escaping @Sendable (FailoverConfiguration) -> Void = { _ in },
    addressUser: AddressUser? = nil
  ) throws(KernelError) {
    self.options = options
    mailbox = try LoopMailbox()
    output = LoopOutput(log: log, notify: notify, adopt: adopt, addressUser: addressUser)
  }

  /// Starts the thread and the routers. Throws FailoverError with a sentence when that is
  /// impossible; nothing is left running then.
  public func start(_ configuration: FailoverConfiguration) async throws(FailoverError) {
    var options = self.options
    let global = configuration.global
    if let priority = global.realtimePriority {
      options.realtimePriority = priority
      options.isExplicit = true
    }
    if let locks = global.locksMemory {
      options.locksMemory = locks
      options.isExplicit = true
    }
    let chosen = options
    let mailbox = self.mailbox
    let output = self.output
    let acceptance = self.acceptance
    let publish: @Sendable ([RouterStatus]) -> Void = { [self] in store($0) }
    let problem: String? = await withCheckedContinuation { answer in
      do {
        let handle = try System.startThread(named: "vrrp") {
          RouterThread.run(
            configuration, chosen, mailbox, output, acceptance, publish: publish,
            started: { answer.resume(returning: $0) })
        }
        thread.withLock { $0 = handle }
      } catch {
        answer.resume(returning: "\(error)")
      }
    }
    guard let problem else { return }
    join()
    throw FailoverError(description: problem)
  }

  /// Changes the running configuration. Nil when it went well; otherwise why nothing changed.
  public func reload(_ configuration: FailoverConfiguration) async -> String? {
    // Not on the routers' thread: other programs may keep the packet filter busy for long.
    do throws(FailoverError) { try acceptance.prepare(for: configuration) } catch {
      return error.description
    }
    let problem = await withCheckedContinuation { continuation in
      mailbox.post(.apply(configuration) { continuation.resume(returning: $0) })
    }
    do throws(FailoverError) {
      try acceptance.settle(problem == nil ? configuration : nil)
    } catch {
      output.log(
        FailoverNotice(
          .err, "packets to accepted addresses are dropped: \(error)", event: .vipProblem))
    }
    return problem
  }

  /// A result of something tracked; from any thread.
  public func report(_ report: TrackingReport) { mailbox.post(.tracked(report)) }

  /// Masters resign and give their addresses up, without waiting for that: from any thread, at
  /// any time after the start. `stop` is still to be called.
  public func resign() { mailbox.post(.stop) }

  /// Masters resign and give their addresses up; returns when that is done.
  public func stop() {
    mailbox.post(.stop)
    join()
  }

  /// The routers as they were a moment ago, in the configuration's order.
  public var status: [RouterStatus] { statuses.withLock { $0 } }

  private func store(_ new: [RouterStatus]) { statuses.withLock { $0 = new } }

  private func join() {
    let handle = thread.withLock { handle in
      defer { handle = nil }
      return handle
    }
    handle?.join()
  }

  /// Removes what a run that was killed left behind: addresses, routes, rules and interfaces that
  /// carry our mark, and our table in the packet filter. The result is a line for each. Throws a
  /// sentence when that is impossible.
  public static func cleanUp() throws(FailoverError) -> [String] {
    let lock = try NamespaceLock.take()
    defer { lock.release() }
    do throws(NetlinkError) {
      let keeper = try AddressKeeper()
      var lines: [String] = []
      for leftover in try keeper.leftovers() {
        _ = try keeper.remove(leftover)
        lines.append("removed \(leftover)")
      }
      // Last, so that no address is open that was not.
      if try AcceptanceFilter.removeLeftover() {
        lines.append("removed packet filter table inet \(AcceptanceTable.name)")
      }
      return lines
    } catch {
      throw FailoverError(description: "\(error)")
    }
  }
}
