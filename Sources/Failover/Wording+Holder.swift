// Words for a router's health, for why it has its priority, and for how an operator's order ended.

import Configuration
import VRRP

extension Wording {
  /// Empty when nothing but the configuration decides. Without a time it says nothing that
  /// changes by itself.
  static func standing(
    _ holder: HolderPriority, problem: String, at now_us: Microseconds?
  ) -> String {
    let situation = holder.situation
    if situation.isDrained { return "drained: any other node takes the addresses" }
    var words: [String] = []
    if situation.follows {
      switch (situation.standing, holder.verdict) {
      case (.unhealthy, .unknown): words.append("unhealthy: nothing is known of the servers yet")
      case (.unhealthy, _): words.append("unhealthy" + (problem.isEmpty ? "" : ": " + problem))
      case (.recovering, _):
        if let now_us, let end_us = holder.recoveredAt_us {
          let left_s = max(0, end_us - now_us + Timing.second_us - 1) / Timing.second_us
          words.append("healthy, recovering for another \(left_s) s")
        } else {
          words.append("healthy, recovering: takes no address from a healthy node for the moment")
        }
      case (.settled, _): words.append("healthy")
      }
    }
    switch situation.order {
    case .none: break
    case .steppingDown: words.append("gives the address to another node, by an operator's order")
    case .steppedDown: words.append("has given the address away, by an operator's order")
    case .claiming: words.append("takes the address, by an operator's order")
    case .claimed: words.append("keeps the address, by an operator's order")
    }
    return words.joined(separator: "; ")
  }
}

extension RouterHealth {
  init?(_ situation: HolderSituation) {
    if situation.isDrained {
      self = .drained
      return
    }
    guard situation.follows else { return nil }
    switch situation.standing {
    case .settled: self = .healthy
    case .recovering: self = .recovering
    case .unhealthy: self = .unhealthy
    }
  }
}

extension OrderResult: CustomStringConvertible {
  /// A sentence for an operator, for example `api: 10.0.0.132 took over after 0.322 s`.
  public var description: String { words { "\($0)" } }

  /// The same, with a name for the master's address.
  public func words(name: (IPAddress) -> String) -> String {
    let time = Wording.seconds(duration_us / 1000 * 1000)
    let who = master.map(name) ?? "another node"
    let words =
      switch outcome {
      case nil: "done"
      case .handedOver: master == nil ? "given up" : "\(who) took over after \(time) s"
      case .nobodyTook:
        "nobody took it within \(time) s: no other node can; it stays on this node"
      case .took: "this node took over after \(time) s"
      case .notTaken:
        "did not come to this node within \(time) s"
          + (master.map { "; \(name($0)) keeps it" } ?? "")
      case .notHolder: "is not on this node"
      case .alreadyHolder: "is on this node already, and stays"
      case .unhealthy: "refused: this node is unhealthy, it could not serve"
      case .isDrained: "refused: this node is drained"
      case .withdrawn: "another order came before the end"
      }
    return "\(router): \(words)"
  }
}
