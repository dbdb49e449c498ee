// What the blocks have said so far, before defaults, references and conflicts are settled.

struct KeepalivedGlobals {
  var version: VRRPVersion?
  var isStrict = false
  var announcement = AnnouncementDraft()
  var usesMinimumAnnouncement = false
  var arpInterval: Duration = .zero
  var neighbourInterval: Duration = .zero
  var group4: IPAddress?
  var group6: IPAddress?
  var defaultInterface: String?
  var skipsRepeatedAddressCheck = false
  var checksUnicastSource = false
  var sendsNoAdvertOnLowerPriority = false
  var sendsAdvertOnHigherPriority = false
  var ownerIgnoresAdverts = false
  var downTimerAdverts = 3
  var notifiesPriorityChanges = false
  var checksumWithoutPseudoHeader = false
  /// The FIFOs and the scripts that read them, each as first given.
  var allFIFO: NotifyFIFO?
  var routersFIFO: NotifyFIFO?
  var allFIFOScript: (command: ScriptCommand, place: Place)?
  var routersFIFOScript: (command: ScriptCommand, place: Place)?
}

/// Settings that an instance may leave to `global_defs`.
struct AnnouncementDraft {
  var delay: Duration?
  var count: Int?
  var refresh: Duration?
  var refreshCount: Int?
  var lowerPriorityDelay: Duration?
  var lowerPriorityCount: Int?
}

struct ARPGroupDraft {
  var arpInterval: Duration?
  var neighbourInterval: Duration?
  var interfaces: [String] = []
}

/// A line of track_interface, track_script, track_file or track_process.
struct TrackDraft {
  var reference: TrackReference
  var place: Place
}

struct TracksDraft {
  var interfaces: [TrackDraft] = []
  var scripts: [TrackDraft] = []
  var files: [TrackDraft] = []
  var processes: [TrackDraft] = []
}

enum AuthenticationKind { case none, password, header }

struct RouterDraft {
  var name: String
  var place: Place
  var interface: String?
  var id: UInt8?
  var state: (isMaster: Bool, place: Place)?
  var priority: UInt8?
  var version: (value: VRRPVersion, place: Place)?
  /// Set by whatever first shows it: an address, a peer, a source.
  var family: AddressFamily?
  var interval: (microseconds: Int64, text: String, place: Place)?
  var authentication: AuthenticationKind = .none
  var authenticationPlace: Place?
  var password: (bytes: [UInt8], place: Place)?
  var addresses: [(address: VirtualAddress, place: Place)] = []
  var addressSet: Set<IPAddress> = []
  var excluded: [(address: VirtualAddress, place: Place)] = []
  var allowsNoAddress = false
  var routes: [VirtualRoute] = []
  var rules: [VirtualRule] = []
  var multicastSource: IPAddress?
  var unicastSource: IPAddress?
  var tracksSource: Place?
  var peers: [UnicastPeer] = []
  var unicastPlace: Place?
  var faultsWithoutPeer: Place?
  var unicastTTL: (value: UInt8, place: Place)?
  var checksUnicastSource: Bool?
  var multicastGroup: (address: IPAddress, place: Place)?
  var neverPreempts: Place?
  var preemptDelay: (value: Duration, place: Place)?
  var tracksOwnInterface = true
  var tracks = TracksDraft()
  var announcement = AnnouncementDraft()
  var virtualMAC: VirtualMAC?
  var virtualMACPlace: Place?
  var sendsFromBase: Place?
  var usesVirtualMACForAddresses: Place?
  var accepts: (value: Bool, place: Place)?
  var isStrict: Bool?
  var skipsRepeatedAddressCheck: Bool?
  var sendsNoAdvertOnLowerPriority: (value: Bool, place: Place)?
  var sendsAdvertOnHigherPriority: (value: Bool, place: Place)?
  var ownerIgnoresAdverts: Bool?
  var downTimerAdverts: (value: Int, place: Place)?
  var checksumWithoutPseudoHeader: Bool?
  var promotesSecondaries: Place?
  var notify = NotifyCommands()
  var notifiesPriorityChanges: Bool?
  /// Index of its sync group, once that is known.
  var group: Int?

  init(name: String, place: Place) {
    self.name = name
    self.place = place
  }

  /// "(VI_1)", as keepalived starts its messages.
  var title: String { "(\(name))" }
}

struct GroupDraft {
  var name: String
  var place: Place
  var members: [(name: String, place: Place)] = []
  var hasMemberBlock = false
  var tracks = TracksDraft()
  var notify = NotifyCommands()
  var allowsWeights = false
  var notifiesPriorityChanges: Bool?
  init(name: String, place: Place) {
    self.name = name
    self.place = place
  }
}

struct ScriptDraft {
  var name: String
  var place: Place
  var command: ScriptCommand?
  var user: ScriptUser?
  var interval: Duration = .seconds(1)
  var timeout: Duration?
  var weight = 0
  var isReversed = false
  var rise = 1
  var fall = 1
  var startsFailed = false
}

struct FileDraft {
  var place: Place
  var file: TrackedFile
}

struct ProcessDraft {
  var place: Place
  var process: TrackedProcess
  var words: [String] = []
  var matching: ProcessMatching?
}

/// `param_match`.
enum ProcessMatching { case initial, partial }
