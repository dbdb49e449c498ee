// All interfaces and addresses of this network namespace, kept as the kernel tells: a dump at
// the start, then its notifications; after an overrun of the queue a dump again, and what it
// changed is told like any other event.

import Configuration
import Kernel

/// Something that changed. An index names the interface.
public enum LinkEvent: Equatable, Sendable {
  /// New, renamed, up or down, another MAC address or MTU: look it up.
  case linkChanged(UInt32)
  /// Its addresses have been told as removed before.
  case linkRemoved(UInt32, name: String)
  case addressAdded(UInt32, IPAddress)
  /// Flags, such as the end of duplicate address detection.
  case addressChanged(UInt32, IPAddress)
  case addressRemoved(UInt32, IPAddress)
  /// IPv6 duplicate address detection found another holder; the kernel does not use it.
  case duplicateDetected(UInt32, IPAddress)
}

public final class LinkTable {
  /// Room for about 2,000 notifications before the kernel drops some.
  static let queue_bytes: Int32 = 1 << 20
  /// Datagrams taken by one `readEvents()`, so that the caller's timers get their turn.
  static let maximumDatagrams = 256

  private struct AddressKey: Hashable {
    let interface: UInt32
    let address: IPAddress
    let prefixLength: UInt8
  }

  /// Becomes readable when there are events. For level-triggered waiting: one `readEvents()`
  /// may leave some for the next.
  public var descriptor: Int32 { notifications.raw }
  public private(set) var links: [UInt32: Link] = [:]
  /// Per interface in the kernel's order, which is also that of primary addresses.
  private var held: [UInt32: [LinkAddress]] = [:]
  private let requests: RouteSocket
  private let notifications: OpenSocket
  private var buffer = [UInt8](repeating: 0, count: RouteSocket.datagram_bytes)

  /// Subscribes, then fills the table, so that nothing falls between.
  public convenience init() throws(NetlinkError) {
    try self.init(queue_bytes: LinkTable.queue_bytes)
  }

  init(queue_bytes: Int32) throws(NetlinkError) {
    let requests = try RouteSocket()
    let notifications = OpenSocket(try LinkTable.subscribe(queue_bytes))
    let listed = try LinkTable.list(requests)
    self.requests = requests
    self.notifications = notifications
    _ = replace(listed)
  }

  private static func subscribe(_ queue_bytes: Int32) throws(NetlinkError) -> Int32 {
    do throws(KernelError) {
      return try Netlink.openRoute(
        groups: Netlink.Group.link | Netlink.Group.ipv4Address | Netlink.Group.ipv6Address,
        queue_bytes: queue_bytes
      ).release()
    } catch {
      throw NetlinkError(what: error.call, code: error.code)
    }
  }

  // MARK: Look-ups

  public func link(named name: String) -> Link? { links.values.first { $0.name == name } }

  public func addresses(of index: UInt32) -> [LinkAddress] { held[index] ?? [] }

  /// Whether the interface has it, with any prefix length, and may use it (IPv6: also while
  /// duplicates are looked for, but not when one was found).
  public func has(_ address: IPAddress, on index: UInt32) -> Bool {
    addresses(of: index).contains {
      $0.address == address && !$0.hasFailedDuplicateDetection
    }
  }

  /// The interfaces that have an address.
  public func holders(of address: IPAddress) -> [UInt32] {
    held.filter { $0.value.contains { $0.address == address } }.map(\.key).sorted()
  }

  /// The first IPv4 address of global scope that is no secondary one and not of our making; if
  /// there is none, one of link scope.
  public func primaryIPv4(of index: UInt32) -> IPAddress? {
    let own = addresses(of: index).filter {
      $0.address.family == .v4 && !$0.isSecondary && !$0.isOurs
    }
    return (own.first { $0.scope == .global } ?? own.first { $0.scope == .link })?.address
  }

  /// A usable link-local IPv6 address that is not a virtual one: not of our making, which old
  /// kernels do not tell, and not among `virtual`.
  public func linkLocalIPv6(of index: UInt32, besides virtual: Set<IPAddress> = []) -> IPAddress? {
    addresses(of: index).first {
      $0.address.isLinkLocalIPv6 && !$0.isTentative && !$0.hasFailedDuplicateDetection
        && !$0.isOurs && !virtual.contains($0.address)
    }?.address
  }

  // MARK: Keeping up

  /// What changed since the last call, in order. Never blocks, but for a dump after an overrun.
  /// Throws when that dump or the socket fails.
  public func readEvents() throws(NetlinkError) -> [LinkEvent] {
    var events: [LinkEvent] = []
    for _ in 0..<LinkTable.maximumDatagrams {
      var isFromKernel = false
      let result = buffer.withUnsafeMutableBytes {
        Netlink.receive(notifications.raw, into: $0, isFromKernel: &isFromKernel)
      }
      if result.isWouldBlock { break }
      if result.errorCode == Errno.noBufferSpace || result.raw > buffer.count {
        dropQueued()
        return events + (try refresh())
      }
      if result.isError {
        throw NetlinkError(what: "read link events", code: result.errorCode)
      }
      guard isFromKernel else { continue }
      for message in NetlinkReceived.all(in: buffer[..<result.raw]) {
        apply(message, to: &events)
      }
    }
    return events
  }

