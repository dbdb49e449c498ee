"""Free loopback ports, and addresses that refuse or swallow connections.

Ports come from below the ephemeral range, so that no outgoing connection takes one between
its choice here and its use by the program under test.
"""

from __future__ import annotations

import os
import random
import socket
import threading

# net.ipv4.ip_local_port_range starts at 32768. Tests that run beside each other share no port.
_WORKERS = 16
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_PORTS = range(10_000 + _WORKER, 32_000, _WORKERS)

_lock = threading.Lock()
_given: set[int] = set()
_random = random.Random(os.getpid())


def free_port() -> int:
    """A TCP and UDP port that is free on every address now and never given twice."""
    with _lock:
        for _ in range(1000):
            port = _random.choice(_PORTS)
            if port not in _given and _is_free(port):
                _given.add(port)
                return port
    raise AssertionError("no free port in 1000 tries")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


class RefusingAddress:
    """A bound port that nobody listens on: connecting is refused, and nobody else can take it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket()
        self._socket.bind((host, free_port()))
        self.port: int = self._socket.getsockname()[1]
        self.address = f"{host}:{self.port}"

    def close(self) -> None:
        self._socket.close()


class Blackhole:
    """A listener with a full queue: the kernel drops every further SYN, as a dead host does."""

    PENDING = 4  # listen(0) queues one connection; the rest proves that it is full

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._listener = socket.socket()
        self._listener.bind((host, free_port()))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        self._pending = [socket.socket() for _ in range(self.PENDING)]
        for filler in self._pending:
            filler.setblocking(False)
            filler.connect_ex((host, self.port))

    def close(self) -> None:
        for filler in (*self._pending, self._listener):
            filler.close()
