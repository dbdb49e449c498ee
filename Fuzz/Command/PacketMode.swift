// The mode `packets`: advertisements, sound and broken ones.

import FuzzInputs
import VRRP

enum PacketMode {
  /// Feeds `count` packets of `seed` to the decoders and the machine. False when a packet was not
  /// counted, or did not come out as it went in; a trap ends the program by itself.
  @Sendable static func run(count: Int, seed: UInt64) -> Bool {
    var inputs = PacketInputs(seed: seed)
    var target = PacketTarget()
    for _ in 0..<count { target.take(inputs.next()) }
    print(target.summary)
    let counted = target.accepted + target.refused.values.reduce(0, +)
    print("packets \(count), counted \(counted), changed \(target.changed)")
    return counted == count && target.changed == 0
  }
}
