// Checks that are joined by the next one while a server that is up does not answer.

import Configuration
import Testing

@testable import Health

@Suite(.serialized, .timeLimit(.minutes(2))) struct HedgeTests {
  private static let ok = "HTTP/1.1 200 OK\r\n\r\n"
  private let method = CheckMethod.http(
    HTTPCheck(steps: [.sendHTTP(HTTPRequest()), .expectHTTP(HTTPExpect(.success))]))

  private func hedged(
    _ server: LoopbackServer, interval: Duration, hedge: Duration
  ) -> CheckTarget {
    var target = target("s", server.address, method: method, interval: interval)
    target.server.check?.hedgeAfter = hedge
    target.timeoutCheck = nil
    return target
  }

  private func requests(_ server: LoopbackServer) -> Int {
    server.received.use { $0.count { $0 == UInt8(ascii: "\n") } / 2 }
  }

  @Test func asManyAsTakeItDownWaitAtOnce() async throws {
    let server = try await LoopbackServer.start(
      .inTurn([.reply([Self.ok], closes: true), .silent]))
    let watched = WatchedChecker()
    try watched.checker.start(
      targets: [hedged(server, interval: .seconds(3), hedge: .milliseconds(100))])
    #expect(try #require(await watched.check(of: "s")).0.status == .layer7OK)
    let first = try #require(await watched.check(of: "s"))
    #expect(first.0.status == .layer7Timeout && first.1.health == 3)
    #expect(requests(server) == 4, "one that was answered, and no more than fall that wait")
    guard
      case .transition(_, .up, .down, .check(let report)) = await watched.transition(
        of: "s", to: .down)
    else {
      Issue.record("not down")
      return
    }
    #expect(report.status == .layer7Timeout)
    watched.checker.stop()
    try await server.stop()
  }

  @Test func anAnswerEndsTheDoubt() async throws {
    let server = try await LoopbackServer.start(
      .inTurn([.reply([Self.ok], closes: true), .silent, .silent, .reply([Self.ok], closes: true)]))
    let watched = WatchedChecker()
    try watched.checker.start(
      targets: [hedged(server, interval: .seconds(2), hedge: .milliseconds(20))])
    for _ in 0..<4 {
      let check = try #require(await watched.check(of: "s"))
      #expect(check.0.status == .layer7OK && check.1.health == 4)
    }
    // The two that were left without an answer count for nothing.
    #expect(requests(server) >= 6)
    watched.checker.stop()
    try await server.stop()
  }

  @Test func aServerThatOneFailureTakesDownIsAskedOnce() async throws {
    let server = try await LoopbackServer.start(.silent)
    let watched = WatchedChecker()
    try watched.checker.start(
      targets: [hedged(server, interval: .milliseconds(300), hedge: .milliseconds(1))])
    let first = try #require(await watched.check(of: "s"))
    #expect(first.0.status == .layer7Timeout && first.1.health == 0)
    #expect(requests(server) == 1)
    watched.checker.stop()
    try await server.stop()
  }
}
