// What the daemon can report, by name: the words of its log, of `fairlead events` and of the
// dashboard. Names stay; texts may be worded better.

/// The name of an event. The raw value is what is printed, searched for and counted.
public enum EventName: String, CaseIterable, Codable, Hashable, Sendable {
  // MARK: The process
  case processReady = "process.ready"
  case processStartFailed = "process.start_failed"
  case processDraining = "process.draining"
  case processStopping = "process.stopping"
  case processStopped = "process.stopped"
  case processLimited = "process.limited"
  case processStatus = "process.status"
  case processWarning = "process.warning"

  // MARK: Configuration
  case configurationProblem = "configuration.problem"
  case reloadDone = "reload.done"
  case reloadFailed = "reload.failed"
  case reloadPartial = "reload.partial"

  // MARK: Around the proxy
  case controlUnavailable = "control.unavailable"
  case dashboardUnavailable = "dashboard.unavailable"
  case logUnavailable = "log.unavailable"

  // MARK: Servers
  case serverUp = "server.up"
  case serverDown = "server.down"
  case serverStopping = "server.stopping"
  case serverMaintenance = "server.maintenance"
  case serverDrained = "server.drained"
  case serverUndrained = "server.undrained"
  case serverCheck = "server.check"
  case serverAddress = "server.address"
  case backendEmpty = "backend.empty"
  case backendFailOpen = "backend.fail_open"
  case backendFailOpenEnded = "backend.fail_open_ended"

  // MARK: Sessions
  case sessionEnd = "session.end"

  // MARK: Virtual addresses
  case vipMaster = "vip.master"
  case vipBackup = "vip.backup"
  case vipFault = "vip.fault"
  case vipStopped = "vip.stopped"
  case vipPriority = "vip.priority"
  case vipPath = "vip.path"
  case vipHandover = "vip.handover"
  case vipHeard = "vip.heard"
  case vipConflict = "vip.conflict"
  case vipAddress = "vip.address"
  case vipLeftover = "vip.leftover"
  case vipStall = "vip.stall"
  case vipTracking = "vip.tracking"
  case vipScript = "vip.script"
  case vipNote = "vip.note"
  case vipProblem = "vip.problem"

  /// What it says, for Documentation/events.md.
  public var meaning: String {
    switch self {
    case .processReady: "everything that was asked for runs"
    case .processStartFailed: "the daemon ends: something that was asked for cannot run"
    case .processDraining: "no new sessions; the daemon ends with the last one"
    case .processStopping: "the daemon ends, and why: sessions that are left end now"
    case .processStopped: "the last line of a daemon that was told to end"
    case .processLimited: "the machine allows less than the configuration asks for"
    case .processStatus: "the answer to SIGUSR1 without a proxy: one line a virtual router"
    case .processWarning: "something at the start or the end is not as it should be"
    case .configurationProblem: "a line of a file, as `fairlead check` tells it"
    case .reloadDone: "the new configuration runs"
    case .reloadFailed: "nothing changed, and why"
    case .reloadPartial: "a setting that takes effect at the next start"
    case .controlUnavailable: "no operator commands: the socket cannot be used"
    case .dashboardUnavailable: "no dashboard: its address cannot be used"
    case .logUnavailable: "a log target that loses lines for now"
    case .serverUp: "a server takes sessions"
    case .serverDown: "a server is dead to its checks"
    case .serverStopping: "a server says that it stops, or is not ready: no new sessions"
    case .serverMaintenance: "a server is switched off, or its name has no address"
    case .serverDrained: "an operator has drained a server"
    case .serverUndrained: "an operator took that back"
    case .serverCheck: "a check's outcome that changes nothing (`option log-health-checks`)"
    case .serverAddress: "the address of a server's name"
    case .backendEmpty: "no server of a backend takes sessions"
    case .backendFailOpen: "no server is ready: sessions go to those that take connections"
    case .backendFailOpenEnded: "a server is ready again"
    case .sessionEnd: "a session has ended, or a connection without a PROXY header; not in `events`"
    case .vipMaster: "this node holds the address"
    case .vipBackup: "another node holds it, or is about to"
    case .vipFault: "this node cannot hold it"
    case .vipStopped: "a virtual router is not run any more"
    case .vipPriority: "another priority is advertised"
    case .vipPath: "whether servers can be reached through this node"
    case .vipHandover: "an operator moves the address; how that ended"
    case .vipHeard: "what another router said, when it matters"
    case .vipConflict: "another holder of the address, or a stranger with the same router id"
    case .vipAddress: "an address, route or rule in the kernel that was lost or cannot be set"
    case .vipLeftover: "what an earlier run left behind is removed"
    case .vipStall: "this process was not run for too long"
    case .vipTracking: "a tracked script, file, process or interface changed"
    case .vipScript: "a notify script that could not be run, or did not end"
    case .vipNote: "other news of virtual routers"
    case .vipProblem: "other trouble of virtual routers"
    }
  }
}
