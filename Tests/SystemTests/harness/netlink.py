"""What the kernel says of addresses, links and neighbours on a host, without starting a program.

Sockets are made on the host and queried from here; `Monitor` keeps every change in order.
Numbers are those of linux/rtnetlink.h, if_addr.h, if_link.h and neighbour.h.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .namespaces import Host

RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 16, 18, 20, 21, 22
RTM_NEWNEIGH, RTM_GETNEIGH = 28, 30
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_FLAGS, IFA_PROTO = 1, 2, 3, 8, 11
IFLA_ADDRESS, IFLA_IFNAME = 1, 3
NDA_DST, NDA_LLADDR = 1, 2
IFA_F_SECONDARY, IFA_F_NODAD, IFA_F_DADFAILED = 0x01, 0x02, 0x08
IFA_F_DEPRECATED, IFA_F_TENTATIVE = 0x20, 0x40
GROUPS = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses
RECEIVE_BYTES = 1 << 20


@dataclass(frozen=True)
class Address:
    text: str
    prefix_length: int
    interface: int
    scope: int
    flags: int
    protocol: int  # IFA_PROTO: who added it; 0 = not said
    label: str

    @property
    def is_secondary(self) -> bool:
        """Only of IPv4: the kernel gives the bit to temporary addresses in IPv6."""
        return ":" not in self.text and bool(self.flags & IFA_F_SECONDARY)

    @property
    def is_tentative(self) -> bool:
        return bool(self.flags & IFA_F_TENTATIVE)

    @property
    def has_failed_duplicate_detection(self) -> bool:
        return bool(self.flags & IFA_F_DADFAILED)

    @property
    def skips_duplicate_detection(self) -> bool:
        return bool(self.flags & IFA_F_NODAD)


@dataclass(frozen=True)
class Link:
    index: int
    name: str
    mac: str


def mac_text(raw: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in raw)


def _attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, sequence number, payload) of each message of a datagram."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data, offset)
        if length < 16:
            break
        yield kind, sequence, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def _address(payload: bytes) -> Address:
    family, prefix_length, flags, scope, interface = struct.unpack_from("=BBBBI", payload)
    told = _attributes(payload[8:])
    raw = told.get(IFA_LOCAL) or told[IFA_ADDRESS]
    if IFA_FLAGS in told:
        (flags,) = struct.unpack("=I", told[IFA_FLAGS])
    return Address(
        socket.inet_ntop(family, raw),
        prefix_length,
        interface,
        scope,
        flags,
        told.get(IFA_PROTO, b"\0")[0],
        told.get(IFA_LABEL, b"").rstrip(b"\0").decode(),
    )


class Netlink:
    """Questions to the kernel of one host."""

    def __init__(self, host: Host) -> None:
        self._socket = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._socket.bind((0, 0))
        self._socket.settimeout(5)
        self._sequence = 0
        self._lock = threading.Lock()

    def _dump(self, request: int, body: bytes) -> list[tuple[int, bytes]]:
        with self._lock:
            self._sequence += 1
            wanted = self._sequence
            flags = NLM_F_REQUEST | NLM_F_DUMP
            header = struct.pack("=IHHII", 16 + len(body), request, flags, wanted, 0)
            self._socket.send(header + body)
            found: list[tuple[int, bytes]] = []
            while True:
                for kind, sequence, payload in _messages(self._socket.recv(RECEIVE_BYTES)):
                    if sequence != wanted:
                        continue
                    if kind == NLMSG_DONE:
                        return found
                    if kind == NLMSG_ERROR:
                        raise AssertionError(f"netlink: {struct.unpack_from('=i', payload)[0]}")
                    found.append((kind, payload))

    def addresses(self) -> list[Address]:
        return [
            _address(payload)
            for kind, payload in self._dump(RTM_GETADDR, bytes(8))
            if kind == RTM_NEWADDR
        ]

    def address(self, text: str) -> Address | None:
        wanted = str(ipaddress.ip_address(text))
        return next((each for each in self.addresses() if each.text == wanted), None)

    def links(self) -> list[Link]:
        found = []
        for kind, payload in self._dump(RTM_GETLINK, bytes(16)):
            if kind == RTM_NEWLINK:
                told = _attributes(payload[16:])
                name = told[IFLA_IFNAME].rstrip(b"\0").decode()
                index = struct.unpack_from("=i", payload, 4)[0]
                found.append(Link(index, name, mac_text(told.get(IFLA_ADDRESS, b""))))
        return found

    def mac(self, interface: str = "eth0") -> str:
        return next(link.mac for link in self.links() if link.name == interface)

    def neighbour(self, text: str) -> str | None:
        """The MAC address in the neighbour cache; None when there is none."""
        wanted = ipaddress.ip_address(text)
        family = socket.AF_INET6 if wanted.version == 6 else socket.AF_INET
        for kind, payload in self._dump(RTM_GETNEIGH, struct.pack("=BBHiHBB", family, *[0] * 6)):
            told = _attributes(payload[12:])
            if kind == RTM_NEWNEIGH and told.get(NDA_DST) == wanted.packed:
                return mac_text(told[NDA_LLADDR]) if NDA_LLADDR in told else None
        return None

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Change:
    """An address came, changed or went; `time` is on the clock of the sniffer."""

    time: float
    is_there: bool
    address: Address


class Monitor:
    """All changes of addresses on a host, in order, from now on."""

    def __init__(self, host: Host) -> None:
        self._socket = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._socket.bind((0, GROUPS))
        # close() wakes no reader, and one that slept on would read from whatever comes to have
        # the number of its descriptor.
        self._socket.settimeout(0.1)
        self._closed = False
        self._changes: list[Change] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._closed:
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except TimeoutError:
                continue
            except OSError:
                return
            now = time.time()
            if not data:
                return
            with self._changed:
                for kind, _, payload in _messages(data):
                    if kind in (RTM_NEWADDR, RTM_DELADDR):
                        self._changes.append(Change(now, kind == RTM_NEWADDR, _address(payload)))
                self._changed.notify_all()

    @property
    def changes(self) -> list[Change]:
        with self._changed:
            return list(self._changes)

    def of(self, text: str, since: int = 0) -> list[Change]:
        return [change for change in self.changes[since:] if change.address.text == text]

    def wait_for(self, wanted: Callable[[Change], bool], within: float, what: str) -> Change:
        deadline = time.monotonic() + within
        with self._changed:
            while True:
                found = next((each for each in self._changes if wanted(each)), None)
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {within} s: {what}; {self._changes}")
                self._changed.wait(left)

    def close(self) -> None:
        self._closed = True
        self._thread.join(5)
        self._socket.close()
