// Tables: times, addresses, keyword by keyword, addresses' text forms.

import Testing

@testable import Configuration

@Suite struct HAProxyTableTests {
  @Test(arguments: [
    ("1", Duration.milliseconds(1)), ("5000", .seconds(5)), ("500us", .milliseconds(1)),
    ("2001us", .milliseconds(3)), ("30s", .seconds(30)), ("2m", .seconds(120)),
    ("1h", .seconds(3600)), ("24d", .seconds(24 * 86_400)), ("30sec", .seconds(30)),
    ("2147483647", .milliseconds(2_147_483_647)),
  ]) func times(_ text: String, _ expected: Duration) {
    switch HAProxyUnits.time(text) {
    case .value(let value), .doubtful(let value, _):
      #expect(value == expected)
      if case .value(let again) = HAProxyUnits.time(HAProxyUnits.print(value)) {
        #expect(again == value)
      } else {
        Issue.record("printed time does not parse")
      }
    case .wrong(let message): Issue.record(Comment(rawValue: message))
    }
  }

  @Test(arguments: ["", "s", "1.5s", "5x", "-1", "25d", "2147483648", "1d1h", "99999999999999999d"])
  func wrongTimes(_ text: String) {
    guard case .wrong = HAProxyUnits.time(text) else {
      Issue.record("accepted")
      return
    }
  }

  @Test(arguments: [
    ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
    ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
    ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
    ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"), ("fe80:0:0:0:0:0:0:1", "fe80::1"),
  ]) func addressText(_ text: String, _ canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
    #expect(IPAddress(canonical) == IPAddress(text))
  }

