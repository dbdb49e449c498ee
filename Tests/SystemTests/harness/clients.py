"""A client on the bridge: pings the virtual address, asks who answers there, knows its MAC."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from .namespaces import Host
from .netlink import Netlink
from .routers import NAME_PORT

ATTEMPT_SECONDS = 0.3  # a connection that is refused or lost is tried again by the caller
ECHO_REQUEST, ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Client:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.netlink = Netlink(host)

    def who(self, address: str, timeout: float = ATTEMPT_SECONDS) -> str | None:
        """The name of the node that answers on the address; None when nobody does."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.host.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            try:
                connection.connect((address, NAME_PORT))
                return connection.recv(64).decode() or None
            except OSError:
                return None

    def ping(self, address: str, timeout: float = ATTEMPT_SECONDS) -> bool:
        version = 6 if ":" in address else 4
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
        token = time.monotonic_ns().to_bytes(8, "big")
        head = struct.pack("!BBHHH", ECHO_REQUEST[version], 0, 0, 1, 1)
        checksum = _checksum(head + token) if version == 4 else 0  # IPv6: the kernel's work
        request = head[:2] + struct.pack("!H", checksum) + head[4:] + token
        deadline = time.monotonic() + timeout
        with self.host.socket(family, socket.SOCK_RAW, protocol) as raw:
            try:
                raw.sendto(request, (address, 0))
            except OSError:
                return False
            while (left := deadline - time.monotonic()) > 0:
                if not select.select([raw], [], [], left)[0]:
                    return False
                data = raw.recv(2048)
                reply = data[(data[0] & 15) * 4 :] if version == 4 else data
                if reply[:1] == bytes([ECHO_REPLY[version]]) and reply[8:16] == token:
                    return True
        return False

    def neighbour(self, address: str) -> str | None:
        """The MAC address the client sends to, without asking for it."""
        return self.netlink.neighbour(address)

    def forget_neighbours(self) -> None:
        self.host.ip("neighbour", "flush", "dev", "eth0")

    def close(self) -> None:
        self.netlink.close()


@dataclass
class Attempt:
    started: float
    finished: float
    answer: str | None


@dataclass
class GapMeter:
    """Opens a TCP connection every 20 ms and notes who answered, and when.

    Attempts overlap: one that hangs does not delay the next. All of it runs in one thread that
    lives on the client's host.
    """

    client: Client
    address: str
    every: float = 0.020
    patience: float = 0.5  # SYNs are repeated after 1 s only: a later answer is another attempt's
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> GapMeter:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.connect_ex((self.address, NAME_PORT))
        return connection

    def _run(self) -> None:
        self.client.host.enter()
        waiting: dict[int, tuple[socket.socket, float]] = {}
        poller = select.poll()
        due = time.monotonic()
        while not self._stop.is_set() or waiting:
            now = time.monotonic()
            if now >= due and not self._stop.is_set():
                connection = self._open()
                waiting[connection.fileno()] = (connection, now)
                poller.register(connection, select.POLLIN)
                due = max(due + self.every, now)
            for number, _ in poller.poll(max(0.0, min(due - now, self.every)) * 1000):
                self._finish(poller, waiting, number)
            now = time.monotonic()
            for number in [n for n, (_, since) in waiting.items() if now - since > self.patience]:
                self._finish(poller, waiting, number, late=True)

    def _finish(
        self,
        poller: select.poll,
        waiting: dict[int, tuple[socket.socket, float]],
        number: int,
        late: bool = False,
    ) -> None:
        connection, since = waiting.pop(number)
        answer = None
        if not late:
            with contextlib.suppress(OSError):
                answer = connection.recv(64).decode() or None
        poller.unregister(number)
        connection.close()
        with self._lock:
            self.attempts.append(Attempt(since, time.monotonic(), answer))

    def _answered(self) -> list[Attempt]:
        with self._lock:
            return [each for each in self.attempts if each.answer is not None]

    def count(self, name: str) -> int:
        """How often a node has answered."""
        return sum(each.answer == name for each in self._answered())

    def _gaps(self) -> Iterator[float]:
        finished = sorted(each.finished for each in self._answered())
        for before, after in zip(finished, finished[1:], strict=False):
            yield after - before

    def longest_gap(self) -> float:
        """The longest time from one answer to the next, in seconds."""
        return max(self._gaps(), default=float("inf"))
