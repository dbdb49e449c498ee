// Which of the node's addresses the proxy may serve on: whoever takes an address away says so
// before, and every worker resets the sessions of its clients while the address can still send.

import Configuration
import Kernel
import Synchronization

/// Addresses that go or come, as all workers are told at once.
final class AddressChange: Sendable {
  /// Without ports.
  let addresses: [NetworkEndpoint]
  let isLeaving: Bool
  /// Changes are numbered from 1, in the order in which workers are told.
  let number: Int
  private let workersLeft: Atomic<Int>
  private let sessions = Atomic<Int>(0)
  private let done: @Sendable (Int) -> Void

  init(
    _ addresses: [IPAddress], isLeaving: Bool, number: Int, workers: Int,
    done: @escaping @Sendable (Int) -> Void
  ) {
    self.addresses = addresses.map { NetworkEndpoint($0, port: 0) }
    self.isLeaving = isLeaving
    self.number = number
    workersLeft = Atomic(workers)
    self.done = done
  }

  /// A worker has done its part and reset so many sessions.
  func finish(_ count: Int) {
    sessions.add(count, ordering: .relaxed)
    if workersLeft.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
      done(sessions.load(ordering: .relaxed))
    }
  }
}

/// Tells the workers. Nothing here waits for them: a message and a wake-up for each.
public final class LocalAddresses: Sendable {
  private let mailboxes: [Mailbox]
  private let process: ProcessRuntime

  init(_ mailboxes: [Mailbox], _ process: ProcessRuntime) {
    self.mailboxes = mailboxes
    self.process = process
  }

  /// The node is about to lose these addresses. Clients that are connected to them are reset, and
  /// so are those that connect from now on until `arrive`. `done` is called on a worker's thread
  /// when no session is left, with the number of sessions that were reset; never, if the workers
  /// are stopped before. To be called from one thread only, as `arrive` is.
  public func leave(_ addresses: [IPAddress], done: @escaping @Sendable (Int) -> Void) {
    tell(addresses, isLeaving: true, done)
  }

  /// The node is about to have these addresses, or keeps them after all.
  public func arrive(_ addresses: [IPAddress]) { tell(addresses, isLeaving: false) { _ in } }

  private func tell(
    _ addresses: [IPAddress], isLeaving: Bool, _ done: @escaping @Sendable (Int) -> Void
  ) {
    let number = process.addressChanges.add(1, ordering: .sequentiallyConsistent).newValue
    let change = AddressChange(
      addresses, isLeaving: isLeaving, number: number, workers: mailboxes.count, done: done)
    for mailbox in mailboxes { mailbox.post(.addresses(change)) }
  }
}
