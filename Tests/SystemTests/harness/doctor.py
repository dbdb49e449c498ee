"""A node to be examined by `fairlead verify`, with API servers and peers around it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Self

from .certificates import Authority, Certificate
from .namespaces import Host, Network
from .process import run
from .proxies import FAIRLEAD
from .routers import Node, Settings
from .waiting import eventually

VIRTUAL = "10.0.0.179"
NODE, PEER, STRANGER = "10.0.0.131", "10.0.0.132", "10.0.0.150"
SERVERS = ("10.0.0.140", "10.0.0.141")
ROUTER_ID = 179  # derived from the address
LIMIT_SECONDS = 30.0
LONG = "365"  # days

FILE = f"""\
nodes:
  one: {NODE}
  two: {PEER}
virtualAddresses:
  - {VIRTUAL}/26
frontends:
  - {{name: api, listen: 0.0.0.0:6443}}
servers:
  - {{name: a, address: "{SERVERS[0]}:6443"}}
  - {{name: b, address: "{SERVERS[1]}:6443"}}
"""

# What a keepalived on the other node needs to be its peer.
PEER_SETTINGS = Settings(
    version=3, unicast=True, router_id=ROUTER_ID, priority=210, interval="0.1",
    addresses=(f"{VIRTUAL}/26",),
)


class ApiServer:
    """Answers every request over TLS: a status, and the date with an offset."""

    def __init__(
        self, host: Host, certificate: Certificate | None, *, port: int = 6443
    ) -> None:
        self.status: int | None = 200  # None: never answers
        self.offset_seconds = 0.0
        self._context = certificate.server_context() if certificate else None
        self._listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host.addresses[0], port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            if self._context is None:
                connection.recv(1)
                connection.sendall(b"220 not what you look for\r\n")
                return
            with self._context.wrap_socket(connection, server_side=True) as secure:
                while b"\r\n\r\n" not in secure.recv(4096):
                    pass
                if self.status is None:
                    secure.recv(1)  # until the client goes
                    return
                date = formatdate(time() + self.offset_seconds, usegmt=True)
                head = f"HTTP/1.1 {self.status} Word\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n"
                secure.sendall(head.encode())

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@dataclass
class Examined:
    """What one examination said."""

    code: int
    report: dict
    errors: str

    @property
    def complaints(self) -> set[str]:
        """Everything that is not `ok`."""
        found = self.report["findings"]
        return {each["finding"] for each in found if each["severity"] != "ok"}

    def all(self, kind: str) -> list[dict]:
        return [each for each in self.report["findings"] if each["finding"] == kind]

    def one(self, kind: str) -> dict:
        found = self.all(kind)
        assert len(found) == 1, f"{kind}: {found}\nof {json.dumps(self.report, indent=1)}"
        return found[0]


class Ward:
    """The node, its API servers, and whoever is added."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.servers: list[ApiServer] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            self.network = self._stack.enter_context(Network())
            self.node = self.network.host(f"{NODE}/26")
            self.node.set_kernel("ipv4/conf/eth0/promote_secondaries", "1")
            for number, address in enumerate(SERVERS):
                name = "ab"[number]
                names = (f"IP:{address}", f"IP:{VIRTUAL}", "DNS:kubernetes", "DNS:api.test")
                self.serve(address, self.authority.issue(name, *names, days=LONG))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def serve(self, address: str, certificate: Certificate | None) -> ApiServer:
        host = self.network.host(f"{address}/26")
        return self.serve_on(host, certificate)

    def serve_on(self, host: Host, certificate: Certificate | None) -> ApiServer:
        server = ApiServer(host, certificate)
        server.host = host  # type: ignore[attr-defined]
        self.servers.append(server)
        self._stack.callback(server.close)
        return server

    def replace(self, number: int, certificate: Certificate | None) -> ApiServer:
        """Another certificate (or no TLS) for one of the servers."""
        old = self.servers[number]
        old.close()
        new = self.serve_on(old.host, certificate)  # type: ignore[attr-defined]
        self.servers[number] = self.servers.pop()
        return new

    def router(
        self, address: str, settings: Settings = PEER_SETTINGS, *, peers: Sequence[str] = (NODE,),
        holds: bool = True,
    ) -> Node:
        """A keepalived on a host of its own; returns when it is master."""
        host = self.network.host(f"{address}/26")
        node = Node(host, "keepalived", "peer", serves_name=False)
        self._stack.callback(node.close)
        node.start(settings.text(address, peers))
        if holds:
            eventually(lambda: node.holds(settings.addresses), 15, "it is master")
        return node

    def rival(self) -> Node:
        """A keepalived on the examined node itself; returns when it is master."""
        node = Node(self.node, "keepalived", "rival", serves_name=False)
        self._stack.callback(node.close)
        node.start(PEER_SETTINGS.text(NODE, [PEER]))
        eventually(lambda: node.holds(PEER_SETTINGS.addresses), 15, "it is master")
        return node

    def daemon(self, text: str = FILE) -> Node:
        """Fairlead on the node that is examined."""
        node = Node(self.node, "fairlead", "node", serves_name=False)
        self._stack.callback(node.close)
        node.start(text)
        return node

    def file(self, text: str = FILE, name: str = "fairlead.yaml") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def command(self, *arguments: str, prefix: Sequence[str] = ()) -> tuple[int, str, str]:
        command = [*self.node.prefix, *prefix, str(FAIRLEAD), "verify", *arguments]
        return run(command, LIMIT_SECONDS)

    def verify(
        self,
        text: str = FILE,
        *arguments: str,
        prefix: Sequence[str] = (),
        files: Sequence[str] = (),
    ) -> Examined:
        paths = files or [self.file(text)]
        code, out, errors = self.command("--json", *arguments, *paths, prefix=prefix)
        return Examined(code, json.loads(out), errors)
