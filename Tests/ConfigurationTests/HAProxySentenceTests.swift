// What is easiest to get wrong in reading haproxy.cfg, and its tables of special cases, each
// under its own name.

import Testing

@testable import Configuration

/// A file with one complete proxy around `lines`, so that only they are judged.
func listen(_ lines: String..., global: String = "", defaults: String = "") -> ParseResult {
  parse(
    "global\n\(global)\ndefaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
      + "\(defaults)\nlisten l\n bind :90\n server z 10.0.0.1:80\n"
      + lines.map { " \($0)\n" }.joined())
}

@Suite struct HAProxySentenceTests {
  @Test func defaultBalanceIsRoundRobin() {
    #expect(listen().configuration?.backends[0].balance == .roundRobin)
  }

  @Test func tcpCheckWithoutRulesIsAConnection() {
    #expect(listen("option tcp-check").configuration?.backends[0].check == .script([]))
  }

  @Test func theLastCheckOptionWins() {
    let result = listen("option httpchk GET /x", "option tcp-check", "option ssl-hello-chk")
    #expect(result.configuration?.backends[0].check == .sslHello)
    #expect(result.warnings == [])
  }

  @Test func rulesWithoutTheirOptionAreIgnoredWithAWarning() {
    let result = listen("tcp-check connect", "http-check send meth GET")
    #expect(result.configuration?.backends[0].check == .connect)
    #expect(result.warnings.filter { $0.contains("so the rules are ignored") }.count == 2)
  }

  @Test func rulesOfAnOptionThatWasReplacedAreSilent() {
    let result = listen("option httpchk", "http-check expect status 200", "option ssl-hello-chk")
    #expect(result.warnings == [])
  }

  @Test func colonAndStarAreIPv4Only() {
    for text in [":6443", "*:6443", "0.0.0.0:6443"] {
      let result = parse("frontend f\n bind \(text)\n")
      #expect(result.configuration?.frontends[0].binds[0].addresses == [.ip(.v4(0), port: 6443)])
    }
  }

  @Test func doubleColonLeavesTheSystemDefault() {
    for text in [":::6443", "[::]:6443"] {
      let bind = parse("frontend f\n bind \(text)\n").configuration?.frontends[0].binds[0]
      #expect(bind?.addresses == [.ip(.v6(high: 0, low: 0), port: 6443)])
      #expect(bind?.familyMode == .systemDefault)
    }
    let forced = parse("frontend f\n bind :::6443 v4v6\n bind :::6444 v6only\n").configuration
    #expect(forced?.frontends[0].binds.map(\.familyMode) == [.v4v6, .v6only])
  }

  @Test func missingFinalNewlineIsFatal() {
    #expect(parse("global\n daemon").errors.first?.hasPrefix("Missing LF on last line") == true)
  }

  @Test func carriageReturnsAreFine() {
    #expect(parse("global\r\n maxconn 10\r\n").configuration?.global.maxconn == 10)
  }

  @Test func nulIsFatal() { #expect(parse("global\n node a\0b\n").errors.count == 1) }

  @Test func verifyIsRequiredByDefaultForChecks() {
    #expect(listen("server a 10.0.0.2:80 check check-ssl").errors.count == 1)
    #expect(listen("server a 10.0.0.2:80 check check-ssl verify none").errors == [])
    #expect(listen("server a 10.0.0.2:80 check check-ssl ca-file /ca.pem").errors == [])
    let off = listen("server a 10.0.0.2:80 check check-ssl", global: " ssl-server-verify none")
    #expect(off.configuration?.backends[0].servers[1].check?.tls?.verify == false)
  }

  @Test func modeHTTPIsRefusedWhereTrafficPasses() {
    let result = listen("mode http")
    #expect(result.errors.count == 1)
    #expect(result.errors[0].contains("use 'mode tcp', TLS and HTTP pass through untouched"))
  }

  @Test func modeHTTPWithPagesOnlyIsLeftOut() {
    let result = parse("frontend s\n mode http\n bind :1\n stats enable\n")
    #expect(result.configuration?.frontends == [])
    #expect(result.warnings.contains { $0.contains("not served yet") })
  }

  @Test func eachDefaultsResetsEverything() {
    let result = parse(
      """
      defaults
        retries 9
        option tcplog
      defaults
        timeout client 1s
      listen l
        bind :1
        server a 10.0.0.1:1

      """)
    #expect(result.configuration?.backends[0].retries == 3)
    #expect(result.configuration?.frontends[0].log.format == .basic)
  }

  @Test func severalGlobalSectionsMerge() {
    let result = parse("global\n maxconn 5\nglobal\n nbthread 2\n")
    #expect(result.configuration?.global.maxconn == 5)
    #expect(result.configuration?.global.threads == 2)
  }

  @Test func defaultServerConcernsLaterServersAndAccumulates() {
    let result = listen(
      "default-server weight 5", "default-server check", "server b 10.0.0.2:80",
      "server c 10.0.0.2:81 no-check weight 6")
    let servers = result.configuration?.backends[0].servers ?? []
    #expect(servers.map(\.weight) == [1, 5, 6])
    #expect(servers.map { $0.check != nil } == [false, true, false])
  }

  @Test func logGlobalKeepsItsPlaceAndNoLogClears() {
    let result = listen(
      "log stderr daemon", "log global", "log global", global: " log stdout local0")
    #expect(
      result.configuration?.frontends[0].log.targets.map(\.destination) == [.stderr, .stdout])
    let cleared = listen("log global", "no log", global: " log stdout local0")
    #expect(cleared.configuration?.frontends[0].log.targets == [])
  }

