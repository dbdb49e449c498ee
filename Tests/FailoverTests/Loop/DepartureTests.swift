// Addresses on their way out: who is waited for, for how long, and what is taken back.

import Configuration
import Testing
import VRRP

@testable import Failover

@Suite struct DepartureTests {
  private static let address = VirtualAddress(.v4(0x0a00_00b3), prefixLength: 26)
  private static let other = VirtualAddress(.v4(0x0a00_00b4), prefixLength: 26)

  private func runtime(_ change: (inout VirtualRouter) -> Void = { _ in }) -> RouterRuntime {
    var router = VirtualRouter(name: "VI_1", origin: Origin(), interface: "eth0", id: 51)
    router.priority = 150
    router.addresses = [Self.address]
    change(&router)
    var runtime = RouterRuntime(
      router, settings: RouterSettings(router),
      tracking: TrackingSum(router: router, group: nil, configuration: FailoverConfiguration()),
      at: 0)
    runtime.held = router.addresses.map { HeldAddress(address: $0, interface: 2) }
    return runtime
  }

  private func waiting_us(
    _ state: RouterState, isLinkUp: Bool = true, _ change: (inout VirtualRouter) -> Void = { _ in }
  ) -> Int64 {
    Departure.waiting_us(for: runtime(change), state: state, isLinkUp: isLinkUp)
  }

  // MARK: How long a successor is waited for

  @Test func aNewMasterAnnouncesAtOnce() {
    #expect(waiting_us(.backup) == 20_000)
  }

  @Test func afterPriorityZeroTheLongestSkewCounts() {
    #expect(waiting_us(.initialize) == 1_000_000)
    #expect(waiting_us(.fault) == 1_000_000)
    // 255/256 of 100 ms, and the head start.
    #expect(
      waiting_us(.initialize) {
        $0.version = .v3
        $0.advertisementInterval = .milliseconds(100)
      } == 119_609)
    // An interval of 40 s is not waited for.
    #expect(
      waiting_us(.initialize) {
        $0.version = .v3
        $0.advertisementInterval = .seconds(40)
      } == 1_000_000)
  }

  @Test func withoutALinkNobodyIsHeard() {
    #expect(waiting_us(.backup, isLinkUp: false) == 0)
    #expect(waiting_us(.fault, isLinkUp: false) == 0)
  }

  @Test func aMACAddressThatBothNodesUseGoesFirst() {
    #expect(waiting_us(.initialize) { $0.virtualMAC = VirtualMAC() } == 0)
  }

  @Test func anAddressThatIsLookedForOnTheLinkGoesFirst() {
    #expect(
      waiting_us(.initialize) {
        var address = VirtualAddress(.v6(high: 0xfd00 << 48, low: 1), prefixLength: 64)
        address.detectsDuplicates = true
        $0.addresses = [address]
      } == 0)
  }

  // MARK: The steps

  private func departure(waiting_us: Int64 = 1_000_000) -> Departure {
    Departure(runtime(), waiting_us: waiting_us, at: 0)
  }

  @Test func theAnnouncementEndsTheWait() {
    var departure = departure()
    #expect(departure.step(at: 61_000) == .wait)
    departure.hearAdvert(at: 61_000)
    #expect(departure.step(at: 61_500) == .wait)
    departure.hearAnnouncement(at: 61_500)
    #expect(departure.step(at: 61_500) == .reset)
  }

  @Test func anIPv6AddressTakesAMomentToBeUsed() {
    var departure = Departure(runtime { $0.family = .v6 }, waiting_us: 1_000_000, at: 0)
    departure.hearAnnouncement(at: 61_500)
    departure.hearAnnouncement(at: 65_000)
    #expect(departure.step(at: 71_499) == .wait)
    #expect(departure.step(at: 71_500) == .reset)
  }

  @Test func anAdvertAloneEndsItALittleLater() {
    var departure = departure()
    departure.hearAdvert(at: 61_000)
    departure.hearAdvert(at: 80_000)
    #expect(departure.step(at: 80_999) == .wait)
    #expect(departure.step(at: 81_000) == .reset)
  }

  @Test func theAddressGoesWithTheLastSession() {
    var departure = departure(waiting_us: 0)
    #expect(departure.step(at: 0) == .reset)
    departure.beginReset(1, at: 0)
    #expect(departure.step(at: 1_000) == .wait)
    // Nobody takes it away before.
    departure.hearAnnouncement(at: 1_500)
    departure.hearAdvert(at: 1_500)
    #expect(departure.step(at: 2_000) == .wait)
    departure.endReset(at: 2_000)
    #expect(departure.step(at: 2_000) == .remove)
    #expect(departure.isReset)
  }

  @Test func aProxyThatSaysNothingIsNotWaitedForLong() {
    var departure = departure(waiting_us: 0)
    departure.beginReset(1, at: 0)
    #expect(departure.step(at: 999_999) == .wait)
    #expect(departure.step(at: 1_000_000) == .remove)
    #expect(!departure.isReset)
  }

  @Test func whatIsWantedAgainStays() {
    var departure = Departure(
      runtime { $0.addresses = [Self.address, Self.other] }, waiting_us: 0, at: 0)
    let held = { (address: VirtualAddress) in HeldAddress(address: address, interface: 2) }
    let elsewhere = HeldAddress(address: Self.other, interface: 3)
    #expect(departure.give(back: [held(Self.address), elsewhere]) == [held(Self.address)])
    #expect(departure.runtime.held == [held(Self.other)])
  }
}
