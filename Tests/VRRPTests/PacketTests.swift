// Advertisements as bytes: what keepalived sends, both ways, and every reason to drop one.

import FuzzInputs
import Testing

@testable import VRRP

func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.filter { $0 != " " }.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

func v4(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32) -> ProtocolAddress {
  .v4(a << 24 | b << 16 | c << 8 | d)
}

let own = v4(10, 9, 0, 1)
let peer = v4(10, 9, 0, 2)
let secure = Array("42Secure".utf8)

/// Packets of keepalived 2.4.3, COMPATIBILITY-KEEPALIVED.md section 3.2.
struct Golden: CustomTestStringConvertible {
  var hex: String
  var advert: Advertisement
  var source = own
  var destination = Wire.multicastV4
  var testDescription: String { hex }

  static let all = [
    Golden(
      hex: "213364020101077c0a0900640a0900653432536563757265",
      advert: Advertisement(
        version: .v2, id: 51, priority: 100, interval_us: 1_000_000,
        addresses: [v4(10, 9, 0, 100), v4(10, 9, 0, 101)], authentication: .password(secure))),
    Golden(
      hex: "2134fe010001d6590a0900660000000000000000",
      advert: Advertisement(
        version: .v2, id: 52, priority: 254, interval_us: 1_000_000,
        addresses: [v4(10, 9, 0, 102)])),
    Golden(
      hex: "3135fe010032db8d0a090067",
      advert: Advertisement(
        version: .v3, id: 53, priority: 254, interval_us: 500_000,
        addresses: [v4(10, 9, 0, 103)])),
    Golden(
      hex: "3136fe010019b1ac0a090068",
      advert: Advertisement(
        version: .v3, id: 54, priority: 254, interval_us: 250_000,
        addresses: [v4(10, 9, 0, 104)]), destination: peer),
    Golden(
      hex: "2137fe010001d6530a0900690000000000000000",
      advert: Advertisement(
        version: .v2, id: 55, priority: 254, interval_us: 1_000_000,
        addresses: [v4(10, 9, 0, 105)]), destination: peer),
    Golden(
      hex: "2139ff010001d54f0a09006b0000000000000000",
      advert: Advertisement(
        version: .v2, id: 57, priority: 255, interval_us: 1_000_000,
        addresses: [v4(10, 9, 0, 107)])),
  ]
}

