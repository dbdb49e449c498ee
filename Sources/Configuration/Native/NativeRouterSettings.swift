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
      .flag("trackSource", \.settings.tracksSource),
      NativeReferences.interfaces.key("trackedInterfaces", \.settings.trackedInterfaces),
      NativeReferences.scripts.key("trackedScripts", \.settings.trackedScripts),
      NativeReferences.others.key("trackedFiles", \.settings.trackedFiles),
      NativeReferences.others.key("trackedProcesses", \.settings.trackedProcesses),
      NativeLines.routes("routes", \.settings.routes),
      NativeLines.rules("rules", \.settings.rules),
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
        "notify", \.settings.notify, read: NotifyCommands.read, print: { $0.output }),
      .flag("notifyPriorityChanges", \.settings.notifiesPriorityChanges),
      NativeKey(
        "multicastGroup", \.settings.multicastGroup,
        read: { reader, value in
          if let group = IPAddress(value.text ?? ""), group.isMulticast { return .some(group) }
          reader.report(at: value, "expected a multicast address such as 224.0.0.18")
          return nil
        }, print: { $0.map { .scalar("\($0)") } }),
      NativeKey(
        "unicastTTL", \.settings.unicastTTL,
        read: { $0.integer($1, in: 1...255).map { UInt8($0) } },
        print: { .scalar(String($0)) }),
      .flag("skipAddressCheck", \.settings.skipsRepeatedAddressCheck),
      .flag("noAdvertOnLowerPriority", \.settings.sendsNoAdvertOnLowerPriority),
      .flag("ownerIgnoresAdverts", \.settings.ownerIgnoresAdverts),
      .flag("checksumWithoutPseudoHeader", \.settings.checksumWithoutPseudoHeader),
      .flag("promoteSecondaries", \.settings.promotesSecondaries),
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
      .time("arpInterval", \.arpInterval, times),
      .time("neighbourInterval", \.neighbourInterval, times),
    ]
  }

  static func readExtra(
    _ reader: NativeReader, _ value: NativeValue
  ) -> [VirtualAddress]? {
    NativeAddress.allHeld(reader, value, most: (255, "255 addresses at most")) { _, _ in nil }
  }

  static func printExtra(_ addresses: [VirtualAddress]) -> NativeOutput? {
    .list(addresses.map { .scalar(KeepalivedPrinter.address($0)) })
  }

  private static func readVirtualMAC(
    _ reader: NativeReader, _ value: NativeValue
  ) -> VirtualMAC?? {
    if value.node.mapping != nil {
      var result = VirtualMAC()
      reader.read(value, into: &result, with: virtualMACKeys)
      return .some(result)
    }
    switch value.text {
    case "false": return .some(nil)
    case "true": return .some(VirtualMAC())
    default:
      guard let name = reader.interfaceName(value) else { return nil }
      var result = VirtualMAC()
      result.name = name
      return .some(result)
    }
  }

  static var virtualMACKeys: [NativeKey<VirtualMAC>] {
    [
      NativeKey(
        "name", \.name, read: { .some($0.interfaceName($1)) },
        print: { $0.map { .scalar($0) } }),
      .flag("sendFromBase", \.sendsFromBase),
    ]
  }

  private static func printVirtualMAC(_ value: VirtualMAC?) -> NativeOutput? {
    guard let value else { return .scalar("false") }
    guard value.sendsFromBase else { return .scalar(value.name ?? "true") }
    return .map(NativePrinter.pairs(value, VirtualMAC(), virtualMACKeys))
  }
}
