// The words of the log. People grep for keepalived's, so where it has a line for something, ours
// begins the same way.

import Configuration
import VRRP

enum Wording {
  static func transition(
    _ name: String, to state: RouterState, _ cause: TransitionCause, faults: [String]
  ) -> String {
    let why = reason(cause, faults: faults)
    switch state {
    case .master: return "(\(name)) Entering MASTER STATE (\(why))"
    case .backup: return "(\(name)) Entering BACKUP STATE (\(why))"
    case .fault: return "(\(name)) Entering FAULT STATE (\(why))"
    case .initialize: return "(\(name)) Stopped (\(why))"
    }
  }

  static func reason(_ cause: TransitionCause, faults: [String]) -> String {
    switch cause {
    case .started: return "init"
    case .stopped: return "stop"
    case .owner: return "owner of the addresses"
    case .masterDown: return "no advert from a master"
    case .masterResigned: return "the master resigned"
    case .resigned: return "gave the addresses up for others to take"
    case .group: return "with its sync group"
    case .fault: return faults.isEmpty ? "with its sync group" : faults.joined(separator: ", ")
    case .recovered: return "nothing is wrong any more"
    case .higherPriority(let priority, let source):
      return "\(IPAddress(source)) has priority \(priority)"
    case .higherAddress(let source): return "\(IPAddress(source)) has the higher address"
    case .lowerPriority(let priority, let source):
      return "\(IPAddress(source)) had the lower priority \(priority)"
    case .takenOver(let source):
      return "\(IPAddress(source)) took over while this process did not run"
    case .orderedHere: return "moved here by an operator"
    case .orderedAway(let source):
      return "given away by an operator" + (source.map { ", \(IPAddress($0)) took it" } ?? "")
    }
  }

  static func remark(
    _ name: String, _ remark: RouterRemark, ours: UInt8, isSilent: Bool
  ) -> FailoverNotice {
    let (level, text): (LogLevel, String) =
      switch remark {
      case .ignoresLowerPriority(let priority, let source):
        (
          .info,
          "(\(name)) received lower priority (\(priority)) advert from \(IPAddress(source))"
            + " - discarding"
        )
      case .heardLowerPriority(let priority, let source):
        (
          .info,
          "(\(name)) Received advert from \(IPAddress(source)) with lower priority \(priority),"
            + " ours \(ours)\(isSilent ? "" : ", forcing new election")"
        )
      case .heardResignation(let source):
        (.info, "(\(name)) \(IPAddress(source)) resigned (priority 0)")
      case .heardOwnAddress(let source):
        (
          .err,
          "(\(name)) another node sends adverts from our address \(IPAddress(source))"
        )
      case .heardOtherOwner(let source):
        (
          .err,
          "(\(name)) CONFIGURATION ERROR: this node and \(IPAddress(source)) both have priority"
            + " 255; going on with 254"
        )
      case .adoptedInterval(let interval_us, let source):
        (
          .info,
          "(\(name)) advertisement interval is \(seconds(interval_us)) s, the master's"
            + " (\(IPAddress(source)))"
        )
      case .preemptDelayStarted(let delay_us):
        (.info, "(\(name)) start preempt delay (\(seconds(delay_us)) s)")
      case .preemptDelayEnded: (.info, "(\(name)) stop preempt delay")
      case .priorityChanged(let old, let new):
        (
          .notice, "(\(name)) Changing effective priority from \(old) to \(new)"
        )
      case .listensAfterStall:
        (
          .warning,
          "(\(name)) this process was not run for longer than the master-down interval; listening"
            + " for an advert interval before going on as master"
        )
      }
    return FailoverNotice(level, text, event: remark.event)
  }

  /// One configured, one heard: why a packet with our router id was refused, for people.
  static func refusal(
    _ name: String, _ reason: DropReason, from source: IPAddress, id: UInt8
  ) -> String {
    if reason == .ownPacket {
      return
        "(\(name)) adverts come in from our own address \(source): the network sends them back,"
        + " or another host has this address (said once)"
    }
    let sender = "\(source) sends adverts for virtual router \(id)"
    let what =
      switch reason {
      case .badPassword: "with another password (received an invalid passwd)"
      case .authenticationType: "with another authentication type"
      case .intervalMismatch: "with another advertisement interval"
      case .zeroInterval: "with an advertisement interval of zero"
      case .versionMismatch: "in another version of VRRP"
      case .foreignAddresses: "with none of our addresses"
      case .hopLimit: "with a TTL that shows that it is not on this link"
      case .wrongTransport: "by the other of multicast and unicast"
      case .unknownPeer: "but is not one of the unicast peers"
      case .badChecksum: "with a wrong checksum"
      case .badIPHeader, .tooShort, .unknownVersion, .unknownType, .lengthMismatch,
        .unknownRouter, .ownPacket, .ownerIgnores:
        "that cannot be used (\(reason.rawValue))"
      }
    return "(\(name)) \(sender) \(what): either its settings differ from ours or it is another"
      + " virtual router with the same id; such packets are dropped (said once)"
  }

  /// `3.609375`, `1`, `0.1`.
  static func seconds(_ value_us: Microseconds) -> String {
    let whole = value_us / Timing.second_us
    let rest = value_us % Timing.second_us
    guard rest > 0 else { return "\(whole)" }
    var digits = String(rest + Timing.second_us).dropFirst()
    while digits.last == "0" { digits = digits.dropLast() }
    return "\(whole).\(digits)"
  }
}