@Suite struct PacketTests {
  @Test(arguments: Golden.all) func goldenBothWays(_ golden: Golden) throws {
    let message = bytes(golden.hex)
    #expect(
      golden.advert.encoded(source: golden.source, destination: golden.destination) == message)
    let decoded = try Advertisement(
      decoding: message[...], source: golden.source, destination: golden.destination)
    #expect(decoded == golden.advert)
    // Padding after the message changes nothing.
    let padded = try Advertisement(
      decoding: (message + [1, 2, 3])[...], source: golden.source, destination: golden.destination)
    #expect(padded == golden.advert)
    for index in message.indices {
      var damaged = message
      damaged[index] ^= 0x10
      #expect(throws: DropReason.self) {
        _ = try Advertisement(
          decoding: damaged[...], source: golden.source, destination: golden.destination)
      }
    }
  }

  @Test func header() throws {
    let hex = "45c0002c00010000ff70d0840a090001e0000012"
    let payload = bytes(Golden.all[0].hex)
    let header = IPv4Header(source: own, destination: Wire.multicastV4, identification: 1)
    let sent = header.encoded(before: payload)
    #expect(sent == bytes(hex) + payload)
    let (read, rest) = try IPv4Header.decode((sent + [0, 0])[...])
    #expect(read == header && Array(rest) == payload)
  }

  @Test func sixteenByteAddresses() throws {
    let linkLocal = ProtocolAddress.v6(high: 0xfe80 << 48, low: 1)
    let advert = Advertisement(
      version: .v3, id: 56, priority: 254, interval_us: 1_000_000,
      addresses: [.v6(high: 0xfe80 << 48, low: 0x100), .v6(high: 0xfd00 << 48, low: 0x100)])
    let sent = advert.encoded(source: linkLocal, destination: Wire.multicastV6)
    #expect(sent.count == 40 && Array(sent.prefix(6)) == bytes("3138fe020064"))
    #expect(
      try Advertisement(decoding: sent[...], source: linkLocal, destination: Wire.multicastV6)
        == advert)
    #expect(throws: DropReason.badChecksum) {
      _ = try Advertisement(decoding: sent[...], source: linkLocal, destination: linkLocal)
    }
  }

  @Test func checksums() throws {
    var odd = Checksum()
    odd.add([0x12, 0x34, 0x56][...])
    #expect(odd.value == ~UInt16(0x1234 + 0x5600))
    var carry = Checksum()
    carry.add([0xff, 0xff, 0x00, 0x02][...])
    #expect(carry.value == 0xfffd)
    let advert = Golden.all[2].advert
    let plain = advert.encoded(source: own, destination: peer, sumsPseudoHeader: false)
    #expect(
      try Advertisement(
        decoding: plain[...], source: peer, destination: own, sumsPseudoHeader: false) == advert)
    #expect(throws: DropReason.badChecksum) {
      _ = try Advertisement(decoding: plain[...], source: own, destination: peer)
    }
  }

  @Test func fieldsThatDoNotFitAreCut() throws {
    var advert = Golden.all[1].advert
    advert.interval_us = 400_900_000
    advert.addresses = Array(repeating: v4(10, 9, 0, 1), count: 300)
    let sent = advert.encoded(source: own, destination: peer)
    let read = try Advertisement(decoding: sent[...], source: own, destination: peer)
    #expect(read.interval_us == 255_000_000 && read.addresses.count == 255)
  }

  @Test func structuralReasons() {
    func reason(_ hex: String) -> DropReason? {
      do throws(DropReason) {
        _ = try Advertisement(decoding: bytes(hex)[...], source: own, destination: peer)
        return nil
      } catch { return error }
    }
    #expect(reason("2134fe010001d6") == .tooShort)
    #expect(reason("4134fe010001d6590a090066") == .unknownVersion)
    #expect(reason("2234fe010001d6590a0900660000000000000000") == .unknownType)
    #expect(reason("2134fe020001d6590a0900660000000000000000") == .lengthMismatch)
    #expect(reason("2134fe010001d6580a0900660000000000000000") == .badChecksum)
    #expect(throws: DropReason.badIPHeader) { _ = try IPv4Header.decode([0x45, 0][...]) }
  }

  @Test func reasonsOfARouter() {
    var settings = RouterSettings(
      id: 51, version: .v2, priority: 100, interval_us: 1_000_000,
      addresses: [v4(10, 9, 0, 100)])
    settings.password = secure
    let good = Advertisement(
      version: .v2, id: 51, priority: 90, interval_us: 1_000_000,
      addresses: [v4(10, 9, 0, 100)], authentication: .password(secure))
    func reason(
      _ change: (inout Advertisement, inout RouterSettings) -> Void = { _, _ in },
      from source: ProtocolAddress = peer, to destination: ProtocolAddress = Wire.multicastV4,
      hops: UInt8 = 255, priority: UInt8 = 100
    ) -> DropReason? {
      var (advert, settings) = (good, settings)
      change(&advert, &settings)
      return settings.refusal(
        of: advert, from: source, to: destination, hopLimit: hops, ownAddress: own,
        priority: priority)
    }
    #expect(reason() == nil)
    #expect(reason(from: own) == .ownPacket)
    #expect(reason(hops: 254) == .hopLimit)
    #expect(reason(to: own) == .wrongTransport)
    #expect(reason({ advert, _ in advert.version = .v3 }) == .versionMismatch)
    #expect(reason({ advert, _ in advert.authentication = .none }) == .authenticationType)
    #expect(reason({ advert, _ in advert.authentication = .other(type: 2) }) == .authenticationType)
    #expect(
      reason({ advert, _ in advert.authentication = .password(Array(repeating: 0, count: 8)) })
        == .badPassword)
    #expect(reason({ advert, _ in advert.interval_us = 2_000_000 }) == .intervalMismatch)
    #expect(reason({ advert, _ in advert.addresses = [own] }) == .foreignAddresses)
    #expect(
      reason({
        $0.version = .v3; $1.version = .v3; $0.authentication = .none; $1.password = nil
        $0.interval_us = 0
      }) == .zeroInterval)
    #expect(reason({ $1.ownerIgnoresAdverts = true }, priority: 255) == .ownerIgnores)
    let unicast = Transport.unicast(
      peers: [UnicastRange(peer, minimumTTL: 250, maximumTTL: 254)], checksSource: true)
    #expect(reason({ $1.transport = unicast }, to: own, hops: 255) == .hopLimit)
    #expect(reason({ $1.transport = unicast }, to: own, hops: 252) == nil)
    #expect(reason({ $1.transport = unicast }, from: v4(1, 2, 3, 4), to: own) == .unknownPeer)
    #expect(reason({ $1.transport = unicast }) == .wrongTransport)
  }

  @Test func authenticationDataOfTypeNoneIsIgnored() throws {
    let received = bytes("213427010001ad330a0900640000002900000000")
    let advert = try Advertisement(
      decoding: received[...], source: own, destination: Wire.multicastV4)
    #expect(advert.authentication == .none)
    let sent = advert.encoded(source: own, destination: Wire.multicastV4)
    #expect(sent == bytes("213427010001ad5c0a0900640000000000000000"))
  }

  @Test func fuzzedPacketsAreAllCounted() {
    var inputs = PacketInputs(seed: 1)
    var target = PacketTarget()
    for _ in 0..<30_000 { target.take(inputs.next()) }
    #expect(target.accepted + target.refused.values.reduce(0, +) == 30_000)
    #expect(target.changed == 0 && target.accepted > 1000)
    for reason in DropReason.allCases { #expect(target.refused[reason] != nil, "\(reason)") }
  }

  @Test func times() {
    func down_ms(_ version: ProtocolVersion, _ priority: UInt8, _ interval_us: Int64) -> Int64 {
      Timing.masterDown_us(
        version: version, priority: priority, masterInterval_us: interval_us, adverts: 3) / 1000
    }
    #expect(down_ms(.v2, 100, 1_000_000) == 3609)
    #expect(down_ms(.v2, 255, 1_000_000) == 3003)
    #expect(down_ms(.v3, 100, 100_000) == 360)
    let skew_us = Timing.skew_us(version: .v2, priority: 90, masterInterval_us: 1_000_000)
    #expect(skew_us == 648_437)
  }
}