  @Test(arguments: [
    "", ".", "1.2.3", "1.2.3.256", "1.2.3.4.5", "01.2.3.4444", "a.b.c.d", ":", ":::", "1::2::3",
    "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1.2.3", "1.2.3.4::",
    "::g", "[::1]", "::1%eth0", "1:2:3:4:5:6:7:1.2.3.4",
  ]) func notAddresses(_ text: String) { #expect(IPAddress(text) == nil) }

  @Test(arguments: [
    ("10.0.0.1:80", ServerHost.ip(.v4(0x0a00_0001)), ServerPort.fixed(80)),
    ("10.0.0.1", .ip(.v4(0x0a00_0001)), .offset(0)),
    ("10.0.0.1:", .ip(.v4(0x0a00_0001)), .offset(0)),
    ("10.0.0.1:+5", .ip(.v4(0x0a00_0001)), .offset(5)),
    ("10.0.0.1:-5", .ip(.v4(0x0a00_0001)), .offset(-5)),
    ("::1:80", .ip(.v6(high: 0, low: 1)), .fixed(80)),
    ("[::1]:80", .ip(.v6(high: 0, low: 1)), .fixed(80)),
    ("[::1]", .ip(.v6(high: 0, low: 1)), .offset(0)), ("*", .clientDestination, .offset(0)),
    ("0.0.0.0:443", .clientDestination, .fixed(443)), ("*:443", .clientDestination, .fixed(443)),
    (":443", .clientDestination, .fixed(443)), ("host.example:1", .name("host.example"), .fixed(1)),
    ("ipv4@10.0.0.1:80", .ip(.v4(0x0a00_0001)), .fixed(80)),
    ("tcp6@[::1]:80", .ip(.v6(high: 0, low: 1)), .fixed(80)),
    ("/run/a", .unix(path: "/run/a"), .offset(0)),
    ("unix@/run/a", .unix(path: "/run/a"), .offset(0)),
    ("abns@a", .abstract(name: "a"), .offset(0)),
  ]) func serverAddresses(_ text: String, _ host: ServerHost, _ port: ServerPort) {
    let server = listen("server a \(text)").configuration?.backends[0].servers[1]
    #expect(server?.host == host)
    #expect(server?.port == port)
  }

  @Test(arguments: [
    "10.0.0.1:80-90", "10.0.0.1:70000", "fd@3", "udp@10.0.0.1:1", "ipv6@10.0.0.1:1", "a b", "1.2.3",
    "nope@x", "quic4@1.2.3.4:5", "unix@relative", "host/x:1", "10.0.0.1:+70000",
  ]) func wrongServerAddresses(_ text: String) {
    #expect(!listen("server a \(text)").errors.isEmpty)
  }

  @Test(arguments: [
    (":90,[::1]:91", 2), ("127.0.0.1:1000-1010", 11), ("/run/a,abns@b,fd@4", 3),
    ("ipv6@:80", 1), ("*:1-4096", 4096),
  ]) func bindAddresses(_ text: String, _ count: Int) {
    let result = parse("frontend f\n bind \(text)\n")
    #expect(result.configuration?.frontends[0].binds[0].addresses.count == count)
  }

  @Test(arguments: [
    "1.2.3.4", ":0", ":70000", ":20-10", "*:1-65535", "name:80", ":80,", ":80-", ":+1", "udp@:80",
  ]) func wrongBindAddresses(_ text: String) {
    #expect(!parse("frontend f\n bind \(text)\n").errors.isEmpty)
  }

  /// Section 1.2: what HAProxy says about HTTP leftovers in 'mode tcp'.
  @Test(arguments: [
    ("option httplog", "Falling back to 'option tcplog'"), ("option http-server-close", ""),
    ("option httpclose", ""), ("timeout http-request 10s", ""), ("errorfile 503 /x", ""),
    ("option forwardfor except 127.0.0.0/8", "as it requires HTTP mode"),
    ("cookie A insert", "will be ignored"), ("http-request deny", "rules ignored"),
    ("http-response deny", "rules ignored"), ("redirect scheme https", "rules ignored"),
    ("stats uri /x", "statement ignored"), ("monitor-uri /x", "will be ignored"),
    ("balance uri", "Falling back to round robin"), ("balance hdr(host)", "Falling back"),
    ("server c 10.0.0.3:1 cookie c", "ignoring cookie"), ("option httpchk", ""),
  ]) func httpLeftovers(_ text: String, _ warning: String) {
    let result = listen(text, "log stdout local0")
    #expect(result.errors == [])
    #expect(warning.isEmpty ? result.warnings.isEmpty : result.warnings[0].contains(warning))
  }

  /// Section 1.3 and everything that would deceive when ignored.
  @Test(arguments: [
    "clitimeout 5", "contimeout 5", "srvtimeout 5", "redispatch", "mode health", "mode log",
    "mode TCP", "option forceclose", "option mysql-check", "option external-check",
    "no timeout client", "bind :1 ssl crt /x", "server b 10.0.0.1:1 ssl verify none",
    "server b 10.0.0.1:1 observe layer4", "server b 10.0.0.1:1 agent-check agent-port 1",
    "server b 10.0.0.1:1 redir /x", "server b 10.0.0.1:1 socks4 10.0.0.2:1",
    "source 10.0.0.1 usesrc clientip", "balance rdp-cookie", "server-template s 1-3 a.example:1",
    "log ring@x local0", "log-format %[req.len]", "log-format %nope",
    "server b 10.0.0.1:1 weight 257",
    "server b 10.0.0.1:1 inter 0", "server b 10.0.0.1:1 rise 0", "server b 10.0.0.1 check",
    "server b * check", "server b 10.0.0.1:1 resolvers none", "default_backend none",
    "description \"open", "description \\x4", "maxconn abc", "retries -1",
    "server b 10.0.0.1:1 check port 0", "bind :1 interface", "option redispatch x", "timeout",
  ]) func refusals(_ text: String) { #expect(!listen(text).errors.isEmpty) }

  @Test(arguments: [
    "acl a src 1.2.3.4", "http-request deny", "bind :1", "server a 1.2.3.4:1", "use_backend b",
  ]) func notInAnonymousDefaults(_ text: String) {
    #expect(listen(defaults: " \(text)\n").errors.count == 1)
  }

  @Test func checkRulesKeepTheirOrder() {
    #expect(listen("option tcp-check", "tcp-check send a", "tcp-check connect").errors.count == 1)
    #expect(listen("http-check expect string a", "http-check send meth GET").errors.count == 1)
    #expect(listen("http-check send meth GET", "http-check connect").errors.count == 1)
  }

  @Test(arguments: ["nbproc 1", "lua-load /x", "nbthread 65", "spread-checks 51", "daemon x"])
  func globalRefusals(_ text: String) { #expect(!listen(global: " \(text)").errors.isEmpty) }

  @Test(arguments: [
    "master-worker", "master-worker no-exit-on-failure", "tune.ssl.default-dh-param 2048",
    "ssl-default-bind-ciphers X", "cpu-map auto:1/1-4 0-3", "tune.bufsize 32768", "external-check",
    "noepoll", "no strict-limits", "expose-experimental-directives",
  ]) func globalNotes(_ text: String) {
    let result = listen(global: " \(text)")
    #expect(result.errors == [] && result.warnings == [])
  }

  @Test(arguments: [
    ("timout client 1s", "timeout"), ("optoin tcplog", "option"), ("balanc source", "balance"),
    ("option tcp-chek", "tcp-check"), ("timeout cleint 1s", "timeout client"),
    ("serverr a 1.2.3.4:1", "server"), ("tcplog", "option tcplog"),
    ("server a 1.2.3.4:1 chekc", "check"), ("bind :1 accept-porxy", "accept-proxy"),
    ("default-backend x", "default_backend"),
  ]) func nearestKeyword(_ text: String, _ nearest: String) {
    #expect(listen(text).errors.first?.contains("did you mean '\(nearest)' maybe?") == true)
  }

  @Test func unknownKeywordWording() {
    #expect(listen("frobnicate").errors == ["unknown keyword 'frobnicate' in 'listen' section"])
  }

  @Test func caretStandsUnderTheWordBehindTabs() {
    let result = parse("global\n\tmaxcon\t5\n")
    #expect(
      result.diagnostics[0].rendered() == """
        f.cfg:2:2: error: unknown keyword 'maxcon' in 'global' section; did you mean 'maxconn' maybe?
          \tmaxcon\t5
          \t^~~~~~
        """)
  }

  @Test func missingFilesAreNamed() {
    #expect(throws: ConfigurationFileError(path: "/nope", reason: "No such file or directory")) {
      try ConfigurationFiles.load(paths: ["/nope"])
    }
  }
}
