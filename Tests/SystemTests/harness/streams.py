"""Many connections that stay open, the server behind the proxy that they reach, and the resets
that end them, seen on the bridge.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .clients import Client
from .namespaces import Host, Network
from .routers import NAME_PORT
from .sniffer import EQUAL, IPV4, LOAD_BYTE, LOAD_HALF, RETURN
from .tap import Tap

BACKEND = ("127.0.3.1", 9000)
TICK_SECONDS = 0.05
RETRY_SECONDS = 0.02
PATIENCE_SECONDS = 0.5  # a SYN that is lost is repeated after a second only
FIN, RST = 0x01, 0x04
RECEIVE_BYTES = 64 << 20

# (code, jump if true, jump if false, value): IPv4, TCP, no fragment, FIN or RST set.
LOAD_INDEX, LOAD_BYTE_AT, ANY_BIT = 0xB1, 0x50, 0x45
FILTER = (
    (LOAD_HALF, 0, 0, 12),
    (EQUAL, 0, 7, IPV4),
    (LOAD_BYTE, 0, 0, 23),
    (EQUAL, 0, 5, socket.IPPROTO_TCP),
    (LOAD_HALF, 0, 0, 20),
    (ANY_BIT, 3, 0, 0x1FFF),
    (LOAD_INDEX, 0, 0, 14),
    (LOAD_BYTE_AT, 0, 0, 14 + 13),
    (ANY_BIT, 1, 0, FIN | RST),
    (RETURN, 0, 0, 0),
    (RETURN, 0, 0, 0x40000),
)


class StreamServer:
    """On a node, behind its proxy: says the node's name, then ticks to those that want it."""

    def __init__(self, host: Host, name: str) -> None:
        self._name = name.encode()
        self._listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(BACKEND)
        self._listener.listen(4096)
        self._listener.setblocking(False)
        self._open: set[socket.socket] = set()
        self._ticking: set[socket.socket] = set()
        self.resets = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def open(self) -> int:
        return len(self._open)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            due = time.monotonic()
            while not self._stop.is_set():
                for key, _ in selector.select(TICK_SECONDS):
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    else:
                        self._read(selector, key.fileobj)  # type: ignore[arg-type]
                if time.monotonic() >= due:
                    due = time.monotonic() + TICK_SECONDS
                    for connection in list(self._ticking):
                        with contextlib.suppress(OSError):
                            connection.send(b".")

    def _accept(self, selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ)
                self._open.add(connection)
                connection.send(self._name)

    def _read(self, selector: selectors.BaseSelector, connection: socket.socket) -> None:
        try:
            word = connection.recv(64)
        except OSError as error:
            self.resets += error.errno == errno.ECONNRESET
            word = b""
        if word:
            if word == b"tick":
                self._ticking.add(connection)
            return
        selector.unregister(connection)
        self._open.discard(connection)
        self._ticking.discard(connection)
        connection.close()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        for connection in [*self._open, self._listener]:
            connection.close()


@dataclass
class Stream:
    """One client: connects again whenever its connection ends."""

    number: int
    connection: socket.socket | None = None
    name: str | None = None  # of the node that it goes through; None while it connects
    asked: float = 0.0  # when the present attempt began
    port: int = 0
    # (when, errno or 0 for FIN, name of the node before)
    ends: list[tuple[float, int, str]] = field(default_factory=list)
    failures: list[tuple[float, int]] = field(default_factory=list)  # of attempts: (when, errno)
    established: list[tuple[float, str]] = field(default_factory=list)
    due: float = 0.0


class Streams:
    """`count` streams to an address, every second one without a byte after its greeting."""

    def __init__(self, client: Client, address: str, count: int) -> None:
        self.address = address
        self.streams = [Stream(number) for number in range(count)]
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def names(self) -> dict[str | None, int]:
        """How many go through each node; None: those that connect."""
        found: dict[str | None, int] = {}
        for stream in self.streams:
            found[stream.name] = found.get(stream.name, 0) + 1
        return found

    def all_through(self, name: str) -> bool:
        return self.names() == {name: len(self.streams)}

    def _run(self) -> None:
        self._client.host.enter()
        with selectors.DefaultSelector() as selector:
            while not self._stop.is_set():
                now = time.time()
                for stream in self.streams:
                    if stream.connection is None:
                        if now >= stream.due:
                            self._connect(selector, stream)
                    elif stream.name is None and now - stream.asked > PATIENCE_SECONDS:
                        self._failed(selector, stream, errno.ETIMEDOUT)
                for key, _ in selector.select(RETRY_SECONDS / 4):
                    self._ready(selector, key.data)
            for stream in self.streams:
                if stream.connection is not None:
                    stream.connection.close()

    def _connect(self, selector: selectors.BaseSelector, stream: Stream) -> None:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        stream.connection, stream.asked = connection, time.time()
        with contextlib.suppress(OSError):
            connection.connect_ex((self.address, NAME_PORT))
        stream.port = connection.getsockname()[1]
        selector.register(connection, selectors.EVENT_READ, stream)

    def _ready(self, selector: selectors.BaseSelector, stream: Stream) -> None:
        assert stream.connection is not None
        problem = 0
        try:
            data = stream.connection.recv(4096)
        except OSError as error:
            data, problem = b"", error.errno or 0
        if data and stream.name is None:
            stream.name = data[:1].decode()
            stream.established.append((time.time(), stream.name))
            with contextlib.suppress(OSError):
                stream.connection.send(b"tick" if stream.number % 2 else b"quiet")
        elif not data and stream.name is None:
            self._failed(selector, stream, problem)
        elif not data:
            stream.ends.append((time.time(), problem, stream.name or ""))
            self._drop(selector, stream)

    def _failed(self, selector: selectors.BaseSelector, stream: Stream, problem: int) -> None:
        stream.failures.append((time.time(), problem))
        self._drop(selector, stream)
        stream.due = time.time() + RETRY_SECONDS

    def _drop(self, selector: selectors.BaseSelector, stream: Stream) -> None:
        assert stream.connection is not None
        selector.unregister(stream.connection)
        stream.connection.close()
        stream.connection = stream.name = None
        stream.due = 0.0

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


@dataclass(frozen=True)
class End:
    """A segment with FIN or RST."""

    time: float  # from the kernel
    port: str  # of the bridge, where it came in
    source: str
    client_port: int
    is_reset: bool


class EndSniffer:
    """FIN and RST from one IPv4 address, as they enter the bridge."""

    def __init__(self, network: Network, address: str) -> None:
        self._wanted = ipaddress.ip_address(address).packed
        self.ends: list[End] = []
        self._tap = Tap(network, FILTER, self._take, RECEIVE_BYTES)

    def _take(self, when: float, port: str, data: bytes) -> None:
        packet = data[14:]
        if packet[12:16] != self._wanted:
            return
        segment = packet[(packet[0] & 15) * 4 :]
        source = str(ipaddress.ip_address(packet[12:16]))
        client_port = struct.unpack_from("!H", segment, 2)[0]
        self.ends.append(End(when, port, source, client_port, bool(segment[13] & RST)))

    def resets(self, port: str, where: Callable[[End], bool] = lambda end: True) -> list[End]:
        return [each for each in self.ends if each.port == port and each.is_reset and where(each)]

    def close(self) -> None:
        self._tap.close()
