// The checker with real servers: events, maintenance, tracking, reload and size.

import Configuration
import NIOCore
import NIOPosix
import Testing

@testable import Health

/// A checker whose events can be awaited.
final class WatchedChecker: Sendable {
  let checker: HealthChecker
  private let stream: AsyncStream<HealthEvent>
  private let all = NIOLockedBox<[HealthEvent]>([])

  init(spread: Int = 0) {
    let (stream, continuation) = AsyncStream.makeStream(of: HealthEvent.self)
    self.stream = stream
    let all = self.all
    checker = HealthChecker(group: group, spreadPercent: spread, node: "vm") { event in
      all.use { $0.append(event) }
      continuation.yield(event)
    }
  }

  var events: [HealthEvent] { all.use { $0 } }

  /// The next event that the closure accepts.
  func next(_ accept: @Sendable (HealthEvent) -> Bool) async -> HealthEvent? {
    for await event in stream where accept(event) { return event }
    return nil
  }

  func transition(of name: String, to state: ServerState) async -> HealthEvent? {
    await next {
      if case .transition(let reference, _, let to, _) = $0 {
        return reference.server == name && to == state
      }
      return false
    }
  }

  func check(of name: String) async -> (CheckReport, HealthProgress)? {
    let event = await next {
      if case .checked(let reference, _, _) = $0 { return reference.server == name }
      return false
    }
    guard case .checked(_, let report, let progress) = event else { return nil }
    return (report, progress)
  }
}

func reference(_ name: String) -> ServerReference { .init(backend: "b", server: name) }

