// From the model to the protocol, and what the log says of it.

import Configuration
import Testing
import VRRP

@testable import Failover

@Suite struct RouterSettingsTests {
  private var router: VirtualRouter {
    var router = VirtualRouter(name: "VI_1", origin: Origin(), interface: "eth0", id: 51)
    router.priority = 150
    router.addresses = [VirtualAddress(.v4(0x0a00_00b3), prefixLength: 26)]
    return router
  }

  @Test func theDefaultsAreKeepalived() {
    let settings = RouterSettings(router)
    #expect(settings.id == 51 && settings.version == .v2 && settings.priority == 150)
    #expect(settings.interval_us == 1_000_000)
    #expect(settings.addresses == [.v4(0x0a00_00b3)])
    #expect(settings.transport == .multicast && settings.preempt == .immediate)
    #expect(settings.announceDelay_us == 5_000_000 && settings.announceRefresh_us == 0)
    #expect(settings.announcesToLowerPriority && settings.downTimerAdverts == 3)
  }

  @Test func peersMakeItUnicast() {
    var router = router
    var peer = UnicastPeer(.v4(0x0a00_0002))
    peer.minimumTTL = 250
    router.peers = [peer]
    router.checksUnicastSource = true
    #expect(
      RouterSettings(router).transport
        == .unicast(
          peers: [UnicastRange(.v4(0x0a00_0002), minimumTTL: 250)], checksSource: true))
  }

  @Test func durationsAreMicroseconds() {
    var router = router
    router.version = .v3
    router.advertisementInterval = .milliseconds(250)
    router.preemption = .delayed(.milliseconds(1500))
    router.announcement.refresh = .seconds(60)
    router.announcement.lowerPriorityCount = 0
    let settings = RouterSettings(router)
    #expect(settings.version == .v3 && settings.interval_us == 250_000)
    #expect(settings.preempt == .delayed(1_500_000))
    #expect(settings.announceRefresh_us == 60_000_000)
    #expect(!settings.announcesToLowerPriority)
    #expect(Duration.seconds(Int64.max).microseconds == .max)
  }

  @Test func onlyWhatCountsOnTheWireChangesTheIdentity() {
    var other = router
    other.priority = 10
    other.addresses = []
    other.notify.any = ScriptCommand(words: ["/bin/true"], origin: Origin())
    #expect(other.identity == router.identity)
    other.id = 52
    #expect(other.identity != router.identity)
    other = router
    other.peers = [UnicastPeer(.v4(1))]
    #expect(other.identity != router.identity)
  }

  @Test func virtualMACsAreNamedAsKeepalivedNamesThem() {
    var router = router
    router.virtualMAC = VirtualMAC()
    #expect(router.virtualMACName == "vrrp.51")
    router.family = .v6
    #expect(router.virtualMACName == "vrrp6.51")
  }

  @Test(arguments: [
    (1_000_000, "1"), (3_609_375, "3.609375"), (100_000, "0.1"), (0, "0"), (61_000, "0.061"),
  ])
  func secondsAreShort(_ value_us: Int64, _ text: String) {
    #expect(Wording.seconds(value_us) == text)
  }

  @Test func everyRefusalHasWordsWithTheSender() {
    for reason in DropReason.allCases {
      let text = Wording.refusal("VI_1", reason, from: .v4(0x0a00_0002), id: 51)
      #expect(text.hasPrefix("(VI_1) ") && text.contains("10.0.0.2"), "\(reason)")
    }
  }
}
