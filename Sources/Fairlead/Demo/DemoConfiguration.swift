// The configuration that the demo runs, and what follows from its numbers: how long failures may
// go unnoticed, and how many requests they may cost.

import Configuration

/// One server of the demo: where it listens.
struct DemoServer: Sendable {
  var name: String
  var port: UInt16
}

enum DemoConfiguration {
  static let frontend = "kubernetes-apiserver"
  static let backend = "kubernetes-masters"

  /// What a haproxy.cfg for three masters would say.
  static func make(port: UInt16, servers: [DemoServer], timing: DemoTiming) -> ProxyConfiguration {
    let loopback = IPAddress.v4(0x7f00_0001)
    var front = Frontend(name: frontend)
    front.binds = [Bind(addresses: [.ip(loopback, port: port)])]
    front.defaultBackend = backend
    front.timeoutClient = .seconds(60)

    var request = HTTPRequest()
    request.method = "GET"
    request.uri = "/readyz"
    request.version = "HTTP/1.1"
    request.headers = [HTTPHeader(name: "Host", value: "localhost")]
    var back = Backend(name: backend)
    back.check = .http(
      HTTPCheck(steps: [
        .sendHTTP(request), .expectHTTP(HTTPExpect(.status([200...200]))),
      ]))
    back.timeoutConnect = timing.timeoutConnect
    back.timeoutServer = .seconds(60)
    back.timeoutCheck = timing.timeoutCheck
    back.redispatch = -1
    back.servers = servers.map { server in
      var made = Server(name: server.name, host: .ip(loopback), port: .fixed(server.port))
      var check = ServerCheck()
      check.interval = timing.interval
      check.fastInterval = timing.fastInterval
      check.fall = timing.fall
      check.rise = timing.rise
      check.tls = CheckTLS(verify: false)
      made.check = check
      made.shutdownSessionsOnDown = true
      return made
    }
    return ProxyConfiguration(frontends: [front], backends: [back])
  }
}

/// The check timing of the demo and the bounds derived from it.
struct DemoTiming: Sendable {
  let interval = Duration.seconds(1)
  let fastInterval = Duration.milliseconds(500)
  let fall = 2
  let rise = 2
  let timeoutConnect = Duration.seconds(1)
  let timeoutCheck = Duration.seconds(1)
  /// What a client waits for an answer.
  let requestTimeout = Duration.seconds(2)
  /// Granted to a busy machine on top of every bound.
  let slack = Duration.seconds(1)

  /// Longest time until a server that was killed is DOWN: the wait for the next check, and
  /// `fall` checks that are refused at once with `fastinter` between them.
  var killedBound: Duration { interval + fastInterval * (fall - 1) }

  /// The same for a server that hangs: each check ends by its timeout.
  var hungBound: Duration { killedBound + max(timeoutConnect, timeoutCheck) * fall }

  /// Longest time until a revived server is UP: its next check comes after `inter` at most,
  /// `rise` checks pass at once with `fastinter` between them.
  var recoveryBound: Duration { interval + fastInterval * (rise - 1) }

  /// Requests that a kill may cost: those on their way to the server, one for each client. New
  /// connections to a closed port move on to another server (`redispatch`).
  func killedAllowance(clients: Int) -> Int { clients }

  /// Requests that a hang may cost: until it is noticed, each client can lose one after another
  /// to its timeout, and one more that is cut off when the server is marked down.
  func hungAllowance(clients: Int) -> Int {
    clients * (Int((hungBound + slack) / requestTimeout) + 1)
  }

  var explanation: [String] {
    [
      "killed: inter \(interval.shown) + (fall \(fall) - 1) x fastinter \(fastInterval.shown)"
        + " = \(killedBound.shown)",
      "hung:   the same + fall \(fall) x timeout check \(timeoutCheck.shown) = \(hungBound.shown)",
      "back:   inter \(interval.shown) + (rise \(rise) - 1) x fastinter \(fastInterval.shown)"
        + " = \(recoveryBound.shown);  each + \(slack.shown) for a busy machine",
    ]
  }
}

extension Duration {
  /// Seconds with as many digits as they need, three at most: `0.5 s`.
  var shown: String {
    var digits = String(abs(self.milliseconds) % 1000 + 1000).dropFirst()
    while digits.last == "0" { digits = digits.dropLast() }
    return "\(self.milliseconds / 1000)\(digits.isEmpty ? "" : ".\(digits)") s"
  }

  /// Whole milliseconds.
  var milliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }

  /// Minutes, seconds and tenths since the start: `1:07.3`.
  var stamp: String {
    let tenths = milliseconds / 100
    let seconds = tenths / 10 % 60
    return "\(tenths / 600):\(seconds < 10 ? "0" : "")\(seconds).\(tenths % 10)"
  }
}
