// Whether the frontends can listen, and who else does our work on this machine.

import Configuration

extension Judgement {
  static func ports(_ subject: Subject, _ facts: Facts) -> [Finding] {
    guard facts.machine.process.id > 0 else { return [] }
    var findings = processes(subject, facts.machine)
    for frontend in subject.frontends {
      for (address, port, bind) in Subject.listening(frontend) {
        findings.append(self.port(frontend, address, port, bind, subject, facts))
      }
    }
    return findings
  }

  private static func port(
    _ frontend: Frontend, _ address: IPAddress, _ port: UInt16, _ bind: Bind, _ subject: Subject,
    _ facts: Facts
  ) -> Finding {
    let here = "\(SocketAddress.ip(address, port: port))"
    let inTheWay = facts.machine.listeners.filter { other in
      guard other.port == port, other.address.overlaps(address) else { return false }
      let isOtherFamily = other.address.family != address.family
      return !(isOtherFamily && bind.familyMode == .v6only)
    }
    let daemon = facts.machine.isDaemonRunning ? facts.machine.process.id : nil
    if let other = inTheWay.first(where: { $0.process == nil || $0.process?.id != daemon }) {
      // Whose socket it is may be hidden from us; the daemon's own is the likely one.
      if other.process == nil, daemon != nil {
        return Finding(.portOwn, frontend.name, "\(here) is open, by the daemon as it seems")
      }
      let there = "\(SocketAddress.ip(other.address, port: port))"
      let who = other.process.map { "\($0.name) (process \($0.id))" } ?? "another process"
      return Finding(
        .portTaken, frontend.name,
        "\(here) is taken: \(who) listens on \(there)",
        remedy: remedy(other, port, subject))
    }
    if !inTheWay.isEmpty {
      return Finding(.portOwn, frontend.name, "the daemon listens on \(here)")
    }
    if daemon != nil {
      return Finding(.portFree, frontend.name, "\(here) is free; the daemon does not listen there")
    }
    return Finding(.portFree, frontend.name, "\(here) is free")
  }

  private static func remedy(
    _ other: ListenerFacts, _ port: UInt16, _ subject: Subject
  ) -> String {
    switch other.process?.name {
    case "haproxy", "nginx", "envoy":
      let name = other.process?.name ?? ""
      return "Stop it first, for Fairlead takes its place: 'systemctl disable --now \(name)'."
    case "fairlead": return "Stop that fairlead: two cannot serve one port."
    case let name:
      let who = name == "kube-apiserver" ? "kube-apiserver (--bind-address)" : name ?? "the other"
      let bind =
        subject.virtualIPs.first.map { "'bind \(SocketAddress.ip($0, port: port))'" }
        ?? "'bind ADDRESS:\(port)'"
      return "Let the frontend have the virtual address alone (\(bind)) and \(who) this node's own"
        + " address, or give the frontend another port such as 8443."
    }
  }

  private static func processes(_ subject: Subject, _ machine: MachineFacts) -> [Finding] {
    var findings: [Finding] = []
    if machine.isDaemonRunning {
      findings.append(
        Finding(.daemonHere, "fairlead", "runs here (process \(machine.process.id))"))
    }
    if let rival = machine.rivals.first(where: { $0.name == "keepalived" }),
      !subject.routers.isEmpty
    {
      findings.append(
        Finding(
          .keepalivedHere, "keepalived",
          "runs here (process \(rival.id)): both would hold the address on one node",
          remedy: "Stop it before Fairlead starts: 'systemctl disable --now keepalived'."))
    }
    if let rival = machine.rivals.first(where: { $0.name == "haproxy" }), !subject.frontends.isEmpty
    {
      findings.append(
        Finding(
          .haproxyHere, "haproxy", "runs here (process \(rival.id)), beside Fairlead",
          remedy: "Stop it when Fairlead has its ports: 'systemctl disable --now haproxy'."))
    }
    return findings
  }
}