  @Test func variablesExpandInWeakQuotesAndInAddresses() {
    let quoted = parse("global\n node \"a-${HOST}\"\n pidfile $HOST\n log-tag '$HOST'\n")
    #expect(quoted.configuration?.global.node == "a-10.9.8.7")
    #expect(quoted.configuration?.global.pidFile == "$HOST")
    #expect(quoted.configuration?.global.logTag == "$HOST")
    let server = listen("server a ${HOST}:${PORT-1}").configuration?.backends[0].servers[1]
    #expect(server?.port == .fixed(8443))
    #expect(listen("server ${HOST} 1.2.3.4:80").errors[0].hasPrefix("character '$'"))
  }

  @Test func emptyArgumentsAreFatal() {
    #expect(listen("server a 10.0.0.1:80 \"\"").errors[0].contains("is empty"))
    #expect(parse("global\n node \"$NOTSET\"\n").errors.count == 1)
  }

  @Test func unconditionalUseBackendBeatsDefaultBackend() {
    let result = parse(
      "frontend f\n bind :1\n default_backend a\n use_backend b\nbackend a\nbackend b\n")
    #expect(result.configuration?.frontends[0].defaultBackend == "b")
  }

  @Test func dispatchIsOneUncheckedServer() {
    let result = parse("listen l\n bind :1\n dispatch 10.0.0.1:80\n")
    #expect(result.configuration?.backends[0].servers.map(\.name) == ["dispatch"])
  }

  @Test func oldHTTPCheckHeadersAreRead() {
    let result = listen(#"option httpchk GET /h HTTP/1.1\r\nHost:\ example"#)
    guard case .http(let check)? = result.configuration?.backends[0].check,
      case .sendHTTP(let request) = check.steps[0]
    else {
      Issue.record("no HTTP check")
      return
    }
    #expect(request.version == "HTTP/1.1")
    #expect(request.headers == [HTTPHeader(name: "Host", value: "example")])
    #expect(result.warnings.count == 1)
  }

  @Test func ownCheckRulesReplaceInheritedOnes() {
    let tcp = listen("tcp-check send b", defaults: " option tcp-check\n tcp-check send a\n")
    #expect(
      tcp.configuration?.backends[0].check == .script([.send(CheckBytes(Array("b".utf8)))]))
    let http = listen(
      "option httpchk", defaults: " option httpchk\n http-check expect status 404\n")
    guard case .http(let check)? = http.configuration?.backends[0].check else {
      Issue.record("no HTTP check")
      return
    }
    #expect(check.steps.last == .expectHTTP(HTTPExpect(.success)))
  }

  @Test func sendAfterTheOptionCompletesItsRequest() {
    let result = listen("http-check send hdr X y", "option httpchk HEAD /own")
    guard case .http(let check)? = result.configuration?.backends[0].check,
      case .sendHTTP(let request) = check.steps[0]
    else {
      Issue.record("no HTTP check")
      return
    }
    #expect(request.method == "HEAD" && request.uri == "/own" && request.headers.count == 1)
  }

  @Test func unservedKindsAreReportedOnceEach() {
    let result = listen("acl a src 10.0.0.0/8", "acl b src 1.2.3.4", "stick on src")
    #expect(result.warnings.filter { $0.contains("is not served yet") }.count == 2)
    #expect(result.warnings.contains { $0.contains("'acl' is not served yet (2 lines") })
  }

  @Test func conditionsChooseLines() {
    let text = """
      .if defined(HOST) && !streq(a,b)
      global
        maxconn 1
      .elif version_atleast(2.4)
        nonsense
      .else
        nonsense
      .endif

      """
    #expect(parse(text).configuration?.global.maxconn == 1)
    #expect(parse(".if feature(X)\n.endif\n.endif\n").errors.count == 1)
    #expect(parse(".if 1\n").errors.count == 1)
  }

  @Test func trackingLoopsAreRefused() {
    let result = listen("server a 10.0.0.1:1 track b", "server b 10.0.0.1:2 track a")
    #expect(result.errors.count == 2)
    let good = listen("server a 10.0.0.1:1 track b", "server b 10.0.0.1:2 check")
    #expect(good.configuration?.backends[0].servers[1].track?.server == "b")
  }

  @Test func severalFilesAreOneConfiguration() {
    let result = HAProxyDialect.parse(
      files: [
        ("a", Array("defaults\n retries 7\n".utf8)),
        ("b", Array("listen l\n bind :1\n server s 10.0.0.1:1\n".utf8)),
      ], environment: [:])
    #expect(result.configuration?.backends[0].retries == 7)
  }

  @Test func otherDialectsAreNotRecognised() {
    #expect(!HAProxyDialect.recognises(Array("global_defs {\n}\n".utf8)))
    #expect(!HAProxyDialect.recognises(Array("frontends:\n  - name: a\n".utf8)))
    #expect(HAProxyDialect.recognises(Array("# comment\n\n  defaults\n".utf8)))
  }
}
