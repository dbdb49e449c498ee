// The examination: everything is looked at side by side, then judged.

import Configuration
import Kernel
import NIOCore
import NIOPosix

/// Findings, and how they were come by.
public struct Report: Sendable {
  public var findings: [Finding]
  /// How long the examination took.
  public var duration_s: Double
  /// How long was listened for adverts; 0 without virtual routers.
  public var listened_s: Double
}

public enum Examination {
  /// - Parameter listening_s: how long to listen for adverts; nil = as long as the routers'
  ///   intervals ask for.
  public static func carryOut(_ subject: Subject, listening_s: Double? = nil) async -> Report {
    let began_us = Clock.monotonic_us()
    let facts = await gather(subject, listening_s ?? NetworkProbe.listening_s(subject))
    return Report(
      findings: Judgement.findings(subject, facts),
      duration_s: Double(Clock.monotonic_us() - began_us) / 1e6,
      listened_s: facts.wire.listened_s)
  }

  private static func gather(_ subject: Subject, _ listening_s: Double) async -> Facts {
    var facts = Facts()
    facts.now = Double(Clock.realtime_us()) / 1e6
    let network = NetworkProbe(subject: subject, listening_s: listening_s)
    let patience_ms = Int64(listening_s * 1000) + 10_000
    async let heard = Background.run("listen", limit_ms: patience_ms) { network.examine() }
    async let machine = Background.run("machine", limit_ms: 10_000) {
      MachineProbe.examine(subject)
    }
    async let names = NameProbe.examine(subject.names)
    let probes = ServerProbe.all(in: subject, group: MultiThreadedEventLoopGroup.singleton)
    async let servers = examine(Array(probes.prefix(Limits.servers)), subject)
    if probes.count > Limits.servers {
      facts.gaps.append(
        Gap(
          .servers, "\(probes.count - Limits.servers) servers",
          "\(Limits.servers) are asked at most",
          remedy: "Examine a file with fewer servers, one part after the other."))
    }
    if let heard = await heard {
      facts.interfaces = heard.interfaces
      facts.wire = heard.wire
      facts.answers = heard.answers
      facts.gaps += heard.gaps
    }
    if let machine = await machine {
      facts.machine = machine
    } else {
      facts.gaps.append(Gap(.machine, "processes and settings", "reading /proc takes too long"))
    }
    facts.names = await names
    facts.servers = await servers
    return facts
  }

  private static func examine(_ probes: [ServerProbe], _ subject: Subject) async -> [ServerFacts] {
    await withTaskGroup(of: (Int, ServerFacts).self) { tasks in
      var found: [Int: ServerFacts] = [:]
      for (index, probe) in probes.enumerated() {
        tasks.addTask {
          var facts = await probe.examine()
          if let certificate = facts.certificate, !subject.virtualIPs.isEmpty {
            facts.certificate = await NameProbe.resolve(certificate)
          }
          return (index, facts)
        }
      }
      for await (index, facts) in tasks { found[index] = facts }
      return found.sorted { $0.key < $1.key }.map(\.value)
    }
  }
}
