// The dashboard as one answer: markup, style and program in one text, nothing from elsewhere.

import HTTPTypes
import Hummingbird
import NIOCore

enum PageText {
  private static let head = String(decoding: PackageResources.page_html, as: UTF8.self)
  private static let style = String(decoding: PackageResources.page_css, as: UTF8.self)
  /// In the order in which they use each other.
  private static let program =
    [
      PackageResources.model_js, PackageResources.charts_js, PackageResources.topology_js,
      PackageResources.panels_js, PackageResources.stream_js,
    ].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")

  /// Every answer has a number of its own that its parts must carry to be run (CSP).
  static func response() -> Response {
    let nonce =
      String(UInt64.random(in: .min ... .max), radix: 36)
      + String(UInt64.random(in: .min ... .max), radix: 36)
    var response = Response.text(text(nonce: nonce), type: "text/html; charset=utf-8")
    if let policy = HTTPField.Name("Content-Security-Policy") {
      response.headers[policy] =
        "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; "
        + "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'"
    }
    return response
  }

  static func text(nonce: String) -> String {
    var text = ""
    for line in head.split(separator: "\n", omittingEmptySubsequences: false) {
      switch line {
      case "<!-- style -->": text += "<style nonce=\"\(nonce)\">\n\(style)</style>\n"
      case "<!-- program -->": text += "<script nonce=\"\(nonce)\">\n\(program)</script>\n"
      default: text += line + "\n"
      }
    }
    return text
  }
}
