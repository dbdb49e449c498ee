// Interfaces, adverts and answers for addresses. Everything here blocks and is run on a thread
// of its own; nothing is claimed, and nobody's tables are changed.

import Configuration
import Failover
import Kernel
import VRRP

struct NetworkProbe: Sendable {
  let subject: Subject
  /// How long to listen for adverts.
  let listening_s: Double

  /// The default: as long as the slowest router's backups wait for their master, in bounds.
  static func listening_s(_ subject: Subject) -> Double {
    let longest = subject.routers.map { router in
      Double(router.downTimerAdverts) * Words.seconds(router.advertisementInterval) + 1
    }.max()
    guard let longest else { return 0 }
    return min(max(longest, Limits.listening_s.lowerBound), Limits.listening_s.upperBound)
  }

  struct Result: Sendable {
    var interfaces: [InterfaceFacts] = []
    var wire = WireFacts()
    var answers: [AddressAnswers] = []
    var gaps: [Gap] = []
  }

  /// Listens and asks side by side, in one loop: the virtual addresses at once, the senders of
  /// adverts and the peers when listening is over, by when all of them are known.
  func examine() -> Result {
    var result = Result()
    let links: LinkTable
    do throws(NetlinkError) {
      links = try LinkTable()
    } catch {
      result.gaps.append(Gap(.interfaces, "interfaces", "\(error)"))
      return result
    }
    result.interfaces = links.links.values.sorted { $0.index < $1.index }.map { link in
      InterfaceFacts(
        link.name, isUp: link.isUp, isRunning: link.isRunning,
        addresses: links.addresses(of: link.index).map {
          InterfaceFacts.Held($0.address, prefixLength: $0.prefixLength, isOurs: $0.isOurs)
        })
    }
    let routers = subject.routers.filter { links.link(named: $0.interface)?.isUp == true }
    guard !routers.isEmpty else { return result }
    var asking: Asker?
    do throws(KernelError) {
      asking = try Asker(links, virtual: Set(subject.virtualIPs))
    } catch {
      result.gaps.append(Gap(.addresses, "virtual addresses", error.reason))
    }
    for (router, virtual) in subject.virtualAddresses {
      asking?.add(virtual.address, on: virtual.interface ?? router.interface)
    }
    do throws(KernelError) {
      let watch = try WireWatch(routers, links: links)
      if let problem = watch.problem {
        result.gaps.append(Gap(.wire, "adverts", "\(problem)"))
      }
      result.wire = listen(watch, asking)
    } catch {
      result.gaps.append(Gap(.wire, "adverts", error.reason))
      asking?.finish()
    }
    askForRouters(routers, result, asking)
    result.answers = asking?.answers ?? []
    return result
  }

  private func listen(_ watch: WireWatch, _ asking: Asker?) -> WireFacts {
    var facts = WireFacts()
    let start_us = Clock.monotonic_us()
    let end_us = start_us + Int64(listening_s * 1e6)
    while true {
      let now_us = Clock.monotonic_us()
      let left_us = end_us - now_us
      if left_us <= 0 { break }
      asking?.turn(now_us)
      // Answers to questions are read between adverts, every 50 ms at least.
      guard watch.wait(timeout_ms: Int32(min(left_us / 1000 + 1, 50))) else { continue }
      for advert in watch.readHeard() {
        facts.add(advert, at: Clock.monotonic_us() - start_us)
      }
    }
    asking?.finish()
    facts.listened_s = listening_s
    return facts
  }

  /// Peers, and whoever was heard, so that masters can be told from strangers by their MAC.
  private func askForRouters(_ routers: [VirtualRouter], _ result: Result, _ asking: Asker?) {
    guard let asking else { return }
    for router in routers {
      guard let own = result.interfaces.first(where: { $0.name == router.interface }) else {
        continue
      }
      let heard = result.wire.senders.filter {
        $0.interface == router.interface && $0.id == router.id
      }
      for address in router.peers.map(\.address) + heard.map(\.source) {
        let isNear = own.addresses.contains {
          $0.address.shares($0.prefixLength, with: address)
        }
        // What is behind a router cannot be asked by ARP.
        if isNear, address.family == router.family { asking.add(address, on: router.interface) }
      }
    }
    asking.finish()
  }
}

