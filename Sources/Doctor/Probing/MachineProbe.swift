// Reads what the kernel tells about this machine: settings, privileges, processes, listeners.

import Configuration
import Failover
import Glibc
import Kernel

enum MachineProbe {
  /// Blocks for as long as reading /proc takes.
  static func examine(_ subject: Subject) -> MachineFacts {
    var facts = MachineFacts()
    let settings = Set(
      [
        "net/ipv4/ip_unprivileged_port_start", "net/ipv4/ip_nonlocal_bind", "net/ipv4/ip_forward",
        "net/core/somaxconn", "net/netfilter/nf_conntrack_max",
        "net/netfilter/nf_conntrack_count",
      ] + subject.routers.flatMap { interfaceSettings($0.interface) } + interfaceSettings("all"))
    for key in settings {
      if let text = try? SystemFile.read("/proc/sys/\(key)"), let value = Int(text) {
        facts.settings[key] = value
      }
    }
    let range = (try? SystemFile.read("/proc/sys/net/ipv4/ip_local_port_range")) ?? ""
    let ends = range.split { $0 == " " || $0 == "\t" }.compactMap { Int($0) }
    if ends.count == 2, ends[0] <= ends[1] { facts.sourcePorts = ends[0]...ends[1] }

    var processes = ProcessScan(namespace: namespace(of: "self"))
    let ports = Set(subject.frontends.flatMap(Subject.listening).map(\.port))
    let sockets = ListenerTable.read().filter { ports.contains($0.port) }
    processes.look(for: Set(sockets.map(\.inode)))
    facts.isDaemonRunning = processes.daemon != nil
    facts.process = processes.daemon ?? process(Int(getpid()), "fairlead")
    facts.rivals = processes.rivals
    facts.listeners = sockets.map { socket in
      ListenerFacts(socket.address, port: socket.port, process: processes.owners[socket.inode])
    }
    return facts
  }

  private static func interfaceSettings(_ name: String) -> [String] {
    ["arp_ignore", "arp_filter", "rp_filter", "promote_secondaries"].map {
      "net/ipv4/conf/\(name)/\($0)"
    } + ["net/ipv6/conf/\(name)/disable_ipv6"]
  }

  /// The network namespace of a process, as its link reads; nil when it may not be looked at.
  static func namespace(of process: String) -> String? { link("/proc/\(process)/ns/net") }

  static func link(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = readlink(path, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A process with its privileges and limits.
  static func process(_ id: Int, _ name: String) -> ProcessFacts {
    var facts = ProcessFacts(id: id, name: name)
    let status = lines("/proc/\(id)/status")
    if let line = status.first(where: { $0.hasPrefix("CapEff:") }),
      let word = line.split(whereSeparator: \.isWhitespace).last
    {
      facts.capabilities = UInt64(word, radix: 16) ?? 0
    }
    if let line = lines("/proc/\(id)/limits").first(where: { $0.hasPrefix("Max open files") }) {
      // `Max open files  SOFT  HARD  files`
      let words = line.split(whereSeparator: \.isWhitespace)
      facts.descriptors = words.count >= 5 ? Int(words[4]) ?? .max : 0
    }
    return facts
  }

  static func lines(_ path: String, limit_bytes: Int = Limits.procLine_bytes) -> [Substring] {
    String(decoding: Processes.read(path, limit: limit_bytes), as: UTF8.self).split(separator: "\n")
  }
}

/// One walk through /proc: our daemon, its rivals, and who owns some sockets.
struct ProcessScan {
  let namespace: String?
  var daemon: ProcessFacts?
  var rivals: [ProcessFacts] = []
  var owners: [String: ProcessFacts] = [:]

  init(namespace: String?) { self.namespace = namespace }

  mutating func look(for inodes: Set<String>) {
    let own = getpid()
    // Without root the namespace of a process is not told; that some daemon has the addresses of
    // this one is.
    let hasLock = access(NamespaceLock.path(), F_OK) == 0
    var count = 0
    var ids: [Int32] = []
    Processes.forEach { ids.append($0) }
    for id in ids.sorted() where id != own && count < Limits.processes {
      count += 1
      let name = MachineProbe.lines("/proc/\(id)/comm").first.map { Printable.text($0.utf8) } ?? ""
      // A socket may be held from outside of its network namespace.
      claim(inodes, for: ProcessFacts(id: Int(id), name: name))
      // Daemons of other namespaces, such as containers', are none of ours.
      let theirs = MachineProbe.namespace(of: "\(id)")
      if name == "fairlead", daemon == nil, theirs == namespace || theirs == nil && hasLock {
        if Processes.arguments(of: id).dropFirst().contains(Array("run".utf8)) {
          daemon = MachineProbe.process(Int(id), name)
        }
      }
      guard theirs != nil, theirs == namespace else { continue }
      switch name {
      case "haproxy", "keepalived":
        if !rivals.contains(where: { $0.name == name }) {
          rivals.append(ProcessFacts(id: Int(id), name: name))
        }
      default: break
      }
    }
  }

  private mutating func claim(_ inodes: Set<String>, for process: ProcessFacts) {
    guard owners.count < inodes.count, let directory = opendir("/proc/\(process.id)/fd") else {
      return
    }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let target = MachineProbe.link("/proc/\(process.id)/fd/\(name)"),
        target.hasPrefix("socket:[")
      else { continue }
      let inode = String(target.dropFirst(8).dropLast())
      if inodes.contains(inode), owners[inode] == nil { owners[inode] = process }
    }
  }
}

/// The listening sockets of /proc/net/tcp and tcp6.
struct ListenerTable {
  struct Row: Equatable {
    var address: IPAddress
    var port: UInt16
    var inode: String
  }

  static func read() -> [Row] {
    ["tcp", "tcp6"].flatMap {
      rows(
        of: MachineProbe.lines("/proc/self/net/\($0)", limit_bytes: Limits.procTable_bytes))
    }
  }

  /// Lines such as `0: 0100007F:1F90 00000000:0000 0A … UID TIMEOUT INODE …`.
  static func rows(of lines: [Substring]) -> [Row] {
    lines.compactMap { line in
      let words = line.split(separator: " ")
      guard words.count >= 10, words[3] == "0A" else { return nil }
      let parts = words[1].split(separator: ":")
      guard parts.count == 2, let port = UInt16(parts[1], radix: 16),
        let address = address(parts[0])
      else { return nil }
      return Row(address: address, port: port, inode: String(words[9]))
    }
  }

  /// Words of 32 bits in the machine's order, in hexadecimal.
  private static func address(_ text: Substring) -> IPAddress? {
    let digits = Array(text.utf8)
    guard digits.count == 8 || digits.count == 32 else { return nil }
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: digits.count, by: 8) {
      let part = String(decoding: digits[start..<(start + 8)], as: UTF8.self)
      guard let word = UInt32(part, radix: 16) else { return nil }
      bytes += withUnsafeBytes(of: word) { Array($0) }
    }
    if bytes.count == 16, bytes[..<12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] {
      bytes.removeFirst(12)
    }
    return IPAddress(octets: bytes)
  }
}
