// Events and statuses on their way to pages.

import Control
import NIOCore
import Testing

@testable import Dashboard

@Suite struct FeedTests {
  private func event(_ number: Int) -> ControlEvent {
    ControlEvent(
      time: Double(number), event: "server.down", kind: .server, subject: "b/s",
      text: "event \(number)")
  }

  private func text(_ follower: Follower) -> String {
    follower.take().map { String(buffer: $0) } ?? ""
  }

  private let greeting = ByteBuffer(string: "event: hello\ndata: {}\n\n")

  @Test func aNewPageGetsWhatIsRemembered() throws {
    let feed = EventFeed()
    for number in 1...3 { feed.add(event(number)) }
    let (_, follower) = try #require(feed.follow(after: nil, greeting: greeting))
    let first = text(follower)
    #expect(first.hasPrefix("event: hello\n"))
    #expect(first.contains("event 1") && first.contains("id: \(feed.run)-3\n"))
    feed.add(event(4))
    #expect(text(follower).contains("event 4"))
    #expect(follower.take() == nil)
  }

  @Test func aPageThatComesBackMissesNothing() throws {
    let feed = EventFeed()
    for number in 1...4 { feed.add(event(number)) }
    let back = try #require(feed.follow(after: "\(feed.run)-2", greeting: greeting))
    let got = text(back.1)
    #expect(!got.contains("event 2") && got.contains("event 3") && got.contains("event 4"))
    // Numbers of another feed, and what no feed has sent, mean nothing.
    for id in ["other-4", "\(feed.run)-", "\(feed.run)-x", "-1"] {
      let (_, follower) = try #require(feed.follow(after: id, greeting: greeting))
      #expect(text(follower).contains("event 1"))
    }
  }

  @Test func anOldStatusGivesWay() throws {
    let feed = EventFeed()
    let (_, follower) = try #require(feed.follow(after: nil, greeting: greeting))
    feed.setStatus(ByteBuffer(string: "one\n"))
    feed.setStatus(ByteBuffer(string: "two\n"))
    #expect(text(follower) == "event: hello\ndata: {}\n\ntwo\n")
  }

  @Test func whoTakesNothingIsLetGo() async throws {
    let feed = EventFeed()
    let (_, follower) = try #require(feed.follow(after: nil, greeting: greeting))
    for number in 1...1000 { feed.add(event(number)) }
    feed.setStatus(ByteBuffer(string: "late"))
    #expect(follower.take() == nil)
    var news = 0
    for await _ in follower.news { news += 1 }
    #expect(news <= 1)
  }

  @Test func placesAreLimited() throws {
    let feed = EventFeed()
    var numbers: [Int] = []
    for _ in 0..<DashboardLimits.followers {
      numbers.append(try #require(feed.follow(after: nil, greeting: greeting)).number)
    }
    #expect(feed.follow(after: nil, greeting: greeting) == nil)
    feed.unfollow(numbers[0])
    #expect(feed.follow(after: nil, greeting: greeting) != nil)
  }
}
