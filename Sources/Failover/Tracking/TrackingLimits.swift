// Every limit of what is watched and of what is run, with its reason.

enum TrackingLimits {
  /// From SIGTERM to SIGKILL for a script that is late (keepalived has the same).
  static let terminationGrace: Duration = .seconds(2)
  /// keepalived reads so much of a tracked file; what follows does not count.
  static let fileBytes = 127
  /// Between two looks at /proc, and at directories that are not there yet.
  static let scan_ms: Int64 = 1000
  /// Descriptors held for prompt news of exits, per tracked process; more are found by the scan.
  static let processDescriptors = 64
  /// Bytes of a command line compared; longer ones are cut, and then match only by their start.
  static let commandLineBytes = 65536
  /// Events that wait for the notifier: a start with the most routers an interface can have.
  static let notifyEvents = 4096
  /// Commands of one router or group that wait for their turn.
  static let notifyQueue = 256
  /// How long a notify command holds back the next one of its router or group. A script that
  /// never ends must not swallow what comes after it.
  static let notifyPatience: Duration = .seconds(10)
  /// How long `stop` waits for notify commands (keepalived's child_wait_time).
  static let notifyStop: Duration = .seconds(5)
  /// Pause before a FIFO's script that ended is started again.
  static let fifoScriptPause: Duration = .seconds(1)
  /// For a FIFO's script to end by itself once the FIFO is closed.
  static let fifoScriptGrace: Duration = .seconds(1)
  /// startup_script and shutdown_script when nothing else is said (keepalived.conf(5)).
  static let lifecycleTimeout: Duration = .seconds(10)
}