  /// Asks for everything again and tells what is different.
  public func refresh() throws(NetlinkError) -> [LinkEvent] {
    replace(try LinkTable.list(requests))
  }

  private struct Listed {
    var links: [UInt32: Link] = [:]
    var addresses: [UInt32: [LinkAddress]] = [:]
  }

  private static func list(_ requests: RouteSocket) throws(NetlinkError) -> Listed {
    var listed = Listed()
    var message = NetlinkMessage(
      type: RouteMessage.getLink, flags: RequestFlag.request | RequestFlag.dump)
    message.append(bytes: [UInt8](repeating: 0, count: 16))
    for found in try requests.dump(message, "list interfaces") {
      if let link = Link(found) { listed.links[link.index] = link }
    }
    message = NetlinkMessage(
      type: RouteMessage.getAddress, flags: RequestFlag.request | RequestFlag.dump)
    message.append(bytes: [UInt8](repeating: 0, count: 8))
    for found in try requests.dump(message, "list addresses") {
      guard let address = LinkAddress(found), listed.links[address.interface] != nil else {
        continue
      }
      listed.addresses[address.interface, default: []].append(address)
    }
    return listed
  }

  /// Old notifications must not be read after a newer dump: one of them could undo what a lost
  /// one had said later.
  private func dropQueued() {
    for _ in 0..<65_536 {
      var isFromKernel = false
      let result = buffer.withUnsafeMutableBytes {
        Netlink.receive(notifications.raw, into: $0, isFromKernel: &isFromKernel)
      }
      if result.isWouldBlock { return }
      if result.isError, result.errorCode != Errno.noBufferSpace { return }
    }
  }

  private func replace(_ listed: Listed) -> [LinkEvent] {
    var events: [LinkEvent] = []
    for index in links.keys.sorted() where listed.links[index] == nil { forget(index, &events) }
    for (index, link) in listed.links.sorted(by: { $0.key < $1.key }) {
      if links[index] != link { events.append(.linkChanged(index)) }
      links[index] = link
      let old = addresses(of: index)
      let new = listed.addresses[index] ?? []
      for gone in old where !new.contains(where: { LinkTable.key($0) == LinkTable.key(gone) }) {
        events.append(.addressRemoved(index, gone.address))
      }
      for address in new { put(address, &events) }
      held[index] = new
    }
    return events
  }

  func apply(_ message: NetlinkReceived, to events: inout [LinkEvent]) {
    switch message.type {
    case RouteMessage.newLink:
      // Bridges tell of their ports as RTM_NEWLINK of another family, without most attributes.
      guard message.payload.first == 0, let link = Link(message) else { return }
      if links[link.index] != link {
        links[link.index] = link
        events.append(.linkChanged(link.index))
      }
    case RouteMessage.deleteLink:
      guard message.payload.first == 0, let link = Link(message) else { return }
      forget(link.index, &events)
    case RouteMessage.newAddress:
      guard let address = LinkAddress(message) else { return }
      put(address, &events)
    case RouteMessage.deleteAddress:
      guard let address = LinkAddress(message), var list = held[address.interface],
        let at = list.firstIndex(where: { LinkTable.key($0) == LinkTable.key(address) })
      else { return }
      list.remove(at: at)
      held[address.interface] = list
      events.append(.addressRemoved(address.interface, address.address))
    default: return
    }
  }

  private func put(_ address: LinkAddress, _ events: inout [LinkEvent]) {
    var list = held[address.interface] ?? []
    let at = list.firstIndex { LinkTable.key($0) == LinkTable.key(address) }
    let old = at.map { list[$0] }
    if let at { list[at] = address } else { list.append(address) }
    held[address.interface] = list
    if old == nil {
      events.append(.addressAdded(address.interface, address.address))
    } else if old != address {
      events.append(.addressChanged(address.interface, address.address))
    }
    if address.hasFailedDuplicateDetection, old?.hasFailedDuplicateDetection != true {
      events.append(.duplicateDetected(address.interface, address.address))
    }
  }

  private func forget(_ index: UInt32, _ events: inout [LinkEvent]) {
    guard let link = links.removeValue(forKey: index) else { return }
    for address in held.removeValue(forKey: index) ?? [] {
      events.append(.addressRemoved(index, address.address))
    }
    events.append(.linkRemoved(index, name: link.name))
  }

  private static func key(_ address: LinkAddress) -> AddressKey {
    AddressKey(
      interface: address.interface, address: address.address,
      prefixLength: address.prefixLength)
  }
}

/// Closes a socket with its owner.
private final class OpenSocket {
  let raw: Int32
  init(_ raw: Int32) { self.raw = raw }
  deinit { Socket.close(raw) }
}
