// The sessions of an address that leaves this node: their clients get RST, so that they connect
// again at once, to whoever has the address then, and wait for no timeout.

import Kernel
import Synchronization

extension Worker {
  mutating func take(_ change: AddressChange) {
    seenAddressChange = change.number
    leaving.removeAll { change.addresses.contains($0) }
    guard change.isLeaving else {
      change.finish(0)
      return
    }
    leaving += change.addresses
    let before = resetsByLeaving
    for index in slotsInUse where sessions[Int(index)].state != .free {
      if isLeaving(halves[Int(index) * 2].descriptor) { resetClient(index) }
    }
    acceptWaiting()
    // The address may go now: what follows is between us and the servers.
    change.finish(resetsByLeaving - before)
    for index in slotsInUse where sessions[Int(index)].state != .free {
      if halves[Int(index) * 2].descriptor < 0 { finishLeft(index) }
    }
    // There may have been no room for them before.
    acceptWaiting()
  }

  /// Whether a new client came by an address that leaves. While there is news of addresses that
  /// this worker has not read yet, nobody is turned away: when the address has come back that
  /// would be wrong, and if it goes the news ends the session.
  func isTurnedAway(_ descriptor: Int32) -> Bool {
    guard
      seenAddressChange == context.process.addressChanges.load(ordering: .sequentiallyConsistent)
    else { return false }
    return isLeaving(descriptor)
  }

  /// The address that a client connected to is asked of its socket: what a PROXY header said is
  /// somebody else's.
  private func isLeaving(_ descriptor: Int32) -> Bool {
    let local = Socket.localEndpoint(descriptor)
    return leaving.contains {
      $0.family == local.family && $0.high == local.high && $0.low == local.low
    }
  }

  /// A new client that came too late.
  mutating func turnAway(_ index: UInt32) {
    resetClient(index)
    finishLeft(index)
  }

  private mutating func resetClient(_ index: UInt32) {
    let client = halves + Int(index) * 2
    resetsByLeaving += 1
    Socket.resetOnClose(client.pointee.descriptor)
    Socket.close(client.pointee.descriptor)
    client.pointee.descriptor = -1
  }

  /// The server gets RST as well, as when a client resets: nobody waits for its answer.
  private mutating func finishLeft(_ index: UInt32) {
    let server = halves[Int(index) * 2 + Side.server].descriptor
    if server >= 0 { Socket.resetOnClose(server) }
    finish(index, .addressLeft)
  }
}
