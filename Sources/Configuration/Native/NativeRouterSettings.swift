// What a virtual address may say of its router beyond addresses, nodes and interval. These keys
// stand for themselves in the router; their defaults are the router's own.

extension NativeVirtualAddress {
  static var settingKeys: [NativeKey<NativeVirtualAddress>] {
    [
      NativeKey(
        "extraAddresses", \.settings.excludedAddresses, read: readExtra, print: printExtra),
      .flag("accept", \.settings.accepts),
      .flag("strict", \.settings.isStrict),
      .flag("trackInterface", \.settings.tracksOwnInterface),
      NativeKey(
        "trackedInterfaces", \.settings.trackedInterfaces, read: readInterfaces,
        print: printInterfaces),
      .number("missedAdverts", \.settings.downTimerAdverts, 1...100),
      NativeKey(
        "virtualMAC", \.settings.virtualMAC, read: readVirtualMAC, print: printVirtualMAC),
      NativeKey(
        "announcement", \.settings.announcement,
        read: { reader, value in
          var result = Announcement()
          reader.read(value, into: &result, with: announcementKeys)
          return result
        },
        print: { value in
          .map(NativePrinter.pairs(value, Announcement(), announcementKeys))
        }),
      NativeKey(
        "notify", \.settings.notify,
        read: { reader, value in
          var result = NotifyCommands()
          reader.read(value, into: &result, with: notifyKeys)
          return result
        },
        print: { value in .map(NativePrinter.pairs(value, NotifyCommands(), notifyKeys)) }),
    ]
  }

  static var announcementKeys: [NativeKey<Announcement>] {
    let times: ClosedRange<Duration> = .zero ... .seconds(86_400)
    return [
      .time("delay", \.delay, times),
      .number("count", \.count, 1...1000),
      .time("refresh", \.refresh, times),
      .number("refreshCount", \.refreshCount, 1...1000),
      .time("lowerPriorityDelay", \.lowerPriorityDelay, times),
      .number("lowerPriorityCount", \.lowerPriorityCount, 0...1000),
    ]
  }

  static var notifyKeys: [NativeKey<NotifyCommands>] {
    func command(
      _ name: String, _ path: WritableKeyPath<NotifyCommands, ScriptCommand?>
    ) -> NativeKey<NotifyCommands> {
      NativeKey(
        name, path,
        read: { reader, value in
          let words = reader.elements(value, acceptsOne: true).compactMap { reader.string($0) }
          guard let first = words.first, words.count <= 64 else {
            reader.report(at: value, "expected a command and its words, 64 at most")
            return nil
          }
          guard value.text == nil || !first.utf8.contains(32) else {
            reader.report(at: value, "the words of a command are a list: [/bin/echo, a]")
            return nil
          }
          return .some(ScriptCommand(words: words, origin: reader.origin(value)))
        },
        print: { value in
          guard let value, value.user == nil else { return nil }
          return .list(value.words.map { .scalar($0) })
        })
    }
    return [
      command("master", \.master),
      command("backup", \.backup),
      command("fault", \.fault),
      command("stop", \.stop),
      command("any", \.any),
    ]
  }

  private static func readExtra(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [VirtualAddress]? {
    var found: [VirtualAddress] = []
    for element in reader.elements(value, acceptsOne: true) {
      guard let (address, prefix) = NativeAddress.prefixed(reader, element) else { continue }
      if address.isUnspecified || found.contains(where: { $0.address == address }) {
        reader.report(at: element, "this address is no address to hold, or already there")
      } else {
        found.append(VirtualAddress(address, prefixLength: prefix))
      }
    }
    guard found.count <= 255 else {
      reader.report(at: value, "255 extra addresses at most")
      return nil
    }
    return found
  }

  private static func printExtra(_ addresses: [VirtualAddress]) -> NativeOutput? {
    .list(addresses.map { .scalar("\($0.address)/\($0.prefixLength)") })
  }

  /// Names, or names with what a failure adds to the priority.
  private static func readInterfaces(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [TrackReference]? {
    guard value.node.mapping != nil else {
      return reader.elements(value, acceptsOne: true).compactMap { element in
        interfaceName(reader, element).map { TrackReference($0) }
      }
    }
    return reader.entries(value).compactMap { _, place, value in
      guard let name = interfaceName(reader, place),
        let weight = reader.integer(value, in: -253...253)
      else { return nil }
      return TrackReference(name, weight: weight)
    }
  }

  private static func interfaceName(_ reader: NativeReader, _ value: NativeValue) -> String? {
    guard let name = reader.string(value) else { return nil }
    if name.utf8.count <= 15, !name.utf8.contains(where: { $0 <= 32 || $0 == 47 }) { return name }
    reader.report(at: value, "an interface name has at most 15 bytes, no blanks and no '/'")
    return nil
  }

  /// nil when a reference needs more than a weight: it is then told as not carried.
  private static func printInterfaces(_ references: [TrackReference]) -> NativeOutput? {
    if references.contains(where: \.isReversed) { return nil }
    if references.allSatisfy({ $0.weight == nil }) {
      return .list(references.map { .scalar($0.name) })
    }
    return .map(references.map { ($0.name, .scalar(String($0.weight ?? 0))) })
  }

  private static func readVirtualMAC(
    _ reader: NativeReader, _ value: NativeValue
  ) -> VirtualMAC?? {
    switch value.text {
    case "false": return .some(nil)
    case "true": return .some(VirtualMAC())
    default:
      guard let name = interfaceName(reader, value) else { return nil }
      var result = VirtualMAC()
      result.name = name
      return .some(result)
    }
  }

  private static func printVirtualMAC(_ value: VirtualMAC?) -> NativeOutput? {
    guard let value else { return .scalar("false") }
    return value.sendsFromBase ? nil : .scalar(value.name ?? "true")
  }
}
