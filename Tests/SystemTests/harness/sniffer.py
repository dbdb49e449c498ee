"""Everything about VRRP that crosses the bridge, decoded and in order.

One packet socket in the namespace of the bridge sees each frame as it enters from a host; the
kernel's filter lets only adverts, ARP and ICMPv6 through, so that load does not drown it.
"""

from __future__ import annotations

import ipaddress
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .namespaces import Network
from .netlink import mac_text
from .tap import Tap

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
VRRP, ICMPV6 = 112, 58
NEIGHBOUR_ADVERTISEMENT = 136

# Steps of a `tap.Filter`.
LOAD_HALF, LOAD_BYTE, EQUAL, RETURN = 0x28, 0x30, 0x15, 0x06
FILTER = (
    (LOAD_HALF, 0, 0, 12),
    (EQUAL, 7, 0, ARP),
    (EQUAL, 0, 2, IPV4),
    (LOAD_BYTE, 0, 0, 23),
    (EQUAL, 4, 5, VRRP),
    (EQUAL, 0, 4, IPV6),
    (LOAD_BYTE, 0, 0, 20),
    (EQUAL, 1, 0, VRRP),
    (EQUAL, 0, 1, ICMPV6),
    (RETURN, 0, 0, 0x40000),
    (RETURN, 0, 0, 0),
)


@dataclass(frozen=True)
class Frame:
    time: float  # seconds since the epoch, from the kernel
    port: str  # the bridge port it came in by: `Host.port`
    mac: str  # Ethernet source
    mac_destination: str


@dataclass(frozen=True)
class Advert(Frame):
    source: str
    destination: str
    ttl: int
    traffic_class: int
    header: bytes  # of IP, as sent
    message: bytes  # from the version octet on
    version: int
    router_id: int
    priority: int
    authentication_type: int  # version 2
    interval: float  # seconds
    addresses: tuple[str, ...]
    has_valid_checksum: bool


@dataclass(frozen=True)
class Announcement(Frame):
    """Gratuitous ARP (operation 1 or 2), or an unsolicited neighbour advertisement (0)."""

    address: str
    operation: int
    announced_mac: str
    flags: int  # of a neighbour advertisement


def _sum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _advert(frame: tuple, packet: bytes, version: int) -> Advert | None:
    if version == 6:
        header, source, destination = packet[:40], packet[8:24], packet[24:40]
        length = struct.unpack_from("!H", packet, 4)[0]
        message, ttl = packet[40 : 40 + length], packet[7]
        traffic_class = (struct.unpack_from("!H", packet)[0] >> 4) & 0xFF
    else:
        size = (packet[0] & 15) * 4
        header, source, destination = packet[:size], packet[12:16], packet[16:20]
        length = struct.unpack_from("!H", packet, 2)[0]
        message, ttl, traffic_class = packet[size:length], packet[8], packet[1]
    if len(message) < 8:
        return None
    protocol = message[0] >> 4
    octets = 16 if version == 6 else 4
    addresses = tuple(
        str(ipaddress.ip_address(message[start : start + octets]))
        for start in range(8, 8 + message[3] * octets, octets)
        if len(message) >= start + octets
    )
    covered = message
    if protocol == 3:
        covered = source + destination + struct.pack("!HH", VRRP, len(message)) + message
        interval = (struct.unpack_from("!H", message, 4)[0] & 0x0FFF) / 100
    else:
        interval = float(message[5])
    return Advert(
        *frame,
        source=str(ipaddress.ip_address(source)),
        destination=str(ipaddress.ip_address(destination)),
        ttl=ttl,
        traffic_class=traffic_class,
        header=header,
        message=message,
        version=protocol,
        router_id=message[1],
        priority=message[2],
        authentication_type=message[4] if protocol == 2 else 0,
        interval=interval,
        addresses=addresses,
        has_valid_checksum=_sum(covered) == 0xFFFF,
    )


