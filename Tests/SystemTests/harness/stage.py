"""A stage for one scenario: a proxy, its scripted servers, and the log lines it leaves.

A scenario is a function of a `Stage`. The parity test plays it once through HAProxy and once
through Fairlead and compares what both logged.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from . import tcplog
from .peers import Script, ScriptedServer, connect, read_exactly, read_to_end
from .ports import Blackhole, RefusingAddress, free_port
from .proxies import Proxy
from .waiting import eventually

LOG_SECONDS = 15.0  # the longest any scenario waits for a log line

PRELUDE = """\
global
    nbthread 2
    log stdout format raw local0
defaults
    log global
    mode tcp
    {log_option}
    timeout connect 1s
    timeout client 5s
    timeout server 5s
{defaults}
"""

TOPOLOGY = """\
frontend edge
    bind 127.0.0.1:{port}
{frontend}
    default_backend masters
backend masters
{backend}
"""


def indented(text: str) -> str:
    return "\n".join(f"    {line.strip()}" for line in text.splitlines() if line.strip())


class Stage:
    """What a scenario may use; everything it opens is closed with it."""

    def __init__(self, kind: type[Proxy]) -> None:
        self.kind = kind
        self.port = free_port()
        self.proxy: Proxy
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._resources.__exit__(*details)  # type: ignore[arg-type]

    def server(self, script: Script, **options: object) -> ScriptedServer:
        server = ScriptedServer(script, **options)  # type: ignore[arg-type]
        self._resources.callback(server.close)
        return server

    def refusing(self) -> str:
        address = RefusingAddress()
        self._resources.callback(address.close)
        return address.address

    def blackhole(self) -> str:
        hole = Blackhole()
        self._resources.callback(hole.close)
        return hole.address

    def run(
        self,
        backend: str,
        *,
        defaults: str = "",
        frontend: str = "",
        log_option: str = "option tcplog",
    ) -> Proxy:
        """Start the proxy with frontend `edge` in front of backend `masters`."""
        text = PRELUDE.format(log_option=log_option, defaults=indented(defaults))
        text += TOPOLOGY.format(
            port=self.port, frontend=indented(frontend), backend=indented(backend)
        )
        self.proxy = self._resources.enter_context(self.kind(text))
        return self.proxy

    def connect(self) -> socket.socket:
        return self._resources.enter_context(connect(self.port))

    def exchange(self, data: bytes = b"ping") -> socket.socket:
        """A session through an echoing server that has moved `data` both ways."""
        client = self.connect()
        client.sendall(data)
        assert read_exactly(client, len(data)) == data
        return client

    def opened(self, server: ScriptedServer) -> socket.socket:
        """A session without data yet that has reached `server`.

        A client that closes before the server is reached races with the connect.
        """
        before = server.accepted
        client = self.connect()
        eventually(lambda: server.accepted > before, LOG_SECONDS, "the server has the session")
        return client

    def names(self, count: int) -> str:
        """Which server answered each of `count` sessions, one after the other."""
        answers = []
        for number in range(count):
            with self.connect() as client:
                answers.append(client.recv(1).decode())
                client.shutdown(socket.SHUT_WR)
                read_to_end(client)
            self.sessions_logged(number + 1)
        return "".join(answers)

    def logged(self, holding: str, count: int = 1) -> list[str]:
        """Wait for stdout lines that contain `holding`."""
        return self.proxy.wait_for_lines(count, holding, LOG_SECONDS)

    def sessions_logged(self, count: int) -> list[str]:
        return self.logged("127.0.0.1:", count)


Play = Callable[[Stage], object]
Fields = Mapping[str, str]


@dataclass(frozen=True)
class Scenario:
    """A play, and what HAProxy is known to log for it: that proves the play itself."""

    name: str
    play: Play
    expected: Sequence[Fields]
    result: object = None
    compare_lines: bool = True
    ordered: bool = True


@dataclass
class Performance:
    """What came out of one play through one proxy."""

    sessions: list[str] = field(default_factory=list)
    result: object = None


REGISTRY: dict[str, Scenario] = {}


def scenario(
    *expected: Fields, result: object = None, compare_lines: bool = True, ordered: bool = True
) -> Callable[[Play], Play]:
    """Register a play; `expected` are the fields to insist on, one mapping per log line."""

    def register(play: Play) -> Play:
        name = play.__name__
        assert name not in REGISTRY, name
        REGISTRY[name] = Scenario(name, play, expected, result, compare_lines, ordered)
        return play

    return register


def perform(item: Scenario, kind: type[Proxy]) -> Performance:
    """Play a scenario through one proxy; collect its session lines up to the proxy's end."""
    with Stage(kind) as stage:
        result = item.play(stage)
        stage.sessions_logged(len(item.expected))
        stage.proxy.stop()
        lines = [line for line in stage.proxy.stdout if line.startswith("127.0.0.1:")]
        if not item.ordered:
            lines.sort(key=_shape)
        return Performance(lines, result)


def _shape(line: str) -> tuple[str, ...]:
    if not tcplog.is_tcplog(line):
        return (line,)
    fields = tcplog.parse(line)
    return tuple(fields[name] for name in ("ts", "s", "B", "sq", "bq", "fc", "bc", "sc"))
