// What names lead to, as the system resolves them, within a bounded time.

import Configuration
import Resolution

enum NameProbe {
  /// None when it has no address, or not in time.
  static func addresses(of name: String) async -> [IPAddress] {
    if let address = IPAddress(name) { return [address] }
    return await Background.run("resolve", limit_ms: Limits.resolving_ms) {
      SystemResolver.addressesBlocking(of: name)
    } ?? []
  }

  static func examine(_ names: [String]) async -> [NameFacts] {
    var facts: [NameFacts] = []
    for name in names { facts.append(NameFacts(name: name, addresses: await addresses(of: name))) }
    return facts
  }

  /// Looks the names of a certificate up which could lead to the endpoint: not those that only
  /// mean something inside a cluster.
  static func resolve(_ certificate: CertificateFacts) async -> CertificateFacts {
    var certificate = certificate
    let inner = ["kubernetes", "localhost"]
    let names = certificate.names.filter { name in
      !inner.contains(name) && !name.hasPrefix("kubernetes.default") && !name.hasPrefix("*.")
    }
    await withTaskGroup(of: (String, [IPAddress]).self) { tasks in
      for name in names.prefix(Limits.certificateNames) {
        tasks.addTask { (name, await addresses(of: name)) }
      }
      for await (name, found) in tasks where !found.isEmpty { certificate.resolved[name] = found }
    }
    return certificate
  }
}