def _arp(frame: tuple, packet: bytes) -> Announcement | None:
    operation = struct.unpack_from("!H", packet, 6)[0]
    sender, target = packet[14:18], packet[24:28]
    if len(packet) < 28 or sender != target:
        return None
    address = str(ipaddress.ip_address(sender))
    return Announcement(*frame, address, operation, mac_text(packet[8:14]), 0)


def _neighbour(frame: tuple, packet: bytes) -> Announcement | None:
    message = packet[40:]
    if len(message) < 24 or message[0] != NEIGHBOUR_ADVERTISEMENT or packet[24] != 0xFF:
        return None  # an answer to a solicitation goes to who asked
    mac = mac_text(message[26:32]) if len(message) >= 32 and message[24] == 2 else ""
    address = str(ipaddress.ip_address(message[8:24]))
    return Announcement(*frame, address, 0, mac, struct.unpack_from("!I", message, 4)[0])


def _decode(frame: tuple, data: bytes) -> Frame | None:
    kind, packet = struct.unpack_from("!H", data, 12)[0], data[14:]
    if kind == ARP:
        return _arp(frame, packet)
    if kind == IPV4:
        return _advert(frame, packet, 4)
    return _advert(frame, packet, 6) if packet[6] == VRRP else _neighbour(frame, packet)


class Sniffer:
    """All adverts and announcements that entered the bridge since it was made."""

    def __init__(self, network: Network) -> None:
        self._frames: list[Frame] = []
        self._changed = threading.Condition()
        self._tap = Tap(network, FILTER, self._take)

    def _take(self, when: float, port: str, data: bytes) -> None:
        found = _decode((when, port, mac_text(data[6:12]), mac_text(data[:6])), data)
        if found is not None:
            with self._changed:
                self._frames.append(found)
                self._changed.notify_all()

    @property
    def position(self) -> int:
        """How much was seen so far; give it to `adverts` or `wait_for` as `since`."""
        with self._changed:
            return len(self._frames)

    def frames(self, since: int = 0) -> list[Frame]:
        with self._changed:
            return self._frames[since:]

    def adverts(self, port: str | None = None, since: int = 0) -> list[Advert]:
        return [
            frame
            for frame in self.frames(since)
            if isinstance(frame, Advert) and port in (None, frame.port)
        ]

    def announcements(
        self, address: str, port: str | None = None, since: int = 0
    ) -> list[Announcement]:
        wanted = str(ipaddress.ip_address(address))
        return [
            frame
            for frame in self.frames(since)
            if isinstance(frame, Announcement)
            and frame.address == wanted
            and port in (None, frame.port)
        ]

    def wait_for_adverts(
        self,
        count: int,
        within: float,
        *,
        port: str | None = None,
        since: int = 0,
        where: Callable[[Advert], bool] = lambda advert: True,
    ) -> list[Advert]:
        """The first `count` adverts of a host for which `where` holds."""
        deadline = time.monotonic() + within
        while True:
            found = [each for each in self.adverts(port, since) if where(each)]
            if len(found) >= count:
                return found[:count]
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(
                    f"not within {within} s: {count} adverts of {port}; seen {len(found)}:\n"
                    + self.transcript()
                )
            with self._changed:
                self._changed.wait(min(left, 0.1))

    def transcript(self, last: int = 60) -> str:
        """The last frames, a line each."""
        lines = []
        for frame in self.frames()[-last:]:
            stamp = time.strftime("%H:%M:%S", time.gmtime(frame.time))
            head = f"{stamp}.{int(frame.time % 1 * 1000):03d} {frame.port} "
            if isinstance(frame, Advert):
                head += (
                    f"advert v{frame.version} vrid {frame.router_id} priority {frame.priority}"
                    f" every {frame.interval} s {frame.source} > {frame.destination}"
                )
            elif isinstance(frame, Announcement):
                kind = {0: "advertisement", 1: "ARP request", 2: "ARP reply"}
                what = kind.get(frame.operation, str(frame.operation))
                head += f"gratuitous {what} {frame.address} is at {frame.announced_mac}"
            lines.append(head)
        return "\n".join(lines)

    def close(self) -> None:
        self._tap.close()
