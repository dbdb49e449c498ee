"""Scripted TCP servers and the client calls the tests speak to them with.

A script is a function of one accepted connection; the server runs it in a thread and closes
the connection when it returns.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

from .ports import free_port

PEER_TIMEOUT_SECONDS = 30.0  # no scenario keeps a connection longer; bounds every thread
BIND_ATTEMPTS = 5

Script = Callable[[socket.socket], None]


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until FIN."""
    received = bytearray()
    while chunk := connection.recv(65536):
        received += chunk
    return bytes(received)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise AssertionError(f"end after {len(received)} of {count} bytes")
        received += chunk
    return bytes(received)


def echo(connection: socket.socket) -> None:
    """Send back what comes; close when the peer does."""
    while chunk := connection.recv(65536):
        connection.sendall(chunk)


def silent(connection: socket.socket) -> None:
    """Read and say nothing; close when the peer does."""
    read_to_end(connection)


def close_at_once(connection: socket.socket) -> None:
    """Accept and close."""


def reset_at_once(connection: socket.socket) -> None:
    reset(connection)


def reset_after_request(connection: socket.socket) -> None:
    connection.recv(65536)
    reset(connection)


def replying(data: bytes) -> Script:
    """Wait for one request, send `data`, close."""

    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)

    return script


def reply_at_end(connection: socket.socket) -> None:
    """Read until FIN, then answer with what was received, then close."""
    connection.sendall(b"got " + read_to_end(connection))


def named(name: str) -> Script:
    """Say `name` at once, then stay until the peer closes."""

    def script(connection: socket.socket) -> None:
        connection.sendall(name.encode())
        silent(connection)

    return script


class Holding:
    """A script that keeps the connection open, FIN or not, until `release`d."""

    def __init__(self) -> None:
        self._released = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        self._released.wait(PEER_TIMEOUT_SECONDS)

    def release(self) -> None:
        self._released.set()


class ScriptedServer:
    """A listener on loopback (or another host address) whose connections follow a script."""

    def __init__(
        self,
        script: Script,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        tls: ssl.SSLContext | None = None,
        start: bool = True,
        make: Callable[[int, int], socket.socket] = socket.socket,
    ) -> None:
        """`make` makes the listening socket: `Host.socket` puts it onto another host."""
        self.script = script
        self.host = host
        self._wanted = port
        self.port = port or free_port()
        self.accepted = 0
        self._tls = tls
        self._make = make
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        if start:
            self.start()

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for attempt in range(BIND_ATTEMPTS):
            listener = self._make(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, self.port))
                break
            except OSError:  # another program took the port since it was chosen
                listener.close()
                if self._wanted or attempt + 1 == BIND_ATTEMPTS:
                    raise
                self.port = free_port()
        self._wanted = self.port
        listener.listen(512)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the listener was closed
            with self._lock:
                self.accepted += 1
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        plain = connection
        try:
            connection.settimeout(PEER_TIMEOUT_SECONDS)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.script(connection)
        except OSError:
            pass  # resets and timeouts are part of the scripts
        finally:
            with self._lock:
                self._connections.discard(plain)
            connection.close()

    def stop(self, *, cut: bool = True) -> None:
        """Stop listening; with `cut`, also reset what is open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
            listener.close()
        if cut:
            self.cut()

    def cut(self) -> None:
        """Reset the open connections."""
        with self._lock:
            doomed = list(self._connections)
        for connection in doomed:
            with contextlib.suppress(OSError):
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.stop()


def connect(
    port: int, host: str = "127.0.0.1", timeout: float = PEER_TIMEOUT_SECONDS
) -> socket.socket:
    return socket.create_connection((host, port), timeout)


@contextlib.contextmanager
def serving(script: Script, **options: object) -> Iterator[ScriptedServer]:
    server = ScriptedServer(script, **options)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.close()
