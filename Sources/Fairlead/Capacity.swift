// How many sessions fit into the process's descriptors.

import Configuration
import Kernel
import Proxy

/// What the machine allows, worked out once at start.
struct Capacity {
  /// RLIMIT_NOFILE in force.
  var descriptors: Int
  /// Sessions the descriptors suffice for, at two each.
  var sessions: Int
  var pipesPerWorker: Int
  var workers: Int

  /// Raises the descriptor limit as far as it may be, then shares the descriptors out: a reserve
  /// for logs, checks and listeners, a sixteenth for pipes, the rest for sessions.
  static func determine(_ global: GlobalSettings, listeners: Int) -> Capacity {
    let limit = System.descriptorLimit
    let wanted = max(limit.hard, global.fileDescriptorLimit ?? 0)
    if wanted > limit.soft {
      if (try? System.raiseDescriptorLimit(to: wanted)) == nil {
        try? System.raiseDescriptorLimit(to: limit.hard)
      }
    }
    let descriptors = System.descriptorLimit.soft
    let workers = min(max(1, global.threads ?? System.cpuCount), 64)
    let reserve = min(128, max(32, descriptors / 4)) + listeners * workers
    let free = max(4, descriptors - reserve)
    var pipes = global.noSplice ? 0 : min(512, max(1, free / 16 / workers / 2))
    if let maximum = global.maxPipes { pipes = min(pipes, maximum / workers) }
    let sessions = max(1, (free - 2 * pipes * workers) / 2)
    return Capacity(
      descriptors: descriptors, sessions: sessions, pipesPerWorker: pipes, workers: workers)
  }
}
