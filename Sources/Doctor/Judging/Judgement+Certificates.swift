// Whether clients accept the servers' certificates behind the virtual address: TLS passes
// through, so it is the servers' own certificates that must name it.

import Configuration
import Health

extension Judgement {
  static func certificates(_ subject: Subject, _ facts: Facts) -> [Finding] {
    facts.servers.flatMap { server -> [Finding] in
      guard let certificate = server.certificate else { return [] }
      let age = validity(server.name, certificate, now: facts.now)
      let names = coverage(server, certificate, subject)
      if age == nil, names.allSatisfy({ $0.severity == .note }) {
        let days = Words.days(certificate.validUntil - Int64(facts.now))
        let covers = covered(server, certificate, subject)
        return [
          Finding(
            .certificateGood, server.name,
            (covers.isEmpty ? "" : "is for \(covers.joined(separator: ", ")), ")
              + "valid for \(days)")
        ] + names
      }
      return (age.map { [$0] } ?? []) + names
    }
  }

  /// The virtual addresses that clients of this server's backend connect to.
  private static func addresses(of server: ServerFacts, _ subject: Subject) -> [IPAddress] {
    guard let backend = subject.proxy?.backend(named: server.reference.backend) else { return [] }
    let bound = subject.frontends(of: backend).flatMap(Subject.listening).map(\.address)
    return subject.virtualIPs.filter { address in
      !address.isLinkLocal && bound.contains { $0 == address || $0.isUnspecified }
    }
  }

  private static func covered(
    _ server: ServerFacts, _ certificate: CertificateFacts, _ subject: Subject
  ) -> [String] {
    subject.names.filter(certificate.isFor)
      + addresses(of: server, subject).filter(certificate.addresses.contains).map { "\($0)" }
  }

  private static func coverage(
    _ server: ServerFacts, _ certificate: CertificateFacts, _ subject: Subject
  ) -> [Finding] {
    let has = Words.list(certificate.names + certificate.addresses.map { "\($0)" }, limit: 8)
    var findings = subject.names.filter { !certificate.isFor($0) }.map { name in
      Finding(
        .certificateLacksName, server.name, "its certificate is not for \(name); it is for \(has)",
        remedy: remedy(adding: name, to: server))
    }
    for address in addresses(of: server, subject) where !certificate.addresses.contains(address) {
      let byName =
        subject.names.first(where: certificate.isFor)
        ?? certificate.resolved.first { $0.value.contains(address) }?.key
      if let byName {
        findings.append(
          Finding(
            .certificateByName, server.name,
            "its certificate is for \(byName) but not for \(address): clients must use the name",
            remedy: "Use the name in kubeconfig files, or add the address to certSANs."))
      } else {
        findings.append(
          Finding(
            .certificateLacksAddress, server.name,
            "its certificate is not for \(address); it is for \(has): clients refuse it",
            remedy: remedy(adding: "\(address)", to: server)))
      }
    }
    return findings
  }

  private static func remedy(adding name: String, to server: ServerFacts) -> String {
    "Add \(name) to apiServer.certSANs of the kubeadm configuration; on that server move"
      + " /etc/kubernetes/pki/apiserver.crt and .key away, run 'kubeadm init phase certs apiserver"
      + " --config FILE' and restart its kube-apiserver."
  }

  private static func validity(
    _ name: String, _ certificate: CertificateFacts, now: Double
  ) -> Finding? {
    let left = certificate.validUntil - Int64(now)
    let renew = "'kubeadm certs renew apiserver' on that server, then restart its kube-apiserver."
    if left < 0 {
      return Finding(
        .certificateExpired, name, "its certificate expired \(Words.days(-left)) ago",
        remedy: "Renew it: " + renew)
    }
    if certificate.validFrom > Int64(now) {
      return Finding(
        .certificateEarly, name,
        "its certificate is valid only in \(Words.number(Double(certificate.validFrom) - now)) s",
        remedy: "Compare the clocks of this node and of that server ('timedatectl').")
    }
    if left < Int64(Limits.certificateDays) * 86_400 {
      return Finding(
        .certificateExpiring, name, "its certificate expires in \(Words.days(left))",
        remedy: "Renew it in time: " + renew)
    }
    return nil
  }
}

extension CertificateFacts {
  /// DNS names with a wildcard as the whole first label; a numeric name is an address.
  func isFor(_ name: String) -> Bool {
    if let address = IPAddress(name) { return addresses.contains(address) }
    let wanted = Array(name.lowercased().utf8)
    return names.contains { hostname(wanted, matches: Array($0.lowercased().utf8)) }
  }
}
