// A machine, and what it emits as words: "send 100", "set advertise 1.000".

import VRRP

func wait(_ time_us: Int64) -> String {
  let millis = time_us / 1000
  let rest = String(millis % 1000)
  return "\(millis / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
}

func words(_ action: RouterAction) -> String {
  switch action {
  case .send(let priority): "send \(priority)"
  case .acquire: "acquire"
  case .release: "release"
  case .announce(let cause): "announce \(cause.rawValue)"
  case .setTimer(let timer, let after_us): "\(timer.rawValue)=\(wait(after_us))"
  case .cancelTimer(let timer): "-\(timer.rawValue)"
  case .transition(let state, let cause): "→\(state.rawValue) \(name("\(cause)"))"
  case .wantsMaster(let wants): wants ? "wants" : "wantsNot"
  case .remark(let remark): "(\(name("\(remark)")))"
  }
}

/// A case without its values.
private func name(_ text: String) -> Substring { text.prefix { $0 != "(" } }

struct Transcript {
  var router: VRRPRouter
  var now_us: Int64 = 0

  static func settings(
    priority: UInt8 = 100, _ change: (inout RouterSettings) -> Void = { _ in }
  ) -> RouterSettings {
    var settings = RouterSettings(
      id: 51, version: .v2, priority: priority, interval_us: 1_000_000,
      addresses: [.v4(0x0a09_0064)])
    change(&settings)
    return settings
  }

  init(priority: UInt8 = 100, _ change: (inout RouterSettings) -> Void = { _ in }) {
    router = VRRPRouter(Self.settings(priority: priority, change))
  }

  mutating func feed(_ event: RouterEvent, after_us: Int64 = 0) -> String {
    now_us += after_us
    var emitted: [String] = []
    router.handle(event, at: now_us) { emitted.append(words($0)) }
    return emitted.joined(separator: ", ")
  }

  mutating func hear(
    _ priority: UInt8, host: UInt32 = 2, interval_us: Int64 = 1_000_000, after_us: Int64 = 0
  ) -> String {
    let advert = Advertisement(
      version: router.settings.version, id: 51, priority: priority, interval_us: interval_us,
      addresses: router.settings.addresses)
    return feed(.advertisement(advert, from: .v4(0x0a09_0000 + host)), after_us: after_us)
  }

  /// Started at 10.9.0.5.
  mutating func start() -> String { feed(.start(address: .v4(0x0a09_0005))) }

  mutating func becomeMaster() {
    _ = start()
    _ = feed(router.settings.isGrouped ? .groupMaster : .timer(.masterDown))
  }
}
