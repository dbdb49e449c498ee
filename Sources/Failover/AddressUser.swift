// Who serves clients on the virtual addresses in this process: the proxy half, seen from here.

import Configuration

/// What the routers' thread asks of whoever has sessions on its addresses. Both are called on that
/// thread and must not wait for anything.
public struct AddressUser: Sendable {
  /// The node is about to lose these addresses: every session on them is to be reset, and who
  /// connects from now on. `ended` is called once, on any thread, when no session is left, with
  /// their number; the addresses go then, or after `Limits.resetWait_us` without an answer.
  public var leave: @Sendable ([IPAddress], _ ended: @escaping @Sendable (Int) -> Void) -> Void
  /// The node has them again in a moment.
  public var arrive: @Sendable ([IPAddress]) -> Void

  public init(
    leave: @escaping @Sendable ([IPAddress], @escaping @Sendable (Int) -> Void) -> Void,
    arrive: @escaping @Sendable ([IPAddress]) -> Void
  ) {
    self.leave = leave
    self.arrive = arrive
  }
}