extension WireFacts {
  mutating func add(_ heard: HeardAdvert, at time_us: Int64) {
    let content = heard.advert.map { advert in
      SenderFacts.Content(
        version: advert.version == .v2 ? 2 : 3, priority: advert.priority,
        interval_us: advert.interval_us,
        addresses: advert.addresses.map { address in
          switch address {
          case .v4(let number): IPAddress.v4(number)
          case .v6(let high, let low): IPAddress.v6(high: high, low: low)
          }
        })
    }
    let known = senders.firstIndex {
      $0.interface == heard.interface && $0.source == heard.source && $0.id == heard.id
        && $0.isMulticast == heard.isMulticast && $0.refusal == heard.refusal
    }
    if let known {
      senders[known].count += 1
      senders[known].last_us = time_us
      senders[known].content = content ?? senders[known].content
    } else if senders.count < Limits.senders {
      var sender = SenderFacts(
        interface: heard.interface, source: heard.source, isMulticast: heard.isMulticast,
        id: heard.id, refusal: heard.refusal, content: content)
      sender.first_us = time_us
      sender.last_us = time_us
      senders.append(sender)
    }
  }
}

/// Asks for addresses and collects who answers.
private final class Asker {
  private struct Question {
    var address: IPAddress
    var link: Link
    var source: IPAddress?
    var asked = 0
    var next_us: Int64 = 0
  }

  private let links: LinkTable
  /// Not to be asked from.
  private let virtual: Set<IPAddress>
  private let solicitor: Solicitor
  private let watch: DuplicateWatch
  private let ownMACs: Set<MACAddress>
  private var questions: [Question] = []
  private(set) var answers: [AddressAnswers] = []

  init(_ links: LinkTable, virtual: Set<IPAddress>) throws(KernelError) {
    self.links = links
    self.virtual = virtual
    solicitor = try Solicitor()
    watch = try DuplicateWatch()
    ownMACs = Set(links.links.values.compactMap(\.mac))
  }

  func add(_ address: IPAddress, on interface: String) {
    guard let link = links.link(named: interface), link.isOperational, link.mac != nil,
      !questions.contains(where: { $0.address == address && $0.link.index == link.index })
    else { return }
    let source =
      address.family == .v6 ? links.linkLocalIPv6(of: link.index, besides: virtual) : nil
    if address.family == .v6, source == nil { return }
    questions.append(Question(address: address, link: link, source: source))
    answers.append(AddressAnswers(interface: interface, address: address, macs: []))
    // Without a filter of the kernel's, answers are picked out here; there are just more to read.
    _ = watch.watch(Set(questions.map(\.address)), on: Set(questions.map(\.link.index)))
  }

  /// Asks what is due and reads what has come.
  func turn(_ now_us: Int64) {
    for index in questions.indices
    where questions[index].asked < Limits.probes && questions[index].next_us <= now_us {
      let question = questions[index]
      if let mac = question.link.mac {
        _ = solicitor.ask(
          for: question.address, on: question.link.index, mac: mac, source: question.source)
      }
      questions[index].asked += 1
      questions[index].next_us = now_us + Limits.probeInterval_us
    }
    for owner in watch.readHeard() {
      guard let mac = owner.mac, !ownMACs.contains(mac),
        let index = questions.firstIndex(where: {
          $0.address == owner.address && $0.link.index == owner.interface
        }), !answers[index].macs.contains("\(mac)")
      else { continue }
      answers[index].macs.append("\(mac)")
    }
  }

  /// Asks what has not been asked often enough and waits for the answers.
  func finish() {
    guard questions.contains(where: { $0.asked < Limits.probes }) else {
      return turn(Clock.monotonic_us())
    }
    let end_us =
      Clock.monotonic_us() + Int64(Limits.probes - 1) * Limits.probeInterval_us
      + Limits.probeWait_us
    while Clock.monotonic_us() < end_us {
      turn(Clock.monotonic_us())
      System.waitReadable(watch.descriptors[0], timeout_ms: 20)
    }
  }
}
