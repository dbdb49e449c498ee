// What the daemon tells the routers of its proxy, and what operators want of them.

import Configuration
import VRRP

/// What the proxy of this node can do at the moment. The engine waits until it lasts.
public struct PathObservation: Equatable, Sendable {
  /// nil = new sessions are accepted and reach a server; otherwise why not, in words.
  public var problem: String?
  /// The longest time between two checks of a server: nodes notice the same event so far apart.
  public var checkInterval: Duration
  public init(problem: String?, checkInterval: Duration) {
    self.problem = problem
    self.checkInterval = checkInterval
  }
}

/// How an operator's order ended for one router.
public struct OrderResult: Equatable, Sendable {
  public var router: String
  /// nil = carried out, and there was nothing to wait for.
  public var outcome: HolderOutcome?
  /// The master, as last heard.
  public var master: IPAddress?
  /// From the order to its end.
  public var duration_us: Int64 = 0

  /// What was wanted has come about, or was so already.
  public var isSuccess: Bool {
    switch outcome {
    case nil, .handedOver, .took, .notHolder, .alreadyHolder: true
    case .nobodyTook, .notTaken, .unhealthy, .isDrained, .withdrawn: false
    }
  }
}

extension FailoverEngine {
  /// From any thread. Only changes need be told; nothing told for some seconds after the start
  /// counts as bad. Routers that do not follow the proxy do not care.
  public func setPath(_ observation: PathObservation) { mailbox.post(.path(observation)) }

  /// Drains this node: any other node takes the addresses that are here, and none comes back
  /// until it is undrained or started again. Returns when they have gone, or nobody took them in
  /// time; they stay then, and whoever comes later takes them. Undraining takes back every order,
  /// and a preferred node then gets its addresses as usual. Empty when the routers have stopped.
  public func setDrained(_ isDrained: Bool) async -> [OrderResult] {
    await order(.drained(isDrained), router: nil)
  }

  /// Gives the address of `router` (nil: of every router that is master here) to a healthy node,
  /// which takes it before it goes from here. If nobody does in time it stays: `nobodyTook`. Then
  /// this node does not take it from a healthy node until it has been master again, until
  /// `withdraw`, or a new start. Peers of a router that does not follow the proxy are all taken
  /// for healthy. Empty: there is no such router.
  public func stepDown(router: String? = nil) async -> [OrderResult] {
    await order(.stepDown, router: router)
  }

  /// Takes the address of `router` (nil: all) to this node, from whichever node has it, and keeps
  /// it from preferred nodes until `withdraw`, or until another node is told to take it, this one
  /// becomes unhealthy, or starts again.
  public func claim(router: String? = nil) async -> [OrderResult] {
    await order(.claim, router: router)
  }

  /// Takes back what `stepDown` and `claim` left behind, not a drain.
  public func withdraw(router: String? = nil) async -> [OrderResult] {
    await order(.withdraw, router: router)
  }

  /// How long an order may take: what it takes a peer to take over, an advert more, and a second
  /// for lost packets and busy machines.
  public static func patience_us(interval_us: Int64, downTimerAdverts: Int) -> Int64 {
    Int64(downTimerAdverts + 3) * interval_us + Timing.second_us
  }

  private func order(_ event: HolderEvent, router: String?) async -> [OrderResult] {
    await withCheckedContinuation { continuation in
      mailbox.post(.order(event, router: router) { continuation.resume(returning: $0) })
    }
  }
}
