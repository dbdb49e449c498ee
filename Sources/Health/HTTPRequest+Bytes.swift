// The bytes of an HTTP check's request, as HAProxy 2.6 puts them on the wire.

import Configuration

extension HTTPRequest {
  /// Header names in lower case and in order, then the server's state (`http-check send-state`),
  /// the body's length when there is one, and `connection: close` for HTTP/1.1 when the
  /// configuration does not speak of `Connection` itself (HAProxy then sends neither).
  func bytes(serverState: String? = nil) -> [UInt8] {
    var output = Array("\(method) \(uri) \(version)\r\n".utf8)
    var mentionsConnection = false
    for header in headers {
      let name = lowercased(Array(header.name.utf8)[...])
      switch String(decoding: name, as: UTF8.self) {
      case "connection": mentionsConnection = true
      case "content-length", "transfer-encoding": break  // the framing is ours
      default:
        output += name
        output += Array(": \(header.value)\r\n".utf8)
      }
    }
    if let serverState { output += Array("x-haproxy-server-state: \(serverState)\r\n".utf8) }
    if !body.isEmpty { output += Array("content-length: \(body.count)\r\n".utf8) }
    if version == "HTTP/1.1", !mentionsConnection { output += Array("connection: close\r\n".utf8) }
    output += [13, 10]
    return output + body
  }
}