func target(
  _ name: String, _ address: Configuration.SocketAddress?, method: CheckMethod = .connect,
  interval: Duration = .seconds(1), configure: (inout Server) -> Void = { _ in }
) -> CheckTarget {
  var server = Server(name: name, host: .ip(.v4(0x7f00_0001)), port: .fixed(1))
  var check = ServerCheck()
  check.interval = interval
  check.downInterval = .milliseconds(20)
  check.fastInterval = .milliseconds(20)
  server.check = check
  configure(&server)
  var backend = Backend(name: "b")
  backend.check = method
  // `inter` also limits connecting, so it stays long: the test machine may be busy.
  backend.timeoutCheck = .seconds(20)
  return CheckTarget(server: server, backend: backend, address: address)
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct HealthCheckerTests {
  @Test func fallsAndRises() async throws {
    let server = try await LoopbackServer.start(.silent)
    let port = server.port
    let watched = WatchedChecker()
    try watched.checker.start(targets: [target("s", server.address)])
    let first = try #require(await watched.check(of: "s"))
    #expect(first.0.status == .layer4OK)
    #expect(first.1.health == 4)
    try await server.stop()
    let down = await watched.transition(of: "s", to: .down)
    guard case .transition(_, .up, .down, .check(let report)) = down else {
      Issue.record("\(String(describing: down))")
      return
    }
    #expect(report.status == .layer4ConnectionProblem)
    // A busy machine may have checked again by the time this looks.
    let before = watched.events.prefix {
      if case .transition = $0 { return false }
      return true
    }
    let failures = before.filter {
      if case .checked(_, let report, _) = $0 { return report.status.result == .failed }
      return false
    }
    #expect(failures.count == 3)
    let again = try await ServerBootstrapOnPort.start(port)
    guard case .transition(_, .down, .up, .check) = await watched.transition(of: "s", to: .up)
    else {
      Issue.record("not up again")
      return
    }
    watched.checker.stop()
    try await again.close()
  }

  @Test func followersFollow() async throws {
    let refused = RefusedPort()
    let watched = WatchedChecker()
    let follow: (inout Server) -> Void = { server in
      server.check = nil
      server.track = reference("leader")
    }
    try watched.checker.start(targets: [
      target("leader", refused.address), target("one", nil, configure: follow),
      target("two", nil, configure: follow),
      target("three", nil) {
        $0.check = nil
        $0.track = reference("two")
      },
    ])
    let last = await watched.transition(of: "one", to: .down)
    #expect(
      last
        == .transition(
          reference("one"), from: .up, to: .down, cause: .tracked(reference("leader"))))
    let order = watched.events.compactMap {
      if case .transition(let reference, _, _, _) = $0 { return reference.server }
      return nil
    }
    #expect(order == ["leader", "two", "three", "one"])
    watched.checker.setMaintenance(reference("leader"), true)
    #expect(await watched.transition(of: "one", to: .maintenance) != nil)
    watched.checker.setMaintenance(reference("leader"), false)
    #expect(await watched.transition(of: "one", to: .up) != nil)
    #expect(await watched.transition(of: "one", to: .down) != nil)
    watched.checker.stop()
    withExtendedLifetime(refused) {}
  }

  @Test func aTrackLoopEnds() async throws {
    let watched = WatchedChecker()
    func circle(_ name: String, _ other: String) -> CheckTarget {
      target(name, nil) {
        $0.check = nil
        $0.track = reference(other)
      }
    }
    try watched.checker.start(targets: [circle("a", "b"), circle("b", "a"), circle("c", "c")])
    let states = await watched.checker.snapshot().map(\.state)
    #expect(states == [.up, .up, .up])
    watched.checker.setMaintenance(reference("a"), true)
    #expect(await watched.transition(of: "a", to: .maintenance) != nil)
    watched.checker.stop()
  }

  @Test func disabledServersAreNotChecked() async throws {
    let server = try await LoopbackServer.start(.silent)
    let watched = WatchedChecker()
    try watched.checker.start(targets: [
      target("off", server.address) { $0.isDisabled = true }, target("on", server.address),
    ])
    for _ in 0..<2 { #expect(await watched.check(of: "on") != nil) }
    #expect(
      watched.events.allSatisfy {
        if case .checked(let reference, _, _) = $0 { return reference.server == "on" }
        return true
      })
    #expect(await watched.checker.snapshot().map(\.state) == [.maintenance, .up])
    watched.checker.setMaintenance(reference("off"), false)
    let up = await watched.transition(of: "off", to: .up)
    #expect(
      up
        == .transition(reference("off"), from: .maintenance, to: .up, cause: .administrator))
    #expect(await watched.check(of: "off") != nil)
    watched.checker.stop()
    try await server.stop()
  }

  @Test func namesWithoutAddressAreInMaintenance() async throws {
    let server = try await LoopbackServer.start(.silent)
    let watched = WatchedChecker()
    try watched.checker.start(targets: [
      target("s", nil) { $0.host = .name("s.test") }
    ])
    #expect(await watched.checker.snapshot().map(\.state) == [.maintenance])
    watched.checker.setAddress(reference("s"), server.address)
    #expect(
      await watched.transition(of: "s", to: .up)
        == .transition(reference("s"), from: .maintenance, to: .up, cause: .resolution))
    #expect(await watched.check(of: "s")?.0.status == .layer4OK)
    watched.checker.setAddress(reference("s"), nil)
    #expect(await watched.transition(of: "s", to: .maintenance) != nil)
    watched.checker.stop()
    try await server.stop()
  }

  @Test func reloadKeepsWhatDidNotChange() async throws {
    let refused = RefusedPort()
    let server = try await LoopbackServer.start(.silent)
    let watched = WatchedChecker()
    let kept = target("kept", refused.address, interval: .seconds(600)) {
      $0.check?.downInterval = .seconds(600)
    }
    try watched.checker.start(targets: [kept, target("removed", server.address)])
    #expect(await watched.transition(of: "kept", to: .down) != nil)
    var heavier = kept
    heavier.server.weight = 7
    try watched.checker.update(targets: [heavier, target("new", server.address)])
    #expect(await watched.check(of: "new")?.0.status == .layer4OK)
    let snapshot = await watched.checker.snapshot()
    #expect(snapshot.map(\.reference.server) == ["kept", "new"])
    #expect(snapshot.map(\.state) == [.down, .up])
    #expect(snapshot.first?.lastReport?.status == .layer4ConnectionProblem)
    // Its next check is ten minutes away: the state was not checked anew, it was kept.
    let checks = watched.events.filter {
      if case .checked(let reference, _, _) = $0 { return reference.server == "kept" }
      return false
    }
    #expect(checks.count == 1)
    let broken = target("new", server.address, method: .script([expect(.regex("("))]))
    #expect(throws: HealthError.self) { try watched.checker.update(targets: [broken]) }
    #expect(await watched.checker.snapshot().count == 2)
    var changed = kept
    changed.server.check?.fall = 5
    try watched.checker.update(targets: [changed])
    #expect(await watched.checker.snapshot().map(\.state) == [.down], "known from before")
    #expect(
      await watched.check(of: "kept")?.0.status == .layer4ConnectionProblem,
      "and checked in the new way")
    #expect(await watched.checker.snapshot().map(\.state) == [.down])
    watched.checker.stop()
    #expect(await watched.checker.snapshot().isEmpty)
    try await server.stop()
    withExtendedLifetime(refused) {}
  }

  @Test func a404StopsAndTheStateIsSent() async throws {
    let server = try await LoopbackServer.start(
      .reply(["HTTP/1.0 404 Not Found\r\n\r\n"], closes: true))
    var check = HTTPCheck(steps: [.sendHTTP(HTTPRequest()), .expectHTTP(HTTPExpect(.success))])
    check.disableOn404 = true
    check.sendState = true
    let watched = WatchedChecker()
    try watched.checker.start(targets: [target("s", server.address, method: .http(check))])
    let event = await watched.transition(of: "s", to: .stopping)
    guard case .transition(_, .up, .stopping, .check(let report)) = event else {
      Issue.record("\(String(describing: event))")
      return
    }
    #expect(report.status == .layer7ConditionallyOK)
    #expect(report.code == 404)
    let text = String(decoding: server.received.use { $0 }, as: UTF8.self)
    #expect(
      text.hasPrefix(
        "OPTIONS / HTTP/1.0\r\nx-haproxy-server-state: UP 1/3; address=127.0.0.1; "
          + "port=\(server.port); name=b/s; node=vm; weight=1/1; scur=0/0; qcur=0\r\n\r\n"))
    watched.checker.stop()
    try await server.stop()
  }

  @Test func oneProbeAtATimePerServer() async throws {
    let server = try await LoopbackServer.start(.silent)
    let watched = WatchedChecker()
    // Each check hangs for 300 ms while its interval (once down) is 1 ms.
    var slow = target("slow", server.address, method: http(.success))
    slow.server.check?.downInterval = .milliseconds(1)
    slow.server.check?.fastInterval = .milliseconds(1)
    slow.timeoutCheck = .milliseconds(300)
    slow.timeoutConnect = .seconds(5)
    try watched.checker.start(targets: [slow])
    for _ in 0..<2 {
      let report = try #require(await watched.check(of: "slow")).0
      #expect(report.status == .layer7Timeout)
    }
    // Two finished, a third may have begun: no more requests than that.
    let requests = server.received.use { $0 }.count / "OPTIONS / HTTP/1.0\r\n\r\n".utf8.count
    #expect(requests <= 3)
    watched.checker.stop()
    try await server.stop()
  }

  @Test func fiveHundredServers() async throws {
    let server = try await LoopbackServer.start(.reply([ok], closes: true))
    let watched = WatchedChecker(spread: 20)
    let targets = (0..<500).map {
      target("s\($0)", server.address, method: http(.success), interval: .seconds(2)) {
        $0.check?.fastInterval = .seconds(2)
      }
    }
    try watched.checker.start(targets: targets)
    let seen = NIOLockedBox<Set<String>>([])
    _ = await watched.next { event in
      guard case .checked(let reference, let report, _) = event else { return false }
      return seen.use {
        if report.status == .layer7OK { $0.insert(reference.server) }
        return $0.count == 500
      }
    }
    watched.checker.stop()
    #expect(seen.use { $0.count } == 500)
    try await server.stop()
  }
}
