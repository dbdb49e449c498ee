// Announcements over a cable: the far end's neighbour tables believe them, and a watch hears them.

import Configuration
import Kernel
import Testing

@testable import Failover

@Suite(.serialized, .enabled(if: Namespace.isPossible, Namespace.need))
struct AnnounceTests {
  private static func heard(
    _ watch: DuplicateWatch, within_ms: Int64 = 5000
  ) -> [HeardOwner] {
    let end = Clock.monotonic_us() + within_ms * 1000
    while Clock.monotonic_us() < end {
      let heard = watch.readHeard()
      if !heard.isEmpty { return heard }
      for descriptor in watch.descriptors { System.waitReadable(descriptor, timeout_ms: 20) }
    }
    return []
  }

  @Test func neighboursFollow() throws {
    try Namespace.withCable {
      let near = try Namespace.index("eth0")
      // The far end knows the addresses at another place.
      try Namespace.ip("addr add 10.0.0.2/24 dev far0")
      try Namespace.ip("addr add fd00::2/64 dev far0 nodad")
      try Namespace.ip("neigh add 10.0.0.179 lladdr 02:00:00:00:00:99 dev far0 nud stale")
      try Namespace.ip("neigh add fd00::179 lladdr 02:00:00:00:00:99 dev far0 nud stale")
      let mac = MACAddress(virtualRouter: 51, family: .v4)
      let announcer = try Announcer()
      for text in ["10.0.0.179", "fd00::179"] {
        let address = try #require(IPAddress(text))
        // Linux heeds at most one change a second of an entry (neigh/locktime); a first one at
        // once.
        let end = Clock.monotonic_us() + 5_000_000
        var shown = ""
        repeat {
          let failure = announcer.announce(
            address, on: near, mac: mac, isRouter: text.contains(":"))
          #expect(failure == nil)
          shown = try Namespace.ip("neigh show \(text) dev far0")
        } while !shown.contains("00:00:5e:00:01:33") && Clock.monotonic_us() < end
        #expect(shown.contains("lladdr 00:00:5e:00:01:33"), "\(shown)")
        if text.contains(":") { #expect(shown.contains("router")) }
      }
    }
  }

  @Test func failuresAreValues() throws {
    try Namespace.withCable {
      let announcer = try Announcer()
      let mac = MACAddress(virtualRouter: 1, family: .v4)
      let near = try Namespace.index("eth0")
      #expect(announcer.announce(.v4(1), on: 999, mac: mac, isRouter: false)?.code == 6)
      try Namespace.ip("link set eth0 down")
      #expect(announcer.announce(.v4(1), on: near, mac: mac, isRouter: false)?.code == 100)
      #expect(
        announcer.announce(.v6(high: 1, low: 1), on: near, mac: mac, isRouter: false)?.code == 100)
    }
  }

  @Test func othersThatHoldTheAddressAreHeard() throws {
    try Namespace.withCable {
      let near = try Namespace.index("eth0")
      let far = try Namespace.index("far0")
      let four = try #require(IPAddress("10.0.0.179"))
      let six = try #require(IPAddress("fd00::179"))
      let watch = try DuplicateWatch()
      let announcer = try Announcer()
      let mac = try #require(MACAddress([2, 0, 0, 0, 0, 9]))
      #expect(watch.watch([four, six], on: [near]) == nil)
      for address in [four, six] {
        // A cable that has just come up may lose a packet.
        let end = Clock.monotonic_us() + 10_000_000
        var heard: [HeardOwner] = []
        repeat {
          #expect(announcer.announce(address, on: far, mac: mac, isRouter: false) == nil)
          heard = Self.heard(watch, within_ms: 500)
        } while heard.isEmpty && Clock.monotonic_us() < end
        #expect(heard == [HeardOwner(interface: near, address: address, mac: mac)])
      }
      // What this node sends is not heard by itself.
      #expect(announcer.announce(four, on: near, mac: mac, isRouter: false) == nil)
      // (The far end is in this namespace too: it is heard there, where nobody watches.)
      #expect(watch.readHeard() == [])
      // Neither other addresses …
      for text in ["10.0.0.178", "fd00::178"] {
        #expect(
          announcer.announce(try #require(IPAddress(text)), on: far, mac: mac, isRouter: false)
            == nil)
      }
      // … they do not even wake the thread. A veth delivers while it sends.
      for descriptor in watch.descriptors {
        #expect(!System.waitReadable(descriptor, timeout_ms: 100))
      }
      #expect(watch.readHeard() == [])
      // Nor those of a list that is no longer in force, or another interface's.
      #expect(watch.watch([six], on: [near]) == nil)
      #expect(announcer.announce(four, on: far, mac: mac, isRouter: false) == nil)
      #expect(!System.waitReadable(watch.descriptors[0], timeout_ms: 100))
      #expect(watch.watch([four], on: [far]) == nil)
      #expect(announcer.announce(four, on: far, mac: mac, isRouter: false) == nil)
      #expect(System.waitReadable(watch.descriptors[0], timeout_ms: 5000))
      #expect(watch.readHeard() == [])
    }
  }

  @Test(arguments: [200, 500, 900])
  func theKernelTakesLongLists(_ count: Int) throws {
    try Namespace.withCable {
      let near = try Namespace.index("eth0")
      let watch = try DuplicateWatch()
      let four = Set((0..<count).map { IPAddress.v4(0x0a09_0000 + UInt32($0)) })
      let six = Set((0..<count).map { IPAddress.v6(high: 0xfd00 << 48, low: UInt64($0)) })
      #expect(watch.watch(four.union(six), on: [near]) == nil)
      let announcer = try Announcer()
      let mac = try #require(MACAddress([2, 0, 0, 0, 0, 9]))
      let last = IPAddress.v4(0x0a09_0000 + UInt32(count - 1))
      #expect(
        announcer.announce(last, on: try Namespace.index("far0"), mac: mac, isRouter: false)
          == nil)
      #expect(Self.heard(watch) == [HeardOwner(interface: near, address: last, mac: mac)])
    }
  }
}
