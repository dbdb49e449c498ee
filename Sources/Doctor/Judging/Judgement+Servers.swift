// Servers, the names that lead to the endpoint, and clocks.

import Configuration
import Resolution

extension Judgement {
  // MARK: Servers

  static func servers(_ subject: Subject, _ facts: Facts) -> [Finding] {
    var findings = facts.servers.flatMap { server($0, subject) }
    for backend in subject.backends {
      let own = facts.servers.filter { $0.reference.backend == backend.name }
      guard !own.isEmpty, !own.contains(where: \.isConnected) else { continue }
      findings.append(
        Finding(
          .serverNone, backend.name,
          "no connection to any of its \(Words.count(own.count, "server", "servers")): clients get"
            + " nothing",
          remedy: "Look at this node's network and firewall first, since all are affected; then at"
            + " the servers."))
    }
    return findings
  }

  /// Whether `run` starts although the server's name has no address.
  private static func mayWait(_ facts: ServerFacts, _ subject: Subject) -> Bool {
    let backend = subject.backends.first { $0.name == facts.reference.backend }
    let server = backend?.servers.first { $0.name == facts.reference.server }
    return server.map {
      SystemResolver.mayWait($0, isNative: subject.document != nil)
    } ?? false
  }

  private static func server(_ facts: ServerFacts, _ subject: Subject) -> [Finding] {
    let name = facts.name
    switch facts.connection {
    case .unresolved(let host):
      return [
        Finding(
          .serverUnresolved, name,
          "the name '\(host)' has no address here: "
            + (mayWait(facts, subject)
              ? "it gets no sessions until it has one" : "'run' will not start"),
          remedy: "Add it to DNS or /etc/hosts, or write the address in its place.")
      ]
    case .failed(let reason):
      return [
        Finding(
          .serverUnreachable, name, "no connection to \(facts.address): \(reason)",
          remedy: "Start the server, or open the way to it (address, port, firewall).")
      ]
    case .established(let time):
      let first =
        facts.carriesAPI
        ? api(facts) : Finding(.serverReady, name, "\(facts.address) accepts after \(time) ms")
      return [first] + check(facts)
    }
  }

  private static func api(_ facts: ServerFacts) -> Finding {
    if let problem = facts.tlsProblem {
      return Finding(
        .serverWithoutTLS, facts.name, "\(facts.address) is open but no TLS handshake: \(problem)",
        remedy: "Make sure that this is the API server's secure port (6443), not another program's."
      )
    }
    switch facts.readiness {
    case .status(let status, let time) where (200...399).contains(status):
      return Finding(
        .serverReady, facts.name, "\(facts.address) is ready (/readyz: \(status) in \(time) ms)")
    case .status(let status, let time) where status == 401 || status == 403:
      return Finding(
        .serverAnonymous, facts.name,
        "\(facts.address) lives but tells strangers nothing (/readyz: \(status) in \(time) ms)",
        remedy: "Let checks take 401 and 403 for life, or allow /readyz, /livez and /healthz to"
          + " system:anonymous.")
    case .status(let status, _):
      return Finding(
        .serverNotReady, facts.name, "\(facts.address) is not ready (/readyz: \(status))",
        remedy: "Ask it what is missing: 'curl -k https://\(facts.address)/readyz?verbose'.")
    case .none(let reason)?:
      return Finding(
        .serverSilent, facts.name, "\(facts.address) speaks TLS but does not answer: \(reason)",
        remedy: "Look at the server's log and load; if it hangs, restart it.")
    case nil:
      return Finding(.serverReady, facts.name, "\(facts.address) speaks TLS")
    }
  }

  private static func check(_ facts: ServerFacts) -> [Finding] {
    guard let check = facts.check, !check.hasPassed else { return [] }
    return [
      Finding(
        .checkFails, facts.name,
        "it can be reached, but the configured check fails, so it gets no sessions:"
          + " \(check.words)",
        remedy: "Correct the server, or the check's path, port, TLS and expected status.")
    ]
  }

  // MARK: Names

  static func names(_ subject: Subject, _ facts: Facts) -> [Finding] {
    facts.names.map { name in
      if name.addresses.isEmpty {
        return Finding(
          .nameUnresolved, name.name, "has no address here",
          remedy: "Add it to DNS or /etc/hosts, with the virtual address.")
      }
      let found = Words.list(name.addresses)
      let virtual = subject.virtualIPs
      if !virtual.isEmpty, !name.addresses.contains(where: virtual.contains) {
        return Finding(
          .nameElsewhere, name.name,
          "leads to \(found), not to \(Words.list(virtual))",
          remedy: "Correct its entry in DNS or /etc/hosts, or the virtual address.")
      }
      return Finding(.nameGood, name.name, "leads to \(found)")
    }
  }

  // MARK: Clocks

  static func clock(_ facts: Facts) -> [Finding] {
    let told = facts.servers.compactMap { server in
      server.clock.map { (name: server.name, offset: $0.offset_s) }
    }
    guard !told.isEmpty else { return [] }
    let wrong = told.filter { abs($0.offset) > Limits.clockSkew_s }
    let remedy = "Run a time service ('timedatectl', chrony) there: certificates, tokens and leases"
    if wrong.isEmpty {
      let words = Words.count(told.count, "server", "servers")
      return [Finding(.clockGood, "this node", "its clock agrees with \(words)")]
    }
    let offsets = wrong.map(\.offset)
    let spread = offsets.max()! - offsets.min()!
    if wrong.count == told.count, told.count > 1, spread <= Limits.clockSkew_s {
      let words = offset(-offsets[0])
      return [
        Finding(
          .clockSkew, "this node", "its clock is \(words) all \(told.count) servers, which agree",
          remedy: remedy + " depend on it.")
      ]
    }
    return wrong.map { server in
      Finding(
        .clockSkew, server.name, "its clock is \(offset(server.offset)) this node's",
        remedy: remedy + " depend on it.")
    }
  }

  private static func offset(_ seconds: Double) -> String {
    "\(Words.number(abs(seconds))) s \(seconds > 0 ? "ahead of" : "behind")"
  }
}
