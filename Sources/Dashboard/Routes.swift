// Which path does what.

import Control
import HTTPTypes
import Hummingbird
import NIOCore

struct Routes: Sendable {
  let access: Access
  let source: DashboardSource
  let feed: EventFeed

  typealias Context = BasicRequestContext

  var router: Router<Context> {
    let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: SafeHeaders())
    let page = router.group("").add(middleware: Gate(access: access, kind: .page))
    page.get("/") { _, _ in PageText.response() }
    let health = router.group("").add(middleware: Gate(access: access, kind: .health))
    health.get("/healthz") { _, _ in await self.health() }
    let reading = router.group("").add(middleware: Gate(access: access, kind: .read))
    reading.get("/status.json") { _, _ in
      Response.text(
        Self.page(await self.source.report()), type: "application/json")
    }
    reading.get("/metrics") { request, _ in await self.metrics(request) }
    reading.get("/events") { request, _ in await self.events(request) }
    let writing = router.group("").add(middleware: Gate(access: access, kind: .write))
    writing.post("/reload") { _, _ in await self.carryOut(ControlRequest(.reload)) }
    writing.post("/servers/:backend/:server/drain") { _, context in
      await self.carryOut(ControlRequest(.drain, server: try Routes.server(context)))
    }
    writing.post("/servers/:backend/:server/undrain") { _, context in
      await self.carryOut(ControlRequest(.undrain, server: try Routes.server(context)))
    }
    return router
  }

  /// As `fairlead status --json` prints it.
  private static func page(_ value: some Encodable) -> String {
    MessageText.write(value, indented: true, otherwise: "null") + "\n"
  }

  private static func server(_ context: Context) throws -> String {
    "\(try context.parameters.require("backend"))/\(try context.parameters.require("server"))"
  }

  private func carryOut(_ request: ControlRequest) async -> Response {
    let answer = await source.carryOut(request)
    return .text(
      Self.page(answer), type: "application/json", status: answer.ok ? .ok : .conflict)
  }

  private func health() async -> Response {
    if let obstacle = await source.obstacle() {
      return .text(obstacle + "\n", status: .serviceUnavailable)
    }
    return .text("ok\n")
  }

  private func metrics(_ request: Request) async -> Response {
    let names = request.uri.queryParameters["names"]
    let report = await source.report()
    switch names {
    case nil, "fairlead"?:
      let text = FairleadMetrics.text(report, source.vocabulary, ProcessReadings.now)
      return .text(text, type: MetricsText.type)
    case "haproxy"?:
      return .text(HAProxyMetrics.text(report, source.vocabulary), type: MetricsText.type)
    default: return .text("names is fairlead or haproxy\n", status: .badRequest)
    }
  }

  // MARK: Events

  /// Sends a status to every page, once a second, as long as there is one.
  func tick() -> Task<Void, Never> {
    Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(DashboardLimits.status_ms))
        if feed.hasFollowers { feed.setStatus(await statusMessage()) }
      }
    }
  }

  private func statusMessage() async -> ByteBuffer {
    EventFeed.message("status", data: MessageText.write(await source.report(), otherwise: "null"))
  }

  private func events(_ request: Request) async -> Response {
    let lastID = HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }
    let greeting = ByteBuffer(
      string: "retry: \(DashboardLimits.retry_ms)\nevent: hello\n"
        + "data: {\"run\":\"\(feed.run)\",\"writes\":\(access.allowsWrites)}\n\n")
    guard let (number, follower) = feed.follow(after: lastID, greeting: greeting) else {
      return .text(
        "\(DashboardLimits.followers) pages follow already\n", status: .serviceUnavailable,
        headers: [.retryAfter: "10"])
    }
    follower.setStatus(await statusMessage())
    let feed = self.feed
    let body = ResponseBody { writer in
      defer { feed.unfollow(number) }
      try await Routes.send(follower, to: &writer)
      try await writer.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: "text/event-stream"], body: body)
  }

  /// Until the follower ends. A page that takes nothing holds up this task and nobody else.
  private static func send(
    _ follower: Follower, to writer: inout any ResponseBodyWriter
  ) async throws {
    for await _ in follower.news {
      while let buffer = follower.take() { try await writer.write(buffer) }
    }
  }
}

extension Response {
  static func text(
    _ text: String, type: String = "text/plain; charset=utf-8",
    status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
  ) -> Response {
    var headers = headers
    headers[.contentType] = type
    return Response(
      status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
