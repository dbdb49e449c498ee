// What every request passes: who may do what, and the headers that keep browsers strict.

import HTTPTypes
import Hummingbird

/// Answers what is not allowed in place of the routes behind it.
struct Gate: RouterMiddleware {
  let access: Access
  let kind: RequestKind

  func handle(
    _ request: Request, context: BasicRequestContext,
    next: (Request, BasicRequestContext) async throws -> Response
  ) async throws -> Response {
    func header(_ name: String) -> String? {
      HTTPField.Name(name).flatMap { request.headers[$0] }
    }
    let refusal = access.refusal(
      of: AccessRequest(
        kind: kind, authority: request.head.authority ?? header("Host"),
        authorization: request.headers[.authorization], origin: header("Origin"),
        fetchSite: header("Sec-Fetch-Site"), contentType: request.headers[.contentType]))
    guard let refusal else { return try await next(request, context) }
    var headers: HTTPFields = [:]
    let status: HTTPResponse.Status =
      switch refusal {
      case .foreignHost: .misdirectedRequest
      case .tokenNeeded: .unauthorized
      case .readOnly, .crossSite: .forbidden
      case .contentType: .unsupportedMediaType
      }
    if refusal == .tokenNeeded { headers[.wwwAuthenticate] = "Bearer realm=\"fairlead\"" }
    return .text(refusal.words + "\n", status: status, headers: headers)
  }
}

/// For every answer, errors included.
struct SafeHeaders: RouterMiddleware {
  private static let fields: [(String, String)] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
  ]

  func handle(
    _ request: Request, context: BasicRequestContext,
    next: (Request, BasicRequestContext) async throws -> Response
  ) async throws -> Response {
    var response: Response
    do {
      response = try await next(request, context)
    } catch let error as any HTTPResponseError {
      response = try error.response(from: request, context: context)
    }
    for (name, value) in Self.fields {
      // A route that knows better has said so.
      guard let field = HTTPField.Name(name), response.headers[field] == nil else { continue }
      response.headers[field] = value
    }
    return response
  }
}
