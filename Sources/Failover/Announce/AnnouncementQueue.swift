// Paces announcements: some switches drop gratuitous ARP that comes in bursts, so there may be a
// pause between two on one interface (keepalived.conf(5), "vrrp_garp_interval").

import Configuration
import VRRP

struct PendingAnnouncement: Equatable {
  var router: Int
  var address: IPAddress
  var interface: UInt32
  /// Microseconds that this interface is silent after it.
  var pause_us: Microseconds
}

struct AnnouncementQueue {
  private struct Lane {
    var waiting: [PendingAnnouncement] = []
    var freeAt_us: Microseconds = .min
  }
  /// IPv4 and IPv6 are paced apart from each other.
  private struct LaneKey: Hashable {
    var interface: UInt32
    var family: AddressFamily
  }
  private var lanes: [LaneKey: Lane] = [:]

  /// What is beyond the limit is not sent: it would come too late to help.
  mutating func append(_ announcement: PendingAnnouncement) {
    let key = LaneKey(interface: announcement.interface, family: announcement.address.family)
    if lanes[key, default: Lane()].waiting.count < Limits.pendingAnnouncements {
      lanes[key, default: Lane()].waiting.append(announcement)
    }
  }

  /// A router that gave its addresses up announces nothing any more.
  mutating func removeAll(of router: Int) {
    for key in lanes.keys { lanes[key]?.waiting.removeAll { $0.router == router } }
  }

  mutating func removeAll() { lanes = [:] }

  /// When the next one may be sent; nil when none waits.
  var next_us: Microseconds? {
    lanes.values.filter { !$0.waiting.isEmpty }.map(\.freeAt_us).min()
  }

  /// Takes everything that may be sent now, in order.
  mutating func takeDue(at now_us: Microseconds) -> [PendingAnnouncement] {
    var due: [PendingAnnouncement] = []
    for key in lanes.keys {
      guard var lane = lanes[key] else { continue }
      var taken = 0
      while taken < lane.waiting.count, lane.freeAt_us <= now_us {
        let next = lane.waiting[taken]
        taken += 1
        due.append(next)
        if next.pause_us > 0 { lane.freeAt_us = now_us + next.pause_us }
      }
      lane.waiting.removeFirst(taken)
      lanes[key] = lane
    }
    return due
  }
}
