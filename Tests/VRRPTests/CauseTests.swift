// Whether a change of state was ordered, and by what that is told from a failure.

import Testing

@testable import VRRP

@Suite struct CauseTests {
  private static let peer = ProtocolAddress.v4(0x0a09_0002)

  private static func holder(follows: Bool, isMaster: Bool) -> HolderPriority {
    var holder = HolderPriority(preference: 150, follows: follows)
    _ = holder.handle(.path(PathState(asBackup: .healthy, asHolder: .healthy)), at: 0)
    _ = holder.handle(.master(isMaster), at: 0)
    return holder
  }

  @Test(arguments: [true, false]) func whoWasToldToTakeItHasItByOrder(follows: Bool) {
    var holder = Self.holder(follows: follows, isMaster: false)
    #expect(holder.cause(.masterDown, to: .master) == .masterDown)
    #expect(holder.handle(.claim, patience_us: 10, at: 1) == nil)
    for cause: TransitionCause in [
      .masterDown, .masterResigned, .lowerPriority(150, from: Self.peer), .group,
    ] {
      #expect(holder.cause(cause, to: .master) == .orderedHere)
    }
    #expect(holder.cause(.fault, to: .fault) == .fault)
    #expect(holder.handle(.master(true), at: 2) == .took)
    #expect(holder.expire(at: 11) == nil, "it keeps it now")
    _ = holder.handle(.master(false), at: 12)
    #expect(holder.cause(.masterDown, to: .master) == .masterDown, "the order is over")
  }

  @Test(arguments: [true, false]) func whoWasToldToGiveItAwayHasDoneSo(follows: Bool) {
    for order: HolderEvent in [.stepDown, .drained(true)] {
      var holder = Self.holder(follows: follows, isMaster: true)
      let higher = TransitionCause.higherPriority(200, from: Self.peer)
      #expect(holder.cause(higher, to: .backup) == higher)
      #expect(holder.handle(order, patience_us: 10, at: 1) == nil)
      #expect(holder.cause(higher, to: .backup) == .orderedAway(to: Self.peer))
      #expect(
        holder.cause(.higherAddress(from: Self.peer), to: .backup) == .orderedAway(to: Self.peer))
      #expect(holder.cause(.resigned, to: .backup) == .orderedAway(to: nil))
      #expect(holder.cause(.stopped, to: .initialize) == .stopped)
    }
  }

  @Test func whoeverClaimsIsKnownByItsPriority() {
    let following = Self.holder(follows: true, isMaster: true)
    for priority: UInt8 in [253, 254] {
      let cause = TransitionCause.higherPriority(priority, from: Self.peer)
      #expect(following.cause(cause, to: .backup) == .orderedAway(to: Self.peer))
      let plain = Self.holder(follows: false, isMaster: true)
      #expect(plain.cause(cause, to: .backup) == cause, "anybody may have configured it")
    }
    for priority: UInt8 in [252, 255] {
      let cause = TransitionCause.higherPriority(priority, from: Self.peer)
      #expect(following.cause(cause, to: .backup) == cause)
    }
  }
}
