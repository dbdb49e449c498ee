// The pace of announcements.

import Configuration
import Testing

@testable import Failover

@Suite struct AnnouncementQueueTests {
  private func announcement(
    _ last: UInt32, interface: UInt32 = 2, pause_us: Int64 = 0, router: Int = 0
  ) -> PendingAnnouncement {
    PendingAnnouncement(
      router: router, address: .v4(0x0a00_0000 + last), interface: interface, pause_us: pause_us)
  }

  @Test func withoutAPauseAllLeaveAtOnceInOrder() {
    var queue = AnnouncementQueue()
    let all = (1...5).map { announcement($0) }
    all.forEach { queue.append($0) }
    #expect(queue.takeDue(at: 0) == all)
    #expect(queue.next_us == nil)
  }

  @Test func aPauseKeepsThemApart() throws {
    var queue = AnnouncementQueue()
    for number in 1...3 { queue.append(announcement(UInt32(number), pause_us: 1000)) }
    #expect(queue.takeDue(at: 50).count == 1)
    #expect(queue.next_us == 1050)
    #expect(queue.takeDue(at: 1049).isEmpty)
    #expect(queue.takeDue(at: 1050).map(\.address) == [.v4(0x0a00_0002)])
    #expect(queue.takeDue(at: 9000).count == 1)
    #expect(queue.next_us == nil)
  }

  @Test func interfacesDoNotWaitForEachOther() {
    var queue = AnnouncementQueue()
    queue.append(announcement(1, interface: 2, pause_us: 1000))
    queue.append(announcement(2, interface: 2, pause_us: 1000))
    queue.append(announcement(3, interface: 3, pause_us: 1000))
    #expect(Set(queue.takeDue(at: 0).map(\.interface)) == [2, 3])
  }

  @Test func whoGaveItsAddressesUpAnnouncesNothing() {
    var queue = AnnouncementQueue()
    queue.append(announcement(1, router: 0))
    queue.append(announcement(2, router: 1))
    queue.removeAll(of: 0)
    #expect(queue.takeDue(at: 0).map(\.router) == [1])
  }

  @Test func theQueueIsBounded() {
    var queue = AnnouncementQueue()
    for number in 0..<(Limits.pendingAnnouncements + 100) {
      queue.append(announcement(UInt32(number % 200)))
    }
    #expect(queue.takeDue(at: 0).count == Limits.pendingAnnouncements)
  }
}
