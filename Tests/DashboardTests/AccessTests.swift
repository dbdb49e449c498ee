// Who may do what over HTTP.

import Configuration
import Testing

@testable import Dashboard

@Suite struct AccessTests {
  private static let token = "0123456789abcdef"

  private func access(
    _ address: String = "127.0.0.1", token: String? = nil, isPublic: Bool = false
  ) throws -> Access {
    var settings = HTTPSettings()
    settings.address = .ip(try #require(IPAddress(address)), port: 9600)
    settings.token = token
    settings.isPublic = isPublic
    return Access(settings)
  }

  private func request(
    _ kind: RequestKind, host: String? = "localhost:9600", token: String? = nil
  ) -> AccessRequest {
    AccessRequest(kind: kind, authority: host, authorization: token.map { "Bearer \($0)" })
  }

  @Test func everybodyOnThisMachineMayRead() throws {
    let access = try access()
    for kind in [RequestKind.page, .health, .read] {
      #expect(access.refusal(of: request(kind)) == nil)
    }
    #expect(access.refusal(of: request(.write)) == .readOnly)
    #expect(access.refusal(of: request(.write, token: Self.token)) == .readOnly)
    #expect(!access.allowsWrites)
  }

  @Test(arguments: [
    "localhost", "LOCALHOST:9600", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:9600",
    "box.localhost:9600",
  ])
  func namesOfThisMachine(host: String) throws {
    #expect(try access().refusal(of: request(.read, host: host)) == nil)
  }

  @Test(arguments: [
    nil, "", "attacker.example", "attacker.example:9600", "127.0.0.1.attacker.example",
    "localhost.attacker.example", "10.0.0.1", "[::2]", "[", "notlocalhost", "1270.0.0.1",
  ])
  func foreignNames(host: String?) throws {
    #expect(try access().refusal(of: request(.read, host: host)) == .foreignHost)
    #expect(try access().refusal(of: request(.health, host: host)) == nil)
    // Elsewhere the name is the operator's affair.
    let open = try access("10.0.0.1", isPublic: true)
    #expect(open.refusal(of: request(.read, host: host)) == nil)
  }

  @Test func aTokenGuardsReadingUnlessPublic() throws {
    for address in ["127.0.0.1", "10.0.0.1", "::"] {
      let guarded = try access(address, token: Self.token)
      #expect(guarded.refusal(of: request(.read)) == .tokenNeeded)
      #expect(guarded.refusal(of: request(.read, token: Self.token)) == nil)
      #expect(guarded.refusal(of: request(.page)) == nil)
      let open = try access(address, token: Self.token, isPublic: true)
      #expect(open.refusal(of: request(.read)) == nil)
      #expect(open.refusal(of: request(.write)) == .tokenNeeded)
      #expect(open.refusal(of: request(.write, token: Self.token)) == nil)
    }
  }

  @Test(arguments: [
    "", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0", " 0123456789abcdef",
  ])
  func wrongTokens(token: String) throws {
    let access = try access(token: Self.token)
    #expect(access.refusal(of: request(.read, token: token)) == .tokenNeeded)
    #expect(!Access.equal(Array(token.utf8), Array(Self.token.utf8)))
  }

  @Test func otherSitesChangeNothing() throws {
    let access = try access(token: Self.token)
    var request = request(.write, token: Self.token)
    request.origin = "http://localhost:9600"
    request.fetchSite = "same-origin"
    request.contentType = "application/json; charset=utf-8"
    #expect(access.refusal(of: request) == nil)
    request.origin = "http://attacker.example"
    #expect(access.refusal(of: request) == .crossSite)
    request.origin = "null"
    #expect(access.refusal(of: request) == .crossSite)
    request.origin = nil
    request.fetchSite = "cross-site"
    #expect(access.refusal(of: request) == .crossSite)
    request.fetchSite = nil
    request.contentType = "text/plain"
    #expect(access.refusal(of: request) == .contentType)
  }

  @Test func whoIsReachableHasATokenOrSaysSo() throws {
    var settings = HTTPSettings()
    #expect(settings.problem == nil)
    settings.address = .ip(.v4(0), port: 9600)
    #expect(settings.problem != nil)
    settings.isPublic = true
    #expect(settings.problem == nil)
    settings.isPublic = false
    settings.token = Self.token
    #expect(settings.problem == nil)
    settings.certificate = "/a"
    #expect(settings.problem != nil)
  }
}
