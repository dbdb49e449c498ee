"""API servers that are ready or not by their own word, behind a Fairlead with a native file."""

from __future__ import annotations

import json
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

from .certificates import Certificate
from .peers import ScriptedServer
from .ports import free_port
from .process import run
from .proxies import FAIRLEAD, Fairlead, Proxy
from .waiting import eventually

Start = Callable[..., Proxy]


class Master:
    """A TLS server that answers checks by path, and names itself for every other line."""

    def __init__(self, name: str, certificate: Certificate) -> None:
        self.name = name
        self.ready = self.live = 200
        self.hangs = False
        self.asked = 0  # by checks that came to their end
        self.context = certificate.server_context()
        self.server = ScriptedServer(self.serve)

    def serve(self, connection: socket.socket) -> None:
        if self.hangs:
            connection.settimeout(30)
            connection.recv(1 << 16)
            connection.recv(1)
            return
        try:
            with self.context.wrap_socket(connection, server_side=True) as stream:
                while line := stream.recv(4096):
                    text = line.decode("latin-1")
                    if text.startswith("GET "):
                        code = self.live if "livez" in text else self.ready
                        answer = f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n"
                        stream.sendall(answer.encode())
                        self.asked += "livez" in text or self.ready == 200
                        return
                    stream.sendall(self.name.encode())
        except (OSError, ssl.SSLError):
            return


class Stage:
    """Masters m0, m1 … behind a frontend; `interval` is that of their checks."""

    def __init__(
        self,
        start: Start,
        certificate: Certificate,
        extra: str,
        count: int,
        interval: str = "200ms",
    ) -> None:
        self.port = free_port()
        self.extra, self.interval = extra, interval
        self.masters = [Master(f"m{number}", certificate) for number in range(count)]
        proxy = start(self.text())
        assert isinstance(proxy, Fairlead)
        self.proxy = proxy
        eventually(lambda: all("check" in x for x in self.servers()), 10, "first checks")

    def text(self, count: int | None = None) -> str:
        """The file, with the first `count` masters."""
        servers = "\n".join(
            f'      - {{name: {x.name}, address: "{x.server.address}"}}'
            for x in self.masters[:count]
        )
        times = f"interval: {self.interval}, fastInterval: {self.interval}, timeout: 0"
        return (
            f"process: {{threads: 2}}\nfrontends: [{{listen: '127.0.0.1:{self.port}'}}]\n"
            f"backends:\n  - name: masters\n    balance: roundrobin\n"
            f"    check: {{{times}, {self.extra}}}\n"
            f"    servers:\n{servers}\n"
        )

    def backend(self) -> dict[str, Any]:
        control = str(self.proxy.control)
        code, out, errors = run([str(FAIRLEAD), "status", "--json", "--control", control])
        assert code == 0, errors
        found = json.loads(out)["backends"][0]
        assert isinstance(found, dict)
        return found

    def servers(self) -> list[dict[str, Any]]:
        return list(self.backend()["servers"])

    def state(self, number: int) -> str:
        return str(self.servers()[number]["state"])

    def session(self) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        return context.wrap_socket(plain)

    def ask(self, stream: ssl.SSLSocket) -> str:
        stream.sendall(b"who\n")
        return stream.recv(16).decode()


def ended(stream: ssl.SSLSocket) -> str:
    """How the session ended: `reset`, `closed`, or `` while it lives. Nothing is read."""
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLRDHUP)
    events = sum(each for _, each in poll.poll(0))
    if events & select.POLLERR:
        return "reset"
    return "closed" if events & (select.POLLRDHUP | select.POLLHUP) else ""


def on(stage: Stage, name: str, count: int) -> list[ssl.SSLSocket]:
    """Sessions on one server; the others are closed again."""
    found: list[ssl.SSLSocket] = []
    while len(found) < count:
        stream = stage.session()
        if stage.ask(stream) == name:
            found.append(stream)
        else:
            stream.close()
    return found
